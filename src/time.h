/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Points in time that may be read long after they have passed. Uses no kernel state.
 */
#ifndef BALLOON_TIME_H
#define BALLOON_TIME_H

/**
 * balloon_time_left - how long it is until a point in time
 * @until: the point, in jiffies
 * @most: how far ahead it was when it was set, in jiffies
 * @now: the present, in jiffies
 *
 * Any context. On 32 bits jiffies wrap round within weeks, and for half of this time
 * time_before() treats a point that has passed as one that is still to come. So a point that
 * is more than @most ahead has passed.
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
