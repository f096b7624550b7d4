// SPDX-License-Identifier: GPL-2.0-only
/* Pure: a diagnosis in words. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diagnose.h"
#include "units.h"

/* Seconds in which a guest replaces all of its page cache, below which that is said. */
#define TURNOVER	60
/* By how much more memory is suggested, and to a multiple of what. */
#define MORE		1.25
#define STEP		(64.0 * 1024 * 1024)
/* What kswapd is to have free in advance: that of so many seconds. The kernel's limits. */
#define AHEAD		0.1
#define SCALE_MIN	50
#define SCALE_MAX	1000

struct text {
	char *buf;
	size_t len, used;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->buf + t->used, t->len - t->used, format, args);
	va_end(args);
	if (n > 0)
		t->used += (size_t)n < t->len - t->used ? (size_t)n : t->len - t->used - 1;
}

static void add_rate(struct text *t, const char *what, double bytes)
{
	char buf[UNITS_LEN];

	add(t, "%s %s/s", what, units_bytes(buf, bytes));
}

static void add_stalls(struct text *t, const struct evidence *e)
{
	char buf[UNITS_LEN], limit[UNITS_LEN];

	add(t, "alloc-stalls %s/s (high: %s)", units_count(buf, e->stalls),
	    units_count(limit, e->stall_high));
}

static void add_direct(struct text *t, const struct evidence *e)
{
	char limit[UNITS_LEN];

	add_rate(t, ", direct-scans", e->direct_scan);
	add(t, " (high: %s)", units_bytes(limit, e->scan_high));
	if (e->ratio >= 0)
		add(t, ", %.0f%% of it reclaimed", e->ratio);
}

static void add_kswapd(struct text *t, const struct evidence *e)
{
	char limit[UNITS_LEN];

	add_rate(t, "kswapd scans", e->async_scan);
	add(t, " (high: %s)", units_bytes(limit, e->kscan_high));
	add_rate(t, ", reclaims", e->async_reclaim);
}

static void add_returned(struct text *t, const struct evidence *e)
{
	char buf[UNITS_LEN];

	if (e->returned < 0)
		return;
	add_rate(t, ", swapped in", e->swap_in);
	add(t, ", major faults %s/s", units_count(buf, e->major_faults));
}

static void add_avail(struct text *t, const struct evidence *e)
{
	char avail[UNITS_LEN], memory[UNITS_LEN];

	if (e->avail >= 0)
		add(t, ", available %s of %s", units_bytes(avail, e->avail),
		    units_bytes(memory, e->memory));
}

static void why_text(struct text *t, const struct diagnosis *d)
{
	switch (d->why) {
	case WHY_NOT:
		break;
	case WHY_NEVER_REPORTED:
		add(t, "the guest has sent no report");
		break;
	case WHY_POLLING_OFF:
		add(t, "the host does not ask for reports: polling is off");
		break;
	case WHY_STOPPED:
		add(t, "the guest is paused");
		break;
	case WHY_STALE:
		add(t, "the guest stopped answering: last report %.0f s ago, asked every %lld s",
		    d->age, (long long)d->polling);
		break;
	case WHY_ONE_REPORT:
		add(t, "one report so far: rates need two");
		break;
	case WHY_RESET:
		add(t, "the counters began anew: the guest was rebooted, or another state of it was loaded");
		break;
	case WHY_HOST_OLD:
		add(t, "the host's QEMU does not know the six statistics of pressure");
		break;
	case WHY_DRIVER_OLD:
		add(t, "the guest does not send the six statistics of pressure");
		break;
	case WHY_ABSURD:
		add(t, "the guest sends values that cannot be");
		break;
	case WHY_JUMPED:
		add(t, "the counters jumped further than a guest can count: another state of it was loaded, or its values are wrong");
		break;
	}
}

/* What cannot be told from a guest that needs more memory. */
static void add_turnover(struct text *t, const struct evidence *e)
{
	double reclaimed = e->direct_reclaim + e->async_reclaim;

	if (reclaimed >= e->kscan_high && e->caches > 0 && e->caches / reclaimed < TURNOVER)
		add(t, ", its page cache is replaced every %.0f s: harmless if it reads each file once, too little memory if it reads the same ones again, which the numbers do not tell",
		    e->caches / reclaimed < 1 ? 1 : e->caches / reclaimed);
}

