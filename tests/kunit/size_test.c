// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inflate and deflate, as the host sees it: who owns a page, and since when. The
 * fake device itself looks that no page is used while it is the host's.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "fake.h"
#include "file.h"
#include "kernel_log.h"
#include "suites.h"

#define SIZE	3000	/* pages of 4 KiB */

static int size_init(struct kunit *test)
{
	int err = fake_balloon_init(test, FAKE_MODERN | FAKE_F(MUST_TELL_HOST));

	/* The exit undoes what there is, in any case. */
	if (err || fake_balloon_plug(test->priv) || !fake_balloon_bound(test->priv))
		return err ?: -ENODEV;
	return 0;
}

static bool reached(struct fake_balloon *fake, u32 pfns)
{
	return fake_balloon_actual(fake) == pfns && fake->nr_owned == pfns;
}

/* O1 O5 C2: the size is what was asked for, to the page, and the guest's total follows. */
static void size_follows_target(struct kunit *test)
{
	static const u32 targets[] = { SIZE, SIZE + 1, 1, 2, 0, 256, 257, 255, 4096, 0 };
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		fake_balloon_target(fake, targets[i]);
		FAKE_EXPECT_SOON(test, fake, reached(fake, targets[i]));
		KUNIT_EXPECT_EQ(test, totalram_pages(), total - targets[i]);
	}
}

/* Plugs it in again, with DEFLATE_ON_OOM, and has it take @pfns. */
static void size_plug_oom(struct kunit *test, u32 pfns)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_unplug(fake);
	fake->features |= FAKE_F(DEFLATE_ON_OOM);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_target(fake, pfns);
	FAKE_ASSERT_SOON(test, fake, reached(fake, pfns));
}

/* With DEFLATE_ON_OOM what is in the balloon still counts as the guest's. */
static void size_oom_total(struct kunit *test)
{
	unsigned long total = totalram_pages();

	size_plug_oom(test, SIZE);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
}

/*
 * D4 O6: a guest that is out of memory has no time for a host that is slow to acknowledge. But
 * it gets the pages once that has, without anybody asking, and keeps them for a while.
 */
static void size_oom_slow_host(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	size_plug_oom(test, SIZE);
	fake_balloon_hold(fake, FAKE_DEFLATE, true);
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out(fake), 0UL);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE, buffer));
	KUNIT_EXPECT_EQ(test, buffer->len, 1024U);
	/* Notices if they have been freed: that poisons them. */
	fake_balloon_answer(fake, FAKE_DEFLATE, buffer, 0);
	fake_balloon_hold(fake, FAKE_DEFLATE, false);
	FAKE_EXPECT_SOON(test, fake, reached(fake, SIZE - 256));
	FAKE_EXPECT_SOON(test, fake, reached(fake, SIZE));
}

/*
 * O5: a host that does not insist on it is not waited for, as far as buffers go: the first, a
 * small one, and the next.
 */
static void size_oom_untold(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	static const u32 lengths[] = { 128, 1024 };
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake->features &= ~FAKE_F(MUST_TELL_HOST);
	fake->hasty = true;
	size_plug_oom(test, 8 * SIZE);
	fake_balloon_hold(fake, FAKE_DEFLATE, true);
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out(fake), (128 + 1024) / sizeof(__le32));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE, buffer));
		KUNIT_EXPECT_EQ(test, buffer->len, lengths[i]);
		fake_balloon_answer(fake, FAKE_DEFLATE, buffer, 0);
	}
	fake_balloon_hold(fake, FAKE_DEFLATE, false);
	FAKE_EXPECT_SOON(test, fake, reached(fake, 8 * SIZE));
}

/* D4: a host that is quick enough spares the guest the OOM killer, a share at a time. */
static void size_oom(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	size_plug_oom(test, 8 * SIZE);
	fake->least_actual = U32_MAX;
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out(fake), 8UL * SIZE / 16);
	/* Others may have run out of memory as well, and by now it may be growing again. */
	FAKE_EXPECT_SOON(test, fake,
			 READ_ONCE(fake->least_actual) <= 8 * SIZE - 8 * SIZE / 16);
	FAKE_EXPECT_SOON(test, fake, reached(fake, 8 * SIZE));
}

