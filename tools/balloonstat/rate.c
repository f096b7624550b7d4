// SPDX-License-Identifier: GPL-2.0-only
#include <math.h>
#include <string.h>

#include "rate.h"

/* What no machine does in a second: 4 TiB, 2^28 events. */
#define MAX_BYTES_PER_S		((double)(1ULL << 42))
#define MAX_EVENTS_PER_S	((double)(1ULL << 28))

/* Reports come with some delay: more than so many intervals is a gap. */
#define GAP_INTERVALS		3
#define GAP_SLACK		2.0

/* What clocks may differ by, what a guest takes to answer, the least time between reports. */
#define SLACK			0.05
#define LATENCY			0.02
#define SHORTEST		0.1

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

void rate_when(struct sample *s, const struct sample *before, bool stamps)
{
	double stamp = (double)s->last_update - (s->wall - s->mono);
	bool agrees = stamps && stamp <= s->mono && (!before || stamp + 1 >= before->mono);

	s->last_seen = s->mono;
	if (before && same_report(before, s)) {
		s->from = before->from;
		s->until = before->until;
		return;
	}
	s->from = before ? before->mono : 0;
	s->until = s->mono;
	if (!agrees)
		return;
	if (s->from < stamp)
		s->from = stamp;
	if (s->until > stamp + 1)
		s->until = stamp + 1;
}

/*
 * For how many seconds of those in which @old may have come, @new can have come @n periods
 * later. The report that followed @old was not there yet when @old was seen last.
 */
static double overlap(const struct sample *old, const struct sample *new, double n)
{
	double period = (double)new->polling, from = old->last_seen - period - LATENCY, until;

	if (from < old->from)
		from = old->from;
	from += n * period;
	until = old->until + n * period + SLACK;

	return (until < new->until ? until : new->until) - (from > new->from ? from : new->from);
}

/*
 * The host asks again a period after the guest has answered, and the guest answers at
 * once, or a little later. So find the number of periods that fits best. 0: none does.
 */
static double whole_periods(const struct sample *old, const struct sample *new)
{
	double period = (double)new->polling, best = 0, fits = -LATENCY, most;

	if (period <= 0 || old->polling != new->polling || old->from < new->asked_since)
		return 0;
	/* One, and more only where reports came that nobody looked at. */
	most = 1 + floor((new->until - old->last_seen + SLACK) / period);
	for (double n = 1; n <= most; n++) {
		if (overlap(old, new, n) > fits) {
			fits = overlap(old, new, n);
			best = n;
		}
	}
	return best * period;
}

/* Seconds between two reports; negative if that is not known well enough. */
static double time_between(const struct sample *old, const struct sample *new)
{
	double least = new->from - old->until, most = new->until - old->from;
	double exact = whole_periods(old, new);

	if (exact > 0)
		return exact;
	if (most > 2 * least + SLACK)
		return -1;
	return least + most < 2 * SHORTEST ? SHORTEST : (least + most) / 2;
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
	if (r->seconds < 0) {
		memset(r, 0, sizeof(*r));
		r->event = RATE_UNSURE;
		return;
	}
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
	case RATE_UNSURE:
		return "unsure";
	case RATE_OK:
		return "ok";
	case RATE_GAP:
		return "gap";
	case RATE_RESET:
		return "reset";
	}
	return "?";
}
