/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Points in time that may be looked at long after they have passed. Pure.
 */
#ifndef BALLOON_TIME_H
#define BALLOON_TIME_H

/**
 * balloon_time_left - how long it is until a point in time
 * @until: the point, in jiffies
 * @most: how far ahead it was when it was set, in jiffies
 * @now: the present, in jiffies
 *
 * Any context. On 32 bits jiffies come round every few weeks, and time_before() takes what
 * has passed for what is to come for half of that. More than @most ahead, it has passed.
 *
 * Return: jiffies left, 0 if there are none.
 */
static inline unsigned long balloon_time_left(unsigned long until, unsigned long most,
					      unsigned long now)
{
	unsigned long left = until - now;

	return left <= most ? left : 0;
}

#endif /* BALLOON_TIME_H */
