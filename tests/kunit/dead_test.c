// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that die, in each of the ways that there are. The driver has to notice, to take every
 * page back, and to let go of the device. I7.
 */
#include <linux/mm.h>

#include "fake.h"
#include "suites.h"

/* Sizes of the balloon in page numbers. */
#define SIZE	3008U
#define LARGE	(8 * SIZE)

static int dead_init(struct kunit *test)
{
	return fake_balloon_init(test, FAKE_MODERN | FAKE_F(MUST_TELL_HOST) | FAKE_F(STATS_VQ) |
				 FAKE_F(FREE_PAGE_HINT));
}

/* Returns a buffer that the driver has not offered: the kernel then marks the queue broken. */
static void dead_break(struct fake_balloon *fake, enum fake_role role)
{
	const u32 not_offered = 5;

	fake_balloon_push(fake, role, not_offered, 0);
	fake_balloon_queue_irq(fake, role);
}

static void dead_forget(struct fake_balloon *fake, enum fake_role role)
{
	fake_balloon_forget(fake);
}

static void dead_need_reset(struct fake_balloon *fake, enum fake_role role)
{
	fake_balloon_need_reset(fake);
}

static void dead_vanish(struct fake_balloon *fake, enum fake_role role)
{
	fake_balloon_vanish(fake);
}

static const struct {
	const char *name;
	void (*die)(struct fake_balloon *fake, enum fake_role role);
	bool resettable;
} deaths[] = {
	{ "was reset without the driver", dead_forget, true },
	{ "needs a reset", dead_need_reset, true },
	{ "vanishes", dead_vanish, false },
	{ "returns a buffer that was not offered", dead_break, true },
};

/* Puts the device on the bus, as one that works, and has the balloon reach SIZE. */
static void dead_plug(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake->vanished = false;
	fake_balloon_serve(fake, FAKE_INFLATE);
	fake_balloon_serve(fake, FAKE_DEFLATE);
	fake_balloon_target(fake, SIZE);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
}

/* Has the device die in each way while the driver waits for a buffer of the @role queue. */
static void dead_waiting(struct kunit *test, enum fake_role role)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	unsigned int i, resets;

	for (i = 0; i < ARRAY_SIZE(deaths); i++) {
		kunit_info(test, "a device that %s\n", deaths[i].name);
		dead_plug(test);
		fake_balloon_hold(fake, role);
		fake_balloon_target(fake, role == FAKE_INFLATE ? 2 * SIZE : 0);
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, role));

		resets = fake->resets;
		deaths[i].die(fake, role);
		/* The driver takes the memory back at once, and not only when it is removed. */
		FAKE_EXPECT_SOON(test, fake, fake_guest_total() == total);
		KUNIT_EXPECT_EQ(test, fake->resets - resets, (unsigned int)deaths[i].resettable);
		KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
		fake_balloon_unplug(fake);
		KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
	}
}

static void dead_inflating(struct kunit *test)
{
	dead_waiting(test, FAKE_INFLATE);
}

static void dead_deflating(struct kunit *test)
{
	dead_waiting(test, FAKE_DEFLATE);
}

/* The memory of a large balloon comes back at once, with no pause after each buffer. */
static void dead_large(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	const unsigned long buffers = LARGE / FAKE_BATCH;
	unsigned long total = fake_guest_total();
	unsigned long died;

	dead_plug(test);
	fake_balloon_target(fake, LARGE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == LARGE);
	died = jiffies;
	fake_balloon_need_reset(fake);
	FAKE_EXPECT_SOON(test, fake, fake_guest_total() == total);
	/* A driver that pauses does so for more than a tenth of a second a buffer. */
	KUNIT_EXPECT_LT(test, jiffies - died, buffers * HZ / 10);
}

/* The driver waits for nothing. It finds out when it is removed, at the latest. */
static void dead_idle(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(deaths); i++) {
		kunit_info(test, "a device that %s\n", deaths[i].name);
		dead_plug(test);
		deaths[i].die(fake, FAKE_INFLATE);
		fake_balloon_unplug(fake);
		KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
	}
}

/*
 * When the guest is out of memory, the driver does not count on a dead device, and finds out.
 * If mm migrates a page meanwhile, it may find out by that. dead_oom_slow has only the OOM.
 */
static void dead_oom(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	unsigned int resets;

	fake->features |= FAKE_F(DEFLATE_ON_OOM);
	dead_plug(test);
	resets = fake->resets;
	fake_balloon_forget(fake);
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out(fake), 0U);
	FAKE_EXPECT_SOON(test, fake, fake->resets == resets + 1);
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
}

/*
 * The device dies when it has pages that it did not acknowledge in time when the guest was OOM.
 * Only the work item that the OOM has queued takes these back.
 */
static void dead_oom_slow(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct page *page;

	fake->features |= FAKE_F(DEFLATE_ON_OOM);
	dead_plug(test);
	fake_balloon_hold(fake, FAKE_DEFLATE);
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out_held(fake), 0U);
	KUNIT_ASSERT_EQ(test, fake_balloon_popped_pfns(fake), FAKE_BATCH);
	page = fake_balloon_popped_page(fake, 0);
	/* With this reference mm does not give the page to anybody when the driver frees it. */
	get_page(page);
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	fake_balloon_forget(fake);
	FAKE_EXPECT_SOON(test, fake, page_count(page) == 1);
	put_page(page);
}

/* The guest goes to sleep all the same, and the device works again when it wakes up. */
static void dead_suspend(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();

	fake_balloon_needs_sleep(test);
	dead_plug(test);
	fake_balloon_forget(fake);
	KUNIT_EXPECT_EQ(test, fake_balloon_freeze(fake), 0);
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
	KUNIT_EXPECT_EQ(test, fake_balloon_restore(fake), 0);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
}

/* The configuration of a device that is gone reads as ones, which is no target. */
static void dead_configuration(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();

	dead_plug(test);
	fake_balloon_vanish(fake);
	fake_balloon_config_irq(fake);
	FAKE_EXPECT_SOON(test, fake, fake_guest_total() == total);
}

static struct kunit_case dead_cases[] = {
	KUNIT_CASE(dead_inflating),
	KUNIT_CASE(dead_deflating),
	KUNIT_CASE(dead_large),
	KUNIT_CASE(dead_idle),
	KUNIT_CASE(dead_oom),
	KUNIT_CASE(dead_oom_slow),
	KUNIT_CASE(dead_suspend),
	KUNIT_CASE(dead_configuration),
	{}
};

struct kunit_suite balloon_dead_suite = {
	.name = "balloon_dead",
	.init = dead_init,
	.exit = fake_balloon_exit,
	.test_cases = dead_cases,
};
