// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a case waits: for what is to happen, and to see that nothing happens.
 */
#include <linux/delay.h>

#include "fake_internal.h"

/* In jiffies; a test waits at most so long for what is to happen. */
#define FAKE_PATIENCE		(60 * HZ)

/* In jiffies; the same for a test that has failed already, and is only to end. */
#define FAKE_FAILED_PATIENCE	(5 * HZ)

/* In jiffies; how often a condition is looked at while the device is idle. */
#define FAKE_TICK		(HZ / 50 + 1)

/**
 * fake_test_failed - get whether the test has failed already
 * @fake: the device
 *
 * Any context.
 *
 * Return: true if an expectation has failed, or a call had to be abandoned.
 */
bool fake_test_failed(struct fake_balloon *fake)
{
	/* An abandoned call may outlive the struct kunit. */
	return fake->abandoned || READ_ONCE(fake->test->status) == KUNIT_FAILURE;
}

/**
 * fake_balloon_patience - get how long a test waits for what is to happen
 * @fake: the device
 *
 * Any context.
 *
 * Return: time in jiffies; less once the test has failed.
 */
unsigned long fake_balloon_patience(struct fake_balloon *fake)
{
	return fake_test_failed(fake) ? FAKE_FAILED_PATIENCE : FAKE_PATIENCE;
}

/**
 * fake_wake_case - have a waiting case look at its condition
 * @fake: the device
 *
 * Any context.
 */
void fake_wake_case(struct fake_balloon *fake)
{
	atomic_inc(&fake->events);
	wake_up_all(&fake->changed);
}

/**
 * fake_balloon_wait_event - one step of fake_balloon_wait()
 * @fake: the device
 * @events: what fake->events was before the condition was looked at
 * @end: time in jiffies at which the wait is over
 *
 * Sleeps until the driver has done something, but not for long: other conditions change without
 * an event.
 *
 * Return: whether to look at the condition again.
 */
bool fake_balloon_wait_event(struct fake_balloon *fake, int events, unsigned long end)
{
	if (time_after_eq(jiffies, end))
		return false;
	wait_event_timeout(fake->changed, atomic_read(&fake->events) != events, FAKE_TICK);
	return true;
}

/**
 * fake_balloon_outlast_poll - sleep while the driver twice looks whether the device lives
 *
 * Sleeps. A driver that waits for a buffer looks once a second. Whatever it does wrong when it
 * finds a device that is alive and merely slow, it has done afterwards.
 */
void fake_balloon_outlast_poll(void)
{
	msleep(2500);
}