static void regime_text(struct text *t, const struct diagnosis *d, enum regime regime)
{
	const struct evidence *e = &d->evidence;
	char buf[UNITS_LEN];

	if (d->evidence_age >= 1)
		add(t, "%.0f s ago: ", d->evidence_age);
	switch (regime) {
	case REGIME_CRITICAL:
		add(t, "oom-kills +%.0f, ", d->kills_seen);
		add_stalls(t, e);
		add_direct(t, e);
		add_avail(t, e);
		break;
	case REGIME_CGROUP_OOM:
		add(t, "oom-kills +%.0f, alloc-stalls %s/s", d->kills_seen,
		    units_count(buf, e->stalls));
		add_avail(t, e);
		break;
	case REGIME_THRASHING:
		if (e->stalls >= e->stall_high) {
			add_stalls(t, e);
			add_direct(t, e);
		} else {
			add_kswapd(t, e);
		}
		add_returned(t, e);
		break;
	case REGIME_RECLAIM:
	case REGIME_STALLS:
		add_stalls(t, e);
		add_direct(t, e);
		add_avail(t, e);
		break;
	case REGIME_KSWAPD_FAILS:
		add_kswapd(t, e);
		add(t, ", alloc-stalls %s/s", units_count(buf, e->stalls));
		add_avail(t, e);
		break;
	case REGIME_CGROUP_LIMIT:
		if (e->by_swap) {
			add_rate(t, "swapped out", e->swap_out);
			add_rate(t, ", while the whole guest's reclaim scans",
				 e->direct_scan + e->async_scan);
		} else {
			add_rate(t, "direct-scans", e->direct_scan);
			add(t, " (high: %s)", units_bytes(buf, e->scan_high));
			add(t, " with %s alloc-stalls/s", units_count(buf, e->stalls));
		}
		add_avail(t, e);
		break;
	default:
		add(t, "alloc-stalls %s/s", units_count(buf, e->stalls));
		if (e->async_scan > 0) {
			add_rate(t, ", kswapd scans", e->async_scan);
			add_rate(t, " and reclaims", e->async_reclaim);
		}
		add_avail(t, e);
		add_turnover(t, e);
	}
}

const char *diagnosis_reason(const struct diagnosis *d, char *buf, size_t len)
{
	struct text t = { buf, len, 0 };

	buf[0] = '\0';
	if (d->regime == REGIME_NO_DATA) {
		why_text(&t, d);
	} else if (d->regime == REGIME_SILENT) {
		add(&t, "no report for %.0f s since it was %s, asked every %lld s; ", d->age,
		    regime_name(d->silent_since), (long long)d->polling);
		regime_text(&t, d, d->silent_since);
	} else {
		regime_text(&t, d, d->regime);
	}
	return buf;
}

static void why_advice(struct text *t, enum why why)
{
	switch (why) {
	case WHY_NEVER_REPORTED:
		add(t, "is a balloon driver loaded in the guest? See --doctor");
		break;
	case WHY_POLLING_OFF:
		add(t, "turn it on with --poll SECONDS");
		break;
	case WHY_STOPPED:
		add(t, "it reports again once it runs");
		break;
	case WHY_STALE:
		add(t, "it hangs, is starved of CPU, or its driver was unloaded; look at its console");
		break;
	case WHY_ONE_REPORT:
	case WHY_RESET:
	case WHY_JUMPED:
		add(t, "wait for the next");
		break;
	case WHY_HOST_OLD:
		add(t, "QEMU 9.2 and newer knows them");
		break;
	case WHY_DRIVER_OLD:
		add(t, "they need a driver of Linux 6.12 or newer, or virtio-balloon without max_stat_tag");
		break;
	case WHY_ABSURD:
		add(t, "do not trust this guest's numbers");
		break;
	default:
		break;
	}
}

/* A quarter more than it has, as far as the machine has it. 0: it has all. */
static double more(const struct evidence *e)
{
	double size = e->actual > 0 ? e->actual : e->memory;

	if (e->balloon <= 0 || e->max <= 0)
		return 0;
	size = (floor(size * MORE / STEP) + 1) * STEP;
	return size > e->max ? e->max : size;
}

static void add_command(struct text *t, double size, const char *setmem)
{
	if (setmem)
		add(t, "%s %.0fM --live", setmem, size / (1024 * 1024));
	else
		add(t, "{\"execute\": \"balloon\", \"arguments\": {\"value\": %.0f}}", size);
}

