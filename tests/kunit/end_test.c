// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a balloon ends: removed, put to sleep, rebooted. In any case soon, also where the host
 * lives and does not answer, and where two of these come at the same time. D1 D8 D13.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "balloon.h"
#include "fake.h"
#include "hog.h"
#include "suites.h"

#define SIZE	3000	/* pages of 4 KiB */

static int end_init(struct kunit *test)
{
	return fake_balloon_init(test, FAKE_MODERN | FAKE_F(MUST_TELL_HOST) |
				 FAKE_F(FREE_PAGE_HINT) | FAKE_F(PAGE_POISON) | FAKE_F(REPORTING));
}

/* What the kernel does on its way down. Others are told, too, so the chain itself is not run. */
static void end_reboot(struct fake_balloon *fake)
{
	struct balloon *b = fake->vdev.priv;

	b->reboot_nb.notifier_call(&b->reboot_nb, SYS_RESTART, NULL);
}

/* Before it goes to sleep. */
static int end_sleep(struct fake_balloon *fake)
{
	struct balloon *b = fake->vdev.priv;

	return notifier_to_errno(b->pm_nb.notifier_call(&b->pm_nb, PM_SUSPEND_PREPARE, NULL));
}

static void end_wake(struct fake_balloon *fake)
{
	struct balloon *b = fake->vdev.priv;

	b->pm_nb.notifier_call(&b->pm_nb, PM_POST_SUSPEND, NULL);
}

static void end_freeze(struct fake_balloon *fake)
{
	virtio_device_freeze(&fake->vdev);
}

/* Has @act come while the host has a buffer of the @role queue, and keeps it. */
static void end_unanswered(struct kunit *test, enum fake_role role,
			   void (*act)(struct fake_balloon *fake))
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned long total = totalram_pages();
	unsigned int resets;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	if (role == FAKE_REPORT)
		hog_use_free();
	else
		fake->features &= ~FAKE_F(REPORTING);
	fake->queues[role].hold = role == FAKE_REPORT;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
	fake_balloon_hold(fake, role, true);
	fake_balloon_target(fake, role == FAKE_DEFLATE ? 0 : 2 * SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, role, buffer));
	resets = fake->resets;
	fake_balloon_start(fake, act);
	KUNIT_EXPECT_TRUE(test, fake_balloon_ended(fake));
	/* What the host still had may be used again, since the device was reset. */
	KUNIT_EXPECT_GT(test, fake->resets, resets);
	KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, totalram_pages(), total);
}

static void end_unplug_inflating(struct kunit *test)
{
	end_unanswered(test, FAKE_INFLATE, fake_balloon_unplug);
}

static void end_freeze_deflating(struct kunit *test)
{
	end_unanswered(test, FAKE_DEFLATE, end_freeze);
}

static void end_reboot_inflating(struct kunit *test)
{
	end_unanswered(test, FAKE_INFLATE, end_reboot);
}

static void end_reboot_reporting(struct kunit *test)
{
	end_unanswered(test, FAKE_REPORT, end_reboot);
}

static void end_sleep_refused(struct fake_balloon *fake)
{
	/* The case sees it by the number of resets. */
	if (!end_sleep(fake))
		fake_balloon_forget(fake);
}

/* R3: a guest does not sleep while the host has its free pages, nor does it wait for ever. */
static void end_sleep_reporting(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned int resets;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	hog_use_free();
	fake->queues[FAKE_REPORT].hold = true;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_REPORT, buffer));
	resets = fake->resets;
	fake_balloon_start(fake, end_sleep_refused);
	KUNIT_EXPECT_TRUE(test, fake_balloon_ended(fake));
	KUNIT_EXPECT_EQ(test, fake->resets, resets);
	KUNIT_EXPECT_TRUE(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(buffer->sg[0].data)), 0);
	/* A host that answers after all has lost nothing. */
	fake_balloon_answer(fake, FAKE_REPORT, buffer, 0);
	fake_balloon_hold(fake, FAKE_REPORT, false);
	FAKE_EXPECT_SOON(test, fake, !end_sleep(fake));
	end_wake(fake);
	fake->reported = 0;
	hog_use_free();
	FAKE_EXPECT_SOON(test, fake, fake->reported);
}

/* Removed while the machine goes down: what both do is done once. */
static void end_twice(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct fake_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	for (i = 0; i < 10; i++) {
		struct balloon *b;

		hog_use_free();
		fake->queues[FAKE_REPORT].hold = true;
		KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_REPORT, buffer));
		b = fake->vdev.priv;
		/* Both wait for the report, and go on when it is over. */
		fake_balloon_start(fake, end_reboot);
		FAKE_EXPECT_SOON(test, fake, !READ_ONCE(b->running));
		fake_balloon_start(fake, end_freeze);
		/* Where the second comes later, the case shows nothing in this round. */
		msleep(50);
		fake_balloon_answer(fake, FAKE_REPORT, buffer, 0);
		fake_balloon_hold(fake, FAKE_REPORT, false);
		KUNIT_EXPECT_TRUE(test, fake_balloon_ended(fake));
		fake_balloon_unplug(fake);
	}
}

/* V2 O5: an OOM's buffers fill a short queue, and the host is slow to read them. */
static void end_oom_short_queue(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct balloon *b;

	fake->features &= ~(FAKE_F(MUST_TELL_HOST) | FAKE_F(REPORTING));
	fake->features |= FAKE_F(DEFLATE_ON_OOM);
	fake->hasty = true;
	fake->queues[FAKE_DEFLATE].size = 1;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
	fake_balloon_hold(fake, FAKE_DEFLATE, true);
	KUNIT_EXPECT_GT(test, fake_balloon_run_out(fake), 0UL);
	b = fake->vdev.priv;
	fake_balloon_start(fake, fake_balloon_unplug);
	FAKE_EXPECT_SOON(test, fake, !READ_ONCE(b->running));
	fake_balloon_hold(fake, FAKE_DEFLATE, false);
	KUNIT_EXPECT_TRUE(test, fake_balloon_ended(fake));
	KUNIT_EXPECT_EQ(test, fake->lost, 0UL);
}

/* The device's wakeup source goes with it. The fake complains if it is still referred to. */
static void end_wakeup_unplug(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_ASSERT_EQ(test, device_set_wakeup_enable(&fake->vdev.dev, true), 0);
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_FALSE(test, fake->leaked);
}

/* A balloon that could not be restored keeps no guest awake. */
static void end_wakeup_dead(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_ASSERT_EQ(test, device_set_wakeup_enable(&fake->vdev.dev, true), 0);
	fake_balloon_target(fake, SIZE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_actual(fake) == SIZE);
	FAKE_EXPECT_SOON(test, fake, !fake->vdev.dev.power.wakeup->active);
	KUNIT_EXPECT_EQ(test, end_sleep(fake), 0);
	KUNIT_EXPECT_EQ(test, fake_balloon_freeze(fake), 0);
	fake->fail = FAKE_FAIL_QUEUES;
	KUNIT_EXPECT_NE(test, fake_balloon_restore(fake), 0);
	end_wake(fake);
	KUNIT_EXPECT_FALSE(test, fake->vdev.dev.power.wakeup->active);
	/* The core would not let go of a source that is in use. */
	device_set_wakeup_enable(&fake->vdev.dev, false);
}

static struct kunit_case end_cases[] = {
	KUNIT_CASE(end_unplug_inflating),
	KUNIT_CASE(end_freeze_deflating),
	KUNIT_CASE(end_reboot_inflating),
	KUNIT_CASE(end_reboot_reporting),
	KUNIT_CASE(end_sleep_reporting),
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
