// SPDX-License-Identifier: GPL-2.0-only
#include "tests.h"

#include <stdio.h>
#include <string.h>

#include "diagnose.h"

#define ALL		((1u << TAG_NR) - 1)
#define MIB		(1024.0 * 1024)
#define GUEST_MEMORY	(1024 * MIB)

/* By how much the counters of a report have risen each second. */
struct report {
	double kills, stalls;
	double dscan, dreclaim, kscan, kreclaim;	/* MiB */
	double swin, swout, majflt;			/* MiB, MiB, faults */
	double avail;					/* %; 0 stands for 5 */
};

static const struct report quiet = { };
static const struct report busy_cache = { .kscan = 100, .kreclaim = 95 };
static const struct report effective = { .stalls = 200, .dscan = 30, .dreclaim = 25 };
static const struct report inefficient = { .stalls = 200, .dscan = 300, .dreclaim = 20 };
static const struct report returning = { .stalls = 200, .dscan = 30, .dreclaim = 25,
					 .swin = 24, .swout = 25, .majflt = 6000 };
static const struct report kswapd_only = { .kscan = 60, .kreclaim = 40, .swin = 38,
					   .swout = 40, .majflt = 9000 };
static const struct report row2 = { .stalls = 200, .dscan = 0.01, .dreclaim = 0.01 };
static const struct report row5 = { .kscan = 60, .kreclaim = 3 };
static const struct report oom = { .kills = 1, .stalls = 500, .dscan = 90, .dreclaim = 1 };
static const struct report lone_oom = { .kills = 1, .avail = 90 };
static const struct report cgroup_73 = { .dscan = 40, .dreclaim = 35, .avail = 60 };
static const struct report cgroup_61 = { .swout = 20, .avail = 60 };
/* A database that reads its files by mmap: each read is a major fault, and nothing is short. */
static const struct report mmap_reads = { .kscan = 20, .kreclaim = 19, .majflt = 20000,
					  .avail = 76 };
static const struct report mmap_stalls = { .stalls = 20, .dscan = 3, .dreclaim = 3, .kscan = 20,
					   .kreclaim = 19, .majflt = 20000, .avail = 76 };
/* Programs whose code does not fit any more are read again and again, by major faults. */
static const struct report code_again = { .kscan = 20, .kreclaim = 19, .majflt = 20000,
					  .avail = 2 };
/* The pages that are written to swap now are reclaimed in a later report. */
static const struct report writes_first = { .kscan = 40, .kreclaim = 5, .swout = 20 };
/* It counts a stall for each huge page that it reclaims for. */
static const struct report khugepaged = { .stalls = 0.2, .dscan = 4, .dreclaim = 3.9, .avail = 40 };
static const struct report burst = { .stalls = 500, .dscan = 60, .dreclaim = 55 };
static const struct report container_oom = { .kills = 1, .stalls = 0.02, .dscan = 0.1,
					     .dreclaim = 0.1, .avail = 90 };
static const struct report large_guest = { .stalls = 500, .dscan = 200, .dreclaim = 8 };
static const struct report reads_back = { .kscan = 200, .kreclaim = 198, .avail = 60 };
static const struct report some_stalls = { .stalls = 1.9, .kscan = 60, .kreclaim = 3 };
static const struct report quick_stalls = { .stalls = 200, .dscan = 0.1, .dreclaim = 0.095 };

struct bench {
	struct diagnosis d;
	struct limits l;
	double now;
};

static void start(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	limits_default(&b->l);
	b->now = 1000;
}

static void fill(struct sample *s, double memory)
{
	memset(s, 0, sizeof(*s));
	s->polling = 1;
	s->running = true;
	s->known = ALL;
	s->set = ALL;
	s->last_update = 1;
	s->actual = (uint64_t)memory;
	s->max = (uint64_t)(memory * 2);
	s->value[VIRTIO_BALLOON_S_MEMTOT] = (uint64_t)memory;
	s->value[VIRTIO_BALLOON_S_AVAIL] = (uint64_t)(memory / 20);
	s->value[VIRTIO_BALLOON_S_CACHES] = (uint64_t)(memory / 2);
}

static void set(struct rates *r, unsigned int tag, double rate)
{
	r->rate[tag] = rate;
	r->delta[tag] = (uint64_t)(rate * r->seconds);
}

