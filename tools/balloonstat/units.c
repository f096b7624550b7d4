// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "units.h"

static const char letters[] = " kMGTPE";

/* The number below @base, and how often it was divided. */
static double scale(double value, double base, int *power)
{
	*power = 0;
	/* 999.96 would be written as 1000.0. */
	while (value >= base - 0.5 && *power < (int)sizeof(letters) - 2) {
		value /= base;
		++*power;
	}
	return value;
}

const char *units_short(char *buf, double value, bool bytes)
{
	int power;
	double v = scale(value, bytes ? 1024 : 1000, &power);

	if (power)
		snprintf(buf, UNITS_LEN, v < 99.95 ? "%.1f%c" : "%.0f%c", v, letters[power]);
	else if (v > 0 && v < 0.5)
		snprintf(buf, UNITS_LEN, "<1");
	else
		snprintf(buf, UNITS_LEN, "%.0f", v);
	return buf;
}

const char *units_bytes(char *buf, double value)
{
	int power;
	double v = scale(value, 1024, &power);

	if (power)
		snprintf(buf, UNITS_LEN, "%.1f %ciB", v, power == 1 ? 'K' : letters[power]);
	else
		snprintf(buf, UNITS_LEN, "%.0f B", v);
	return buf;
}

const char *units_count(char *buf, double value)
{
	int power;
	double v = scale(value, 1000, &power);

	if (power)
		snprintf(buf, UNITS_LEN, "%.1f%c", v, letters[power]);
	else
		snprintf(buf, UNITS_LEN, v > 0 && v < 9.95 ? "%.1f" : "%.0f", v);
	return buf;
}

const char *units_age(char *buf, double seconds)
{
	if (seconds < 0)
		snprintf(buf, UNITS_LEN, "-");
	else if (seconds < 999.5)
		snprintf(buf, UNITS_LEN, "%.0f", seconds);
	else if (seconds < 99 * 60)
		snprintf(buf, UNITS_LEN, "%.0fm", seconds / 60);
	else if (seconds < 72 * 3600)
		snprintf(buf, UNITS_LEN, "%.0fh", seconds / 3600);
	else if (seconds < 99.0 * 86400)
		snprintf(buf, UNITS_LEN, "%.0fd", seconds / 86400);
	else
		snprintf(buf, UNITS_LEN, "old");
	return buf;
}
