// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that die while the driver waits for them, in each way there is to die.
 * It has to notice, take every page back, and let go of the device. D1, I7.
 */
#include <linux/mm.h>

#include "fake.h"
#include "suites.h"

#define SIZE	3000	/* pages of 4 KiB */

static int dead_init(struct kunit *test)
{
	return fake_balloon_init(test, FAKE_MODERN | FAKE_F(MUST_TELL_HOST) | FAKE_F(STATS_VQ) |
				 FAKE_F(FREE_PAGE_HINT));
}

/* Returns an id that is no buffer's: the kernel then takes the queue for broken. */
static void dead_break(struct fake_balloon *fake, enum fake_role role)
{
	fake_balloon_push(fake, role, 5, 0);
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
	{ "forgets", dead_forget, true },
	{ "needs a reset", dead_need_reset, true },
	{ "vanishes", dead_vanish, false },
	{ "returns what it never had", dead_break, true },
};

/* Plugs it in, alive again, and has it take SIZE. */
static void dead_plug(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake->vanished = false;
	fake->queues[FAKE_INFLATE].hold = false;
	fake->queues[FAKE_DEFLATE].hold = false;
	fake_balloon_target(fake, SIZE);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake->nr_owned == SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
}

/* Plugs it in, kills it while it has the @role queue's buffer, and unplugs it. */
static void dead_waiting(struct kunit *test, enum fake_role role)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned long total = totalram_pages();
	unsigned int i, resets;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	for (i = 0; i < ARRAY_SIZE(deaths); i++) {
		kunit_info(test, "a device that %s\n", deaths[i].name);
		dead_plug(test);
		fake_balloon_hold(fake, role, true);
		fake_balloon_target(fake, role == FAKE_INFLATE ? 2 * SIZE : 0);
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, role, buffer));

		resets = fake->resets;
		deaths[i].die(fake, role);
		/* All of the guest's memory is its own again, before anybody asks. */
		FAKE_EXPECT_SOON(test, fake, totalram_pages() == total);
		KUNIT_EXPECT_EQ(test, fake->resets - resets, (unsigned int)deaths[i].resettable);
		KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
		fake_balloon_unplug(fake);
		KUNIT_EXPECT_EQ(test, totalram_pages(), total);
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

/* A large balloon comes back as one, not bit by bit. */
static void dead_large(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();
	unsigned long died;

	dead_plug(test);
	fake_balloon_target(fake, 15 * SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == 15 * SIZE);
	died = jiffies;
	fake_balloon_need_reset(fake);
	FAKE_EXPECT_SOON(test, fake, totalram_pages() == total);
	/* There is nothing to pause for. Pauses, one a buffer, would add up to more. */
	KUNIT_EXPECT_LT(test, jiffies - died, 15UL * SIZE / 256 * HZ / 10);
}

/* Nobody waits for it: found out when it is removed, at the latest. */
static void dead_idle(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(deaths); i++) {
		kunit_info(test, "a device that %s\n", deaths[i].name);
		dead_plug(test);
		deaths[i].die(fake, FAKE_INFLATE);
		fake_balloon_unplug(fake);
		KUNIT_EXPECT_EQ(test, totalram_pages(), total);
	}
}

/* D4: nobody had noticed, until the guest wanted its memory back. */
static void dead_oom(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();
	unsigned int resets;

	fake->features |= FAKE_F(DEFLATE_ON_OOM);
	fake_balloon_target(fake, SIZE);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
	resets = fake->resets;
	fake_balloon_forget(fake);
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out(fake), 0UL);
	FAKE_EXPECT_SOON(test, fake, fake->resets == resets + 1);
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
}

/* D4: it dies with pages that it was too slow to acknowledge. */
static void dead_oom_slow(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	const __le32 *pfns;
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake->features |= FAKE_F(DEFLATE_ON_OOM);
	dead_plug(test);
	fake_balloon_hold(fake, FAKE_DEFLATE, true);
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out(fake), 0UL);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE, buffer));
	pfns = buffer->sg[0].data;
	page = pfn_to_page(le32_to_cpu(pfns[0]));
	/* So that nobody else gets it. */
	get_page(page);
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	fake_balloon_forget(fake);
	FAKE_EXPECT_SOON(test, fake, page_count(page) == 1);
	put_page(page);
}

/* Suspend goes on too, and finds a device that works again when it wakes up. */
static void dead_suspend(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();

	dead_plug(test);
	fake_balloon_forget(fake);
	KUNIT_EXPECT_EQ(test, fake_balloon_freeze(fake), 0);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
	KUNIT_EXPECT_EQ(test, fake_balloon_restore(fake), 0);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == SIZE && fake->nr_owned == SIZE);
}

/* Its configuration reads as ones: nobody is to believe that as a target. */
static void dead_configuration(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = totalram_pages();

	dead_plug(test);
	fake_balloon_vanish(fake);
	fake_balloon_config_irq(fake);
	FAKE_EXPECT_SOON(test, fake, totalram_pages() == total);
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
