// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inflating and deflating: who owns a page, and from when on. In each case the fake device checks
 * besides that no page is used while it is the host's.
 */
#include <linux/delay.h>
#include <linux/mm.h>

#include "compact.h"
#include "fake.h"
#include "file.h"
#include "hog.h"
#include "kernel_log.h"
#include "suites.h"

/* Sizes of the balloon in page numbers. */
#define SIZE	3008U		/* some full buffers, and one that is not full */
#define LARGE	(8 * SIZE)	/* the share of an OOM is some buffers */
#define FEW	96U		/* less than a buffer */

/* What the driver gives back at an OOM: this share of the balloon. */
#define OOM_SHARE	16U

/* For so long, in jiffies, it does not inflate after an OOM. */
#define OOM_PAUSE	(5UL * HZ)

/* Page numbers in the first buffer at an OOM, so that the host is done with it soon. */
#define OOM_FIRST	32U

/* A floor in MiB above all that the guest has: the balloon does not grow. */
#define FLOOR_ABOVE_ALL	"1000000"
#define FLOOR_NONE	"0"

/* In every message of the driver about a device. */
#define DRIVER_MESSAGE	"virtio_balloon virtio"

static int size_init(struct kunit *test)
{
	int err = fake_balloon_init(test, FAKE_MODERN | FAKE_F(MUST_TELL_HOST));

	/* The exit of the suite runs also after an error. */
	if (err || fake_balloon_plug(test->priv) || !fake_balloon_bound(test->priv))
		return err ?: -ENODEV;
	return 0;
}

static void size_exit(struct kunit *test)
{
	fake_balloon_exit(test);
	hog_mend();
}

/* O1 O9: the balloon has exactly the size that the host wants, and the guest's total follows. */
static void size_follows_target(struct kunit *test)
{
	static const u32 targets[] = {
		SIZE, SIZE + FAKE_PER_PAGE, FAKE_PER_PAGE, 2 * FAKE_PER_PAGE, 0, FAKE_BATCH,
		FAKE_BATCH + FAKE_PER_PAGE, FAKE_BATCH - FAKE_PER_PAGE, 16 * FAKE_BATCH, 0
	};
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		fake_balloon_target(fake, targets[i]);
		FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, targets[i]));
		KUNIT_EXPECT_EQ(test, fake_guest_total(), total - targets[i]);
	}
}

/* O1: a target between two pages of the guest is rounded up, and the size stays as it is then. */
static void size_between_pages(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_target(fake, SIZE + 1);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, SIZE + FAKE_PER_PAGE));
	/* Time enough for a driver that moves on to another size. */
	msleep(300);
	KUNIT_EXPECT_TRUE(test, fake_balloon_reached(fake, SIZE + FAKE_PER_PAGE));
	fake_balloon_target(fake, 1);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, FAKE_PER_PAGE));
}

/* Puts the device on the bus anew, with DEFLATE_ON_OOM, and has the balloon reach @pfns. */
static void size_plug_oom(struct kunit *test, u32 pfns)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_unplug(fake);
	fake->features |= FAKE_F(DEFLATE_ON_OOM);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_target(fake, pfns);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, pfns));
}

/* With DEFLATE_ON_OOM the pages in the balloon still count as the guest's. */
static void size_oom_total(struct kunit *test)
{
	unsigned long total = fake_guest_total();

	size_plug_oom(test, SIZE);
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
}

/*
 * O6: a guest that is out of memory does not wait for a host that is slow to acknowledge. It gets
 * the pages when the host has acknowledged them.
 */
static void size_oom_slow_host(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	size_plug_oom(test, SIZE);
	fake_balloon_hold(fake, FAKE_DEFLATE);
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out_held(fake), 0U);
	KUNIT_EXPECT_EQ(test, fake_balloon_popped_pfns(fake), FAKE_BATCH);
	/* mm poisons a page that is freed: if the driver has freed one, the fake notices here. */
	fake_balloon_answer(fake);
	fake_balloon_serve(fake, FAKE_DEFLATE);
	/*
	 * The host owns SIZE - FAKE_BATCH pages now. That lasts for some seconds only, so a busy
	 * machine may miss it. But the balloon grows again only when the guest has the pages.
	 */
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
}

/*
 * O5: without MUST_TELL_HOST the guest does not wait until the host has read the buffers: neither
 * the first, which is a small one, nor the second.
 */
static void size_oom_untold(struct kunit *test)
{
	static const unsigned int pfns[] = { OOM_FIRST, FAKE_BATCH };
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	fake->features &= ~FAKE_F(MUST_TELL_HOST);
	fake->early_use = true;
	size_plug_oom(test, LARGE);
	fake_balloon_hold(fake, FAKE_DEFLATE);
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out_held(fake), OOM_FIRST + FAKE_BATCH);
	for (i = 0; i < ARRAY_SIZE(pfns); i++) {
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE));
		KUNIT_EXPECT_EQ(test, fake_balloon_popped_pfns(fake), pfns[i]);
		fake_balloon_answer(fake);
	}
	fake_balloon_serve(fake, FAKE_DEFLATE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, LARGE));
}

