// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free pages that the host hears of without getting them: hinting and reporting.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/page_reporting.h>
#include <linux/vmstat.h>

#include "fake.h"
#include "hog.h"
#include "kernel_log.h"
#include "suites.h"

#define FEATURES	(FAKE_MODERN | FAKE_F(FREE_PAGE_HINT) | FAKE_F(PAGE_POISON) | \
			 FAKE_F(REPORTING))

/* Rounds that a host might name. */
#define ROUND	0x80000001

static int free_init(struct kunit *test)
{
	return fake_balloon_init(test, FEATURES);
}

static unsigned long free_bytes(void)
{
	return global_zone_page_state(NR_FREE_PAGES) << PAGE_SHIFT;
}

/* H1 H2 H5: a round begins with its id, goes on until nothing is left, and says so. */
static void hint_round(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long before;
	u64 hinted;

	fake->features &= ~FAKE_F(REPORTING);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	before = free_bytes();
	fake_balloon_command(fake, ROUND);
	FAKE_ASSERT_SOON(test, fake, fake->commands == 2);
	KUNIT_EXPECT_EQ(test, fake->command, (u32)VIRTIO_BALLOON_CMD_ID_STOP);
	hinted = fake->hinted;
	KUNIT_EXPECT_GT(test, hinted, before / 2);
	/* They stay with the host until it is done, although it need not be told of it. */
	KUNIT_EXPECT_LT(test, free_bytes(), before - hinted / 2);
	fake_balloon_command(fake, VIRTIO_BALLOON_CMD_ID_DONE);
	FAKE_EXPECT_SOON(test, fake, free_bytes() > before - hinted / 8);
	KUNIT_EXPECT_EQ(test, fake->commands, 2U);

	/* And once more. */
	fake_balloon_command(fake, ROUND + 1);
	FAKE_EXPECT_SOON(test, fake, fake->commands == 4);
	KUNIT_EXPECT_GT(test, fake->hinted, hinted);
}

/* H6: what the host has been lent goes to whoever needs it, for as long as there is a driver. */
static void hint_reclaimed(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long before, lent;

	fake->features &= ~FAKE_F(REPORTING);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	before = free_bytes();
	fake_balloon_command(fake, ROUND);
	FAKE_ASSERT_SOON(test, fake, fake->commands == 2);
	lent = before - free_bytes();
	fake_balloon_run_out(fake);
	KUNIT_EXPECT_GT(test, free_bytes(), before - lent / 2);
	fake_balloon_unplug(fake);
	/* mm asks its shrinkers again. */
	fake_balloon_run_out(fake);
}

/* H3: an id that the host has not taken yet is not written over by the next. */
static void hint_churn(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned int i, ids = 0;
	u32 last = 0;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake->features &= ~FAKE_F(REPORTING);
	fake->queues[FAKE_HINT].hold = true;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_command(fake, ROUND);
	FAKE_ASSERT_SOON(test, fake, fake->queues[FAKE_HINT].kicks);
	for (i = 1; i < 20; i++) {
		fake_balloon_command(fake, ROUND + i);
		msleep(20);
	}
	/* Now the host has a look: each buffer still says what it said. */
	for (i = 0; i < 10000 && fake->command != ROUND + 19; i++) {
		if (!fake_balloon_wait(fake, fake_balloon_pop(fake, FAKE_HINT, buffer)))
			break;
		fake_balloon_accept(fake, FAKE_HINT, buffer);
		if (!buffer->writable && fake->command > VIRTIO_BALLOON_CMD_ID_DONE) {
			KUNIT_EXPECT_GT(test, fake->command, last);
			last = fake->command;
			ids++;
		}
		fake_balloon_push(fake, FAKE_HINT, buffer->head, 0);
		fake_balloon_queue_irq(fake, FAKE_HINT);
	}
	KUNIT_EXPECT_EQ(test, fake->command, ROUND + 19U);
	/* The first, which had been sent, and the last. */
	KUNIT_EXPECT_EQ(test, ids, 2U);
}

