// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a device: features, queues, configuration, probe, suspend and remove; and what
 * happens when a step of probe or restore fails. The ids are those of docs/spec.md.
 */
#include <linux/mm.h>
#include <linux/sched.h>

#include "fake.h"
#include "suites.h"

#define ALL_FEATURES	(FAKE_F(MUST_TELL_HOST) | FAKE_F(STATS_VQ) | FAKE_F(DEFLATE_ON_OOM) | \
			 FAKE_F(FREE_PAGE_HINT) | FAKE_F(PAGE_POISON) | FAKE_F(REPORTING))

/* What the kernel of the test guest writes to free pages, since it is booted with page_poison=1. */
#define POISON		0xaaaaaaaa

/* A bit for each of the 16 tags: the test kernel has all statistics. */
#define ALL_TAGS	0xffff

/* Sizes of the balloon in page numbers. */
#define SIZE		1008U
#define SMALL		304U

/* More than probe or restore has. */
#define MAX_ALLOCATIONS	1000

/* Bytes of the configuration up to and including a field. */
#define CONFIG_UP_TO(field)	offsetofend(struct virtio_balloon_config, field)

static int life_init(struct kunit *test)
{
	return fake_balloon_init(test, FAKE_MODERN | ALL_FEATURES);
}

/* F1 F5 P2 V1: the driver accepts every feature that it knows, and the device works. */
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

/* F1 F3 C1 C3 V1 I2 I3 P3: every combination of features works. */
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
		/* Free pages have a value, and a host without this feature cannot know it. */
		if (!(expected & FAKE_F(PAGE_POISON)))
			expected &= ~FAKE_F(REPORTING);
		fake->config_len = expected & FAKE_F(PAGE_POISON) ? CONFIG_UP_TO(poison_val) :
				   expected & FAKE_F(FREE_PAGE_HINT) ?
				   CONFIG_UP_TO(free_page_hint_cmd_id) : CONFIG_UP_TO(actual);
		fake->stats_tags = 0;

		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
		KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
		KUNIT_EXPECT_EQ(test, fake->vdev.features, expected);
		if (expected & FAKE_F(STATS_VQ))
			FAKE_EXPECT_SOON(test, fake, fake->stats_tags);
		fake_balloon_target(fake, SMALL);
		FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SMALL));
		fake_balloon_unplug(fake);
		KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0);
		/* The others would be logged as well, and the first is enough. */
		if (fake->breaches)
			break;
	}
}

/* F4 F6 F7: the driver accepts no feature that it does not know. */
static void life_unknown_features(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	/* Bits 0 to 23 and from 50 on belong to the balloon, the others to the transport. */
	fake->features = FAKE_MODERN | GENMASK_ULL(23, 0) | BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |
			 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | GENMASK_ULL(63, 50);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
	KUNIT_EXPECT_EQ(test, fake->vdev.features, FAKE_MODERN | ALL_FEATURES);
}

/* I4: on some kernels the virtio core takes no buffer before DRIVER_OK. */
static void life_hardened(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake->hardened = true;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_ASSERT_TRUE(test, fake_balloon_bound(fake));
	FAKE_EXPECT_SOON(test, fake, fake->stats_tags == ALL_TAGS);
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_STATS].buffers, 1U);
	fake_balloon_target(fake, SMALL);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == SMALL);
}

static const enum fake_failure life_failures[] = {
	FAKE_FAIL_FEATURES, FAKE_FAIL_QUEUES, FAKE_FAIL_STATS,
};

/* I6: a probe that fails sets FAILED, and leaves nothing behind. */
static void life_probe_fails(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i, role;

	for (i = 0; i < ARRAY_SIZE(life_failures); i++) {
		fake->fail = life_failures[i];
		fake->failed = false;
		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
		KUNIT_EXPECT_FALSE(test, fake_balloon_bound(fake));
		KUNIT_EXPECT_TRUE(test, fake->failed);
		KUNIT_EXPECT_FALSE(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK);
		for (role = 0; role < FAKE_QUEUES; role++)
			KUNIT_EXPECT_NULL(test, fake->queues[role].vq);
		fake_balloon_unplug(fake);
	}
	/* A probe after these succeeds. */
	fake->fail = FAKE_FAIL_NOTHING;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_EXPECT_TRUE(test, fake_balloon_bound(fake));
}