/*
 * With a host that acknowledges at once, the driver gives back its share at an OOM. It takes the
 * pages from the guest again only after a while.
 */
static void size_oom(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	size_plug_oom(test, LARGE);
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out(fake), LARGE / OOM_SHARE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, LARGE));
	/* The device measures this, so it is no shorter on a busy machine. */
	KUNIT_EXPECT_GE(test, fake->pause, OOM_PAUSE);
}

/* O1: the balloon follows a target that changes all the time. */
static void size_churn(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	u32 target = 1;
	unsigned int i;

	for (i = 0; i < 200; i++) {
		/* Pseudo-random numbers, so that each run has the same targets. */
		target = target * 1103515245 + 12345;
		fake_balloon_target(fake, target >> 20);
		if (i % 4 == 0)
			usleep_range(1000, 2000);
	}
	fake_balloon_target(fake, SIZE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total - SIZE);
}

/*
 * O7: pages count as given only when the host has acknowledged them, also where that takes longer
 * than the driver waits before it looks at the device.
 */
static void size_inflate_waits(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_hold(fake, FAKE_INFLATE);
	fake_balloon_target(fake, FEW);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE));
	KUNIT_EXPECT_EQ(test, fake_balloon_popped_pfns(fake), FEW);
	fake_balloon_outlast_poll();
	KUNIT_EXPECT_TRUE(test, fake_balloon_wants_irq(fake, FAKE_INFLATE));
	KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0);
	KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
	/* The one reset is that of probe. */
	KUNIT_EXPECT_EQ(test, fake->resets, 1U);
	fake_balloon_answer(fake);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, FEW));
	fake_balloon_serve(fake, FAKE_INFLATE);
}

/*
 * While the host works on one buffer the driver fills the next. It offers that only when the first
 * is back, since QEMU does nothing else as long as it finds buffers on the queue.
 */
static void size_overlap(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();

	fake_balloon_hold(fake, FAKE_INFLATE);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE));
	FAKE_EXPECT_SOON(test, fake, fake_guest_total() == total - 2 * FAKE_BATCH);
	fake_balloon_outlast_poll();
	KUNIT_EXPECT_FALSE(test, fake_balloon_pop(fake, FAKE_INFLATE));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total - 2 * FAKE_BATCH);
	KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0);
	fake_balloon_answer(fake);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE));
	/* The driver does not lose time by writing the size after each buffer. */
	KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0);
	fake_balloon_serve(fake, FAKE_INFLATE);
	fake_balloon_answer(fake);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total - SIZE);
}

/* The driver waits for a slow host, and logs that once, after ten seconds. */
static void size_slow_host(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int status_reads;

	kernel_log_watch("has not answered for 10 s");
	fake_balloon_hold(fake, FAKE_INFLATE);
	fake_balloon_target(fake, FEW);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE));
	status_reads = fake->status_reads;
	FAKE_EXPECT_SOON(test, fake, kernel_log_count());
	/* The driver reads the status once a second: ten times, and some for a busy machine. */
	KUNIT_EXPECT_LT(test, fake->status_reads - status_reads, 15U);
	/* No second message comes when the driver looks at the device again. */
	fake_balloon_outlast_poll();
	KUNIT_EXPECT_EQ(test, kernel_log_count(), 1U);
	kernel_log_unwatch();
	fake_balloon_serve(fake, FAKE_INFLATE);
	fake_balloon_answer(fake);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, FEW));
}

/* Sets the driver's parameter min_guest_free. */
static void size_floor(struct kunit *test, const char *mib)
{
	KUNIT_EXPECT_EQ(test, file_write(FILE_FLOOR, mib), 0);
}

/*
 * The host's target changes and is always more than the guest gives. The driver logs once that it
 * cannot be reached, and not for each target.
 */
static void size_said_once(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	kernel_log_watch(DRIVER_MESSAGE);
	size_floor(test, FLOOR_ABOVE_ALL);
	for (i = 1; i <= 100; i++) {
		fake_balloon_target(fake, SIZE + i * FAKE_PER_PAGE);
		usleep_range(10000, 12000);
	}
	FAKE_EXPECT_SOON(test, fake, kernel_log_count());
	kernel_log_unwatch();
	size_floor(test, FLOOR_NONE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE + 100 * FAKE_PER_PAGE));
	KUNIT_EXPECT_EQ(test, kernel_log_count(), 1U);
}