/* Have one more report from a guest with @memory, @seconds after the last one. */
static const char *report_of(struct bench *b, const struct report *now, double seconds,
			     double memory)
{
	struct rates r = { .event = RATE_OK, .seconds = seconds, .valid = ALL & ~TAGS_GAUGES };
	struct sample s;

	fill(&s, memory);
	if (now->avail > 0)
		s.value[VIRTIO_BALLOON_S_AVAIL] = (uint64_t)(memory * now->avail / 100);
	b->now += seconds;
	s.mono = b->now;
	set(&r, VIRTIO_BALLOON_S_OOM_KILL, now->kills / seconds);
	r.delta[VIRTIO_BALLOON_S_OOM_KILL] = (uint64_t)now->kills;
	set(&r, VIRTIO_BALLOON_S_ALLOC_STALL, now->stalls);
	set(&r, VIRTIO_BALLOON_S_DIRECT_SCAN, now->dscan * MIB);
	set(&r, VIRTIO_BALLOON_S_DIRECT_RECLAIM, now->dreclaim * MIB);
	set(&r, VIRTIO_BALLOON_S_ASYNC_SCAN, now->kscan * MIB);
	set(&r, VIRTIO_BALLOON_S_ASYNC_RECLAIM, now->kreclaim * MIB);
	set(&r, VIRTIO_BALLOON_S_SWAP_IN, now->swin * MIB);
	set(&r, VIRTIO_BALLOON_S_SWAP_OUT, now->swout * MIB);
	set(&r, VIRTIO_BALLOON_S_MAJFLT, now->majflt);
	diagnose(&b->d, &b->l, &s, &r, 0);
	return regime_name(b->d.regime);
}

static const char *report(struct bench *b, const struct report *now)
{
	return report_of(b, now, 1, GUEST_MEMORY);
}

/* --- the table: one report for each row ------------------------------------- */

static const struct {
	const char *what;
	const struct report *report;
	const char *name;
} rows[] = {
	{ "nothing", &quiet, "healthy" },
	{ "kswapd keeps up", &busy_cache, "healthy" },
	{ "row 1", &oom, "critical" },
	{ "row 1, but nothing else: a container's own", &lone_oom, "cgroup-oom" },
	{ "row 2", &row2, "stalls" },
	{ "row 3", &effective, "reclaim" },
	{ "row 4", &inefficient, "thrashing" },
	{ "row 4, by what returns", &returning, "thrashing" },
	{ "the same without a stall", &kswapd_only, "thrashing" },
	{ "row 5", &row5, "kswapd-fails" },
	{ "a cgroup on 7.3", &cgroup_73, "cgroup-limit" },
	{ "a cgroup that swaps on 6.1", &cgroup_61, "cgroup-limit" },
	{ "files that are read by mmap, with memory available", &mmap_reads, "healthy" },
	{ "the same with stalls", &mmap_stalls, "reclaim" },
	{ "code that is read again, with no memory available", &code_again, "thrashing" },
	{ "swap is written before pages are reclaimed", &writes_first, "kswapd-fails" },
	{ "khugepaged reclaims for huge pages", &khugepaged, "healthy" },
	{ "page cache that is read again, or not", &reads_back, "healthy" },
	{ "kswapd fails, and some stall", &some_stalls, "kswapd-fails" },
	{ "stalls that find at once what they need", &quick_stalls, "stalls" },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[512];
		struct bench b;

		print_message("  %s\n", rows[i].what);
		start(&b);
		assert_string_equal(report(&b, rows[i].report), rows[i].name);
		assert_true(strlen(rows[i].name) <= 12);
		diagnosis_reason(&b.d, text, sizeof(text));
		assert_true(text[0]);
		assert_null(strstr(text, "nan"));
		diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text));
		assert_int_equal(text[0] != '\0', b.d.regime != REGIME_HEALTHY);
	}
}

/* The same rates count for less in a larger guest, and for more in a smaller one. */
static void test_relative_to_memory(void **state)
{
	static const struct report some = { .stalls = 10, .dscan = 1.3, .dreclaim = 1.2 };
	struct bench b;

	(void)state;
	start(&b);
	assert_string_equal(report_of(&b, &some, 1, 256 * MIB), "reclaim");
	start(&b);
	assert_string_equal(report_of(&b, &some, 1, 64 * 1024 * MIB), "healthy");
}

static void test_relative_to_interval(void **state)
{
	/* 60 stalls in a second and 60 in a minute are not the same. */
	static const struct report minute = { .stalls = 1, .dscan = 0.12, .dreclaim = 0.12 };
	struct bench b;

	(void)state;
	start(&b);
	assert_string_equal(report_of(&b, &minute, 60, GUEST_MEMORY), "healthy");
}

