// SPDX-License-Identifier: GPL-2.0-only
/* Pure: a diagnosis in words. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diagnose.h"
#include "units.h"

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

static void regime_text(struct text *t, const struct diagnosis *d)
{
	const struct evidence *e = &d->evidence;
	char buf[UNITS_LEN];

	switch (d->regime) {
	case REGIME_CRITICAL:
		add(t, "oom-kills +%.0f, ", d->kills_seen);
		add_stalls(t, e);
		add_direct(t, e);
		add_avail(t, e);
		break;
	case REGIME_CGROUP_OOM:
		add(t, "oom-kills +%.0f without an alloc-stall", d->kills_seen);
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
		add(t, ", no alloc-stalls");
		add_avail(t, e);
		break;
	case REGIME_CGROUP_LIMIT:
		if (e->by_swap) {
			add_rate(t, "swapped out", e->swap_out);
			add_rate(t, ", of which the whole guest's reclaim explains",
				 e->direct_reclaim + e->async_reclaim);
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
	}
}

const char *diagnosis_reason(const struct diagnosis *d, char *buf, size_t len)
{
	struct text t = { buf, len, 0 };

	buf[0] = '\0';
	if (d->regime == REGIME_NO_DATA)
		why_text(&t, d);
	else
		regime_text(&t, d);
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

/* More memory: out of the balloon if that holds much, else from the host. */
static void more_memory(struct text *t, const struct evidence *e, const struct limits *l)
{
	char balloon[UNITS_LEN], max[UNITS_LEN];

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
}

static bool plenty(const struct evidence *e, const struct limits *l)
{
	return e->avail >= l->v[LIMIT_AVAIL_LOW] / 100 * e->memory;
}

const char *diagnosis_advice(const struct diagnosis *d, const struct limits *l, char *buf,
			     size_t len)
{
	const struct evidence *e = &d->evidence;
	struct text t = { buf, len, 0 };

	buf[0] = '\0';
	switch (d->regime) {
	case REGIME_NO_DATA:
		why_advice(&t, d->why);
		break;
	case REGIME_CRITICAL:
		more_memory(&t, e, l);
		add(&t, "; the guest's log says what was killed, and whether for a cgroup's limit");
		break;
	case REGIME_CGROUP_OOM:
		add(&t, "likely a container at its own limit: raise its memory.max; ");
		add(&t, "the count does not tell, the guest's log does");
		break;
	case REGIME_THRASHING:
		more_memory(&t, e, l);
		if (e->swap_in >= e->return_min)
			add(&t, "; what it swaps out it needs at once");
		break;
	case REGIME_RECLAIM:
		if (plenty(e, l) && e->returned < l->v[LIMIT_RETURN_HIGH])
			add(&t, "there is page cache enough, but it gives way too late: raise vm.watermark_scale_factor in the guest");
		else
			more_memory(&t, e, l);
		break;
	case REGIME_STALLS:
		add(&t, "little can be scanned: memory is locked, in huge pages, or the kernel's; ");
		add(&t, "not a cgroup's doing, on no kernel from " KERNELS);
		break;
	case REGIME_KSWAPD_FAILS:
		add(&t, "the next demand for memory will wait: ");
		more_memory(&t, e, l);
		break;
	case REGIME_CGROUP_LIMIT:
		if (e->by_swap)
			add(&t, "a container at its limit swaps, or somebody asked for reclaim: ");
		else
			add(&t, "a container is at its limit, not the guest: ");
		add(&t, "raise its memory.max or memory.high%s, more guest memory does not help",
		    e->in_cgroup ? ", as it thrashes" : "");
		break;
	default:
		break;
	}
	return buf;
}
