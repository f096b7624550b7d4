// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a balloon ends: it is removed, put to sleep, or the machine reboots. Each of these has to
 * end soon, also where the host is alive and does not answer, and where two happen at once.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "balloon.h"
#include "fake.h"
#include "file.h"
#include "hog.h"
#include "suites.h"

#define SIZE	3008U	/* page numbers */

static int end_init(struct kunit *test)
{
	return fake_balloon_init(test, FAKE_MODERN | FAKE_F(MUST_TELL_HOST) |
				 FAKE_F(FREE_PAGE_HINT) | FAKE_F(PAGE_POISON) | FAKE_F(REPORTING));
}

/*
 * The next three functions, and one in block_test.c, are the only ones in all suites that use the
 * driver's own data. The first two call the driver's notifiers directly: the other users of the
 * kernel's notifier chains are not to be told that the machine goes down.
 */
static int end_do_reboot(struct fake_balloon *fake)
{
	struct balloon *b = fake->vdev.priv;

	return b->reboot_nb.notifier_call(&b->reboot_nb, SYS_RESTART, NULL);
}

static int end_pm_event(struct fake_balloon *fake, unsigned long event)
{
	struct balloon *b = fake->vdev.priv;

	return notifier_to_errno(b->pm_nb.notifier_call(&b->pm_nb, event, NULL));
}

/* Whether the driver has begun to stop its work, or is gone already. */
static bool end_stopping(struct fake_balloon *fake)
{
	struct balloon *b = READ_ONCE(fake->vdev.priv);

	return !b || !READ_ONCE(b->activity.running);
}

static int end_do_prepare_sleep(struct fake_balloon *fake)
{
	return end_pm_event(fake, PM_SUSPEND_PREPARE);
}

static int end_do_wake_up(struct fake_balloon *fake)
{
	return end_pm_event(fake, PM_POST_SUSPEND);
}

static const struct fake_call end_reboot = { "reboot", end_do_reboot };
static const struct fake_call end_prepare_sleep = { "preparing to sleep", end_do_prepare_sleep };
static const struct fake_call end_wake_up = { "waking up", end_do_wake_up };

/* Makes @call while the host has a buffer of the @role queue, and does not return it. */
static void end_unanswered(struct kunit *test, enum fake_role role, const struct fake_call *call)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	unsigned int resets;

	if (role == FAKE_REPORT) {
		/* A block would have to wait for the report that is not answered. */
		KUNIT_EXPECT_EQ(test, file_write(FILE_FIRST, "pages"), 0);
		hog_use_free();
		fake_balloon_hold(fake, FAKE_REPORT);
	} else {
		fake->features &= ~FAKE_F(REPORTING);
	}
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
	fake_balloon_hold(fake, role);
	fake_balloon_target(fake, role == FAKE_DEFLATE ? 0 : 2 * SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, role));
	resets = fake->resets;
	fake_balloon_call(fake, call);
	/* The reset makes the guest the owner of what the host had. */
	KUNIT_EXPECT_GT(test, fake->resets, resets);
	KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
	KUNIT_EXPECT_EQ(test, file_write(FILE_FIRST, "larger"), 0);
}

static void end_unplug_inflating(struct kunit *test)
{
	end_unanswered(test, FAKE_INFLATE, &fake_unplug);
}

static void end_freeze_deflating(struct kunit *test)
{
	fake_balloon_needs_sleep(test);
	end_unanswered(test, FAKE_DEFLATE, &fake_freeze);
}

static void end_reboot_inflating(struct kunit *test)
{
	end_unanswered(test, FAKE_INFLATE, &end_reboot);
}

static void end_reboot_reporting(struct kunit *test)
{
	end_unanswered(test, FAKE_REPORT, &end_reboot);
}

/*
 * R3: a guest does not go to sleep while the host has free pages of it. It does not wait for the
 * host for ever either: it stays awake.
 */
static void end_sleep_reporting(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int resets;

	fake_balloon_needs_sleep(test);
	hog_use_free();
	fake_balloon_hold(fake, FAKE_REPORT);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_REPORT));
	resets = fake->resets;
	KUNIT_EXPECT_NE(test, fake_balloon_call(fake, &end_prepare_sleep), 0);
	KUNIT_EXPECT_EQ(test, fake->resets, resets);
	KUNIT_EXPECT_TRUE(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(fake->popped.sg[0].data)), 0);
	/* When the host answers after all, the guest can sleep, and reports when it wakes up. */
	fake_balloon_answer(fake);
	fake_balloon_serve(fake, FAKE_REPORT);
	FAKE_EXPECT_SOON(test, fake, !fake_balloon_call(fake, &end_prepare_sleep));
	fake_balloon_call(fake, &end_wake_up);
	fake->reported = 0;
	hog_use_free();
	FAKE_EXPECT_SOON(test, fake, fake->reported);
}

