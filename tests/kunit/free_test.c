// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free pages: hinting tells the host that it need not migrate them, reporting that it may discard
 * them. They stay the guest's.
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

/* Id of a round of hinting; a host counts up from there. */
#define ROUND		0x80000001
#define LAST_ROUND	(ROUND + 19)

/* Sizes of the balloon in page numbers. */
#define SIZE	10000U
#define FEW	96U		/* less than a block, which would be reported */

static int free_init(struct kunit *test)
{
	return fake_balloon_init(test, FEATURES);
}

static void free_exit(struct kunit *test)
{
	fake_balloon_exit(test);
	hog_mend();
}

static unsigned long free_bytes(void)
{
	return global_zone_page_state(NR_FREE_PAGES) << PAGE_SHIFT;
}

/*
 * H1 H2 H4 H5 H7: a round begins with its id, goes on until the guest has no more free blocks, and
 * ends with STOP.
 */
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
	/* The driver keeps the hinted pages until the host says DONE. */
	KUNIT_EXPECT_LT(test, free_bytes(), before - hinted / 2);
	fake_balloon_command(fake, VIRTIO_BALLOON_CMD_ID_DONE);
	FAKE_EXPECT_SOON(test, fake, free_bytes() > before - hinted / 8);
	KUNIT_EXPECT_EQ(test, fake->commands, 2U);

	/* There can be another round. */
	fake_balloon_command(fake, ROUND + 1);
	FAKE_EXPECT_SOON(test, fake, fake->commands == 4);
	KUNIT_EXPECT_GT(test, fake->hinted, hinted);
}

/* H6: the driver's shrinker frees hinted pages, and goes when the device goes. */
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
	/* mm calls its shrinkers again, so it would call one that was left behind. */
	fake_balloon_run_out(fake);
}

/* H3: while the host has not read an id, the driver does not overwrite it with the next one. */
static void hint_churn(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i, ids = 0;
	u32 round, last = 0;

	fake->features &= ~FAKE_F(REPORTING);
	fake_balloon_hold(fake, FAKE_HINT);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_command(fake, ROUND);
	FAKE_ASSERT_SOON(test, fake, fake->queues[FAKE_HINT].kicks);
	for (round = ROUND + 1; round <= LAST_ROUND; round++) {
		fake_balloon_command(fake, round);
		/* Time enough for the driver to see this one before the next. */
		msleep(20);
	}
	/* Now the host reads all that was sent, until it finds the last id. */
	for (i = 0; i < 10000 && fake->command != LAST_ROUND; i++) {
		if (!fake_balloon_wait(fake, fake_balloon_pop(fake, FAKE_HINT)))
			break;
		fake_balloon_answer(fake);
		if (!fake->popped.writable && fake->command > VIRTIO_BALLOON_CMD_ID_DONE) {
			KUNIT_EXPECT_GT(test, fake->command, last);
			last = fake->command;
			ids++;
		}
	}
	KUNIT_EXPECT_EQ(test, fake->command, (u32)LAST_ROUND);
	/* Only the first, which was sent before there were others, and the last. */
	KUNIT_EXPECT_EQ(test, ids, 2U);
}

/* V2: a host that reads no hints has no CPU used, and does not keep the driver from going. */
static void hint_unanswered(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int kicks, resets;
	unsigned long before;

	fake->features &= ~FAKE_F(REPORTING);
	fake_balloon_hold(fake, FAKE_HINT);
	fake->queues[FAKE_HINT].size = 4;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	before = free_bytes();
	fake_balloon_command(fake, ROUND);
	/* Of four entries one stays free, for STOP. */
	FAKE_ASSERT_SOON(test, fake, fake->queues[FAKE_HINT].kicks == 3);
	kicks = fake->queues[FAKE_HINT].kicks;
	/* A driver that tries again and again would do so meanwhile. */
	msleep(500);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_HINT].kicks, kicks);
	resets = fake->resets;
	fake_balloon_unplug(fake);
	/*
	 * The removal resets the device, and nobody else does. The device interrupts for each queue
	 * when it is reset. Work that began then would find the status 0, take the device for dead
	 * and reset it.
	 */
	KUNIT_EXPECT_EQ(test, fake->resets, resets + 1);
	KUNIT_EXPECT_GT(test, free_bytes(), before - before / 8);
}

/* V2: a queue that cannot hold a block and a STOP at a time is not used. */
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
	/* The balloon works. By the time that it has its size, hinting would have begun. */
	fake_balloon_target(fake, SIZE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_HINT].kicks, 0U);
}

/*
 * R1 R2 F7 I5: the driver reports the pages that mm has free. They are used again without harm,
 * although the host has written to them.
 */
static void report_free(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	hog_use_free();
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_EXPECT_SOON(test, fake, fake->reported > free_bytes() / 2);
	hog_use_free();
}

/* V2: mm reports more blocks at a time than the queue has entries. */
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

/* R3: no page is used while it is being reported, also where the host takes its time. */
static void report_waits(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	fake_balloon_hold(fake, FAKE_REPORT);
	hog_use_free();
	hog_divide();
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_REPORT));
	fake_balloon_outlast_poll();
	KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
	for (i = 0; i < fake->popped.nents; i++) {
		struct page *page = virt_to_page(fake->popped.sg[i].data);

		/* Nobody uses the page, and mm does not have it to give away. */
		KUNIT_EXPECT_EQ(test, page_count(page), 0);
		KUNIT_EXPECT_FALSE(test, PageBuddy(page));
	}
	fake_balloon_answer(fake);
	fake_balloon_serve(fake, FAKE_REPORT);
	FAKE_EXPECT_SOON(test, fake, fake->queues[FAKE_REPORT].buffers > 1);
}

/* R3: a driver whose device has died can be removed while it reports. */
static void report_dead(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_hold(fake, FAKE_REPORT);
	hog_use_free();
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_REPORT));
	fake_balloon_forget(fake);
	fake_balloon_unplug(fake);
}

static int no_report(struct page_reporting_dev_info *info, struct scatterlist *sg,
		     unsigned int nents)
{
	return 0;
}

/* mm reports to one device only. Where it has one already, the balloon works all the same. */
static void report_busy(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct page_reporting_dev_info *info = kunit_kzalloc(test, sizeof(*info), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, info);
	info->report = no_report;
	KUNIT_ASSERT_EQ(test, page_reporting_register(info), 0);
	KUNIT_EXPECT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
	fake_balloon_target(fake, FEW);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == FEW);
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
	.exit = free_exit,
	.test_cases = free_cases,
};
