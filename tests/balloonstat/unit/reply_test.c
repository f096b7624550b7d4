// SPDX-License-Identifier: GPL-2.0-only
#include "tests.h"

#include <string.h>

#include "reply.h"

static json_t *parse(const char *text)
{
	json_t *message = reply_parse(text, strlen(text));

	assert_non_null(message);
	return message;
}

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		int kind;		/* -1: not read at all */
		int64_t id;
	} table[] = {
		{ "{\"QMP\": {}}", REPLY_GREETING, -1 },
		{ "{\"return\": {}, \"id\": 7}\r", REPLY_RETURN, 7 },
		{ "{\"error\": {}, \"id\": 0}", REPLY_ERROR, 0 },
		{ "{\"event\": \"RESET\"}", REPLY_EVENT, -1 },
		{ "{\"id\": 1}", REPLY_OTHER, 1 },
		{ "{\"return\": 1, \"id\": -3}", REPLY_RETURN, -1 },
		{ "{\"return\": 1, \"id\": 1.5}", REPLY_RETURN, -1 },
		{ "{\"return\": 1, \"id\": 99999999999999999999}", REPLY_RETURN, -1 },
		{ "{\"return\": 1, \"id\": \"7\"}", REPLY_RETURN, -1 },
		{ "[]", -1, -1 },
		{ "", -1, -1 },
		{ "{\"return\": ", -1, -1 },
		{ "{} {}", -1, -1 },
		{ "\xff\xfe", -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		json_t *m = reply_parse(table[i].text, strlen(table[i].text));

		print_message("  %zu\n", i);
		if (table[i].kind < 0) {
			assert_null(m);
			continue;
		}
		assert_int_equal(reply_kind(m), table[i].kind);
		assert_int_equal(reply_id(m), table[i].id);
		json_decref(m);
	}
}

static void test_deep(void **state)
{
	char text[20000];

	(void)state;
	memset(text, '[', sizeof(text));
	assert_null(reply_parse(text, sizeof(text)));
}

static void test_stats(void **state)
{
	json_t *m = parse("{\"stats\": {\"stat-swap-in\": 4096, \"stat-swap-out\": 18446744073709551615,"
			  "\"stat-htlb-pgalloc\": 3, \"stat-free-memory\": 18446744073709547520,"
			  "\"stat-major-faults\": -1, \"stat-minor-faults\": \"many\","
			  "\"stat-direct-scans\": 18446744073709543424, \"stat-new\": 5},"
			  "\"last-update\": 1700000000}");
	struct sample s = { };

	(void)state;
	assert_int_equal(reply_stats(m, &s), 0);
	assert_int_equal(s.last_update, 1700000000);
	assert_true(sample_has(&s, VIRTIO_BALLOON_S_SWAP_IN));
	assert_int_equal(s.value[VIRTIO_BALLOON_S_SWAP_IN], 4096);
	/* A statistic that is unset is known, and has no value. */
	assert_false(sample_has(&s, VIRTIO_BALLOON_S_SWAP_OUT));
	assert_true(s.known & TAG_BIT(VIRTIO_BALLOON_S_SWAP_OUT));
	assert_false(s.absurd & TAG_BIT(VIRTIO_BALLOON_S_SWAP_OUT));
	assert_int_equal(s.value[VIRTIO_BALLOON_S_HTLB_PGALLOC], 3);
	/* A guest cannot have almost 2^64 bytes of memory. */
	assert_true(s.absurd & TAG_BIT(VIRTIO_BALLOON_S_MEMFREE));
	assert_false(sample_has(&s, VIRTIO_BALLOON_S_MEMFREE));
	assert_true(s.absurd & TAG_BIT(VIRTIO_BALLOON_S_MAJFLT));
	assert_true(s.absurd & TAG_BIT(VIRTIO_BALLOON_S_MINFLT));
	/* But a counter may be that large, just before it wraps. It is read exactly. */
	assert_true(s.value[VIRTIO_BALLOON_S_DIRECT_SCAN] == UINT64_MAX - 8191);
	/* The host does not know this one. */
	assert_false(s.known & TAG_BIT(VIRTIO_BALLOON_S_OOM_KILL));
	json_decref(m);
}

static void test_no_stats(void **state)
{
	static const char *const table[] = {
		"{}", "{\"stats\": 5, \"last-update\": 1}", "{\"stats\": {}}",
		"{\"stats\": {}, \"last-update\": -1}", "{\"stats\": {}, \"last-update\": 1e300}",
		"{\"stats\": {}, \"last-update\": \"now\"}", "{\"stats\": [], \"last-update\": 1}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct sample s = { .set = 1, .known = 1 };
		json_t *m = parse(table[i]);

		assert_int_equal(reply_stats(m, &s), -1);
		assert_int_equal(s.set, 0);
		json_decref(m);
	}
}

