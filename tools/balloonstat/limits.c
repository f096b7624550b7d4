// SPDX-License-Identifier: GPL-2.0-only
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

static const struct {
	const char *name;
	const char *unit;
	double value, min, max;
} table[LIMIT_NR] = {
	[LIMIT_STALL_HIGH] = { "stall-high", "a second for each GiB", 2, 0, 1e9 },
	[LIMIT_STALL_MIN] = { "stall-min", "a second", 1, 0, 1e9 },
	[LIMIT_SCAN_HIGH] = { "scan-high", "% of memory a second", 0.02, 0, 1e6 },
	[LIMIT_KSCAN_HIGH] = { "kscan-high", "% of memory a second", 0.25, 0, 1e6 },
	[LIMIT_RATIO_LOW] = { "ratio-low", "% of what is scanned", 30, 0, 100 },
	[LIMIT_RETURN_HIGH] = { "return-high", "% of what is reclaimed", 50, 0, 1e6 },
	[LIMIT_RETURN_MIN] = { "return-min", "% of memory a second", 0.02, 0, 1e6 },
	[LIMIT_SCAN_PER_STALL] = { "scan-per-stall", "MiB", 64, 0, 1e9 },
	[LIMIT_AVAIL_LOW] = { "avail-low", "% of memory", 10, 0, 100 },
	[LIMIT_BALLOON_LARGE] = { "balloon-large", "% of memory", 10, 0, 100 },
	[LIMIT_MEMORY_MAX] = { "memory-max", "GiB", 16, 0.001, 1e9 },
	[LIMIT_LEAVE] = { "leave", "% of the limit", 50, 1, 100 },
	[LIMIT_RISE] = { "rise", "seconds", 2, 0, 86400 },
	[LIMIT_HOLD] = { "hold", "seconds", 5, 0, 86400 },
	[LIMIT_OOM_HOLD] = { "oom-hold", "seconds", 30, 0, 86400 },
	[LIMIT_STALE] = { "stale", "polling intervals", 3, 1, 1000 },
};

void limits_default(struct limits *l)
{
	for (int i = 0; i < LIMIT_NR; i++)
		l->v[i] = table[i].value;
}

int limits_set(struct limits *l, const char *text, char *error, size_t len)
{
	const char *eq = strchr(text, '=');
	double value;
	char *end;
	int i;

	if (!eq || !eq[1]) {
		snprintf(error, len, "it takes NAME=VALUE");
		return -1;
	}
	for (i = 0; i < LIMIT_NR; i++)
		if (strlen(table[i].name) == (size_t)(eq - text) &&
		    !strncmp(text, table[i].name, eq - text))
			break;
	if (i == LIMIT_NR) {
		snprintf(error, len, "there is no such limit; balloonstat(1) lists them");
		return -1;
	}
	value = strtod(eq + 1, &end);
	if (*end || !isfinite(value) || value < table[i].min || value > table[i].max) {
		snprintf(error, len, "it goes from %g to %g (%s)", table[i].min, table[i].max,
			 table[i].unit);
		return -1;
	}
	l->v[i] = value;
	return 0;
}

const char *limit_name(enum limit limit)
{
	return table[limit].name;
}

const char *limit_unit(enum limit limit)
{
	return table[limit].unit;
}
