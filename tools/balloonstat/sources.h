/* SPDX-License-Identifier: GPL-2.0-only */
/* Which guests there are: sockets that a pattern finds, domains that libvirt runs. */
#ifndef BALLOONSTAT_SOURCES_H
#define BALLOONSTAT_SOURCES_H

#include "options.h"

/**
 * struct lister - lists the domains of one libvirt
 * @stream: what it says; closed between two lists
 * @asked: when
 * @error: what is wrong with it, as of the last list that came to its end; may be empty
 * @failed: the list that is coming has an error
 */
struct lister {
	struct stream stream;
	double asked;
	char error[GUEST_ERROR_MAX];
	bool failed;
};

/**
 * struct sources - the guests, and where they come from
 * @guests: all of them, in the order they were found
 * @nr: number of them
 * @error: what is wrong with sources as a whole; may be empty
 * @listers: one for each of the connections to libvirt
 *
 * The rest belongs to sources.c.
 */
struct sources {
	struct guest **guests;
	size_t nr;
	char error[GUEST_ERROR_MAX];
	struct lister *listers;

	const struct options *options;
	size_t size;
	char missing[GUEST_ERROR_MAX];	/* sockets that a pattern does not find */
	double next;
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
 * sources_wait() - until when libvirt may take to say which domains there are
 * @s: the sources
 *
 * Return: seconds of CLOCK_MONOTONIC; 0: it has said so.
 */
double sources_wait(const struct sources *s);

/**
 * sources_work() - take what libvirt has said
 * @s: the sources
 * @i: which of the listers has a descriptor that is ready
 */
void sources_work(struct sources *s, size_t i);

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