/* --- hysteresis ------------------------------------------------------------ */

static void test_one_spike_is_none(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	assert_string_equal(report(&b, &quiet), "healthy");
	assert_string_equal(report(&b, &effective), "healthy");
	for (int i = 0; i < 3; i++)
		assert_string_equal(report(&b, &quiet), "healthy");
	assert_string_equal(report(&b, &effective), "healthy");
	assert_string_equal(report(&b, &effective), "reclaim");
}

/* Every other report is bad. It is said soon, and stays said. */
/* A little trouble and then much is at least a little for long enough. */
static void test_numbers_of_the_verdict(void **state)
{
	char text[512];
	struct bench b;

	(void)state;
	start(&b);
	report(&b, &quiet);
	assert_string_equal(report(&b, &row2), "healthy");
	assert_string_equal(report(&b, &inefficient), "stalls");
	/* Its numbers are not those of thrashing, which would contradict it. */
	assert_true(b.d.evidence.direct_scan < MIB);
	assert_memory_equal(diagnosis_reason(&b.d, text, sizeof(text)), "1 s ago: ", 9);
	assert_string_equal(report(&b, &inefficient), "thrashing");
	assert_true(b.d.evidence.direct_scan > MIB);
}

static void test_bursts(void **state)
{
	static const double seconds[] = { 1, 2, 15, 60 };

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		struct bench b;

		start(&b);
		report_of(&b, &quiet, seconds[i], GUEST_MEMORY);
		for (int n = 0; n < 40; n++) {
			report_of(&b, n % 2 ? &quiet : &burst, seconds[i], GUEST_MEMORY);
			if (n >= 2)
				assert_string_equal(regime_name(b.d.regime), "reclaim");
		}
	}
}

static void test_calm_has_to_last(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	assert_string_equal(report(&b, &inefficient), "thrashing");
	for (int i = 0; i < 4; i++)
		assert_string_equal(report(&b, &quiet), "thrashing");
	assert_string_equal(report(&b, &inefficient), "thrashing");
	for (int i = 0; i < 4; i++)
		assert_string_equal(report(&b, &quiet), "thrashing");
	assert_string_equal(report(&b, &quiet), "healthy");
}

static void test_two_of_long_intervals_are_enough(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	assert_string_equal(report_of(&b, &inefficient, 10, GUEST_MEMORY), "thrashing");
	report_of(&b, &quiet, 10, GUEST_MEMORY);
	assert_string_equal(report_of(&b, &quiet, 10, GUEST_MEMORY), "healthy");
}

static void test_band(void **state)
{
	/* 2 stalls a second are high in this guest. Below 1 they are not high any more. */
	static const struct report at = { .stalls = 2, .dscan = 0.3, .dreclaim = 0.3 };
	static const struct report between = { .stalls = 1.2, .dscan = 0.18, .dreclaim = 0.18 };
	static const struct report under = { .stalls = 0.9, .dscan = 0.05, .dreclaim = 0.05 };
	struct bench b;

	(void)state;
	start(&b);
	assert_string_equal(report(&b, &between), "healthy");
	start(&b);
	assert_string_equal(report(&b, &at), "reclaim");
	for (int i = 0; i < 20; i++)
		assert_string_equal(report(&b, &between), "reclaim");
	for (int i = 0; i < 20; i++)
		report(&b, &under);
	assert_string_equal(regime_name(b.d.regime), "healthy");
}

static void test_ratio_band(void **state)
{
	static const struct report low = { .stalls = 200, .dscan = 100, .dreclaim = 29 };
	static const struct report near = { .stalls = 200, .dscan = 100, .dreclaim = 35 };
	static const struct report good = { .stalls = 200, .dscan = 100, .dreclaim = 70 };
	struct bench b;

	(void)state;
	start(&b);
	assert_string_equal(report(&b, &near), "reclaim");
	start(&b);
	assert_string_equal(report(&b, &low), "thrashing");
	for (int i = 0; i < 20; i++)
		assert_string_equal(report(&b, &near), "thrashing");
	for (int i = 0; i < 20; i++)
		report(&b, &good);
	assert_string_equal(regime_name(b.d.regime), "reclaim");
}

