// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's life: features, queues, configuration; probe, suspend and remove,
 * and each of their steps failing. The ids are those of docs/spec.md.
 */
#include <linux/mm.h>
#include <linux/sched.h>

#include "fake.h"
#include "suites.h"

#define ALL_FEATURES	(FAKE_F(MUST_TELL_HOST) | FAKE_F(STATS_VQ) | FAKE_F(DEFLATE_ON_OOM) | \
			 FAKE_F(FREE_PAGE_HINT) | FAKE_F(PAGE_POISON) | FAKE_F(REPORTING))

/* The test guest's kernel writes this to free pages: page_poison=1. */
#define POISON		0xaaaaaaaa

static int life_init(struct kunit *test)
{
	return fake_balloon_init(test, FAKE_MODERN | ALL_FEATURES);
}

/* F1 F2 F3 F5 I3 I4 V1: everything that a host can offer is taken, and works. */
static void life_all_features(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int role;

	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_ASSERT_TRUE(test, fake_balloon_bound(fake));
	KUNIT_EXPECT_EQ(test, fake->vdev.features, FAKE_MODERN | ALL_FEATURES);
	KUNIT_EXPECT_TRUE(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK);
	for (role = 0; role < FAKE_QUEUES; role++)
		KUNIT_EXPECT_NOT_NULL(test, fake->queues[role].vq);
	FAKE_EXPECT_SOON(test, fake, fake->stats_tags);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(fake->config.poison_val), POISON);
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_FALSE(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

/* V1 C3: every combination has its queues where the device has them. */
static void life_combinations(struct kunit *test)
{
	static const u64 bits[] = {
		FAKE_F(MUST_TELL_HOST), FAKE_F(STATS_VQ), FAKE_F(DEFLATE_ON_OOM),
		FAKE_F(FREE_PAGE_HINT), FAKE_F(PAGE_POISON), FAKE_F(REPORTING), FAKE_MODERN,
	};
	struct fake_balloon *fake = test->priv;
	unsigned int set, i;
	u64 expected;

	for (set = 0; set < BIT(ARRAY_SIZE(bits)); set++) {
		fake->features = 0;
		for (i = 0; i < ARRAY_SIZE(bits); i++)
			if (set & BIT(i))
				fake->features |= bits[i];
		expected = fake->features;
		/* P4: free pages have a value, and the host cannot know it. */
		if (!(expected & FAKE_F(PAGE_POISON)))
			expected &= ~FAKE_F(REPORTING);
		fake->config_len = expected & FAKE_F(PAGE_POISON) ? 16 :
				   expected & FAKE_F(FREE_PAGE_HINT) ? 12 : 8;
		fake->stats_tags = 0;

		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
		KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
		KUNIT_EXPECT_EQ(test, fake->vdev.features, expected);
		if (expected & FAKE_F(STATS_VQ))
			FAKE_EXPECT_SOON(test, fake, fake->stats_tags);
		fake_balloon_target(fake, 300);
		FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == 300);
		KUNIT_EXPECT_EQ(test, fake->nr_owned, 300UL);
		fake_balloon_unplug(fake);
		KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0);
		if (fake->breaches)
			break;
	}
}

/* F4 F6 F7: nothing is accepted that the driver does not know. */
static void life_unknown_features(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake->features = FAKE_MODERN | GENMASK_ULL(23, 0) | BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |
			 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | GENMASK_ULL(63, 50);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
	KUNIT_EXPECT_EQ(test, fake->vdev.features, FAKE_MODERN | ALL_FEATURES);
}

/* I4: a core that takes no buffer before the device runs, as some kernels have it. */
static void life_hardened(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake->hardened = true;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_ASSERT_TRUE(test, fake_balloon_bound(fake));
	FAKE_EXPECT_SOON(test, fake, fake->stats_tags == 0xffff);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_STATS].buffers, 1U);
	fake_balloon_target(fake, 300);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == 300);
}

static const enum fake_step steps[] = {
	FAKE_FAIL_FEATURES, FAKE_FAIL_QUEUES, FAKE_FAIL_STATS,
};

/* I6: where it cannot work it says FAILED, and leaves nothing behind. */
static void life_probe_fails(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i, role;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		fake->fail = steps[i];
		fake->failed = false;
		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
		KUNIT_EXPECT_FALSE(test, fake_balloon_bound(fake));
		KUNIT_EXPECT_TRUE(test, fake->failed);
		KUNIT_EXPECT_FALSE(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK);
		for (role = 0; role < FAKE_QUEUES; role++)
			KUNIT_EXPECT_NULL(test, fake->queues[role].vq);
		fake_balloon_unplug(fake);
	}
	/* And nothing of it stands in the way of one that works. */
	fake->fail = FAKE_FAIL_NOTHING;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
}

/* A transport that gives no access to the configuration. */
static void life_no_config(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake->no_access = true;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_EXPECT_FALSE(test, fake_balloon_bound(fake));
	KUNIT_EXPECT_TRUE(test, fake->failed);
}