/* More memory: out of the balloon if that holds any, else from the host. */
static void more_memory(struct text *t, const struct evidence *e, const struct limits *l,
			const char *setmem)
{
	char balloon[UNITS_LEN], max[UNITS_LEN];
	double size = more(e);

	if (e->balloon > 0 && e->max > 0 &&
	    e->balloon >= l->v[LIMIT_BALLOON_LARGE] / 100 * e->max)
		add(t, "balloon too large: it holds %s of %s; give some back",
		    units_bytes(balloon, e->balloon), units_bytes(max, e->max));
	else if (e->balloon >= 0 && e->max > 0)
		add(t, "guest too small: the balloon holds %s, so give it more than %s or less to do",
		    e->balloon > 0 ? units_bytes(balloon, e->balloon) : "nothing",
		    units_bytes(max, e->max));
	else
		add(t, "guest too small: give it more memory or less to do");
	if (size > 0) {
		add(t, ": ");
		add_command(t, size, setmem);
	}
	if (e->balloon >= 0 && e->max > 0 && size >= e->max)
		add(t, "; more than %s at a restart only, or by plugging memory in", max);
	else if (e->balloon >= 0 && e->max > 0 && !(size > 0))
		add(t, "; that takes a restart, or plugging memory in");
}

/* kswapd begins earlier, so that it has free what the guest takes in a moment. */
static void earlier(struct text *t, const struct evidence *e)
{
	double factor = ceil(10000 * AHEAD * (e->direct_reclaim + e->async_reclaim) / e->memory);

	if (factor < SCALE_MIN)
		factor = SCALE_MIN;
	if (factor > SCALE_MAX)
		factor = SCALE_MAX;
	add(t, "there is page cache enough, but it gives way too late: raise vm.watermark_scale_factor in the guest: sysctl vm.watermark_scale_factor=%.0f (10 unless it was changed)",
	    factor);
}

/* Where memory is available, more of it is not what is missing. */
static void not_enough(struct text *t, const struct evidence *e, const struct limits *l,
		       const char *setmem)
{
	char avail[UNITS_LEN];

	if (evidence_plenty(e, l))
		add(t, "%s are available, so it is not short of memory as a whole: a container at its limit, a NUMA node, or memory that cannot be reclaimed",
		    units_bytes(avail, e->avail));
	else
		more_memory(t, e, l, setmem);
}

static void regime_advice(struct text *t, const struct diagnosis *d, const struct limits *l,
			  enum regime regime, const char *setmem)
{
	const struct evidence *e = &d->evidence;

	switch (regime) {
	case REGIME_CRITICAL:
		/* The kill has made room, so what is available says nothing. */
		more_memory(t, e, l, setmem);
		add(t, "; the guest's log says what was killed, and whether for a cgroup's limit");
		break;
	case REGIME_CGROUP_OOM:
		add(t, "likely a container at its own limit: raise its memory.max; ");
		add(t, "the count does not tell, the guest's log does");
		break;
	case REGIME_THRASHING:
		not_enough(t, e, l, setmem);
		if (e->swap_in >= e->return_min)
			add(t, "; what it swaps out it needs at once");
		break;
	case REGIME_RECLAIM:
		if (evidence_plenty(e, l) && e->returned < l->v[LIMIT_RETURN_HIGH])
			earlier(t, e);
		else
			not_enough(t, e, l, setmem);
		break;
	case REGIME_STALLS:
		if (e->ratio >= l->v[LIMIT_RATIO_LOW])
			add(t, "each stall finds at once what it needs: kswapd does the work, and is a little late; ");
		else
			add(t, "little is scanned: this has just begun, or memory is locked, in huge pages, or the kernel's; ");
		add(t, "not a cgroup's doing, on no kernel from " KERNELS);
		break;
	case REGIME_KSWAPD_FAILS:
		add(t, "the next demand for memory will wait: ");
		not_enough(t, e, l, setmem);
		break;
	case REGIME_CGROUP_LIMIT:
		if (e->by_swap)
			add(t, "a container at its limit swaps, or somebody asked for reclaim: ");
		else
			add(t, "on Linux 7.3 a container is at its limit, not the guest; before 6.12 khugepaged makes huge pages, which is harmless: ");
		add(t, "raise its memory.max or memory.high%s, more guest memory does not help",
		    e->in_cgroup ? ", as it thrashes" : "");
		break;
	default:
		break;
	}
}

const char *diagnosis_advice(const struct diagnosis *d, const struct limits *l,
			     const char *setmem, char *buf, size_t len)
{
	struct text t = { buf, len, 0 };

	buf[0] = '\0';
	if (d->regime == REGIME_NO_DATA) {
		why_advice(&t, d->why);
	} else if (d->regime == REGIME_SILENT) {
		add(&t, "it hangs, most likely for want of memory; look at its console; ");
		regime_advice(&t, d, l, d->silent_since, setmem);
	} else {
		regime_advice(&t, d, l, d->regime, setmem);
	}
	return buf;
}
