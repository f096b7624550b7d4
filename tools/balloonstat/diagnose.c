// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "diagnose.h"

#define MIB	(1024.0 * 1024)
#define GIB	(1024 * MIB)
/* What an allocation reclaims at once, and no stall does less: 32 pages. */
#define BATCH	(128 * 1024.0)
#define PAGE	4096.0

/*
 * The kernel tries 16 times to reclaim before it kills for the whole guest, and counts
 * each as a stall. A kill for a cgroup's limit brings none. In between is ours.
 */
#define STALLS_OF_KILL	8

/* A better diagnosis is shown after so many reports at least. */
#define CALM_REPORTS	2

/* The shortest age at which a report is stale, whatever the interval. */
#define STALE_SLACK	2.0

static const char *const names[REGIME_NR] = {
	[REGIME_NO_DATA] = "no-data",
	[REGIME_HEALTHY] = "healthy",
	[REGIME_CGROUP_LIMIT] = "cgroup-limit",
	[REGIME_STALLS] = "stalls",
	[REGIME_KSWAPD_FAILS] = "kswapd-fails",
	[REGIME_RECLAIM] = "reclaim",
	[REGIME_CGROUP_OOM] = "cgroup-oom",
	[REGIME_THRASHING] = "thrashing",
	[REGIME_CRITICAL] = "critical",
	[REGIME_SILENT] = "silent",
};

const char *regime_name(enum regime regime)
{
	return names[regime];
}

enum severity regime_severity(enum regime regime)
{
	switch (regime) {
	case REGIME_NO_DATA:
		return SEVERITY_UNKNOWN;
	case REGIME_HEALTHY:
		return SEVERITY_OK;
	case REGIME_THRASHING:
	case REGIME_CRITICAL:
	case REGIME_SILENT:
		return SEVERITY_CRITICAL;
	default:
		return SEVERITY_WARNING;
	}
}

const char *why_name(enum why why)
{
	static const char *const words[] = {
		[WHY_NOT] = "none",
		[WHY_NEVER_REPORTED] = "never-reported",
		[WHY_POLLING_OFF] = "polling-off",
		[WHY_STOPPED] = "guest-paused",
		[WHY_STALE] = "stopped-answering",
		[WHY_ONE_REPORT] = "one-report",
		[WHY_RESET] = "counters-restarted",
		[WHY_HOST_OLD] = "host-too-old",
		[WHY_DRIVER_OLD] = "six-not-sent",
		[WHY_ABSURD] = "absurd-values",
		[WHY_JUMPED] = "counters-jumped",
	};

	return words[why];
}

static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : -1;
}

/* High from the limit on, until it is well below again. */
static bool above(bool was, double value, double limit, double leave)
{
	return value > 0 && value >= (was ? limit * leave : limit);
}

/* Low below the limit, until it is well above again. Unknown is not low. */
static bool below(bool was, double value, double limit, double leave)
{
	/* A narrower band than above(): what swaps scans twice what it reclaims. */
	double high = limit * (1 + (1 - leave) / 2);

	return value >= 0 && value < (was ? high : limit);
}

static double rate_of(const struct rates *r, unsigned int tag)
{
	return r->rate[tag];		/* 0 where it is not valid */
}

/* @avail: bytes; negative: not known */
static bool enough(double avail, const struct evidence *e, const struct limits *l)
{
	return avail >= 0 && avail >= l->v[LIMIT_AVAIL_LOW] / 100 * e->memory;
}

bool evidence_plenty(const struct evidence *e, const struct limits *l)
{
	return enough(e->avail_lowest, e, l);
}