static void test_kill_is_shown_for_a_while(void **state)
{
	struct bench b;
	int shown = 0;

	(void)state;
	start(&b);
	report(&b, &quiet);
	/* The diagnosis changes at once, and does not need a second report. */
	assert_string_equal(report(&b, &oom), "critical");
	while (!strcmp(report(&b, &quiet), "critical"))
		shown++;
	assert_in_range(shown, 29, 36);
	assert_string_equal(regime_name(b.d.regime), "healthy");
}

static void test_stalls_just_before_the_kill_count(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	report(&b, &inefficient);
	assert_string_equal(report(&b, &lone_oom), "critical");
}

static void test_container_kill_does_not_hide_trouble(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	report(&b, &quiet);
	assert_string_equal(report(&b, &lone_oom), "cgroup-oom");
	report(&b, &quiet);
	report(&b, &inefficient);
	assert_string_equal(report(&b, &inefficient), "thrashing");
	/* A kill because the whole guest has no memory left is worse. */
	assert_string_equal(report(&b, &oom), "critical");
	assert_true(b.d.kills_seen == 2);
}

static void test_limits_are_adjustable(void **state)
{
	char why[160];
	struct bench b;

	(void)state;
	start(&b);
	assert_int_equal(limits_set(&b.l, "stall-high=500", why, sizeof(why)), 0);
	assert_string_equal(report(&b, &effective), "healthy");
	assert_int_equal(limits_set(&b.l, "scan-high=50", why, sizeof(why)), 0);
	start(&b);
	assert_int_equal(limits_set(&b.l, "ratio-low=90", why, sizeof(why)), 0);
	assert_string_equal(report(&b, &effective), "thrashing");
	assert_int_equal(limits_set(&b.l, "no-such=1", why, sizeof(why)), -1);
	assert_int_equal(limits_set(&b.l, "stall=1", why, sizeof(why)), -1);
	assert_int_equal(limits_set(&b.l, "ratio-low=101", why, sizeof(why)), -1);
	assert_int_equal(limits_set(&b.l, "ratio-low=nan", why, sizeof(why)), -1);
	assert_int_equal(limits_set(&b.l, "ratio-low=", why, sizeof(why)), -1);
	assert_int_equal(limits_set(&b.l, "ratio-low", why, sizeof(why)), -1);
	assert_int_equal(limits_set(&b.l, "ratio-low=5x", why, sizeof(why)), -1);
	assert_true(b.l.v[LIMIT_RATIO_LOW] == 90);
}

/* --- not enough data ------------------------------------------------------- */

static void no_data(const char *why, const struct sample *s, enum rate_event event, double age)
{
	struct rates r = { .event = event, .seconds = 1, .valid = s->set & ~TAGS_GAUGES };
	char text[512];
	struct bench b;

	print_message("  %s\n", why);
	start(&b);
	/* Earlier reports do not count any more. */
	report(&b, &effective);
	diagnose(&b.d, &b.l, s, &r, age);
	assert_string_equal(regime_name(b.d.regime), "no-data");
	assert_string_equal(why_name(b.d.why), why);
	assert_true(diagnosis_reason(&b.d, text, sizeof(text))[0]);
	assert_int_equal(regime_severity(b.d.regime), SEVERITY_UNKNOWN);
}

static void test_no_data(void **state)
{
	struct sample s;

	(void)state;
	fill(&s, GUEST_MEMORY);
	no_data("one-report", &s, RATE_FIRST, 0);
	no_data("counters-restarted", &s, RATE_RESET, 0);
	no_data("stopped-answering", &s, RATE_SAME, 5.5);
	s.absurd = TAG_BIT(VIRTIO_BALLOON_S_MEMFREE);
	no_data("absurd-values", &s, RATE_OK, 0);
	s.absurd = 0;
	s.polling = 0;
	no_data("polling-off", &s, RATE_SAME, 0);
	s.polling = 1;
	s.running = false;
	no_data("guest-paused", &s, RATE_SAME, 0);
	s.running = true;
	s.set = TAGS_OLD;
	no_data("six-not-sent", &s, RATE_OK, 0);
	s.known = TAGS_OLD;
	no_data("host-too-old", &s, RATE_OK, 0);
	s.set = 0;
	no_data("never-reported", &s, RATE_FIRST, -1);
}

