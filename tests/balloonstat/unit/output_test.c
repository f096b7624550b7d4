// SPDX-License-Identifier: GPL-2.0-only
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
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
		  "BALLOON WARNING - b: reclaim, 1 of 2 healthy |" },
		{ { REGIME_RECLAIM, REGIME_THRASHING }, { }, 2, SEVERITY_CRITICAL,
		  "BALLOON CRITICAL - b: thrashing, a: reclaim, 0 of 2 healthy |" },
		{ { REGIME_CRITICAL, REGIME_NO_DATA }, { }, 2, SEVERITY_CRITICAL,
		  "BALLOON CRITICAL - a: critical, b: no-data, 0 of 2 healthy |" },
		{ { REGIME_HEALTHY, REGIME_NO_DATA }, { }, 2, SEVERITY_UNKNOWN,
		  "BALLOON UNKNOWN - b: no-data, 1 of 2 healthy |" },
		{ { REGIME_HEALTHY, REGIME_CRITICAL }, { false, true }, 2, SEVERITY_UNKNOWN,
		  "BALLOON UNKNOWN - b: gone, 1 of 2 healthy |" },
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
		int lines = 1;

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
		assert_int_equal(check_report(guests, table[i].nr, "", &o, to), table[i].severity);
		fclose(to);
		assert_memory_equal(text, table[i].begins, strlen(table[i].begins));
		/* A line for all, and one for each that is not healthy. One bar. */
		for (size_t j = 0; j < table[i].nr; j++)
			lines += table[i].nr > 1 &&
				 (table[i].gone[j] || table[i].regimes[j] != REGIME_HEALTHY);
		assert_int_equal(occurrences(text, "\n"), lines);
		assert_int_equal(text[size - 1], '\n');
		bar = strchr(text, '|');
		assert_non_null(bar);
		assert_null(strchr(bar + 1, '|'));
		for (size_t j = 0; j < table[i].nr; j++)
			guest_free(guests[j]);
		free(text);
	}
}

static char *checked(struct guest *const *guests, size_t nr, const char *error)
{
	struct options o = { };
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	limits_default(&o.wants.limits);
	check_report(guests, nr, error, &o, to);
	fclose(to);
	return text;
}

/* Three hundred guests in trouble: the first line is one that fits into a message. */
static void test_check_of_many(void **state)
{
	static struct guest *guests[300];
	char *text, *end;

	(void)state;
	for (int i = 0; i < 300; i++) {
		guests[i] = make("vm", "/run/vm.sock");
		guests[i]->diagnosis.regime = REGIME_RECLAIM;
	}
	text = checked(guests, 300, "");
	end = strchr(text, '\n');
	assert_non_null(end);
	assert_true(end - text < 200);
	assert_has(text, ", 295 more, 0 of 300 healthy | 'healthy'=0;;;0;300\n");
	assert_int_equal(occurrences(text, "\n"), 301);
	free(text);
	for (int i = 0; i < 300; i++)
		guest_free(guests[i]);
}

static void test_check_numbers(void **state)
{
	struct guest *guests[] = { make("vm", "/run/a"), make("vm", "/run/b"), make("other", "c") };
	char *text;

	(void)state;
	for (int i = 0; i < 3; i++) {
		guests[i]->diagnosis.evidence.stall_high = 1.75;
		guests[i]->diagnosis.evidence.memory = 900 * MIB;
	}
	text = checked(guests, 3, "");
	/* Value, where it is high, where it is critical, the least and the most. */
	assert_has(text, " 'other_stalls_per_s'=3.50;1.75;;0");
	assert_has(text, " 'other_available'=471859200B;94371840:;;0;943718400");
	/* Two guests of one name have two labels. */
	assert_has(text, "'vm_/run/a_available'=");
	assert_has(text, "'vm_/run/b_available'=");
	free(text);
	/* libvirt is down: nothing is known of its guests. */
	text = checked(guests, 0, "libvirt: Failed to connect");
	assert_has(text, "BALLOON UNKNOWN - libvirt: Failed to connect |");
	free(text);
	text = checked(guests, 1, "libvirt: Failed to connect");
	assert_has(text, "BALLOON UNKNOWN - libvirt: Failed to connect, vm: healthy (");
	free(text);
	for (int i = 0; i < 3; i++)
		guest_free(guests[i]);
}

/* Whatever bytes a path has, names are whole UTF-8. */
static void test_names(void **state)
{
	static const struct {
		const char *path, *name;
	} table[] = {
		{ "/run/vm.sock", "vm" },
		{ "/run/b\303\274cher.sock", "b\303\274cher" },
		{ "/run/x\xff\xc3.sock", "x??" },
		{ "/run/\xed\xa0\x80.sock", "???" },
		{ "/run/\xc0\x80\xf5\x80.sock", "????" },
		{ "/run/a\nb\177\302\233c.sock", "a?b???c" },
		/* 63 bytes, of which the last would be half a character. */
		{ "/run/12345678901234567890123456789012345678901234567890123456789012\xc3\xbc",
		  "12345678901234567890123456789012345678901234567890123456789012" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct guest *g = guest_new(SOURCE_QMP, NULL, table[i].path);
		struct limits l;
		json_t *o;

		limits_default(&l);
		print_message("  %s\n", table[i].name);
		assert_string_equal(g->name, table[i].name);
		o = json_guest(g, &l, 1);
		assert_string_equal(json_string_value(json_object_get(o, "guest")),
				    table[i].name);
		assert_non_null(json_object_get(o, "address"));
		json_decref(o);
		guest_free(g);
	}
	assert_int_equal(text_columns("b\303\274cher"), 6);
	assert_int_equal(text_fit("b\303\274cher", 2), 3);
	assert_int_equal(text_fit("ab", 5), 2);
}

/* What is no word for a shell is in quotes. */
static void test_quote(void **state)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
		{ "web-1.example", "web-1.example" },
		{ "qemu+ssh://host/system", "qemu+ssh://host/system" },
		{ "qemu:///system?socket=/x&y", "'qemu:///system?socket=/x&y'" },
		{ "a b", "'a b'" },
		{ "it's", "'it'\\''s'" },
		{ "$(reboot)", "'$(reboot)'" },
		{ "", "''" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *word = text_quote(rows[i].text);

		assert_string_equal(word, rows[i].word);
		free(word);
	}
}

/* A command names the host of the domain. */
static void test_setmem(void **state)
{
	static const struct {
		const char *uri, *command;
	} rows[] = {
		{ NULL, "virsh setmem web" },
		{ "qemu+ssh://host/system", "virsh -c qemu+ssh://host/system setmem web" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct guest *g = guest_new(SOURCE_LIBVIRT, rows[i].uri, "web");

		assert_string_equal(g->setmem, rows[i].command);
		guest_free(g);
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
		cmocka_unit_test(test_check_of_many),
		cmocka_unit_test(test_check_numbers),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_setmem),
		cmocka_unit_test(test_row),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