/* D6: a host that takes no hints costs nothing, and can be left, though it then wakes up. */
static void hint_unanswered(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int kicks, resets;
	unsigned long before;

	fake->features &= ~FAKE_F(REPORTING);
	fake->queues[FAKE_HINT].hold = true;
	fake->queues[FAKE_HINT].size = 4;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	before = free_bytes();
	fake_balloon_command(fake, ROUND);
	/* One entry stays free, for STOP. */
	FAKE_ASSERT_SOON(test, fake, fake->queues[FAKE_HINT].kicks == 3);
	kicks = fake->queues[FAKE_HINT].kicks;
	msleep(500);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_HINT].kicks, kicks);
	resets = fake->resets;
	fake_balloon_unplug(fake);
	/* Work that began now would take the device for dead. */
	KUNIT_EXPECT_EQ(test, fake->resets, resets + 1);
	KUNIT_EXPECT_GT(test, free_bytes(), before - before / 8);
}

/* V2: a queue that has no room for both a block and the end of the round is left alone. */
static void hint_short_queue(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake->features &= ~FAKE_F(REPORTING);
	fake->queues[FAKE_HINT].size = 1;
	kernel_log_watch("no free page hinting");
	KUNIT_EXPECT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_EXPECT_SOON(test, fake, kernel_log_count() == 1);
	kernel_log_unwatch();
	fake_balloon_command(fake, ROUND);
	/* The rest works, and by then hinting would have begun. */
	fake_balloon_target(fake, 10000);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == 10000);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_HINT].kicks, 0U);
}

/* R1 R2: what mm has free reaches the host, and is whole when it is used. */
static void report_free(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	hog_use_free();
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_EXPECT_SOON(test, fake, fake->reported > free_bytes() / 2);
	hog_use_free();
}

/* V2: also through a queue that takes less at once than mm hands over. */
static void report_short_queue(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int size;

	for (size = 1; size <= 8; size *= 8) {
		fake->queues[FAKE_REPORT].size = size;
		fake->reported = 0;
		hog_use_free();
		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
		FAKE_EXPECT_SOON(test, fake, fake->reported > free_bytes() / 4);
		fake_balloon_unplug(fake);
	}
}

/* R3: nobody uses a page that is being reported, however long it takes. */
static void report_waits(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake->queues[FAKE_REPORT].hold = true;
	hog_use_free();
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_REPORT, buffer));
	msleep(2500);
	KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
	/* Neither used nor among those that mm could give away. */
	for (i = 0; i < buffer->nents; i++) {
		KUNIT_EXPECT_EQ(test, page_count(virt_to_page(buffer->sg[i].data)), 0);
		KUNIT_EXPECT_FALSE(test, PageBuddy(virt_to_page(buffer->sg[i].data)));
	}
	fake_balloon_answer(fake, FAKE_REPORT, buffer, 0);
	fake_balloon_hold(fake, FAKE_REPORT, false);
	FAKE_EXPECT_SOON(test, fake, fake->queues[FAKE_REPORT].buffers > 1);
}

/* A report that is under way does not keep a dead device's driver. */
static void report_dead(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake->queues[FAKE_REPORT].hold = true;
	hog_use_free();
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_REPORT, buffer));
	fake_balloon_forget(fake);
	fake_balloon_unplug(fake);
}

static int no_report(struct page_reporting_dev_info *info, struct scatterlist *sg,
		     unsigned int nents)
{
	return 0;
}

/* D14: the kernel takes one device for reporting. The balloon works without. */
static void report_busy(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct page_reporting_dev_info *info = kunit_kzalloc(test, sizeof(*info), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, info);
	info->report = no_report;
	KUNIT_ASSERT_EQ(test, page_reporting_register(info), 0);
	KUNIT_EXPECT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
	fake_balloon_target(fake, 100);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == 100);
	fake_balloon_unplug(fake);
	page_reporting_unregister(info);
	KUNIT_EXPECT_EQ(test, fake->reported, 0ULL);
}

static struct kunit_case free_cases[] = {
	KUNIT_CASE(hint_round),
	KUNIT_CASE(hint_reclaimed),
	KUNIT_CASE(hint_churn),
	KUNIT_CASE(hint_unanswered),
	KUNIT_CASE(hint_short_queue),
	KUNIT_CASE(report_free),
	KUNIT_CASE(report_short_queue),
	KUNIT_CASE(report_waits),
	KUNIT_CASE(report_dead),
	KUNIT_CASE(report_busy),
	{}
};

struct kunit_suite balloon_free_suite = {
	.name = "balloon_free",
	.init = free_init,
	.exit = fake_balloon_exit,
	.test_cases = free_cases,
};
