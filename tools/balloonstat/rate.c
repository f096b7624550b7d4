// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "rate.h"

/* What no machine does in a second: a PiB, 2^40 events. */
#define MAX_BYTES_PER_S		((double)(1ULL << 50))
#define MAX_EVENTS_PER_S	((double)(1ULL << 40))

/* Reports come with some delay: more than so many intervals is a gap. */
#define GAP_INTERVALS		3
#define GAP_SLACK		2.0

#define PAGE			4096

static const uint32_t counters = ((1u << TAG_NR) - 1) & ~TAGS_GAUGES;

static bool same_report(const struct sample *a, const struct sample *b)
{
	if (a->last_update != b->last_update || a->set != b->set)
		return false;
	for (int tag = 0; tag < TAG_NR; tag++)
		if (sample_has(a, tag) && a->value[tag] != b->value[tag])
			return false;
	return true;
}

/*
 * The moments of looking are exact but late by up to an interval, each by about
 * as much as the other; the stamps are early, by up to a second.
 */
static double time_between(const struct sample *old, const struct sample *new)
{
	double seen = new->mono - old->mono;
	double stamped = (double)new->last_update - (double)old->last_update;

	if (stamped < 0)		/* the host's clock was set */
		stamped = seen;
	if (seen > stamped + 1)
		seen = stamped + 1;
	if (seen < stamped - 1)
		seen = stamped - 1;
	return seen < 0.1 ? 0.1 : seen;
}

/*
 * Whether a counter that fell went through the end of its width: it was near
 * that, and is little now. A guest of 32 bits counts pages and events in 32.
 */
static bool wrap_at(uint64_t old, uint64_t new, uint64_t last, uint64_t *delta)
{
	if (old > last || old < last - last / 4 || new > last / 4)
		return false;
	*delta = last - old + new + 1;
	return true;
}

static bool wraps(unsigned int tag, uint64_t old, uint64_t new, uint64_t *delta)
{
	uint64_t unit = TAGS_BYTES & TAG_BIT(tag) ? PAGE : 1;

	if (wrap_at(old, new, UINT32_MAX * unit + (unit - 1), delta))
		return true;
	return wrap_at(old, new, UINT64_MAX, delta);
}

/*
 * A reboot takes all counters back, and page faults, the busiest of them, always.
 * A wrap takes back one; it is believed only where the page faults went on.
 */
static bool steps_back(const struct sample *old, const struct sample *new, uint32_t both,
		       struct rates *r)
{
	bool anchored = both & TAG_BIT(VIRTIO_BALLOON_S_MINFLT) &&
			new->value[VIRTIO_BALLOON_S_MINFLT] >= old->value[VIRTIO_BALLOON_S_MINFLT];
	int fell = 0;

	for (int tag = 0; tag < TAG_NR; tag++) {
		uint64_t was = old->value[tag], is = new->value[tag];

		if (!(both & TAG_BIT(tag)))
			continue;
		if (is >= was) {
			r->delta[tag] = is - was;
			continue;
		}
		fell++;
		if (!wraps(tag, was, is, &r->delta[tag]))
			return true;
		r->wrapped |= TAG_BIT(tag);
	}
	return fell > 1 || (fell && !anchored &&
			    !(r->wrapped & TAG_BIT(VIRTIO_BALLOON_S_MINFLT)));
}

void rate_between(const struct sample *old, const struct sample *new, struct rates *r)
{
	uint32_t both;

	memset(r, 0, sizeof(*r));
	r->event = RATE_FIRST;
	if (!old)
		return;
	if (new->restarted) {
		r->event = RATE_RESET;
		return;
	}
	r->event = RATE_SAME;
	if (!new->set || same_report(old, new))
		return;

	both = old->set & new->set & counters;
	if (steps_back(old, new, both, r)) {
		memset(r, 0, sizeof(*r));
		r->event = RATE_RESET;
		return;
	}
	r->seconds = time_between(old, new);
	r->event = RATE_OK;
	if (new->polling > 0 && r->seconds > GAP_INTERVALS * (double)new->polling + GAP_SLACK)
		r->event = RATE_GAP;
	for (int tag = 0; tag < TAG_NR; tag++) {
		double limit = TAGS_BYTES & TAG_BIT(tag) ? MAX_BYTES_PER_S : MAX_EVENTS_PER_S;

		if (!(both & TAG_BIT(tag)))
			continue;
		r->rate[tag] = (double)r->delta[tag] / r->seconds;
		if (r->rate[tag] > limit) {
			r->absurd |= TAG_BIT(tag);
			r->rate[tag] = 0;
			r->delta[tag] = 0;
			continue;
		}
		r->valid |= TAG_BIT(tag);
	}
}

const char *rate_event_name(enum rate_event event)
{
	switch (event) {
	case RATE_FIRST:
		return "first";
	case RATE_SAME:
		return "no-new-report";
	case RATE_OK:
		return "ok";
	case RATE_GAP:
		return "gap";
	case RATE_RESET:
		return "reset";
	}
	return "?";
}