/* Also keeps in @d what the next report is compared with. @e may be that of @d. */
static void gather(struct diagnosis *d, struct evidence *e, const struct limits *l,
		   const struct sample *s, const struct rates *r)
{
	double reclaimed, returned, memory;

	memset(e, 0, sizeof(*e));
	e->kills = (double)r->delta[VIRTIO_BALLOON_S_OOM_KILL];
	e->stalls = rate_of(r, VIRTIO_BALLOON_S_ALLOC_STALL);
	e->stall_count = (double)r->delta[VIRTIO_BALLOON_S_ALLOC_STALL];
	e->direct_scan = rate_of(r, VIRTIO_BALLOON_S_DIRECT_SCAN);
	e->direct_reclaim = rate_of(r, VIRTIO_BALLOON_S_DIRECT_RECLAIM);
	e->async_scan = rate_of(r, VIRTIO_BALLOON_S_ASYNC_SCAN);
	e->async_reclaim = rate_of(r, VIRTIO_BALLOON_S_ASYNC_RECLAIM);
	e->swap_in = rate_of(r, VIRTIO_BALLOON_S_SWAP_IN);
	e->swap_out = rate_of(r, VIRTIO_BALLOON_S_SWAP_OUT);
	e->major_faults = rate_of(r, VIRTIO_BALLOON_S_MAJFLT);

	e->max = (double)s->max;
	e->balloon = s->max && s->actual && s->actual <= s->max ?
		(double)(s->max - s->actual) : -1;
	e->actual = (double)s->actual;
	e->caches = sample_has(s, VIRTIO_BALLOON_S_CACHES) ?
		(double)s->value[VIRTIO_BALLOON_S_CACHES] : -1;
	e->avail = sample_has(s, VIRTIO_BALLOON_S_AVAIL) ?
		(double)s->value[VIRTIO_BALLOON_S_AVAIL] : -1;
	e->avail_lowest = e->avail;
	if (d->has_before && d->avail_before >= 0 && d->avail_before < e->avail)
		e->avail_lowest = d->avail_before;
	d->avail_before = e->avail;
	d->has_before = true;
	if (sample_has(s, VIRTIO_BALLOON_S_MEMTOT))
		e->memory = (double)s->value[VIRTIO_BALLOON_S_MEMTOT];
	else
		e->memory = (double)s->actual;
	if (e->memory <= 0)
		e->memory = GIB;	/* better than nothing */

	/* What hurts does not grow for ever with the guest. */
	memory = e->memory;
	if (memory > l->v[LIMIT_MEMORY_MAX] * GIB)
		memory = l->v[LIMIT_MEMORY_MAX] * GIB;
	e->stall_high = l->v[LIMIT_STALL_HIGH] * memory / GIB;
	if (e->stall_high < l->v[LIMIT_STALL_MIN])
		e->stall_high = l->v[LIMIT_STALL_MIN];
	/* What stalls that are just high scan if each does one batch. */
	e->scan_high = l->v[LIMIT_SCAN_HIGH] / 100 * memory;
	if (e->scan_high < l->v[LIMIT_STALL_MIN] * BATCH)
		e->scan_high = l->v[LIMIT_STALL_MIN] * BATCH;
	e->kscan_high = l->v[LIMIT_KSCAN_HIGH] / 100 * memory;
	e->return_min = l->v[LIMIT_RETURN_MIN] / 100 * memory;
	if (e->return_min < BATCH)
		e->return_min = BATCH;

	e->ratio = percent(e->direct_reclaim, e->direct_scan);
	/*
	 * What is swapped in was swapped out for nothing. A major fault may as well be the
	 * first read of a file; only where nothing is available it is likely the second.
	 */
	returned = e->swap_in;
	if (returned < e->major_faults * PAGE && !evidence_plenty(e, l))
		returned = e->major_faults * PAGE;
	reclaimed = e->direct_reclaim + e->async_reclaim;
	e->returned = returned >= e->return_min ? percent(returned, reclaimed) : -1;
}

static bool six_missing(const struct sample *s)
{
	return (s->set & TAGS_PRESSURE) != TAGS_PRESSURE;
}

/* Why this sample cannot be judged; WHY_NOT if it can. */
static enum why judge(const struct limits *l, const struct sample *s, const struct rates *r,
		      double age)
{
	double stale = l->v[LIMIT_STALE] * (double)s->polling + STALE_SLACK;

	/* A report of before polling was turned on is old because nobody asked. */
	if (s->asked_since > 0 && age > s->mono - s->asked_since)
		age = s->mono - s->asked_since;

	if (!s->running)
		return WHY_STOPPED;
	if (s->polling <= 0)
		return WHY_POLLING_OFF;
	if (!s->set && !s->absurd)
		return WHY_NEVER_REPORTED;
	if (age > stale)
		return WHY_STALE;
	if (s->absurd)
		return WHY_ABSURD;
	if (r->absurd)
		return WHY_JUMPED;
	if ((s->known & TAGS_PRESSURE) != TAGS_PRESSURE)
		return WHY_HOST_OLD;
	if (six_missing(s))
		return WHY_DRIVER_OLD;
	if (r->event == RATE_FIRST)
		return WHY_ONE_REPORT;
	if (r->event == RATE_RESET)
		return WHY_RESET;
	return WHY_NOT;
}