/* O2: however often the host changes its mind. */
static void size_churn(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();
	u32 target = 1;
	unsigned int i;

	for (i = 0; i < 200; i++) {
		/* Some number or other, the same in each run. */
		target = target * 1103515245 + 12345;
		fake_balloon_target(fake, target >> 20);
		if (i % 4 == 0)
			usleep_range(1000, 2000);
	}
	fake_balloon_target(fake, SIZE);
	FAKE_EXPECT_SOON(test, fake, reached(fake, SIZE));
	KUNIT_EXPECT_EQ(test, totalram_pages(), total - SIZE);
}

/* O7: what is offered counts only once the host has it, however long that takes. */
static void size_inflate_waits(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake_balloon_hold(fake, FAKE_INFLATE, true);
	fake_balloon_target(fake, 100);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE, buffer));
	KUNIT_EXPECT_EQ(test, buffer->len, 400U);
	/* Past the time at which the driver looks whether anybody is there. */
	msleep(2500);
	KUNIT_EXPECT_TRUE(test, fake_balloon_wants_irq(fake, FAKE_INFLATE));
	KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0);
	KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
	KUNIT_EXPECT_EQ(test, fake->resets, 1U);
	fake_balloon_answer(fake, FAKE_INFLATE, buffer, 0);
	FAKE_EXPECT_SOON(test, fake, reached(fake, 100));
	fake_balloon_hold(fake, FAKE_INFLATE, false);
}

/*
 * While the host works on one buffer the guest fills the next, and offers it when that is back:
 * a host that finds one after the other has no time for anybody else.
 */
static void size_overlap(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned long total = totalram_pages();

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake_balloon_hold(fake, FAKE_INFLATE, true);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE, buffer));
	FAKE_EXPECT_SOON(test, fake, totalram_pages() == total - 512);
	/* Past the time at which the driver looks whether anybody is there. */
	msleep(2500);
	KUNIT_EXPECT_FALSE(test, fake_balloon_pop(fake, FAKE_INFLATE, buffer));
	KUNIT_EXPECT_EQ(test, totalram_pages(), total - 512);
	KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0);
	fake_balloon_answer(fake, FAKE_INFLATE, buffer, 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE, buffer));
	/* The size is not written in between: that would be a pause. */
	KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0);
	fake_balloon_hold(fake, FAKE_INFLATE, false);
	fake_balloon_answer(fake, FAKE_INFLATE, buffer, 0);
	FAKE_EXPECT_SOON(test, fake, reached(fake, SIZE));
	KUNIT_EXPECT_EQ(test, totalram_pages(), total - SIZE);
}

/* A host that is merely slow is waited for, with a word about it in time, and one alone. */
static void size_slow_host(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned int looks;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	kernel_log_watch("has not answered for 10 s");
	fake_balloon_hold(fake, FAKE_INFLATE, true);
	fake_balloon_target(fake, 100);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE, buffer));
	looks = fake->looks;
	FAKE_EXPECT_SOON(test, fake, kernel_log_count());
	/* The driver looks once a second at the device. */
	KUNIT_EXPECT_LT(test, fake->looks - looks, 15U);
	/* Longer than from one look at the device to the next. */
	msleep(2500);
	KUNIT_EXPECT_EQ(test, kernel_log_count(), 1U);
	kernel_log_unwatch();
	fake_balloon_hold(fake, FAKE_INFLATE, false);
	fake_balloon_answer(fake, FAKE_INFLATE, buffer, 0);
	FAKE_EXPECT_SOON(test, fake, reached(fake, 100));
}

/* Has the guest give up nothing more, whatever the host wants; or, with 0, all again. */
static void size_floor(struct kunit *test, const char *mib)
{
	KUNIT_EXPECT_EQ(test, file_write(FILE_FLOOR, mib), 0);
}

/*
 * D2: a host that wants now this, now that, and always more than the guest gives, hears that
 * it does not get it from a log that says so once.
 */
static void size_said_once(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	kernel_log_watch("virtio_balloon virtio");
	size_floor(test, "1000000");
	for (i = 1; i <= 100; i++) {
		fake_balloon_target(fake, SIZE + i);
		usleep_range(10000, 12000);
	}
	FAKE_EXPECT_SOON(test, fake, kernel_log_count());
	kernel_log_unwatch();
	size_floor(test, "0");
	FAKE_EXPECT_SOON(test, fake, reached(fake, SIZE + 100));
	KUNIT_EXPECT_EQ(test, kernel_log_count(), 1U);
}

