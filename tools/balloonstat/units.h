/* SPDX-License-Identifier: GPL-2.0-only */
/* Pure: numbers for people. */
#ifndef BALLOONSTAT_UNITS_H
#define BALLOONSTAT_UNITS_H

#include <stdbool.h>
#include <stddef.h>

/* Room for what units_short() and units_bytes() write. */
#define UNITS_LEN	24

/**
 * units_short() - a number in at most five characters, for a column
 * @buf: UNITS_LEN bytes
 * @value: not negative
 * @bytes: count in powers of 1024 rather than of 1000
 *
 * Return: @buf, such as "812", "1.5k" or "12.4M"; "<1" for a little more than 0.
 */
const char *units_short(char *buf, double value, bool bytes);

/**
 * units_bytes() - a number of bytes with its unit, for a sentence
 * @buf: UNITS_LEN bytes
 * @value: not negative
 *
 * Return: @buf, such as "12.4 MiB".
 */
const char *units_bytes(char *buf, double value);

/**
 * units_count() - a number of events for a sentence
 * @buf: UNITS_LEN bytes
 * @value: not negative
 *
 * Return: @buf, such as "0.4" or "812".
 */
const char *units_count(char *buf, double value);

/**
 * units_age() - seconds in at most three characters, for a column
 * @buf: UNITS_LEN bytes
 * @seconds: negative: not known
 *
 * Return: @buf, such as "3", "20m", "7h", "12d", "old" or "-".
 */
const char *units_age(char *buf, double seconds);

#endif