/* What the report says by itself, with what is high and low as bands. */
static enum regime classify(struct diagnosis *d, const struct limits *l, struct evidence *e)
{
	double leave = l->v[LIMIT_LEAVE] / 100;
	double kratio = percent(e->async_reclaim, e->async_scan);
	bool unstalled, unclaimed, loud;

	d->stall_high = above(d->stall_high, e->stalls, e->stall_high, leave);
	d->scan_high = above(d->scan_high, e->direct_scan, e->scan_high, leave);
	d->kscan_high = above(d->kscan_high, e->async_scan, e->kscan_high, leave);
	d->ratio_low = below(d->ratio_low, e->ratio, l->v[LIMIT_RATIO_LOW], leave);
	d->kratio_low = below(d->kratio_low, kratio, l->v[LIMIT_RATIO_LOW], leave);
	d->returns = above(d->returns, e->returned, l->v[LIMIT_RETURN_HIGH], leave);

	/* Far more scanned than the few that stalled can have done. */
	unstalled = !d->stall_high && e->direct_scan >=
		    e->stalls * l->v[LIMIT_SCAN_PER_STALL] * MIB;
	/*
	 * Swapped out, but scanned by nobody who is counted. What is reclaimed does not count:
	 * it is written long before it is reclaimed.
	 */
	unclaimed = e->swap_out >= e->scan_high &&
		    e->swap_out > 2 * (e->direct_scan + e->async_scan);
	loud = e->async_scan + e->direct_scan >= e->kscan_high;

	if (e->kills > 0)
		return e->stall_count + d->stalls_before >= STALLS_OF_KILL ||
		       (e->avail >= 0 && !enough(e->avail, e, l)) ?
		       REGIME_CRITICAL : REGIME_CGROUP_OOM;
	if (d->stall_high && d->scan_high)
		return d->ratio_low || d->returns ? REGIME_THRASHING : REGIME_RECLAIM;
	if (d->stall_high)
		return REGIME_STALLS;
	if (d->scan_high && unstalled) {
		e->in_cgroup = d->returns;
		return REGIME_CGROUP_LIMIT;
	}
	if (unclaimed) {
		e->by_swap = true;
		return REGIME_CGROUP_LIMIT;
	}
	/* kswapd keeps up, but what it takes is what is wanted next. */
	if (d->returns && loud) {
		e->ratio = kratio;
		return REGIME_THRASHING;
	}
	if (d->kscan_high && d->kratio_low) {
		e->ratio = kratio;
		return REGIME_KSWAPD_FAILS;
	}
	return REGIME_HEALTHY;
}

static void show(struct diagnosis *d, enum regime regime, const struct evidence *e,
		 double now)
{
	if (d->regime != regime || !d->known)
		d->since = now;
	d->regime = regime;
	d->known = true;
	d->alarmed = regime_severity(regime) == SEVERITY_CRITICAL;
	d->evidence = *e;
	d->evidence_at = now;
	d->calm_since = now;
	d->calm_reports = 0;
}

static void note(struct diagnosis *d, enum regime regime, const struct evidence *e,
		 double seconds, double now)
{
	d->last[d->last_nr++ % DIAGNOSIS_REPORTS] = (struct judgement){
		.regime = regime, .seconds = seconds, .at = now, .evidence = *e,
	};
}

/* The worst that the last few reports have shown for long enough, all together. */
static enum regime worst(const struct diagnosis *d, const struct limits *l)
{
	unsigned int nr = d->last_nr < DIAGNOSIS_REPORTS ? d->last_nr : DIAGNOSIS_REPORTS;

	for (int regime = REGIME_CRITICAL; regime > (int)d->regime; regime--) {
		double seconds = 0;

		for (unsigned int i = 0; i < nr; i++)
			if ((int)d->last[i].regime >= regime)
				seconds += d->last[i].seconds;
		/* The time between reports is known to a few percent. */
		if (seconds > 0 && seconds >= 0.95 * l->v[LIMIT_RISE])
			return (enum regime)regime;
	}
	return d->regime;
}

