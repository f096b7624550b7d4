// SPDX-License-Identifier: GPL-2.0-only
#include "tests.h"

#include <math.h>
#include <string.h>

#include "rate.h"
#include "units.h"

#define FAULTS	VIRTIO_BALLOON_S_MINFLT
#define STALLS	VIRTIO_BALLOON_S_ALLOC_STALL
#define SCANS	VIRTIO_BALLOON_S_DIRECT_SCAN
#define FREE	VIRTIO_BALLOON_S_MEMFREE
#define ALL	((1u << TAG_NR) - 1)
#define K	1024ULL

/* In each row one counter and the page faults change. All other counters stay. */
static const struct {
	const char *what;
	double seen, stamped;		/* seconds between the two samples */
	uint64_t faults[2];
	unsigned int tag;
	uint64_t value[2];
	uint32_t set[2];
	bool restarted;
	enum rate_event event;
	double rate;			/* of tag. A negative one means that there is none */
	bool wrapped, absurd;
} table[] = {
	{ "a counter that rises", 1, 1, { 100, 200 }, STALLS, { 5, 15 }, { ALL, ALL }, false,
	  RATE_OK, 10, false, false },
	{ "over two seconds", 2, 2, { 100, 200 }, STALLS, { 5, 15 }, { ALL, ALL }, false,
	  RATE_OK, 5, false, false },
	{ "one that stands still", 1, 1, { 100, 200 }, STALLS, { 5, 5 }, { ALL, ALL }, false,
	  RATE_OK, 0, false, false },
	{ "a gauge has no rate", 1, 1, { 100, 200 }, FREE, { 5, 50 }, { ALL, ALL }, false,
	  RATE_OK, -1, false, false },
	{ "a gauge may fall", 1, 1, { 100, 200 }, FREE, { 50, 5 }, { ALL, ALL }, false,
	  RATE_OK, -1, false, false },
	{ "the same report again", 1, 0, { 100, 100 }, STALLS, { 5, 5 }, { ALL, ALL }, false,
	  RATE_SAME, -1, false, false },
	{ "a report without change is one", 1, 1, { 100, 100 }, STALLS, { 5, 5 }, { ALL, ALL },
	  false, RATE_OK, 0, false, false },
	{ "two looks in half a second, and the host asks each second", 0.5, 0, { 100, 101 },
	  STALLS, { 5, 10 }, { ALL, ALL }, false, RATE_OK, 5, false, false },
	{ "seen late: the stamp bounds the time", 10, 1, { 100, 200 }, STALLS, { 0, 10 },
	  { ALL, ALL }, false, RATE_OK, 10, false, false },
	{ "the host's clock was set forward", 1, 3600, { 100, 200 }, STALLS, { 0, 10 },
	  { ALL, ALL }, false, RATE_OK, 10, false, false },
	{ "the host's clock was set back", 1, -3600, { 100, 200 }, STALLS, { 0, 10 },
	  { ALL, ALL }, false, RATE_OK, 10, false, false },
	{ "a gap", 60, 60, { 100, 200 }, STALLS, { 0, 60 }, { ALL, ALL }, false,
	  RATE_GAP, 1, false, false },
	{ "a reboot", 1, 1, { 100000, 50 }, STALLS, { 70, 0 }, { ALL, ALL }, false,
	  RATE_RESET, -1, false, false },
	{ "a reboot of a guest without trouble", 1, 1, { 100000, 50 }, STALLS, { 0, 0 },
	  { ALL, ALL }, false, RATE_RESET, -1, false, false },
	{ "a reboot that QEMU tells of", 1, 1, { 100, 200 }, STALLS, { 5, 15 }, { ALL, ALL },
	  true, RATE_RESET, -1, false, false },
	{ "a reboot after 4 thousand million faults", 1, 1, { 0xfffffff0, 50 }, STALLS,
	  { 70, 0 }, { ALL, ALL }, false, RATE_RESET, -1, false, false },
	{ "an event counter of 32 bits wraps", 1, 1, { 100, 200 }, STALLS,
	  { UINT32_MAX - 4, 5 }, { ALL, ALL }, false, RATE_OK, 10, true, false },
	{ "the page faults of 32 bits wrap", 1, 1, { UINT32_MAX - 49, 50 }, STALLS, { 5, 15 },
	  { ALL, ALL }, false, RATE_OK, 10, false, false },
	{ "a page counter of 32 bits wraps", 1, 1, { 100, 200 }, SCANS,
	  { 4 * K * UINT32_MAX, 4 * K }, { ALL, ALL }, false, RATE_OK, 2 * 4 * K, true, false },
	{ "a counter of 64 bits wraps", 1, 1, { 100, 200 }, SCANS,
	  { 0 - 8 * K, 8 * K }, { ALL, ALL }, false, RATE_OK, 16 * K, true, false },
	{ "falls from the middle: no wrap", 1, 1, { 100, 200 }, STALLS, { 5000, 5 },
	  { ALL, ALL }, false, RATE_RESET, -1, false, false },
	{ "more than a machine can count", 1, 1, { 100, 200 }, SCANS, { 0, 1ULL << 60 },
	  { ALL, ALL }, false, RATE_OK, -1, false, true },
	{ "the old driver, then ours: no rate for what is new", 1, 1, { 100, 200 }, STALLS,
	  { 0, 15 }, { TAGS_OLD, ALL }, false, RATE_OK, -1, false, false },
	{ "ours, then the old driver", 1, 1, { 100, 200 }, STALLS, { 15, 0 },
	  { ALL, TAGS_OLD }, false, RATE_OK, -1, false, false },
	{ "the host has forgotten all", 1, 1, { 100, 0 }, STALLS, { 15, 0 }, { ALL, 0 }, false,
	  RATE_SAME, -1, false, false },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct sample s[2] = { };
		struct rates r;

		print_message("  %s\n", table[i].what);
		for (int j = 0; j < 2; j++) {
			s[j].mono = 1000 + j * table[i].seen;
			s[j].wall = 1000000.5 + j * table[i].seen;
			if (fabs(table[i].stamped) > 1000)
				s[j].wall += j * (table[i].stamped - table[i].seen);
			s[j].last_update = 1000000 + (int64_t)(j * table[i].stamped);
			s[j].polling = 1;
			s[j].set = table[i].set[j];
			s[j].value[FAULTS] = table[i].faults[j];
			s[j].value[table[i].tag] = table[i].value[j];
		}
		s[1].restarted = table[i].restarted;
		rate_when(&s[0], NULL, true);
		rate_when(&s[1], &s[0], true);
		rate_between(&s[0], &s[1], &r);
		assert_string_equal(rate_event_name(r.event), rate_event_name(table[i].event));
		assert_int_equal(rate_has(&r, table[i].tag), table[i].rate >= 0);
		if (table[i].rate >= 0)
			assert_true(fabs(r.rate[table[i].tag] - table[i].rate) < 0.000000001);
		else
			assert_true(r.rate[table[i].tag] == 0);
		assert_int_equal(!!(r.wrapped & TAG_BIT(table[i].tag)), table[i].wrapped);
		assert_int_equal(!!(r.absurd & TAG_BIT(table[i].tag)), table[i].absurd);
	}
}