static void test_balloon(void **state)
{
	static const struct {
		const char *list;
		const char *path, *backend;	/* NULL: none */
	} table[] = {
		{ "[{\"name\": \"b\", \"type\": \"child<virtio-balloon-pci>\"}]", "/p/b",
		  "/p/b/virtio-backend" },
		{ "[{\"name\": \"n\", \"type\": \"child<virtio-net-pci>\"},"
		  " {\"name\": \"b\", \"type\": \"child<virtio-balloon-pci-non-transitional>\"}]",
		  "/p/b", "/p/b/virtio-backend" },
		{ "[{\"name\": \"b\", \"type\": \"child<virtio-balloon-device>\"}]", "/p/b",
		  "/p/b" },
		{ "[{\"name\": \"b\", \"type\": \"child<virtio-balloon-ccw>\"}]", "/p/b",
		  "/p/b/virtio-backend" },
		{ "[{\"name\": \"type\", \"type\": \"string\"}]", NULL, NULL },
		{ "[]", NULL, NULL },
		{ "{}", NULL, NULL },
		{ "[5, null, {\"name\": 3, \"type\": \"child<virtio-balloon-pci>\"}]", NULL, NULL },
		{ "[{\"name\": \"b\", \"type\": \"link<virtio-balloon-pci>\"}]", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		json_t *list = json_loads(table[i].list, 0, NULL);
		char path[REPLY_PATH_MAX], backend[REPLY_PATH_MAX];

		print_message("  %s\n", table[i].list);
		assert_int_equal(reply_balloon(list, "/p", path, backend), table[i].path ? 0 : -1);
		assert_string_equal(path, table[i].path ? table[i].path : "");
		assert_string_equal(backend, table[i].backend ? table[i].backend : "");
		json_decref(list);
	}
}

static void test_long_path(void **state)
{
	char name[400], path[REPLY_PATH_MAX], backend[REPLY_PATH_MAX];
	json_t *list;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	for (size_t n = 100; n < sizeof(name); n++) {
		name[n] = '\0';
		list = json_pack("[{s:s, s:s}]", "name", name, "type",
				 "child<virtio-balloon-pci>");
		/* It is complete, or not set at all. */
		if (!reply_balloon(list, "/machine", path, backend))
			assert_int_equal(strlen(backend), strlen(path) + 15);
		name[n] = 'x';
		json_decref(list);
	}
}

static void test_text(void **state)
{
	json_t *m = parse("{\"a\": \"x\\u001b[2Jy\", \"b\": 5}");
	char buf[16];

	(void)state;
	/* A name cannot send control characters to the terminal. */
	assert_true(reply_text(m, "a", buf, sizeof(buf)));
	assert_string_equal(buf, "x?[2Jy");
	assert_true(reply_text(m, "a", buf, 3));
	assert_string_equal(buf, "x?");
	assert_false(reply_text(m, "b", buf, sizeof(buf)));
	assert_string_equal(buf, "");
	json_decref(m);
}

static void test_memory(void **state)
{
	json_t *m = parse("{\"base-memory\": 1024, \"plugged-memory\": 512}");

	(void)state;
	assert_int_equal(reply_memory(m), 1536);
	json_decref(m);
	m = parse("{\"base-memory\": 1024}");
	assert_int_equal(reply_memory(m), 1024);
	json_decref(m);
	m = parse("{\"base-memory\": 1e30}");
	assert_int_equal(reply_memory(m), 0);
	json_decref(m);
}

static void test_driver(void **state)
{
	json_t *m = parse("{\"status\": {\"statuses\": [\"VIRTIO_CONFIG_S_DRIVER_OK: ready\"]},"
			  "\"guest-features\": {\"dev-features\": [\"VIRTIO_BALLOON_F_STATS_VQ: x\"]}}");
	bool stats;

	(void)state;
	assert_int_equal(reply_driver(m, &stats), 1);
	assert_true(stats);
	json_decref(m);
	m = parse("{\"status\": {\"unknown-statuses\": 1}, \"guest-features\": {}}");
	assert_int_equal(reply_driver(m, &stats), 0);
	assert_false(stats);
	json_decref(m);
	m = parse("{}");
	assert_int_equal(reply_driver(m, &stats), -1);
	json_decref(m);
}

int reply_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_no_stats),
		cmocka_unit_test(test_balloon),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_driver),
	};

	return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