/* D2 D11: all that a host can make the driver say, it says a few times. */
static void size_said_seldom(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	kernel_log_watch("virtio_balloon virtio");
	for (i = 0; i < 50; i++) {
		/* Out of reach, and within it after all. */
		size_floor(test, "1000000");
		fake_balloon_target(fake, 100 * i + 100);
		usleep_range(10000, 12000);
		size_floor(test, "0");
		FAKE_EXPECT_SOON(test, fake, reached(fake, 100 * i + 100));
	}
	FAKE_EXPECT_SOON(test, fake, kernel_log_count());
	kernel_log_unwatch();
	KUNIT_EXPECT_LE(test, kernel_log_count(), 10U);
}

static unsigned long size_migrated(void)
{
	unsigned long events[NR_VM_EVENT_ITEMS];

	all_vm_events(events);
	return events[BALLOON_MIGRATE];
}

/* O5: a page is not moved where the host could not be told that the old one is the guest's. */
static void size_move_short_queue(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long moved, owned;

	fake->features &= ~FAKE_F(MUST_TELL_HOST);
	fake->hasty = true;
	fake->queues[FAKE_DEFLATE].size = 2;
	size_plug_oom(test, 8 * SIZE);
	/* The OOM's two buffers fill the queue. */
	fake_balloon_hold(fake, FAKE_DEFLATE, true);
	KUNIT_EXPECT_GT(test, fake_balloon_run_out(fake), 0UL);
	owned = fake->nr_owned;
	moved = size_migrated();
	KUNIT_EXPECT_EQ(test, file_write(FILE_COMPACT, "1"), 0);
	KUNIT_EXPECT_EQ(test, size_migrated(), moved);
	KUNIT_EXPECT_EQ(test, fake->nr_owned, owned);
	/* With room on the queue they do move. */
	fake_balloon_hold(fake, FAKE_DEFLATE, false);
	FAKE_EXPECT_SOON(test, fake, !file_write(FILE_COMPACT, "1") && size_migrated() > moved);
	FAKE_EXPECT_SOON(test, fake, reached(fake, 8 * SIZE));
}

/* D11: more than any guest has is wanted; the host hears of some of it at a time. */
static void size_absurd_target(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake_balloon_hold(fake, FAKE_INFLATE, true);
	fake_balloon_target(fake, U32_MAX);
	for (i = 1; i <= 3; i++) {
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE, buffer));
		KUNIT_EXPECT_EQ(test, buffer->len, 1024U);
		if (i < 3)
			fake_balloon_answer(fake, FAKE_INFLATE, buffer, 0);
	}
	fake_balloon_target(fake, 5);
	fake_balloon_hold(fake, FAKE_INFLATE, false);
	fake_balloon_answer(fake, FAKE_INFLATE, buffer, 0);
	FAKE_EXPECT_SOON(test, fake, reached(fake, 5));
}

/* O6: a page is used again only when the host has let go of it. */
static void size_deflate_waits(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned long total = totalram_pages();

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, reached(fake, SIZE));
	fake_balloon_hold(fake, FAKE_DEFLATE, true);
	fake_balloon_target(fake, SIZE - 100);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE, buffer));
	KUNIT_EXPECT_EQ(test, buffer->len, 400U);
	msleep(2500);
	KUNIT_EXPECT_TRUE(test, fake_balloon_wants_irq(fake, FAKE_DEFLATE));
	KUNIT_EXPECT_EQ(test, totalram_pages(), total - SIZE);
	/* Notices if they have been freed: that poisons them. */
	fake_balloon_answer(fake, FAKE_DEFLATE, buffer, 0);
	FAKE_EXPECT_SOON(test, fake, reached(fake, SIZE - 100));
	KUNIT_EXPECT_EQ(test, totalram_pages(), total - SIZE + 100);
	fake_balloon_hold(fake, FAKE_DEFLATE, false);
}

