/* SPDX-License-Identifier: GPL-2.0-only */
/* Which guests there are: sockets that a pattern finds, domains that libvirt runs. */
#ifndef BALLOONSTAT_SOURCES_H
#define BALLOONSTAT_SOURCES_H

#include "options.h"

/**
 * struct sources - the guests, and where they come from
 * @guests: all of them, in the order they were found
 * @nr: number of them
 * @error: what is wrong with a source as a whole; may be empty
 *
 * The rest belongs to sources.c.
 */
struct sources {
	struct guest **guests;
	size_t nr;
	char error[GUEST_ERROR_MAX];

	const struct options *options;
	size_t size;
	struct stream lister;	/* of libvirt's domains */
	double next, asked;
};

/**
 * sources_begin() - begin to look for guests
 * @s: filled in
 * @o: what the user asked for; stays referred to
 * @now: seconds of CLOCK_MONOTONIC
 */
void sources_begin(struct sources *s, const struct options *o, double now);

/**
 * sources_again() - look for guests that have come or gone since, now and then
 * @s: the sources
 * @now: seconds of CLOCK_MONOTONIC
 *
 * Does not block.
 */
void sources_again(struct sources *s, double now);

/**
 * sources_wait() - whether libvirt has not yet said which domains there are
 * @s: the sources
 */
bool sources_wait(const struct sources *s);

/**
 * sources_work() - take what libvirt has said
 * @s: the sources, whose lister's descriptor is ready
 */
void sources_work(struct sources *s);

/**
 * sources_give_up() - libvirt did not say in time
 * @s: the sources
 * @now: seconds of CLOCK_MONOTONIC
 */
void sources_give_up(struct sources *s, double now);

/**
 * sources_end() - close and forget all
 * @s: the sources
 */
void sources_end(struct sources *s);

#endif