/* P2 P3 S7 I3 I4: after suspend everything is as it was, and the memory comes back. */
static void life_suspend(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();
	unsigned int i;
	u32 tags;

	/* Then the guest's total follows the balloon. */
	fake->features &= ~FAKE_F(DEFLATE_ON_OOM);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake->stats_tags);
	tags = fake->stats_tags;
	fake_balloon_target(fake, 1000);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == 1000);

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, fake_balloon_freeze(fake), 0);
		KUNIT_EXPECT_EQ(test, totalram_pages(), total);
		KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0);
		KUNIT_EXPECT_EQ(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK, 0);
		fake->stats_tags = 0;
		KUNIT_ASSERT_EQ(test, fake_balloon_restore(fake), 0);
		KUNIT_EXPECT_EQ(test, le32_to_cpu(fake->config.poison_val), POISON);
		FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == 1000);
		FAKE_EXPECT_SOON(test, fake, fake->stats_tags == tags);
		KUNIT_EXPECT_EQ(test, totalram_pages(), total - 1000);
	}
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
}

/* I6: a guest that cannot have its balloon back goes on without it. */
static void life_restore_fails(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		fake->fail = FAKE_FAIL_NOTHING;
		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
		fake_balloon_target(fake, 1000);
		FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == 1000);
		KUNIT_EXPECT_EQ(test, fake_balloon_freeze(fake), 0);
		fake->fail = steps[i];
		KUNIT_EXPECT_NE(test, fake_balloon_restore(fake), 0);
		KUNIT_EXPECT_TRUE(test, fake->failed);
		/* The host goes on wanting things. */
		fake_balloon_target(fake, 2000);
		fake_balloon_unplug(fake);
		KUNIT_EXPECT_EQ(test, totalram_pages(), total);
		KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
	}
}

/*
 * Runs @step again and again, with its first allocation failing, then its second
 * and so on, until it has no more of them. Has @after look at each outcome.
 */
static void fail_each_allocation(struct kunit *test, int (*step)(struct fake_balloon *fake),
				 void (*after)(struct kunit *test, bool failed))
{
	struct fake_balloon *fake = test->priv;
	unsigned int n, failures = 0;
	bool injected;
	int err;

	for (n = 1; n < 1000; n++) {
		current->fail_nth = n;
		err = step(fake);
		injected = !current->fail_nth;
		current->fail_nth = 0;
		failures += err && injected;
		after(test, err);
		if (!injected)
			break;
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_FALSE(test, injected);
	kunit_info(test, "%u allocations failed, %u of them mattered\n", n - 1, failures);
	/* Those of the balloon, its batches and its queues alone. */
	KUNIT_EXPECT_GT(test, failures, 8U);
}

static int life_plug(struct fake_balloon *fake)
{
	int err = fake_balloon_plug(fake);

	if (!err && !fake_balloon_bound(fake))
		err = -ENOMEM;
	return err;
}

static void life_unplug(struct kunit *test, bool failed)
{
	struct fake_balloon *fake = test->priv;
	unsigned int role;

	if (failed) {
		KUNIT_EXPECT_FALSE(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK);
		for (role = 0; role < FAKE_QUEUES; role++)
			KUNIT_EXPECT_NULL(test, fake->queues[role].vq);
	}
	fake_balloon_unplug(fake);
}

/* I6 D8: no memory for a part of it, whichever part that is. */
static void life_probe_without_memory(struct kunit *test)
{
	fail_each_allocation(test, life_plug, life_unplug);
}

static int life_restore(struct fake_balloon *fake)
{
	return virtio_device_restore(&fake->vdev);
}

static void life_frozen_again(struct kunit *test, bool failed)
{
	struct fake_balloon *fake = test->priv;

	if (failed) {
		fake_balloon_unplug(fake);
		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	} else {
		FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == 1000);
	}
	KUNIT_ASSERT_EQ(test, fake_balloon_freeze(fake), 0);
}

/* D8: the same when it wakes up. */
static void life_restore_without_memory(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();

	fake->features &= ~FAKE_F(DEFLATE_ON_OOM);
	fake_balloon_target(fake, 1000);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_ASSERT_EQ(test, fake_balloon_freeze(fake), 0);
	fail_each_allocation(test, life_restore, life_frozen_again);
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
}

static struct kunit_case life_cases[] = {
	KUNIT_CASE(life_all_features),
	KUNIT_CASE(life_combinations),
	KUNIT_CASE(life_unknown_features),
	KUNIT_CASE(life_hardened),
	KUNIT_CASE(life_probe_fails),
	KUNIT_CASE(life_no_config),
	KUNIT_CASE(life_suspend),
	KUNIT_CASE(life_restore_fails),
	KUNIT_CASE(life_probe_without_memory),
	KUNIT_CASE(life_restore_without_memory),
	{}
};

struct kunit_suite balloon_life_suite = {
	.name = "balloon_life",
	.init = life_init,
	.exit = fake_balloon_exit,
	.test_cases = life_cases,
};