/* A guest that was critical and does not answer any more is worst of all. */
static void test_silent(void **state)
{
	struct rates r = { .event = RATE_SAME };
	char text[512];
	struct sample s;
	struct bench b;

	(void)state;
	fill(&s, GUEST_MEMORY);
	start(&b);
	report(&b, &inefficient);
	s.mono = b.now + 12;
	diagnose(&b.d, &b.l, &s, &r, 12);
	assert_string_equal(regime_name(b.d.regime), "silent");
	assert_int_equal(regime_severity(b.d.regime), SEVERITY_CRITICAL);
	assert_true(b.d.regime > REGIME_CRITICAL);
	diagnosis_reason(&b.d, text, sizeof(text));
	assert_non_null(strstr(text, "no report for 12 s since it was thrashing"));
	assert_non_null(strstr(text, "12 s ago: alloc-stalls 200/s"));
	/* It stays so, and ends with the next report. */
	s.mono += 1000;
	diagnose(&b.d, &b.l, &s, &r, 1012);
	assert_string_equal(regime_name(b.d.regime), "silent");
	b.now = s.mono;
	assert_string_equal(report(&b, &quiet), "healthy");
	/* A guest that was well and does not answer any more may have been unplugged. */
	s.mono = b.now + 12;
	diagnose(&b.d, &b.l, &s, &r, 12);
	assert_string_equal(regime_name(b.d.regime), "no-data");
	/* Nor is it silent if it is paused, or if nobody asks. */
	start(&b);
	report(&b, &inefficient);
	s.running = false;
	diagnose(&b.d, &b.l, &s, &r, 12);
	assert_string_equal(why_name(b.d.why), "guest-paused");
}

static void test_kills_of_containers(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	report_of(&b, &quiet, 60, GUEST_MEMORY);
	assert_string_equal(report_of(&b, &container_oom, 60, GUEST_MEMORY), "cgroup-oom");
}

/* What hurts a guest does not grow with it for ever. */
static void test_large_guest(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	assert_string_equal(report_of(&b, &large_guest, 1, 256 * GUEST_MEMORY), "thrashing");
}

static void test_stale_depends_on_the_interval(void **state)
{
	struct rates r = { .event = RATE_SAME };
	struct sample s;
	struct bench b;

	(void)state;
	start(&b);
	report(&b, &quiet);
	fill(&s, GUEST_MEMORY);
	s.polling = 10;
	diagnose(&b.d, &b.l, &s, &r, 31);
	assert_string_equal(regime_name(b.d.regime), "healthy");
	diagnose(&b.d, &b.l, &s, &r, 33);
	assert_string_equal(regime_name(b.d.regime), "no-data");
}

static void test_no_new_report_changes_nothing(void **state)
{
	struct rates r = { .event = RATE_SAME };
	struct sample s;
	struct bench b;

	(void)state;
	start(&b);
	report(&b, &inefficient);
	fill(&s, GUEST_MEMORY);
	for (int i = 0; i < 20; i++) {
		s.mono = b.now += 1;
		diagnose(&b.d, &b.l, &s, &r, 1);
		assert_string_equal(regime_name(b.d.regime), "thrashing");
	}
}

/* --- what to do ------------------------------------------------------------ */

static void test_advice(void **state)
{
	char text[512];
	struct bench b;

	(void)state;
	/* fill() puts half of the guest's memory into the balloon. */
	start(&b);
	report(&b, &oom);
	assert_non_null(strstr(diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text)),
			       "balloon too large: it holds 1.0 GiB of 2.0 GiB"));
	assert_non_null(strstr(diagnosis_reason(&b.d, text, sizeof(text)), "oom-kills +1"));
	b.d.evidence.balloon = 0;
	assert_non_null(strstr(diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text)),
			       "guest too small: the balloon holds nothing"));
	start(&b);
	report(&b, &cgroup_73);
	assert_non_null(strstr(diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text)),
			       "memory.max"));
	/* The text is cut where there is little room. */
	for (size_t len = 1; len < sizeof(text); len++) {
		diagnosis_advice(&b.d, &b.l, NULL, text, len);
		assert_true(strlen(text) < len);
		diagnosis_reason(&b.d, text, len);
		assert_true(strlen(text) < len);
	}
}

static void assert_says(const char *text, const char *what)
{
	if (!strstr(text, what))
		print_error("\"%s\" is not in: %s\n", what, text);
	assert_non_null(strstr(text, what));
}

