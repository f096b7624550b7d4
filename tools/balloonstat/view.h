/* SPDX-License-Identifier: GPL-2.0-only */
/* The views, see struct view. Each has a file of its own. */
#ifndef BALLOONSTAT_VIEW_H
#define BALLOONSTAT_VIEW_H

#include <jansson.h>

#include "loop.h"

extern const struct view text_view;
extern const struct view json_view;
extern const struct view prometheus_view;
extern const struct view check_view;
extern const struct view doctor_view;
extern const struct view live_view;

/* Room for a sentence of diagnosis_reason() or diagnosis_advice(). */
#define VIEW_SENTENCE	512

/* Room for a line of view_row(). */
#define VIEW_ROW		160

/* What view_header() and view_row() write, without a name: 80 columns. */
extern const char view_header[];

/**
 * view_row() - the numbers of a guest in columns
 * @g: the guest
 * @buf: VIEW_ROW bytes
 *
 * Return: @buf; a number that is not known is "-".
 */
const char *view_row(const struct guest *g, char *buf);

/**
 * view_state() - in a word, what is the matter with a guest
 * @g: the guest
 *
 * Return: the diagnosis, or the trouble there is in reaching it.
 */
const char *view_state(const struct guest *g);

/**
 * view_complain() - say on stderr what is wrong with the sources, once
 * @loop: all guests
 */
void view_complain(struct loop *loop);

/**
 * view_flush() - have standard output written
 *
 * What fails is said on stderr, unless it is that nobody reads any more.
 *
 * Return: whether it makes sense to go on.
 */
bool view_flush(void);

/**
 * view_status() - the exit code of a view that has no other
 * @loop: all guests
 *
 * Return: EXIT_TROUBLE if no guest could be read, or view_flush() has failed.
 */
int view_status(const struct loop *loop);

/**
 * json_guest() - a guest as an object
 * @g: the guest
 * @l: what is high and low
 * @now: seconds since 1970
 *
 * Return: an object to be released with json_decref().
 */
json_t *json_guest(const struct guest *g, const struct limits *l, double now);

/**
 * prometheus_metrics() - guests in the text format of Prometheus
 * @guests: the guests
 * @nr: number of them
 * @now: seconds since 1970
 * @to: where to write
 *
 * Return: 0, or -1 if it could not be written.
 */
int prometheus_metrics(struct guest *const *guests, size_t nr, double now, FILE *to);

/**
 * check_report() - guests as monitoring plugins have it
 * @guests: the guests
 * @nr: number of them
 * @error: what is wrong with a source as a whole; may be empty
 * @o: what the user asked for
 * @to: where to write
 *
 * Return: what to exit with.
 */
enum severity check_report(struct guest *const *guests, size_t nr, const char *error,
			   const struct options *o, FILE *to);

#endif
