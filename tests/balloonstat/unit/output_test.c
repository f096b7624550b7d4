// SPDX-License-Identifier: GPL-2.0-only
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"

#define MIB	(1024ULL * 1024)

static const struct {
	unsigned int tag;
	uint64_t value;
} values[] = {
	{ VIRTIO_BALLOON_S_SWAP_IN, 4096 },
	{ VIRTIO_BALLOON_S_MEMTOT, 900 * MIB },
	{ VIRTIO_BALLOON_S_AVAIL, 450 * MIB },
	{ VIRTIO_BALLOON_S_ALLOC_STALL, 7 },
	{ VIRTIO_BALLOON_S_DIRECT_SCAN, 9007199254740992 },
};

static struct guest *make(const char *name, const char *address)
{
	struct guest *g = guest_new(SOURCE_QMP, NULL, address);

	snprintf(g->name, sizeof(g->name), "%s", name);
	g->sample.polling = 1;
	g->sample.running = true;
	g->sample.last_update = 1700000000;
	g->sample.actual = 1024 * MIB;
	g->sample.max = 2048 * MIB;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		g->sample.value[values[i].tag] = values[i].value;
		g->sample.set |= TAG_BIT(values[i].tag);
	}
	g->rates.event = RATE_OK;
	g->rates.seconds = 1;
	g->rates.valid = TAG_BIT(VIRTIO_BALLOON_S_ALLOC_STALL);
	g->rates.rate[VIRTIO_BALLOON_S_ALLOC_STALL] = 3.5;
	g->diagnosis.regime = REGIME_HEALTHY;
	g->diagnosis.evidence.balloon = -1;
	g->diagnosis.evidence.ratio = -1;
	g->age = 2;
	return g;
}

static void test_json(void **state)
{
	struct guest *g = make("vm\"1", "/run/vm.sock");
	struct limits l;
	json_t *o, *part;
	char *text;

	(void)state;
	limits_default(&l);
	o = json_guest(g, &l, 1700000002);
	text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_decref(o);
	assert_null(strchr(text, '\n'));
	/* Read it as another program would. */
	o = json_loads(text, 0, NULL);
	free(text);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "guest")), "vm\"1");
	assert_true(json_is_null(json_object_get(o, "error")));
	part = json_object_get(o, "stats");
	assert_int_equal(json_object_size(part), TAG_NR);
	assert_int_equal(json_integer_value(json_object_get(part, "swap-in")), 4096);
	assert_int_equal(json_integer_value(json_object_get(part, "direct-scans")),
			 9007199254740992);
	/* What is not known is null, and not 0. */
	assert_true(json_is_null(json_object_get(part, "swap-out")));
	part = json_object_get(o, "rates");
	assert_int_equal(json_object_size(part), TAG_NR - 4);
	assert_true(json_real_value(json_object_get(part, "alloc-stalls")) == 3.5);
	assert_true(json_is_null(json_object_get(part, "oom-kills")));
	part = json_object_get(o, "diagnosis");
	assert_string_equal(json_string_value(json_object_get(part, "name")), "healthy");
	assert_true(json_is_null(json_object_get(json_object_get(part, "numbers"), "balloon")));
	json_decref(o);

	g->trouble = TROUBLE_LATE;
	strcpy(g->error, "no answer");
	o = json_guest(g, &l, 1700000002);
	assert_string_equal(json_string_value(json_object_get(o, "error")), "no answer");
	assert_string_equal(json_string_value(json_object_get(o, "state")), "no-answer");
	assert_null(json_object_get(o, "stats"));
	json_decref(o);
	guest_free(g);
}

static char *metrics(struct guest *const *guests, size_t nr)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_int_equal(prometheus_metrics(guests, nr, 1700000002, to), 0);
	fclose(to);
	return text;
}

static int occurrences(const char *text, const char *word)
{
	int n = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		n++;
	}
	return n;
}

static void assert_has(const char *text, const char *line)
{
	if (!strstr(text, line))
		print_error("not there: %s\n", line);
	assert_non_null(strstr(text, line));
}

static void test_prometheus(void **state)
{
	struct guest *guests[] = {
		make("a", "/run/a.sock"), make("b\\\"\n", "/run/b.sock"), make("c", "/run/c.sock"),
	};
	char *text;

	(void)state;
	guests[2]->trouble = TROUBLE_GONE;
	text = metrics(guests, 3);
	assert_int_equal(occurrences(text, "# TYPE balloonstat_swap_in_bytes_total counter\n"), 1);
	assert_int_equal(occurrences(text, "# HELP balloonstat_swap_in_bytes_total "), 1);
	assert_int_equal(occurrences(text, "# HELP "), occurrences(text, "# TYPE "));
	assert_has(text,
		   "\nballoonstat_swap_in_bytes_total{guest=\"a\",address=\"/run/a.sock\"} 4096\n");
	assert_has(text,
		   "{guest=\"b\\\\\\\"\\n\",address=\"/run/b.sock\"} 4096\n");
	/* What was not sent is left out. */
	assert_null(strstr(text, "balloonstat_swap_out_bytes_total{"));
	assert_has(text,
		   "balloonstat_available_memory_bytes{guest=\"a\",address=\"/run/a.sock\"} 471859200\n");
	assert_has(text,
		   "balloonstat_alloc_stalls_total{guest=\"a\",address=\"/run/a.sock\"} 7\n");
	assert_has(text,
		   "balloonstat_diagnosis{guest=\"a\",address=\"/run/a.sock\",diagnosis=\"healthy\"} 1\n");
	assert_has(text,
		   "balloonstat_diagnosis{guest=\"a\",address=\"/run/a.sock\",diagnosis=\"critical\"} 0\n");
	assert_has(text,
		   "balloonstat_up{guest=\"c\",address=\"/run/c.sock\"} 0\n");
	assert_int_equal(occurrences(text, "guest=\"c\""), 1);
	free(text);
	for (int i = 0; i < 3; i++)
		guest_free(guests[i]);
}

