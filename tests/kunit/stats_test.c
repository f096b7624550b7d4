// SPDX-License-Identifier: GPL-2.0-only
/*
 * The statistics queue: it has one buffer, and who owns that when.
 */
#include <linux/delay.h>

#include "fake.h"
#include "suites.h"

/* A bit for each of the 16 tags: the test kernel has all statistics. */
#define ALL_TAGS	0xffff

static int stats_init(struct kunit *test)
{
	return fake_balloon_init(test, FAKE_MODERN | FAKE_F(STATS_VQ));
}

/* S2 I4: the driver offers the first statistics unasked, once the device runs. */
static void stats_first(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_EXPECT_SOON(test, fake, fake->stats_tags == ALL_TAGS);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_STATS].buffers, 1U);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_STATS].kicks, 1U);
	/* Time enough for another buffer, which may not come unasked. */
	msleep(100);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_STATS].buffers, 1U);
}

/* S1 S3 S7: each request gets one buffer, with the same tags as before. */
static void stats_requests(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake->stats_tags);
	for (i = 1; i <= 100; i++) {
		fake->stats_tags = 0;
		fake_balloon_ask(fake);
		FAKE_ASSERT_SOON(test, fake, fake->stats_tags == ALL_TAGS);
		KUNIT_ASSERT_EQ(test, fake->queues[FAKE_STATS].buffers, i + 1);
	}
	KUNIT_EXPECT_EQ(test, fake->stats[VIRTIO_BALLOON_S_MEMTOT],
			(u64)totalram_pages() * PAGE_SIZE);
	KUNIT_EXPECT_GE(test, fake->stats[VIRTIO_BALLOON_S_MEMTOT],
			fake->stats[VIRTIO_BALLOON_S_MEMFREE]);
}

/* S1 S8: until the device returns the buffer, no interrupt has the driver write to it. */
static void stats_spurious(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	const u8 mark = 0xa5;
	unsigned int i;

	fake_balloon_hold(fake, FAKE_STATS);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_STATS));
	/* No statistics consist of this byte alone, so it shows if the driver writes. */
	memset(fake->popped.sg[0].data, mark, fake->popped.len);
	for (i = 0; i < 10; i++) {
		fake_balloon_queue_irq(fake, FAKE_STATS);
		irq_work_sync(&fake->irq);
		usleep_range(5000, 10000);
	}
	KUNIT_EXPECT_NULL(test, memchr_inv(fake->popped.sg[0].data, mark, fake->popped.len));
	KUNIT_EXPECT_FALSE(test, fake_balloon_pop(fake, FAKE_STATS));

	fake_balloon_push(fake, FAKE_STATS, fake->popped.head, 0);
	fake_balloon_queue_irq(fake, FAKE_STATS);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_pop(fake, FAKE_STATS));
	fake_balloon_accept(fake);
	KUNIT_EXPECT_EQ(test, fake->stats_tags, (u32)ALL_TAGS);
}

/* A request that comes while the driver is removed may stay without an answer. */
static void stats_remove(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
		FAKE_ASSERT_SOON(test, fake, fake->stats_tags);
		fake_balloon_ask(fake);
		fake_balloon_unplug(fake);
		fake->stats_tags = 0;
	}
}

/* The device returns the buffer twice: the kernel marks the queue broken. */
static void stats_twice(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake->stats_tags);
	fake_balloon_hold(fake, FAKE_STATS);
	fake_balloon_push(fake, FAKE_STATS, fake->stats_head, 0);
	fake_balloon_push(fake, FAKE_STATS, fake->stats_head, 0);
	fake_balloon_queue_irq(fake, FAKE_STATS);
	irq_work_sync(&fake->irq);
	/* The driver may find the device dead now. It is removed at work, at the exit. */
	fake_balloon_target(fake, 100);
	msleep(100);
}

static struct kunit_case stats_cases[] = {
	KUNIT_CASE(stats_first),
	KUNIT_CASE(stats_requests),
	KUNIT_CASE(stats_spurious),
	KUNIT_CASE(stats_remove),
	KUNIT_CASE(stats_twice),
	{}
};

struct kunit_suite balloon_stats_suite = {
	.name = "balloon_stats",
	.init = stats_init,
	.exit = fake_balloon_exit,
	.test_cases = stats_cases,
};
