/* SPDX-License-Identifier: GPL-2.0-only */
/* What high and low mean. The man page gives the reasons. */
#ifndef BALLOONSTAT_LIMITS_H
#define BALLOONSTAT_LIMITS_H

#include <stddef.h>

enum limit {
	LIMIT_STALL_HIGH,
	LIMIT_STALL_MIN,
	LIMIT_SCAN_HIGH,
	LIMIT_KSCAN_HIGH,
	LIMIT_RATIO_LOW,
	LIMIT_RETURN_HIGH,
	LIMIT_RETURN_MIN,
	LIMIT_SCAN_PER_STALL,
	LIMIT_AVAIL_LOW,
	LIMIT_BALLOON_LARGE,
	LIMIT_MEMORY_MAX,
	LIMIT_LEAVE,
	LIMIT_RISE,
	LIMIT_HOLD,
	LIMIT_OOM_HOLD,
	LIMIT_STALE,
	LIMIT_NR,
};

/**
 * struct limits - one value for each of enum limit
 * @v: in the unit that limit_unit() names
 */
struct limits {
	double v[LIMIT_NR];
};

/**
 * limits_default() - what is in force unless the user says otherwise
 * @l: filled in
 */
void limits_default(struct limits *l);

/**
 * limits_set() - take over what the user says
 * @l: changed only on success
 * @text: "NAME=VALUE"
 * @error: on failure, why, in a few words
 * @len: size of @error
 *
 * Return: 0, or -1 for an unknown name or a value out of range.
 */
int limits_set(struct limits *l, const char *text, char *error, size_t len);

/**
 * limit_name() - the name of a limit
 * @limit: below LIMIT_NR
 */
const char *limit_name(enum limit limit);

/**
 * limit_unit() - the unit of a limit
 * @limit: below LIMIT_NR
 */
const char *limit_unit(enum limit limit);

#endif
