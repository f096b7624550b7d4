// SPDX-License-Identifier: GPL-2.0-only
/*
 * The statistics queue: one buffer, whose it is, and when.
 */
#include <linux/delay.h>

#include "fake.h"
#include "suites.h"

static int stats_init(struct kunit *test)
{
	return fake_balloon_init(test, FAKE_MODERN | FAKE_F(STATS_VQ));
}

/* S1 I4: the first report comes by itself, once the device runs. */
static void stats_first(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_EXPECT_SOON(test, fake, fake->stats_tags == 0xffff);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_STATS].buffers, 1U);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_STATS].kicks, 1U);
	/* And no other, unless it is asked for. */
	msleep(100);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_STATS].buffers, 1U);
}

/* S2 S7: one answer a request, with the same tags in each. */
static void stats_requests(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake->stats_tags);
	for (i = 1; i <= 100; i++) {
		fake->stats_tags = 0;
		fake_balloon_ask(fake);
		FAKE_ASSERT_SOON(test, fake, fake->stats_tags == 0xffff);
		KUNIT_ASSERT_EQ(test, fake->queues[FAKE_STATS].buffers, i + 1);
	}
	KUNIT_EXPECT_GT(test, fake->stats[VIRTIO_BALLOON_S_MEMTOT], 0ULL);
	KUNIT_EXPECT_GE(test, fake->stats[VIRTIO_BALLOON_S_MEMTOT],
			fake->stats[VIRTIO_BALLOON_S_MEMFREE]);
}

/* S8: the buffer is the host's until it comes back, whatever interrupts say. */
static void stats_spurious(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	u8 *before;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake->queues[FAKE_STATS].hold = true;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_STATS, buffer));
	before = kunit_kzalloc(test, buffer->len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, before);
	/* No report is all of this: any writing shows. */
	memset(buffer->sg[0].data, 0xa5, buffer->len);
	memset(before, 0xa5, buffer->len);
	for (i = 0; i < 10; i++) {
		fake_balloon_queue_irq(fake, FAKE_STATS);
		irq_work_sync(&fake->irq);
		usleep_range(5000, 10000);
	}
	KUNIT_EXPECT_EQ(test, memcmp(buffer->sg[0].data, before, buffer->len), 0);
	KUNIT_EXPECT_FALSE(test, fake_balloon_pop(fake, FAKE_STATS, buffer));

	fake_balloon_push(fake, FAKE_STATS, buffer->head, 0);
	fake_balloon_queue_irq(fake, FAKE_STATS);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_pop(fake, FAKE_STATS, buffer));
	fake_balloon_accept(fake, FAKE_STATS, buffer);
	KUNIT_EXPECT_EQ(test, fake->stats_tags, 0xffffU);
}

/* A request that comes in while the driver goes is not answered, and hurts nobody. */
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

/* Returned twice: the kernel takes the queue for broken, and nothing else happens. */
static void stats_twice(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake->stats_tags);
	fake->queues[FAKE_STATS].hold = true;
	fake_balloon_push(fake, FAKE_STATS, fake->stats_head, 0);
	fake_balloon_push(fake, FAKE_STATS, fake->stats_head, 0);
	fake_balloon_queue_irq(fake, FAKE_STATS);
	irq_work_sync(&fake->irq);
	/* Whether it is now taken for dead or not: it can be removed. */
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
