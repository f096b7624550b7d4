/* SPDX-License-Identifier: GPL-2.0-only */
/* Pure: what two samples say about the time between them. */
#ifndef BALLOONSTAT_RATE_H
#define BALLOONSTAT_RATE_H

#include "sample.h"

/**
 * enum rate_event - what happened between two samples
 * @RATE_FIRST: there is no sample to compare with
 * @RATE_SAME: the guest has not reported since
 * @RATE_OK: the rates are good
 * @RATE_GAP: so are they, but as a mean over more than the guest was to take
 * @RATE_RESET: the counters began anew: the guest was rebooted
 */
enum rate_event {
	RATE_FIRST,
	RATE_SAME,
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
 * rate_between() - compare two samples of one guest
 * @old: the last sample that had a report, or NULL
 * @new: a later one
 * @r: the result
 *
 * The time between reports is taken from the two moments of looking, corrected
 * by the host's time stamps, which have whole seconds only.
 */
void rate_between(const struct sample *old, const struct sample *new, struct rates *r);

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