static void test_check(void **state)
{
	static const struct {
		enum regime regimes[3];
		bool gone[3];
		size_t nr;
		enum severity severity;
		const char *begins;
	} table[] = {
		{ { REGIME_HEALTHY }, { }, 1, SEVERITY_OK, "BALLOON OK - a: healthy (" },
		{ { REGIME_HEALTHY, REGIME_RECLAIM }, { }, 2, SEVERITY_WARNING,
		  "BALLOON WARNING - b: reclaim (" },
		{ { REGIME_RECLAIM, REGIME_THRASHING }, { }, 2, SEVERITY_CRITICAL,
		  "BALLOON CRITICAL - b: thrashing (" },
		{ { REGIME_CRITICAL, REGIME_NO_DATA }, { }, 2, SEVERITY_CRITICAL,
		  "BALLOON CRITICAL - a: critical (" },
		{ { REGIME_HEALTHY, REGIME_NO_DATA }, { }, 2, SEVERITY_UNKNOWN,
		  "BALLOON UNKNOWN - b: no-data (" },
		{ { REGIME_HEALTHY, REGIME_CRITICAL }, { false, true }, 2, SEVERITY_UNKNOWN,
		  "BALLOON UNKNOWN - b: gone (" },
		{ { REGIME_CGROUP_LIMIT }, { }, 1, SEVERITY_WARNING,
		  "BALLOON WARNING - a: cgroup-limit (" },
		{ { REGIME_CGROUP_OOM }, { }, 1, SEVERITY_WARNING,
		  "BALLOON WARNING - a: cgroup-oom (" },
		{ { REGIME_KSWAPD_FAILS }, { }, 1, SEVERITY_WARNING,
		  "BALLOON WARNING - a: kswapd-fails (" },
		{ { REGIME_STALLS }, { }, 1, SEVERITY_WARNING, "BALLOON WARNING - a: stalls (" },
		{ { 0 }, { }, 0, SEVERITY_UNKNOWN, "BALLOON UNKNOWN - no guests found" },
	};
	struct options o = { };

	(void)state;
	limits_default(&o.wants.limits);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct guest *guests[3];
		char *text = NULL, *bar;
		size_t size;
		FILE *to = open_memstream(&text, &size);

		print_message("  %s\n", table[i].begins);
		for (size_t j = 0; j < table[i].nr; j++) {
			char name[] = { (char)('a' + j), '\0' };

			guests[j] = make(name, name);
			guests[j]->diagnosis.regime = table[i].regimes[j];
			if (table[i].gone[j]) {
				guests[j]->trouble = TROUBLE_GONE;
				strcpy(guests[j]->error, "it | is\ngone");
			}
		}
		assert_int_equal(check_report(guests, table[i].nr, &o, to), table[i].severity);
		fclose(to);
		assert_memory_equal(text, table[i].begins, strlen(table[i].begins));
		/* There is one line, and one bar before the numbers for programs. */
		assert_ptr_equal(strchr(text, '\n'), text + size - 1);
		bar = strchr(text, '|');
		assert_non_null(bar);
		assert_null(strchr(bar + 1, '|'));
		for (size_t j = 0; j < table[i].nr; j++)
			guest_free(guests[j]);
		free(text);
	}
}

static void test_row(void **state)
{
	struct guest *g = make("a", "a");
	char row[VIEW_ROW];

	(void)state;
	assert_string_equal(view_row(g, row),
			    " 1.0G  450M     -     -     -     4     -     -     -     -   -   2 healthy");
	/* The header's columns are above those of the numbers. All fit into 80 columns. */
	assert_true(strlen(view_header) <= 80);
	assert_true(strlen(row) - strlen("healthy") + 12 <= 80);
	assert_int_equal(strstr(view_header, "diagnosis") - view_header,
			 strstr(row, "healthy") - row);
	g->trouble = TROUBLE_GONE;
	assert_string_equal(view_row(g, row),
			    "    -     -     -     -     -     -     -     -     -     -   -   - gone");
	guest_free(g);
}

int output_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_prometheus),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_row),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
