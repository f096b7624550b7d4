/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Several balloonstats may have a host poll the same guest. What they agree on is in a
 * file for each guest, and whoever polls holds a lock on it. So the last one that
 * leaves knows that it is the last, and what the interval was before the first came.
 */
#ifndef BALLOONSTAT_CLAIM_H
#define BALLOONSTAT_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct claim - a part in having a host poll
 * @fd: of the file, locked; -1: there is none, and all is known to this process alone
 * @held: claim_begin() was called, and claim_end() was not
 * @before: the interval that is to be restored
 * @set: the interval that all who take part have asked for
 * @was: the interval that they had asked for before
 */
struct claim {
	int fd;
	bool held;
	int64_t before, set, was;
};

/**
 * claim_begin() - take part
 * @c: filled in
 * @key: what the guest is called by all who take part
 * @now: the interval as it is
 * @want: the interval that is wanted; the smallest that anybody wants is @c->set
 *
 * A file that somebody has left behind who was killed says what was before.
 *
 * Return: whether @c is held; if not, somebody is just leaving: try again soon.
 */
bool claim_begin(struct claim *c, const char *key, int64_t now, int64_t want);

/**
 * claim_look() - find out whether the interval is as asked for
 * @c: a claim that is held
 * @now: the interval as it is
 *
 * If somebody who does not take part has changed it, then this is what is to be
 * restored.
 *
 * Return: whether @c->set has to be set again.
 */
bool claim_look(struct claim *c, int64_t now);

/**
 * claim_is_last() - whether nobody else takes part
 * @c: a claim that is held; nobody can join from then on until claim_end()
 */
bool claim_is_last(struct claim *c);

/**
 * claim_end() - take part no longer
 * @c: a claim
 * @restored: nobody has to restore anything any more
 */
void claim_end(struct claim *c, bool restored);

#endif