/*
 * Show what worst() has found, with the numbers of the last report that says the same. Those
 * of a worse one would contradict it.
 */
static void show_worst(struct diagnosis *d, enum regime regime, double now)
{
	for (unsigned int i = d->last_nr; i-- && d->last_nr - i <= DIAGNOSIS_REPORTS;) {
		const struct judgement *j = &d->last[i % DIAGNOSIS_REPORTS];

		if (j->regime != regime)
			continue;
		show(d, regime, &j->evidence, now);
		d->evidence_at = j->at;
		return;
	}
}

/* Worse things are shown when the last reports have them for long, better ones when they last. */
static void settle(struct diagnosis *d, const struct limits *l, enum regime regime,
		   const struct evidence *e, double seconds, double now)
{
	enum regime bad;

	note(d, regime, e, seconds, now);
	bad = worst(d, l);
	if (!d->known || regime == d->regime) {
		show(d, regime, e, now);
	} else if (bad > d->regime) {
		show_worst(d, bad, now);
	} else if (regime > d->regime) {
		d->calm_since = now;
		d->calm_reports = 0;
	} else if (++d->calm_reports >= CALM_REPORTS &&
		   now - d->calm_since >= l->v[LIMIT_HOLD]) {
		d->last_nr = 0;
		show(d, regime, e, now);
	}
}

static void forget(struct diagnosis *d, enum why why, double now)
{
	double since = d->regime == REGIME_NO_DATA && d->why == why ? d->since : now;

	memset(d, 0, sizeof(*d));
	d->regime = REGIME_NO_DATA;
	d->why = why;
	d->since = since;
}

/* Nothing is worse than a guest that was critical and does not answer any more. */
static bool falls_silent(struct diagnosis *d, enum why why, double now)
{
	if (!d->alarmed || why != WHY_STALE)
		return false;
	if (d->regime != REGIME_SILENT) {
		d->silent_since = d->regime;
		d->since = now;
	}
	d->regime = REGIME_SILENT;
	d->why = why;
	d->evidence_age = now - d->evidence_at;
	return true;
}

void diagnose(struct diagnosis *d, const struct limits *l, const struct sample *s,
	      const struct rates *r, double age)
{
	enum why why = judge(l, s, r, age);
	struct evidence e;
	enum regime regime;

	d->age = age;
	d->polling = s->polling;
	if (falls_silent(d, why, s->mono))
		return;
	if (why != WHY_NOT) {
		forget(d, why, s->mono);
		d->age = age;
		d->polling = s->polling;
		gather(d, &d->evidence, l, s, r);
		return;
	}
	d->why = WHY_NOT;
	/* Nothing new: what was said stands. */
	if (!rate_is_new(r)) {
		if (!d->known) {
			d->regime = REGIME_NO_DATA;
			d->why = WHY_ONE_REPORT;
		}
		if (d->evidence_at < d->judged_at)
			d->evidence_age = s->mono - d->evidence_at;
		return;
	}
	/* It has come back. What it says now is to be judged by itself. */
	if (d->regime == REGIME_SILENT)
		d->known = false;

	gather(d, &e, l, s, r);
	regime = classify(d, l, &e);
	d->stalls_before = e.stall_count;
	if (e.kills > 0) {
		/* A container's kill does not make less of the guest's own. */
		if (!d->kills_seen || regime >= d->kill_regime) {
			d->kill_regime = regime;
			d->kill_evidence = e;
		}
		d->kills_seen += e.kills;
		d->last_kill = s->mono;
	} else if (d->kills_seen && s->mono - d->last_kill > l->v[LIMIT_OOM_HOLD]) {
		d->kills_seen = 0;
	}
	/* A kill is an event: it is shown at once and for a while. */
	if (d->kills_seen && regime <= d->kill_regime &&
	    (!d->known || d->regime <= d->kill_regime)) {
		show(d, d->kill_regime, &d->kill_evidence, s->mono);
		d->evidence_at = d->last_kill;
	} else {
		settle(d, l, regime, &e, r->seconds, s->mono);
	}
	d->judged_at = s->mono;
	d->evidence_age = d->evidence_at < d->judged_at ? d->judged_at - d->evidence_at : 0;
}
