/* SPDX-License-Identifier: GPL-2.0-only */
/* The views, see struct view. Each has a file of its own. */
#ifndef BALLOONSTAT_OUT_H
#define BALLOONSTAT_OUT_H

#include <jansson.h>

#include "hub.h"

extern const struct view view_text;
extern const struct view view_json;
extern const struct view view_prometheus;
extern const struct view view_check;
extern const struct view view_doctor;
extern const struct view view_live;

/* Room for a sentence of diagnosis_reason() or diagnosis_advice(). */
#define OUT_SENTENCE	512

/* Room for a line of out_row(). */
#define OUT_ROW		160

/* What out_header() and out_row() write, without a name: 80 columns. */
extern const char out_header[];

/**
 * out_row() - the numbers of a guest in columns
 * @g: the guest
 * @buf: OUT_ROW bytes
 *
 * Return: @buf; a number that is not known is "-".
 */
const char *out_row(const struct guest *g, char *buf);

/**
 * out_state() - in a word, what is the matter with a guest
 * @g: the guest
 *
 * Return: the diagnosis, or the trouble there is in reaching it.
 */
const char *out_state(const struct guest *g);

/**
 * out_complain() - say on stderr what is wrong with the sources, once
 * @hub: all guests
 */
void out_complain(struct hub *hub);

/**
 * out_object() - a guest as an object
 * @g: the guest
 * @l: what is high and low
 * @now: seconds since 1970
 *
 * Return: an object to be released with json_decref().
 */
json_t *out_object(const struct guest *g, const struct limits *l, double now);

/**
 * out_metrics() - guests in the text format of Prometheus
 * @guests: the guests
 * @nr: number of them
 * @now: seconds since 1970
 * @to: where to write
 *
 * Return: 0, or -1 if it could not be written.
 */
int out_metrics(struct guest *const *guests, size_t nr, double now, FILE *to);

/**
 * out_check() - guests in one line, as monitoring plugins have it
 * @guests: the guests
 * @nr: number of them
 * @o: what the user asked for
 * @to: where to write
 *
 * Return: what to exit with.
 */
enum severity out_check(struct guest *const *guests, size_t nr, const struct options *o,
			FILE *to);

#endif
