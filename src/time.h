/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Points in time that may be read long after they have passed. Uses no kernel state.
 */
#ifndef BALLOON_TIME_H
#define BALLOON_TIME_H

#include <linux/limits.h>

/**
 * balloon_time_ahead - get a point in time that is to come
 * @now: the present, in jiffies
 * @most: how far ahead, in jiffies; at least 2
 *
 * Any context.
 *
 * Return: the point in jiffies. Never 0, so that 0 may stand for none; then it is one jiffy less
 * ahead. It is never further ahead than @most, or balloon_time_left() would say that it has passed.
 */
static inline unsigned long balloon_time_ahead(unsigned long now, unsigned long most)
{
	return now + most ?: ULONG_MAX;
}

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