static void test_words(void **state)
{
	char text[512];
	struct bench b;

	(void)state;
	start(&b);
	report(&b, &some_stalls);
	diagnosis_reason(&b.d, text, sizeof(text));
	assert_says(text, "alloc-stalls 1.9/s");
	assert_null(strstr(text, "no alloc-stalls"));
	start(&b);
	report(&b, &quick_stalls);
	diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text));
	assert_says(text, "each stall finds at once what it needs");
	assert_null(strstr(text, "little is scanned"));
	start(&b);
	report(&b, &reads_back);
	diagnosis_reason(&b.d, text, sizeof(text));
	assert_says(text, "its page cache is replaced every 3 s");
	start(&b);
	report(&b, &mmap_stalls);
	diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text));
	assert_null(strstr(text, "too small"));
	/* While it is held, the numbers are old, and that is said. */
	start(&b);
	report(&b, &inefficient);
	diagnosis_reason(&b.d, text, sizeof(text));
	assert_null(strstr(text, "ago"));
	for (int i = 0; i < 3; i++)
		report(&b, &quiet);
	assert_string_equal(regime_name(b.d.regime), "thrashing");
	assert_says(diagnosis_reason(&b.d, text, sizeof(text)), "3 s ago: alloc-stalls 200/s");
}

/* Swapping out makes memory available for a moment. That is not enough memory. */
static void test_available_for_a_moment(void **state)
{
	struct report moment = inefficient;
	struct rates first = { .event = RATE_FIRST };
	struct sample s;
	char text[512];
	struct bench b;

	(void)state;
	moment.avail = 11;
	start(&b);
	report(&b, &inefficient);
	report(&b, &moment);
	diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text));
	assert_says(text, "balloon too large");
	assert_null(strstr(text, "are available"));
	report(&b, &moment);
	diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text));
	assert_says(text, "are available, so it is not short of memory as a whole");
	/* The first report cannot be judged, but it says what is available. */
	start(&b);
	fill(&s, GUEST_MEMORY);
	diagnose(&b.d, &b.l, &s, &first, 0);
	report(&b, &moment);
	diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text));
	assert_says(text, "balloon too large");
}

static void test_commands(void **state)
{
	char text[512];
	struct bench b;

	(void)state;
	/* It has 1 GiB of 2 GiB: a quarter more, and a multiple of 64 MiB that is above. */
	start(&b);
	report(&b, &inefficient);
	diagnosis_advice(&b.d, &b.l, "virsh setmem web", text, sizeof(text));
	assert_says(text, "virsh setmem web 1344M --live");
	diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text));
	assert_says(text, "\"balloon\", \"arguments\": {\"value\": 1409286144}}");
	b.d.evidence.balloon = 32 * MIB;
	b.d.evidence.actual = b.d.evidence.max - 32 * MIB;
	diagnosis_advice(&b.d, &b.l, "virsh setmem web", text, sizeof(text));
	assert_says(text, "virsh setmem web 2048M --live; more than 2.0 GiB at a restart only");
	b.d.evidence.balloon = 0;
	diagnosis_advice(&b.d, &b.l, "virsh setmem web", text, sizeof(text));
	assert_null(strstr(text, "virsh"));
	assert_says(text, "that takes a restart, or plugging memory in");
	start(&b);
	report(&b, &mmap_stalls);
	diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text));
	/* A tenth of a second of 22 MiB in 1 GiB, in ten-thousandths. */
	assert_says(text, "sysctl vm.watermark_scale_factor=50 ");
	start(&b);
	report(&b, &(struct report){ .stalls = 60, .dscan = 150, .dreclaim = 150, .avail = 60 });
	diagnosis_advice(&b.d, &b.l, NULL, text, sizeof(text));
	assert_says(text, "sysctl vm.watermark_scale_factor=147 ");
}

int diagnose_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_relative_to_memory),
		cmocka_unit_test(test_relative_to_interval),
		cmocka_unit_test(test_one_spike_is_none),
		cmocka_unit_test(test_calm_has_to_last),
		cmocka_unit_test(test_numbers_of_the_verdict),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_two_of_long_intervals_are_enough),
		cmocka_unit_test(test_band),
		cmocka_unit_test(test_ratio_band),
		cmocka_unit_test(test_kill_is_shown_for_a_while),
		cmocka_unit_test(test_stalls_just_before_the_kill_count),
		cmocka_unit_test(test_container_kill_does_not_hide_trouble),
		cmocka_unit_test(test_limits_are_adjustable),
		cmocka_unit_test(test_no_data),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_kills_of_containers),
		cmocka_unit_test(test_large_guest),
		cmocka_unit_test(test_stale_depends_on_the_interval),
		cmocka_unit_test(test_no_new_report_changes_nothing),
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_available_for_a_moment),
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests_name("diagnosis", tests, NULL, NULL);
}