/* The messages that a host can cause are limited in number. */
static void size_said_seldom(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	kernel_log_watch(DRIVER_MESSAGE);
	for (i = 0; i < 50; i++) {
		/* The target cannot be reached, and then it can: two messages if not limited. */
		size_floor(test, FLOOR_ABOVE_ALL);
		fake_balloon_target(fake, FEW * (i + 1));
		usleep_range(10000, 12000);
		size_floor(test, FLOOR_NONE);
		FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, FEW * (i + 1)));
	}
	FAKE_EXPECT_SOON(test, fake, kernel_log_count());
	kernel_log_unwatch();
	/* What the driver allows itself in five minutes. */
	KUNIT_EXPECT_LE(test, kernel_log_count(), 10U);
}

/*
 * O5: to migrate a page, the driver has to tell the host of the new page and of the old one. While
 * there is no room for that on the deflate queue, no page is migrated.
 */
static void size_move_short_queue(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long moved, owned;

	compact_needs_blocks(test);
	fake->features &= ~FAKE_F(MUST_TELL_HOST);
	fake->early_use = true;
	fake->queues[FAKE_DEFLATE].size = 2;
	/* With some memory that the guest may use meanwhile. */
	hog_leave_lowest(LARGE + 2 * SIZE);
	size_plug_oom(test, LARGE);
	hog_mend();
	/* An OOM puts two buffers on the queue, which is full then. */
	fake_balloon_hold(fake, FAKE_DEFLATE);
	KUNIT_EXPECT_GT(test, fake_balloon_run_out_held(fake), 0U);
	owned = fake->nr_owned;
	hog_splinter();
	moved = compact_moved();
	KUNIT_EXPECT_EQ(test, compact_all(), 0);
	KUNIT_EXPECT_EQ(test, compact_moved(), moved);
	KUNIT_EXPECT_EQ(test, fake->nr_owned, owned);
	/* With room on the queue pages are migrated. */
	fake_balloon_serve(fake, FAKE_DEFLATE);
	FAKE_EXPECT_SOON(test, fake, !compact_all() && compact_moved() > moved);
	hog_mend();
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, LARGE));
}

/* The host wants more than any guest has. The driver still sends buffer by buffer. */
static void size_absurd_target(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	fake_balloon_hold(fake, FAKE_INFLATE);
	fake_balloon_target(fake, U32_MAX);
	for (i = 1; i <= 3; i++) {
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE));
		KUNIT_EXPECT_EQ(test, fake_balloon_popped_pfns(fake), FAKE_BATCH);
		if (i < 3)
			fake_balloon_answer(fake);
	}
	fake_balloon_target(fake, FEW);
	fake_balloon_serve(fake, FAKE_INFLATE);
	fake_balloon_answer(fake);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, FEW));
}

/* O5 O6: with MUST_TELL_HOST a page is used again only when the host has acknowledged it. */
static void size_deflate_waits(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();

	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
	fake_balloon_hold(fake, FAKE_DEFLATE);
	fake_balloon_target(fake, SIZE - FEW);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE));
	KUNIT_EXPECT_EQ(test, fake_balloon_popped_pfns(fake), FEW);
	fake_balloon_outlast_poll();
	KUNIT_EXPECT_TRUE(test, fake_balloon_wants_irq(fake, FAKE_DEFLATE));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total - SIZE);
	/* mm poisons a page that is freed: if the driver has freed one, the fake notices here. */
	fake_balloon_answer(fake);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE - FEW));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total - SIZE + FEW);
	fake_balloon_serve(fake, FAKE_DEFLATE);
}

/*
 * O6: while the host works on one buffer, the driver frees the pages of the one before, and no
 * others. It offers the next one only when the host is done.
 */
static void size_deflate_overlap(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();

	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
	fake_balloon_hold(fake, FAKE_DEFLATE);
	fake_balloon_target(fake, 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE));
	fake_balloon_outlast_poll();
	KUNIT_EXPECT_FALSE(test, fake_balloon_pop(fake, FAKE_DEFLATE));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total - SIZE);
	fake_balloon_answer(fake);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE));
	FAKE_EXPECT_SOON(test, fake, fake_guest_total() == total - SIZE + FAKE_BATCH);
	fake_balloon_outlast_poll();
	KUNIT_EXPECT_FALSE(test, fake_balloon_pop(fake, FAKE_DEFLATE));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total - SIZE + FAKE_BATCH);
	KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), SIZE);
	fake_balloon_serve(fake, FAKE_DEFLATE);
	fake_balloon_answer(fake);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, 0));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
}

/*
 * Compaction and others walk over all pages, and take a reference to a page while they look at it.
 * The driver has to have taken the page off its list before it drops its own reference: from then
 * on mm uses the list head of the page.
 */