/* On the way back it frees the last while the host works on the next, and no others. */
static void size_deflate_overlap(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned long total = totalram_pages();

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, reached(fake, SIZE));
	fake_balloon_hold(fake, FAKE_DEFLATE, true);
	fake_balloon_target(fake, 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE, buffer));
	msleep(2500);
	KUNIT_EXPECT_FALSE(test, fake_balloon_pop(fake, FAKE_DEFLATE, buffer));
	KUNIT_EXPECT_EQ(test, totalram_pages(), total - SIZE);
	fake_balloon_answer(fake, FAKE_DEFLATE, buffer, 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE, buffer));
	FAKE_EXPECT_SOON(test, fake, totalram_pages() == total - SIZE + 256);
	msleep(2500);
	KUNIT_EXPECT_FALSE(test, fake_balloon_pop(fake, FAKE_DEFLATE, buffer));
	KUNIT_EXPECT_EQ(test, totalram_pages(), total - SIZE + 256);
	KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), SIZE);
	fake_balloon_hold(fake, FAKE_DEFLATE, false);
	fake_balloon_answer(fake, FAKE_DEFLATE, buffer, 0);
	FAKE_EXPECT_SOON(test, fake, reached(fake, 0));
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
}

/*
 * Whoever walks over all pages, as compaction does, takes a reference to look at one. Once
 * the driver has dropped its own, the page is free at any moment, and its list head mm's.
 */
static void size_looked_at(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	const unsigned int nr = 100;
	struct page **pages = kunit_kzalloc(test, nr * sizeof(*pages), GFP_KERNEL);
	const __le32 *pfns;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, reached(fake, SIZE));
	fake_balloon_hold(fake, FAKE_DEFLATE, true);
	fake_balloon_target(fake, SIZE - nr);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE, buffer));
	KUNIT_ASSERT_EQ(test, buffer->len, nr * sizeof(*pfns));
	for (pfns = buffer->sg[0].data, i = 0; i < nr; i++) {
		pages[i] = pfn_to_page(le32_to_cpu(pfns[i]));
		get_page(pages[i]);
	}
	fake_balloon_answer(fake, FAKE_DEFLATE, buffer, 0);
	for (i = 0; i < nr; i++) {
		FAKE_EXPECT_SOON(test, fake, page_count(pages[i]) == 1);
		KUNIT_EXPECT_PTR_NE(test, (void *)pages[i]->lru.next, (void *)LIST_POISON1);
		put_page(pages[i]);
	}
	FAKE_EXPECT_SOON(test, fake, reached(fake, SIZE - nr));
	fake_balloon_hold(fake, FAKE_DEFLATE, false);
}

/* O8: no page goes back whose way to the host has not ended. */
static void size_turns_round(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake_balloon_hold(fake, FAKE_INFLATE, true);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE, buffer));
	fake_balloon_target(fake, 0);
	msleep(300);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_DEFLATE].buffers, 0U);
	/* The next buffer, which has been filled, is offered now. */
	fake_balloon_hold(fake, FAKE_INFLATE, false);
	fake_balloon_answer(fake, FAKE_INFLATE, buffer, 0);
	FAKE_EXPECT_SOON(test, fake, fake->queues[FAKE_DEFLATE].buffers && reached(fake, 0));
}

/* L1: the length that a device claims to have written means nothing. */
static void size_used_length(struct kunit *test)
{
	static const u32 lengths[] = { 1, 4, 4096, 0x7fffffff, 0xffffffff };
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake_balloon_hold(fake, FAKE_INFLATE, true);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fake_balloon_target(fake, 10 * (i + 1));
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_INFLATE, buffer));
		fake_balloon_answer(fake, FAKE_INFLATE, buffer, lengths[i]);
		FAKE_EXPECT_SOON(test, fake, reached(fake, 10 * (i + 1)));
	}
	fake_balloon_hold(fake, FAKE_INFLATE, false);
}

/* V2: a queue of one entry is enough. */
static void size_short_queues(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_unplug(fake);
	fake->queues[FAKE_INFLATE].size = 1;
	fake->queues[FAKE_DEFLATE].size = 1;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_target(fake, SIZE);
	FAKE_EXPECT_SOON(test, fake, reached(fake, SIZE));
	fake_balloon_target(fake, 0);
	FAKE_EXPECT_SOON(test, fake, reached(fake, 0));
}

/* D9: the host hears of the size although there is nothing to do. */
static void size_stale(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_unplug(fake);
	fake->config.actual = cpu_to_le32(SIZE);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == 0);
}

/* O9: removal gives every page back, by telling the host of each. */
static void size_remove(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();

	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, reached(fake, SIZE));
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, fake->lost, 0UL);
	KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0U);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
}

static struct kunit_case size_cases[] = {
	KUNIT_CASE(size_follows_target),
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
	.exit = fake_balloon_exit,
	.test_cases = size_cases,
};