static void test_first(void **state)
{
	struct sample s = { .set = ALL, .last_update = 1 };
	struct rates r;

	(void)state;
	rate_between(NULL, &s, &r);
	assert_int_equal(r.event, RATE_FIRST);
	assert_int_equal(r.valid, 0);
}

static void test_wrapped_faults(void **state)
{
	struct sample a = { .set = ALL, .last_update = 1, .value[FAULTS] = UINT32_MAX - 49 };
	struct sample b = { .mono = 1, .from = 1, .until = 1, .set = ALL, .last_update = 2,
			    .value[FAULTS] = 50 };
	struct rates r;

	(void)state;
	rate_between(&a, &b, &r);
	assert_int_equal(r.event, RATE_OK);
	assert_int_equal(r.delta[FAULTS], 100);
}

#define LATENCY	0.003	/* of the guest's answer */

/*
 * A guest counts 725 page faults a second and reports each @period seconds. Whatever
 * part of a second it reports in, and we look in, no rate may be far from that.
 */
static void watch(double period, double every, double phase, double fraction)
{
	struct sample look = { }, base = { }, last = { };
	bool have_base = false, have_last = false;
	int good = 0, bad = 0;

	for (int i = 0; i < 40 + 5 * period / every; i++) {
		struct rates r;
		double now = 1000 + i * every;
		double reports = floor((now - 990 - phase) / (period + LATENCY));
		double came = 990 + phase + reports * (period + LATENCY);

		memset(&look, 0, sizeof(look));
		look.mono = now;
		look.wall = 1000000 + fraction + now;
		look.last_update = (int64_t)floor(1000000 + fraction + came);
		look.polling = (int64_t)period;
		look.set = ALL;
		look.value[FAULTS] = 5000 + (uint64_t)(725 * (came - 900));
		rate_when(&look, have_last ? &last : NULL, true);
		assert_true(look.from <= came + 0.000001 && came <= look.until + 0.000001);
		rate_between(have_base ? &base : NULL, &look, &r);
		if (r.event == RATE_SAME)
			base.last_seen = now;
		if (rate_is_new(&r)) {
			base = look;
			have_base = true;
		}
		if (rate_has(&r, FAULTS)) {
			bool right = fabs(r.rate[FAULTS] - 725) <= 0.05 * 725;

			if (!right && (every <= period || r.rate[FAULTS] < 300 ||
				       r.rate[FAULTS] > 1500))
				fail_msg("%g s, look each %g s, phase %g, %g: %g faults/s",
					 period, every, phase, fraction, r.rate[FAULTS]);
			/* Two looks may be a period more or less apart than the reports. */
			*(right ? &good : &bad) += 1;
		}
		last = look;
		have_last = true;
	}
	assert_true(good >= 3);
	assert_true(bad <= 1 + good / 10);
}