static void size_looked_at(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct page **pages = kunit_kzalloc(test, FEW * sizeof(*pages), GFP_KERNEL);
	const unsigned int nr = FEW / FAKE_PER_PAGE;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
	fake_balloon_hold(fake, FAKE_DEFLATE);
	fake_balloon_target(fake, SIZE - FEW);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE));
	KUNIT_ASSERT_EQ(test, fake_balloon_popped_pfns(fake), FEW);
	for (i = 0; i < nr; i++) {
		pages[i] = fake_balloon_popped_page(fake, i * FAKE_PER_PAGE);
		get_page(pages[i]);
	}
	fake_balloon_answer(fake);
	for (i = 0; i < nr; i++) {
		FAKE_EXPECT_SOON(test, fake, page_count(pages[i]) == 1);
		KUNIT_EXPECT_PTR_NE(test, (void *)pages[i]->lru.next, (void *)LIST_POISON1);
		put_page(pages[i]);
	}
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE - FEW));
	fake_balloon_serve(fake, FAKE_DEFLATE);
}

/*
 * Asking a device for its status costs an exit to the host, or an I/O on s390. The driver does so a
 * few times a second, and not for each buffer.
 */
static void size_few_questions(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int before = fake->status_reads;

	fake_balloon_target(fake, LARGE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, LARGE));
	KUNIT_EXPECT_LT(test, fake->status_reads - before, LARGE / FAKE_BATCH / 2);
	before = fake->status_reads;
	fake_balloon_target(fake, 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, 0));
	KUNIT_EXPECT_LT(test, fake->status_reads - before, LARGE / FAKE_BATCH / 2);
}

/* O8: when the target falls, pages that are being inflated are deflated only when that is done. */
static void size_turns_round(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_hold(fake, FAKE_INFLATE);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE));
	fake_balloon_target(fake, 0);
	/* Time enough for the driver to put a buffer on the deflate queue. */
	msleep(300);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_DEFLATE].buffers, 0U);
	/* The driver has filled a second buffer meanwhile, and offers it now. */
	fake_balloon_serve(fake, FAKE_INFLATE);
	fake_balloon_answer(fake);
	FAKE_EXPECT_SOON(test, fake, fake->queues[FAKE_DEFLATE].buffers);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, 0));
}

/* L1: the driver ignores the length that a device claims to have written. */
static void size_used_length(struct kunit *test)
{
	static const u32 lengths[] = { 1, 4, 4096, 0x7fffffff, 0xffffffff };
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	fake_balloon_hold(fake, FAKE_INFLATE);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fake_balloon_target(fake, FEW * (i + 1));
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE));
		fake_balloon_answer_len(fake, lengths[i]);
		FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, FEW * (i + 1)));
	}
	fake_balloon_serve(fake, FAKE_INFLATE);
}

/* V2: queues of one descriptor are enough. */
static void size_short_queues(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_unplug(fake);
	fake->queues[FAKE_INFLATE].size = 1;
	fake->queues[FAKE_DEFLATE].size = 1;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_target(fake, SIZE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
	fake_balloon_target(fake, 0);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, 0));
}

/* O9: the device has a size from before the guest was reset. The driver writes the true one. */
static void size_stale(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	/* No driver writes the size while the test does. */
	fake_balloon_unplug(fake);
	fake->config.actual = cpu_to_le32(SIZE);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == 0);
}

/* O5: when the driver is removed it tells the host of each page. */
static void size_remove(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();

	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, fake->lost, 0UL);
	KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0U);
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
}

static struct kunit_case size_cases[] = {
	KUNIT_CASE(size_follows_target),
	KUNIT_CASE(size_between_pages),
	KUNIT_CASE(size_oom_total),
	KUNIT_CASE(size_oom_slow_host),
	KUNIT_CASE(size_oom_untold),
	KUNIT_CASE(size_oom),
	KUNIT_CASE(size_churn),
	KUNIT_CASE(size_inflate_waits),
	KUNIT_CASE(size_overlap),
	KUNIT_CASE(size_slow_host),
	KUNIT_CASE(size_said_once),
	KUNIT_CASE(size_said_seldom),
	KUNIT_CASE(size_move_short_queue),
	KUNIT_CASE(size_absurd_target),
	KUNIT_CASE(size_deflate_waits),
	KUNIT_CASE(size_deflate_overlap),
	KUNIT_CASE(size_looked_at),
	KUNIT_CASE(size_few_questions),
	KUNIT_CASE(size_turns_round),
	KUNIT_CASE(size_used_length),
	KUNIT_CASE(size_short_queues),
	KUNIT_CASE(size_stale),
	KUNIT_CASE(size_remove),
	{}
};

struct kunit_suite balloon_size_suite = {
	.name = "balloon_size",
	.init = size_init,
	.exit = size_exit,
	.test_cases = size_cases,
};