/* I6: probe fails if the transport cannot read the configuration. */
static void life_no_config(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake->no_config = true;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_EXPECT_FALSE(test, fake_balloon_bound(fake));
	KUNIT_EXPECT_TRUE(test, fake->failed);
}

/* P2 P3 S7 I2 I3 I4: suspend gives the memory back to the guest; resume brings all as it was. */
static void life_suspend(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	unsigned int i;
	u32 tags;

	fake_balloon_needs_sleep(test);
	/* Without this feature the guest's total is less by the pages in the balloon. */
	fake->features &= ~FAKE_F(DEFLATE_ON_OOM);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake->stats_tags);
	tags = fake->stats_tags;
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, fake_balloon_freeze(fake), 0);
		KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
		KUNIT_EXPECT_EQ(test, fake_balloon_actual(fake), 0);
		KUNIT_EXPECT_EQ(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK, 0);
		fake->stats_tags = 0;
		KUNIT_ASSERT_EQ(test, fake_balloon_restore(fake), 0);
		KUNIT_EXPECT_EQ(test, le32_to_cpu(fake->config.poison_val), POISON);
		FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
		FAKE_EXPECT_SOON(test, fake, fake->stats_tags == tags);
		KUNIT_EXPECT_EQ(test, fake_guest_total(), total - SIZE);
	}
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
}

/* I6: where restore fails the guest goes on without its balloon, and has all of its memory. */
static void life_restore_fails(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	unsigned int i;

	fake_balloon_needs_sleep(test);
	for (i = 0; i < ARRAY_SIZE(life_failures); i++) {
		fake->fail = FAKE_FAIL_NOTHING;
		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
		fake_balloon_target(fake, SIZE);
		FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
		KUNIT_EXPECT_EQ(test, fake_balloon_freeze(fake), 0);
		fake->fail = life_failures[i];
		KUNIT_EXPECT_NE(test, fake_balloon_restore(fake), 0);
		KUNIT_EXPECT_TRUE(test, fake->failed);
		/* A host that wants another size changes nothing. */
		fake_balloon_target(fake, 2 * SIZE);
		fake_balloon_unplug(fake);
		KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
		KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
	}
}

/*
 * Runs @step many times: in run N, the allocation number N of @step fails. Ends with the first run
 * in which @step has fewer than N allocations. Calls @after each time.
 *
 * The kernel counts the allocations of this thread alone.
 */
static void fail_each_allocation(struct kunit *test, int (*step)(struct fake_balloon *fake),
				 void (*after)(struct kunit *test, bool failed))
{
	struct fake_balloon *fake = test->priv;
	unsigned int n, failures = 0;
	bool injected;
	int err;

	for (n = 1; n < MAX_ALLOCATIONS; n++) {
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
	kunit_info(test, "%u allocations failed, and with %u of them the step\n", n - 1, failures);
	/* As many as the balloon, its batches and its queues have; otherwise nothing was tested. */
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

/* I6: probe fails, whichever of its allocations does. */
static void life_probe_without_memory(struct kunit *test)
{
	fail_each_allocation(test, life_plug, life_unplug);
}

/* In this thread, where the allocations are to fail; fake_balloon_restore() has another. */
static int life_restore(struct fake_balloon *fake)
{
	return fake_restore.call(fake);
}

static void life_frozen_again(struct kunit *test, bool failed)
{
	struct fake_balloon *fake = test->priv;

	if (failed) {
		fake_balloon_unplug(fake);
		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	} else {
		FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
	}
	KUNIT_ASSERT_EQ(test, fake_balloon_freeze(fake), 0);
}

/* I6: restore fails, whichever of its allocations does. */
static void life_restore_without_memory(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();

	fake_balloon_needs_sleep(test);
	fake->features &= ~FAKE_F(DEFLATE_ON_OOM);
	fake_balloon_target(fake, SIZE);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_ASSERT_EQ(test, fake_balloon_freeze(fake), 0);
	fail_each_allocation(test, life_restore, life_frozen_again);
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
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
