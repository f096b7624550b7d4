/* SPDX-License-Identifier: GPL-2.0-only */
/* The loop: all guests at once, in rounds, none waited for longer than allowed. */
#ifndef BALLOONSTAT_LOOP_H
#define BALLOONSTAT_LOOP_H

#include <poll.h>

#include "sources.h"

/**
 * struct loop - all guests, and the time
 * @options: what the user asked for
 * @sources: the guests
 * @now: seconds of CLOCK_MONOTONIC, as of the last time something happened
 * @samples: taken altogether
 *
 * The rest belongs to loop.c.
 */
struct loop {
	const struct options *options;
	struct sources sources;
	double now;
	unsigned long samples;

	struct pollfd *fds;
	size_t fds_size;
	bool leave;
};

/**
 * struct view - how to show what a round has brought
 * @begin: called first; returns -1 to go on, else the exit code
 * @round: called with what there is; returns false to leave
 * @input: the terminal has something, or its size has changed; returns false to
 *	leave. NULL: not interested
 * @end: called after the last round, before anything is put back; returns the
 *	exit code
 * @settle: one round only, as soon as every guest has rates or cannot have any
 */
struct view {
	int (*begin)(struct loop *loop);
	bool (*round)(struct loop *loop);
	bool (*input)(struct loop *loop);
	int (*end)(struct loop *loop);
	bool settle;
};

/**
 * loop_run() - ask, show and repeat, until COUNT, a signal or the view ends it
 * @o: what the user asked for
 * @view: how to show it
 *
 * Puts all polling intervals back before it returns.
 *
 * Return: the exit code; 128 and the number of the signal if one ended it.
 */
int loop_run(const struct options *o, const struct view *view);

#endif