static void test_any_phase(void **state)
{
	static const double periods[] = { 1, 2, 5, 10 }, looks[] = { 0.25, 1, 2, 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(periods) / sizeof(*periods); i++)
		for (size_t j = 0; j < sizeof(looks) / sizeof(*looks); j++)
			for (double phase = 0; phase < periods[i]; phase += 0.07)
				for (double fraction = 0; fraction < 1; fraction += 0.13)
					watch(periods[i], looks[j], phase, fraction);
}

/* Polling was turned on: the report before may be of any time, and the next comes at once. */
static void test_report_of_before(void **state)
{
	struct sample a = { .mono = 1000, .wall = 1000000.9, .last_update = 1000000, .set = ALL,
			    .polling = 1, .value[FAULTS] = 100, .asked_since = 999.99 };
	struct sample b = a, c;
	struct rates r;

	(void)state;
	b.mono = 1000.25;
	b.wall = 1000001.15;
	b.value[FAULTS] = 110;
	rate_when(&a, NULL, true);
	rate_when(&b, &a, true);
	rate_between(&a, &b, &r);
	assert_int_equal(r.event, RATE_UNSURE);
	/* The report after that is compared with the first: that time is known better. */
	c = b;
	c.mono = 1004.25;
	c.wall = 1000005.15;
	c.last_update = 1000004;
	c.value[FAULTS] = 1100;
	rate_when(&c, &b, true);
	rate_between(&a, &c, &r);
	assert_int_equal(r.event, RATE_OK);
	assert_true(r.rate[FAULTS] > 200 && r.rate[FAULTS] < 300);
}

static void test_units(void **state)
{
	static const struct {
		double value;
		bool bytes;
		const char *text;
	} short_ones[] = {
		{ 0, false, "0" }, { 0.2, false, "<1" }, { 1, false, "1" }, { 999, false, "999" },
		{ 999.6, false, "1.0k" }, { 1000, false, "1.0k" }, { 1500, false, "1.5k" },
		{ 123456, false, "123k" }, { 1023, true, "1023" }, { 1024, true, "1.0k" },
		{ 1048576, true, "1.0M" }, { 512.0 * 1048576, true, "512M" },
		{ 99.96 * 1048576, true, "100M" }, { 18446744073709551615.0, true, "16.0E" },
		{ 18446744073709551615.0, false, "18.4E" },
	};
	static const struct {
		double seconds;
		const char *text;
	} ages[] = {
		{ -1, "-" }, { 0, "0" }, { 999, "999" }, { 1200, "20m" }, { 7200, "2h" },
		{ 864000, "10d" }, { 1e12, "old" },
	};
	char buf[UNITS_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(short_ones) / sizeof(*short_ones); i++) {
		units_short(buf, short_ones[i].value, short_ones[i].bytes);
		assert_string_equal(buf, short_ones[i].text);
	}
	/* A column is five wide. */
	for (double v = 0.01; v < 2e19; v *= 1.003) {
		assert_true(strlen(units_short(buf, v, true)) <= 5);
		assert_true(strlen(units_short(buf, v, false)) <= 5);
	}
	for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++)
		assert_string_equal(units_age(buf, ages[i].seconds), ages[i].text);
	for (double v = 0; v < 1e12; v = v * 1.01 + 0.3)
		assert_true(strlen(units_age(buf, v)) <= 3);
	assert_string_equal(units_bytes(buf, 1536), "1.5 KiB");
	assert_string_equal(units_bytes(buf, 12), "12 B");
	assert_string_equal(units_count(buf, 0.42), "0.4");
	assert_string_equal(units_count(buf, 812), "812");
	assert_string_equal(units_count(buf, 0), "0");
}

static void test_tags(void **state)
{
	(void)state;
	assert_string_equal(tag_name(VIRTIO_BALLOON_S_ASYNC_SCAN), "async-scans");
	assert_int_equal(tag_of_qemu("stat-async-scans"), VIRTIO_BALLOON_S_ASYNC_SCAN);
	assert_int_equal(tag_of_qemu("stat-htlb-pgalloc"), VIRTIO_BALLOON_S_HTLB_PGALLOC);
	assert_int_equal(tag_of_qemu("stat-htlb-pgfail"), VIRTIO_BALLOON_S_HTLB_PGFAIL);
	assert_int_equal(tag_of_qemu("async-scans"), -1);
	assert_int_equal(tag_of_qemu(""), -1);
}

int rate_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_wrapped_faults),
		cmocka_unit_test(test_any_phase),
		cmocka_unit_test(test_report_of_before),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