/* R3: the report that the host does not answer may also be that of a block. */
static void end_sleep_block(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_needs_sleep(test);
	KUNIT_EXPECT_EQ(test, file_write(FILE_FIRST, "blocks"), 0);
	fake_balloon_hold(fake, FAKE_REPORT);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop_block(fake));
	KUNIT_EXPECT_NE(test, fake_balloon_call(fake, &end_prepare_sleep), 0);
	KUNIT_EXPECT_TRUE(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK);
	KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
	fake_balloon_answer(fake);
	fake_balloon_serve(fake, FAKE_REPORT);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
	/* When the guest is about to sleep, nothing is reported, and a block is not either. */
	FAKE_EXPECT_SOON(test, fake, !fake_balloon_call(fake, &end_prepare_sleep));
	fake_balloon_hold(fake, FAKE_REPORT);
	fake_balloon_target(fake, 2 * SIZE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == 2 * SIZE);
	fake_balloon_serve(fake, FAKE_REPORT);
	fake_balloon_call(fake, &end_wake_up);
	KUNIT_EXPECT_EQ(test, file_write(FILE_FIRST, "larger"), 0);
}

/* The device goes to sleep while the machine reboots: what both have to do is done once. */
static void end_twice(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	fake_balloon_needs_sleep(test);
	for (i = 0; i < 10; i++) {
		hog_use_free();
		fake_balloon_hold(fake, FAKE_REPORT);
		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_REPORT));
		/* Both wait until the report ends, and go on at the same time. */
		fake_balloon_start(fake, &end_reboot);
		FAKE_EXPECT_SOON(test, fake, end_stopping(fake));
		fake_balloon_start(fake, &fake_freeze);
		/*
		 * Nothing tells when the second has begun to wait. If it has not by now, this
		 * round shows nothing.
		 */
		msleep(50);
		fake_balloon_answer(fake);
		fake_balloon_serve(fake, FAKE_REPORT);
		fake_balloon_finish(fake);
		fake_balloon_unplug(fake);
	}
}

/*
 * V2 O5: a buffer of an OOM fills a short queue, and the host does not read it when the device
 * is removed.
 */
static void end_oom_short_queue(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int resets;

	fake->features &= ~(FAKE_F(MUST_TELL_HOST) | FAKE_F(REPORTING));
	fake->features |= FAKE_F(DEFLATE_ON_OOM);
	fake->early_use = true;
	fake->queues[FAKE_DEFLATE].size = 1;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
	fake_balloon_hold(fake, FAKE_DEFLATE);
	KUNIT_EXPECT_GT(test, fake_balloon_run_out_held(fake), 0U);
	resets = fake->resets;
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_GT(test, fake->resets, resets);
	KUNIT_EXPECT_EQ(test, fake->lost, 0UL);
}

/* The wakeup source of the device goes with it: fake->leaked says that somebody refers to it. */
static void end_wakeup_unplug(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_needs_sleep(test);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_ASSERT_EQ(test, device_set_wakeup_enable(&fake->vdev.dev, true), 0);
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_FALSE(test, fake->leaked);
}

/* Whether the device keeps the guest awake. */
static bool end_awake(struct fake_balloon *fake)
{
#ifdef CONFIG_PM_SLEEP
	return fake->vdev.dev.power.wakeup->active;
#else
	return false;
#endif
}

/* A balloon that could not be restored does not keep the guest awake. */
static void end_wakeup_dead(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_needs_sleep(test);
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_ASSERT_EQ(test, device_set_wakeup_enable(&fake->vdev.dev, true), 0);
	fake_balloon_target(fake, SIZE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
	FAKE_EXPECT_SOON(test, fake, !end_awake(fake));
	KUNIT_EXPECT_EQ(test, fake_balloon_call(fake, &end_prepare_sleep), 0);
	KUNIT_EXPECT_EQ(test, fake_balloon_freeze(fake), 0);
	fake->fail = FAKE_FAIL_QUEUES;
	KUNIT_EXPECT_NE(test, fake_balloon_restore(fake), 0);
	fake_balloon_call(fake, &end_wake_up);
	KUNIT_EXPECT_FALSE(test, end_awake(fake));
	/* While the source is active the driver core would not let go of the device. */
	device_set_wakeup_enable(&fake->vdev.dev, false);
}

static struct kunit_case end_cases[] = {
	KUNIT_CASE(end_unplug_inflating),
	KUNIT_CASE(end_freeze_deflating),
	KUNIT_CASE(end_reboot_inflating),
	KUNIT_CASE(end_reboot_reporting),
	KUNIT_CASE(end_sleep_reporting),
	KUNIT_CASE(end_sleep_block),
	KUNIT_CASE(end_twice),
	KUNIT_CASE(end_oom_short_queue),
	KUNIT_CASE(end_wakeup_unplug),
	KUNIT_CASE(end_wakeup_dead),
	{}
};

struct kunit_suite balloon_end_suite = {
	.name = "balloon_end",
	.init = end_init,
	.exit = fake_balloon_exit,
	.test_cases = end_cases,
};
