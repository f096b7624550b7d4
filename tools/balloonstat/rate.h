/* SPDX-License-Identifier: GPL-2.0-only */
/* Pure: what two samples say about the time between them. */
#ifndef BALLOONSTAT_RATE_H
#define BALLOONSTAT_RATE_H

#include "sample.h"

/**
 * enum rate_event - what happened between two samples
 * @RATE_FIRST: there is no sample to compare with
 * @RATE_SAME: the guest has not reported since
 * @RATE_UNSURE: it has, but nobody knows how long after the report before: look again
 * @RATE_OK: the rates are good
 * @RATE_GAP: so are they, but as a mean over more than the guest was to take
 * @RATE_RESET: the counters began anew: the guest was rebooted
 */
enum rate_event {
	RATE_FIRST,
	RATE_SAME,
	RATE_UNSURE,
	RATE_OK,
	RATE_GAP,
	RATE_RESET,
};

/**
 * struct rates - how fast each counter rose
 * @event: only with RATE_OK and RATE_GAP is any of the rest valid
 * @seconds: between the two reports
 * @valid: bit per counter with a rate; a gauge has none
 * @wrapped: those that went through the end of their 64 or 32 bits
 * @absurd: those that rose faster than any machine can count
 * @delta: by tag, in bytes or events
 * @rate: the same, a second
 */
struct rates {
	enum rate_event event;
	double seconds;
	uint32_t valid;
	uint32_t wrapped;
	uint32_t absurd;
	uint64_t delta[TAG_NR];
	double rate[TAG_NR];
};

/**
 * rate_when() - find out when a guest's report came
 * @s: from, until and last_seen are filled in
 * @before: the look before, or NULL
 * @stamps: the host's clock is this machine's
 *
 * The host stamps whole seconds, and looks are seldom. Both together leave a second
 * at the most. A stamp that does not agree with the looks is of a clock that was set.
 */
void rate_when(struct sample *s, const struct sample *before, bool stamps);

/**
 * rate_between() - compare two samples of one guest
 * @old: the last sample that had a report, or NULL
 * @new: a later one
 * @r: the result
 *
 * The time between reports is known as far as it is known when each came. The host
 * asks again so many seconds after the guest has answered, which decides the rest.
 */
void rate_between(const struct sample *old, const struct sample *new, struct rates *r);

/**
 * rate_is_new() - whether a report was compared, or is to be the first of others
 * @r: of rate_between()
 */
static inline bool rate_is_new(const struct rates *r)
{
	return r->event != RATE_SAME && r->event != RATE_UNSURE;
}

/**
 * rate_has() - whether a counter's rate is known
 * @r: of rate_between()
 * @tag: of the counter
 */
static inline bool rate_has(const struct rates *r, unsigned int tag)
{
	return r->valid & TAG_BIT(tag);
}

/**
 * rate_event_name() - the event in a word, for output
 * @event: of rate_between()
 */
const char *rate_event_name(enum rate_event event);

#endif
