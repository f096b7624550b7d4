/* SPDX-License-Identifier: GPL-2.0-only */
/* Pure: from rates to a diagnosis that does not flicker. */
#ifndef BALLOONSTAT_DIAGNOSE_H
#define BALLOONSTAT_DIAGNOSE_H

#include <stddef.h>

#include "limits.h"
#include "rate.h"

/* From no trouble to much. The rows are those of the table in balloonstat(1). */
enum regime {
	REGIME_NO_DATA,
	REGIME_HEALTHY,
	REGIME_CGROUP_LIMIT,	/* a cgroup reclaims its own memory */
	REGIME_CGROUP_OOM,	/* a kill, and no pressure on the whole guest */
	REGIME_STALLS,		/* row 2: allocations wait, little is scanned */
	REGIME_KSWAPD_FAILS,	/* row 5: kswapd scans and reclaims little */
	REGIME_RECLAIM,		/* row 3: allocations reclaim, with success */
	REGIME_THRASHING,	/* row 4: little success, or for nothing */
	REGIME_CRITICAL,	/* row 1: a kill, and pressure on the whole guest */
	REGIME_SILENT,		/* no report any more since it was critical or thrashing */
	REGIME_NR,
};

/* As monitoring plugins exit. */
enum severity {
	SEVERITY_OK,
	SEVERITY_WARNING,
	SEVERITY_CRITICAL,
	SEVERITY_UNKNOWN,
};

/* Why there is no diagnosis. */
enum why {
	WHY_NOT,		/* there is one */
	WHY_NEVER_REPORTED,
	WHY_POLLING_OFF,
	WHY_STOPPED,		/* the virtual CPUs */
	WHY_STALE,
	WHY_ONE_REPORT,
	WHY_RESET,
	WHY_HOST_OLD,
	WHY_DRIVER_OLD,
	WHY_ABSURD,
	WHY_JUMPED,		/* further than a guest can count */
};

/**
 * struct evidence - the numbers that lead to a diagnosis
 * @kills: OOM kills since the report before
 * @stalls: allocation stalls a second
 * @stall_count: allocation stalls since the report before
 * @direct_scan: bytes a second
 * @direct_reclaim: bytes a second
 * @async_scan: bytes a second
 * @async_reclaim: bytes a second
 * @swap_in: bytes a second
 * @swap_out: bytes a second
 * @major_faults: a second
 * @avail: bytes that are to be had without swapping; negative: not known
 * @avail_lowest: the same, or what it was in the report before if that was less. Swapping
 *	out makes some available for a moment
 * @caches: bytes of page cache; negative: not known
 * @memory: bytes that the guest manages, balloon subtracted
 * @actual: bytes of the machine, balloon subtracted; 0: not known
 * @balloon: bytes in the balloon; negative: not known
 * @max: bytes of the machine; 0: not known
 * @stall_high: a second: what is high in this guest
 * @scan_high: bytes a second, the same for direct scans
 * @kscan_high: bytes a second, the same for kswapd's scans
 * @return_min: bytes a second: less may return and nobody minds
 * @ratio: % of what was scanned that was reclaimed, by whom the diagnosis is
 *	about; negative: nothing was scanned
 * @returned: % of what was reclaimed that was read again; negative: nothing was
 * @by_swap: there is no more evidence of a cgroup than pages swapped out by nobody
 * @in_cgroup: what returns is that of a cgroup
 */
struct evidence {
	double kills;
	double stalls, stall_count;
	double direct_scan, direct_reclaim;
	double async_scan, async_reclaim;
	double swap_in, swap_out;
	double major_faults;
	double avail, avail_lowest, caches, memory, actual, balloon, max;
	double stall_high, scan_high, kscan_high, return_min;
	double ratio, returned;
	bool by_swap;
	bool in_cgroup;
};

/* Reports that are judged together. */
#define DIAGNOSIS_REPORTS	4

/**
 * struct judgement - what a report says by itself
 * @regime: what is the matter
 * @seconds: since the report before it
 * @at: when it was judged, seconds of CLOCK_MONOTONIC
 * @evidence: the numbers that led to @regime
 */
struct judgement {
	enum regime regime;
	double seconds, at;
	struct evidence evidence;
};

/**
 * struct diagnosis - what is the matter with a guest, and its past
 * @regime: what is shown
 * @why: with REGIME_NO_DATA
 * @evidence: of the report that led to @regime, or of a later one that agrees
 * @since: when @regime was first shown, seconds of CLOCK_MONOTONIC
 * @age: of the last report, in seconds; negative: there is none
 * @polling: seconds; 0: off
 * @evidence_age: seconds since the report of @evidence, if later ones were better; else 0
 * @silent_since: what it was before REGIME_SILENT
 * @kills_seen: OOM kills within the last "oom-hold" seconds
 *
 * The rest belongs to diagnose().
 */
struct diagnosis {
	enum regime regime;
	enum why why;
	struct evidence evidence;
	double since;
	double age;
	int64_t polling;
	double evidence_age;
	enum regime silent_since;
	double kills_seen;

	struct judgement last[DIAGNOSIS_REPORTS];
	unsigned int last_nr;
	double evidence_at, judged_at;
	double last_kill;
	enum regime kill_regime;
	struct evidence kill_evidence;
	double stalls_before, avail_before;
	bool known, alarmed, has_before;
	bool stall_high, scan_high, kscan_high;
	bool ratio_low, kratio_low, returns;
	unsigned int calm_reports;
	double calm_since;
};

/**
 * diagnose() - take one more sample into account
 * @d: all zero at first; all of it is updated
 * @l: what is high and low
 * @s: the sample
 * @r: what rate_between() made of it
 * @age: of the guest's last report, in seconds; negative: there is none
 */
void diagnose(struct diagnosis *d, const struct limits *l, const struct sample *s,
	      const struct rates *r, double age);

/**
 * evidence_plenty() - whether much memory was to be had without swapping, all the while
 * @e: of a diagnosis
 * @l: what is high and low
 */
bool evidence_plenty(const struct evidence *e, const struct limits *l);

/**
 * regime_name() - the regime in a word
 * @regime: of a diagnosis
 *
 * Return: at most 12 characters, no spaces.
 */
const char *regime_name(enum regime regime);

/**
 * regime_severity() - how bad it is
 * @regime: of a diagnosis
 */
enum severity regime_severity(enum regime regime);

/**
 * why_name() - the reason for having no diagnosis in a word
 * @why: of a diagnosis
 */
const char *why_name(enum why why);

/**
 * diagnosis_reason() - the numbers that led to it, as a sentence
 * @d: the diagnosis
 * @buf: where to write
 * @len: size of @buf
 *
 * Return: @buf, without a full stop at the end.
 */
const char *diagnosis_reason(const struct diagnosis *d, char *buf, size_t len);

/**
 * diagnosis_advice() - what an operator can do, as a sentence
 * @d: the diagnosis
 * @l: what is high and low
 * @setmem: a command that takes a size; NULL: the guest is reached over QMP
 * @buf: where to write
 * @len: size of @buf
 *
 * Return: @buf, without a full stop at the end; empty if there is nothing to do.
 */
const char *diagnosis_advice(const struct diagnosis *d, const struct limits *l,
			     const char *setmem, char *buf, size_t len);

#endif
