// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "descriptors.h"
#include "guest.h"
#include "libvirt.h"
#include "text.h"

#define INTERVAL	"guest-stats-polling-interval"
#define MAX_INTERVAL	UINT32_MAX
/* A path and a URI. */
#define KEY_MAX		1024

const char *trouble_name(enum trouble trouble)
{
	static const char *const names[TROUBLE_NR] = {
		[TROUBLE_NONE] = "none",
		[TROUBLE_CONNECT] = "unreachable",
		[TROUBLE_OWNED] = "libvirt-owns",
		[TROUBLE_BUSY] = "busy",
		[TROUBLE_NOT_QMP] = "not-qmp",
		[TROUBLE_PROTOCOL] = "bad-answer",
		[TROUBLE_LATE] = "no-answer",
		[TROUBLE_GONE] = "gone",
		[TROUBLE_NO_BALLOON] = "no-balloon",
		[TROUBLE_REFUSED] = "refused",
	};

	return names[trouble];
}

static void __attribute__((format(printf, 3, 4)))
set_trouble(struct guest *g, enum trouble trouble, const char *format, ...)
{
	char text[GUEST_ERROR_MAX];
	va_list args;

	g->trouble = trouble;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_copy(g->error, sizeof(g->error), text);
}

static void clear_trouble(struct guest *g)
{
	g->trouble = TROUBLE_NONE;
	g->error[0] = '\0';
}

/* The connection is of no more use. The next may be to another QEMU. */
static void hang_up(struct guest *g)
{
	stream_close(&g->stream);
	g->phase = PHASE_DOWN;
	g->batch_nr = 0;
	g->driver = -1;
	g->found = false;
	g->lost = true;
}

/*
 * Nothing more is to be asked in this round. Others can have the monitor until the
 * next. A connection to libvirt is kept, since it keeps nobody out.
 */
static void rest(struct guest *g, const struct guest_wants *wants)
{
	g->phase = PHASE_READY;
	if (wants->hold || g->source == SOURCE_LIBVIRT)
		return;
	stream_close(&g->stream);
	g->phase = PHASE_DOWN;
}

/* --- asking ---------------------------------------------------------------- */

static json_t *qom(const char *command, const char *path, const char *property)
{
	if (property)
		return json_pack("{s:s, s:{s:s, s:s}}", "execute", command, "arguments",
				 "path", path, "property", property);
	return json_pack("{s:s, s:{s:s}}", "execute", command, "arguments", "path", path);
}

static json_t *command(const struct guest *g, enum ask ask, int64_t value)
{
	static const char *const plain[] = {
		[ASK_CAPABILITIES] = "qmp_capabilities",
		[ASK_VERSION] = "query-version",
		[ASK_NAME] = "query-name",
		[ASK_MEMORY] = "query-memory-size-summary",
		[ASK_DEVICES] = "query-memory-devices",
		[ASK_STATUS] = "query-status",
		[ASK_ACTUAL] = "query-balloon",
	};
	json_t *c;

	switch (ask) {
	case ASK_PERIPHERAL:
		return qom("qom-list", "/machine/peripheral", NULL);
	case ASK_ANON:
		return qom("qom-list", "/machine/peripheral-anon", NULL);
	case ASK_DRIVER:
		return qom("x-query-virtio-status", g->backend, NULL);
	case ASK_STATS:
		return qom("qom-get", g->path, "guest-stats");
	case ASK_INTERVAL:
		return qom("qom-get", g->path, INTERVAL);
	case ASK_SET_INTERVAL:
		c = qom("qom-set", g->path, INTERVAL);
		json_object_set_new(json_object_get(c, "arguments"), "value",
				    json_integer(value));
		return c;
	default:
		return json_pack("{s:s}", "execute", plain[ask]);
	}
}

static void ask_value(struct guest *g, enum ask ask, int64_t value, double now)
{
	json_t *c = command(g, ask, value);
	int64_t id = g->next_id++ & INT32_MAX;
	char *line = NULL;
	int err = -ENOMEM;

	if (c && !json_object_set_new(c, "id", json_integer(id)))
		line = json_dumps(c, JSON_COMPACT);
	json_decref(c);
	if (line)
		err = stream_put(&g->stream, line);
	free(line);
	if (err) {
		hang_up(g);
		set_trouble(g, TROUBLE_GONE, "cannot ask: %s", strerror(-err));
		return;
	}
	g->batch[g->batch_nr].ask = ask;
	g->batch[g->batch_nr].id = id;
	g->batch_nr++;
	g->asked = now;
}

/* Several commands at once: QEMU queues up to eight, and answers in order. */
static void ask_all(struct guest *g, enum phase phase, double now, int n, const enum ask *asks)
{
	g->phase = phase;
	for (int i = 0; i < n && g->phase == phase; i++)
		ask_value(g, asks[i], 0, now);
	if (g->phase != phase)
		return;
	if (stream_flush(&g->stream)) {
		hang_up(g);
		set_trouble(g, TROUBLE_GONE, "the guest is gone: the connection broke");
	}
}

#define ASK(g, phase, now, ...)							\
	do {									\
		static const enum ask asks[] = { __VA_ARGS__ };			\
		ask_all(g, phase, now, sizeof(asks) / sizeof(*asks), asks);	\
	} while (0)

static void look(struct guest *g, double now)
{
	g->path[0] = '\0';
	ASK(g, PHASE_LOOK, now, ASK_VERSION, ASK_NAME, ASK_PERIPHERAL, ASK_ANON);
}

static void take_sample(struct guest *g, const struct guest_wants *wants, double now)
{
	memset(&g->next, 0, sizeof(g->next));
	g->next.running = true;
	g->not_ballooned = 0;
	g->taken = false;
	/* Memory may be plugged at any time: its size is asked together with the balloon's. */
	if (wants->driver)
		ASK(g, PHASE_SAMPLE, now, ASK_DRIVER, ASK_STATS, ASK_INTERVAL, ASK_MEMORY,
		    ASK_DEVICES, ASK_ACTUAL, ASK_STATUS);
	else
		ASK(g, PHASE_SAMPLE, now, ASK_STATS, ASK_INTERVAL, ASK_MEMORY, ASK_DEVICES,
		    ASK_ACTUAL, ASK_STATUS);
}

static void set_interval(struct guest *g, enum phase phase, int64_t value, double now)
{
	g->phase = phase;
	ask_value(g, ASK_SET_INTERVAL, value, now);
	if (g->phase == phase && stream_flush(&g->stream)) {
		hang_up(g);
		set_trouble(g, TROUBLE_GONE, "the guest is gone: the connection broke");
	}
}

/* --- a sample is complete -------------------------------------------------- */

/* The host's stamps are of another clock if libvirt is on another machine. */
static bool is_local(const struct guest *g)
{
	return !g->uri || strstr(g->uri, ":///") || strstr(g->uri, "///?") ||
	       strstr(g->uri, "+unix");
}

static double age_of(const struct sample *s)
{
	if (!s->last_update)
		return -1;
	return s->mono - (s->from > 0 ? s->from : s->until);
}

/* Since when the host has been asking as often as it does. */
static void note_polling(struct guest *g, struct sample *s)
{
	if (g->sample.mono > 0 && s->polling != g->sample.polling &&
	    g->asked_since < g->sample.mono)
		g->asked_since = s->mono;
	s->asked_since = g->asked_since;
}

/* QEMU forgets the values when the machine begins anew, or when another state is loaded. */
static void note_restart(struct guest *g, struct sample *s)
{
	s->restarted = g->restarted || (g->forgotten && s->set);
	g->restarted = false;
	if (s->set)
		g->forgotten = false;
	else if (g->has_base && g->base.set)
		g->forgotten = true;
	if (s->restarted)
		g->has_base = false;
}

void guest_judge(struct guest *g, const struct limits *l, double now, double wall)
{
	struct sample *s = &g->next;
	struct rates r;

	s->mono = now;
	s->wall = wall;
	note_polling(g, s);
	note_restart(g, s);
	rate_when(s, g->sample.mono > 0 ? &g->sample : NULL, is_local(g));
	rate_between(g->has_base || s->restarted ? &g->base : NULL, s, &r);
	if (r.event == RATE_SAME && s->set)
		g->base.last_seen = now;
	if (rate_is_new(&r)) {
		g->rates = r;
		/* What came before polling was turned on is of any time. */
		if (s->set && (s->until > g->asked_since || !g->asked_since)) {
			g->base = *s;
			g->has_base = true;
		}
	}
	/* The last rates stand until there are others. But a kill happens once. */
	g->rates.event = r.event;
	if (!rate_is_new(&r)) {
		g->rates.delta[VIRTIO_BALLOON_S_OOM_KILL] = 0;
		g->rates.rate[VIRTIO_BALLOON_S_OOM_KILL] = 0;
	}
	g->sample = *s;
	g->age = age_of(s);
	g->age_then = g->age;
	diagnose(&g->diagnosis, l, s, &g->rates, g->age);
	/* But not those of a guest that is silent. */
	if (g->diagnosis.why == WHY_STALE || g->diagnosis.why == WHY_STOPPED ||
	    g->diagnosis.why == WHY_POLLING_OFF || g->diagnosis.why == WHY_NEVER_REPORTED)
		g->rates.valid = 0;
}

static void finish_sample(struct guest *g, const struct guest_wants *wants, double now)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	g->next.max = g->next.max > g->not_ballooned ? g->next.max - g->not_ballooned : 0;
	guest_judge(g, &wants->limits, now, (double)wall.tv_sec + (double)wall.tv_nsec / 1e9);
	g->fresh = true;
	if (g->trouble != TROUBLE_REFUSED)
		clear_trouble(g);
}

/* --- answers --------------------------------------------------------------- */

static void take_version(struct guest *g, const json_t *result)
{
	json_t *qemu = json_object_get(result, "qemu");
	int64_t major, minor;

	if (!reply_integer(json_object_get(qemu, "major"), 1000, &major) &&
	    !reply_integer(json_object_get(qemu, "minor"), 99, &minor))
		g->version = (int)(100 * major + minor);
}

static void take_name(struct guest *g, const json_t *result)
{
	char name[REPLY_NAME_MAX];

	if (g->source == SOURCE_QMP && !g->named &&
	    reply_text(result, "name", name, sizeof(name)) && name[0])
		snprintf(g->name, sizeof(g->name), "%s", name);
	g->named = true;
}

static void bad_answer(struct guest *g, const char *what)
{
	hang_up(g);
	set_trouble(g, TROUBLE_PROTOCOL, "QEMU's answer makes no sense (%s)", what);
}

/* Returns whether the answer was good. */
static bool take_result(struct guest *g, enum ask ask, const json_t *result)
{
	int64_t value;

	switch (ask) {
	case ASK_VERSION:
		take_version(g, result);
		return true;
	case ASK_NAME:
		take_name(g, result);
		return true;
	case ASK_PERIPHERAL:
	case ASK_ANON:
		if (!g->path[0])
			reply_balloon(result, ask == ASK_ANON ? "/machine/peripheral-anon" :
				      "/machine/peripheral", g->path, g->backend);
		return json_is_array(result);
	case ASK_MEMORY:
		g->next.max = reply_memory(result);
		return true;
	case ASK_DEVICES:
		g->not_ballooned = reply_no_balloon(result);
		return true;
	case ASK_STATUS:
		g->next.running = !json_is_false(json_object_get(result, "running"));
		return true;
	case ASK_DRIVER:
		g->driver = reply_driver(result, &g->stats_queue);
		return true;
	case ASK_INTERVAL:
		return !reply_integer(result, MAX_INTERVAL, &g->next.polling);
	case ASK_STATS:
		g->taken = !reply_stats(result, &g->next);
		return g->taken;
	case ASK_ACTUAL:
		if (!reply_integer(json_object_get(result, "actual"), 1LL << 56, &value))
			g->next.actual = (uint64_t)value;
		return true;
	default:
		return true;
	}
}

/* QEMU refused a command. What it refuses may not matter. */
static void take_error(struct guest *g, enum ask ask, const json_t *message)
{
	char desc[160];

	switch (ask) {
	case ASK_CAPABILITIES:
	case ASK_STATS:
	case ASK_INTERVAL:
	case ASK_SET_INTERVAL:
	case ASK_PERIPHERAL:
		break;
	default:
		return;
	}
	if (!reply_text(json_object_get(message, "error"), "desc", desc, sizeof(desc)))
		snprintf(desc, sizeof(desc), "no reason given");
	set_trouble(g, TROUBLE_REFUSED, "QEMU refuses: %s", desc);
	/* Without it nobody knows how old a report may be. */
	if (ask == ASK_INTERVAL)
		g->taken = false;
	if (ask == ASK_STATS) {
		g->path[0] = '\0';		/* unplugged; look again */
		g->found = false;
	}
}

/* What all balloonstats on this machine call this guest. */
static void claim_key(const struct guest *g, char *key, size_t len)
{
	char *real = g->source == SOURCE_QMP ? realpath(g->address, NULL) : NULL;

	snprintf(key, len, "%s %s %s", g->source == SOURCE_QMP ? "qmp" : "libvirt",
		 g->uri ? g->uri : "", real ? real : g->address);
	free(real);
}

/* Whether polling is to be set, because it never was, or somebody has changed it. */
static bool polling_is_wrong(struct guest *g, const struct guest_wants *wants)
{
	char key[KEY_MAX];

	if (!wants->poll || g->restoring || g->set_tried)
		return false;
	if (!g->claim.held) {
		claim_key(g, key, sizeof(key));
		if (!claim_begin(&g->claim, key, g->sample.polling, wants->poll))
			return false;
	}
	return claim_look(&g->claim, g->sample.polling);
}

static void enable(struct guest *g, double now)
{
	g->set_tried = true;
	/* QEMU asks at once, so what came before is not to be compared with. */
	g->asked_since = g->sample.mono;
	g->has_base = false;
	set_interval(g, PHASE_ENABLE, g->claim.set, now);
}

static void begin_restore(struct guest *g, const struct guest_wants *wants, double now)
{
	if (!claim_is_last(&g->claim)) {
		claim_end(&g->claim, false);
		rest(g, wants);
		return;
	}
	g->next.polling = -1;
	ASK(g, PHASE_RESTORE, now, ASK_INTERVAL);
}

/* All answers of a batch are there: what comes next. */
static void next_phase(struct guest *g, const struct guest_wants *wants, enum ask last,
		       double now)
{
	if (g->phase == PHASE_RESTORE && last == ASK_INTERVAL &&
	    g->next.polling == g->claim.set && g->claim.set != g->claim.before) {
		set_interval(g, PHASE_RESTORE, g->claim.before, now);
		return;
	}
	if (g->phase == PHASE_RESTORE) {
		/* Refused: nobody can do more; trouble says why. */
		if (g->trouble != TROUBLE_REFUSED)
			claim_end(&g->claim, true);
		g->restoring = false;
		rest(g, wants);
		return;
	}
	if (g->phase == PHASE_SAMPLE && g->taken)
		finish_sample(g, wants, now);
	if (g->restoring && g->path[0] && g->claim.held) {
		begin_restore(g, wants, now);
		return;
	}

	switch (g->phase) {
	case PHASE_NEGOTIATE:
		if (g->found)
			take_sample(g, wants, now);
		else
			look(g, now);
		break;
	case PHASE_LOOK:
		if (!g->path[0]) {
			rest(g, wants);
			if (g->trouble != TROUBLE_REFUSED)
				set_trouble(g, TROUBLE_NO_BALLOON,
					    "no balloon device; start QEMU with -device virtio-balloon-pci");
			break;
		}
		clear_trouble(g);
		g->found = true;
		take_sample(g, wants, now);
		break;
	case PHASE_ENABLE:
		take_sample(g, wants, now);
		break;
	default:
		if (g->fresh && polling_is_wrong(g, wants))
			enable(g, now);
		else
			rest(g, wants);
	}
}

static void take_greeting(struct guest *g, const json_t *message, const char *line, double now)
{
	bool monitor = strstr(line, "QEMU") && strstr(line, "monitor");
	char desc[200];

	if (reply_kind(message) == REPLY_ERROR && g->source == SOURCE_LIBVIRT) {
		reply_text(json_object_get(message, "error"), "desc", desc, sizeof(desc));
		hang_up(g);
		set_trouble(g, TROUBLE_CONNECT, "libvirt: %s", desc);
		return;
	}
	if (reply_kind(message) != REPLY_GREETING) {
		hang_up(g);
		if (monitor)
			set_trouble(g, TROUBLE_NOT_QMP,
				    "this is QEMU's monitor for people, not QMP; give QEMU -qmp unix:PATH,server=on,wait=off");
		else
			set_trouble(g, TROUBLE_NOT_QMP,
				    "what listens there does not speak QMP; --qmp takes the socket of QEMU's -qmp");
		return;
	}
	clear_trouble(g);
	if (g->source == SOURCE_QMP)
		ASK(g, PHASE_NEGOTIATE, now, ASK_CAPABILITIES);
	else
		look(g, now);
}

static void take_event(struct guest *g, const json_t *message)
{
	const char *event = json_string_value(json_object_get(message, "event"));

	if (event && !strcmp(event, "RESET"))
		g->restarted = true;
}

static void take_line(struct guest *g, const struct guest_wants *wants, const char *line,
		      size_t len, double now)
{
	json_t *message = reply_parse(line, len);
	enum reply_kind kind = reply_kind(message);
	enum ask ask;

	if (g->phase == PHASE_GREETING) {
		take_greeting(g, message, line, now);
		goto out;
	}
	if (!message) {
		bad_answer(g, "not JSON, or too deep");
		goto out;
	}
	if (kind == REPLY_EVENT) {
		take_event(g, message);
		goto out;
	}
	if (kind == REPLY_GREETING || kind == REPLY_OTHER || !g->batch_nr) {
		bad_answer(g, kind == REPLY_OTHER ? "not QMP" : "nothing was asked");
		goto out;
	}
	if (reply_id(message) != g->batch[0].id) {
		bad_answer(g, "it answers another question");
		goto out;
	}
	ask = g->batch[0].ask;
	g->batch_nr--;
	memmove(g->batch, g->batch + 1, g->batch_nr * sizeof(*g->batch));
	if (kind == REPLY_ERROR) {
		take_error(g, ask, message);
	} else if (!take_result(g, ask, json_object_get(message, "return"))) {
		bad_answer(g, ask == ASK_STATS ? "guest-stats" :
			   ask == ASK_INTERVAL ? INTERVAL : "qom-list");
		goto out;
	}
	if (!g->batch_nr)
		next_phase(g, wants, ask, now);
out:
	json_decref(message);
}

/* --- what the loop calls --------------------------------------------------- */

/* A name out of the path of a socket: of the file, without its ending. */
static void name_of_path(struct guest *g)
{
	const char *base = strrchr(g->address, '/');
	char *dot;

	text_copy(g->name, sizeof(g->name), base ? base + 1 : g->address);
	dot = strrchr(g->name, '.');
	if (dot && dot != g->name)
		*dot = '\0';
}

static char *setmem_command(const char *uri, const char *domain)
{
	char *where = text_quote(uri ? uri : ""), *name = text_quote(domain), *command = NULL;

	if (where && name && asprintf(&command, "virsh %s%s%ssetmem %s", uri ? "-c " : "",
				      uri ? where : "", uri ? " " : "", name) < 0)
		command = NULL;
	free(where);
	free(name);
	return command;
}

/* Where a guest is. No two have the same. */
static char *where_it_is(const char *uri, const char *address)
{
	char *raw, *where = NULL;

	if (asprintf(&raw, "%s%s%s", uri ? uri : "", uri ? " " : "", address) < 0)
		return NULL;
	where = malloc(strlen(raw) + 1);
	if (where)
		text_copy(where, strlen(raw) + 1, raw);
	free(raw);
	return where;
}

struct guest *guest_new(enum guest_source source, const char *uri, const char *address)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->stream.fd = -1;
	g->claim.fd = -1;
	g->source = source;
	g->age = -1;
	g->driver = -1;
	g->address = strdup(address);
	g->uri = uri ? strdup(uri) : NULL;
	g->where = where_it_is(uri, address);
	if (source == SOURCE_LIBVIRT)
		g->setmem = setmem_command(uri, address);
	if (!g->address || !g->where || (uri && !g->uri) ||
	    (source == SOURCE_LIBVIRT && !g->setmem)) {
		guest_free(g);
		return NULL;
	}
	if (source == SOURCE_QMP)
		name_of_path(g);
	else
		text_copy(g->name, sizeof(g->name), address);
	return g;
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	stream_close(&g->stream);
	claim_end(&g->claim, false);
	free(g->address);
	free(g->where);
	free(g->uri);
	free(g->setmem);
	free(g);
}

static const char busy[] =
	"another client (libvirt?) holds this monitor, QEMU hangs, or this is no QMP socket; "
	"QEMU serves one client at a time: give it one more -qmp unix:PATH,server=on,wait=off";

/*
 * A monitor that is not to be had is left alone for so many timeouts, so that it is
 * rarely waited for when its owner comes back.
 */
#define BUSY_PAUSE	2

/*
 * libvirt loses its domain if it finds its monitor taken when it starts again. Its
 * sockets have this name, wherever the directory is.
 */
static bool belongs_to_libvirt(const char *path)
{
	char *real = realpath(path, NULL);
	bool owned = !fnmatch("*/libvirt/qemu/*/monitor.sock", real ? real : path, 0);

	free(real);
	return owned;
}

static void cannot_connect(struct guest *g, int err)
{
	switch (err) {
	case EAGAIN:
		set_trouble(g, TROUBLE_BUSY, "too many wait for this socket already: %s", busy);
		break;
	case ENOENT:
	case ECONNREFUSED:
		set_trouble(g, TROUBLE_CONNECT, "%s; is this guest running?", strerror(err));
		break;
	case EACCES:
		set_trouble(g, TROUBLE_CONNECT,
			    "permission denied; run balloonstat as root or as QEMU's user");
		break;
	case EPROTOTYPE:
	case ENOTSOCK:
		set_trouble(g, TROUBLE_NOT_QMP, "%s; --qmp takes the socket of QEMU's -qmp",
			    strerror(err));
		break;
	case EMFILE:
		set_trouble(g, TROUBLE_CONNECT,
			    "no file descriptor is left of the %llu that are allowed; raise the limit (ulimit -Hn, LimitNOFILE=)",
			    descriptors_limit());
		break;
	default:
		set_trouble(g, TROUBLE_CONNECT, "cannot connect: %s", strerror(err));
	}
}

static void connect_to(struct guest *g, double now)
{
	int fd;

	if (g->source == SOURCE_QMP && belongs_to_libvirt(g->address)) {
		set_trouble(g, TROUBLE_OWNED,
			    "this monitor belongs to libvirt, which loses the domain if somebody else takes it; use --connect, or --domain with its name");
		return;
	}
	fd = g->source == SOURCE_QMP ? stream_connect(g->address) :
	     libvirt_open(g->uri, g->address);
	if (fd >= 0) {
		stream_open(&g->stream, fd);
		g->phase = PHASE_GREETING;
		g->asked = now;
		return;
	}
	g->found = false;
	cannot_connect(g, -fd);
}

void guest_begin(struct guest *g, const struct guest_wants *wants, double now)
{
	g->fresh = false;
	g->set_tried = false;
	if (g->phase == PHASE_DOWN) {
		/* First say so. */
		if (!g->lost && now >= g->retry)
			connect_to(g, now);
		return;
	}
	if (g->phase != PHASE_READY)
		return;
	if (!g->found) {
		clear_trouble(g);
		look(g, now);
		return;
	}
	take_sample(g, wants, now);
}

short guest_events(const struct guest *g)
{
	if (g->stream.fd < 0)
		return 0;
	return g->stream.out_used ? POLLIN | POLLOUT : POLLIN;
}

void guest_work(struct guest *g, const struct guest_wants *wants, double now)
{
	bool greeted = g->phase != PHASE_GREETING;
	size_t len;
	char *line;
	int err;

	err = stream_flush(&g->stream);
	if (!err || err == -EPIPE)
		err = stream_fill(&g->stream);
	while (g->stream.fd >= 0 && (line = stream_line(&g->stream, &len)))
		take_line(g, wants, line, len, now);
	if (g->stream.fd < 0 || (!err && !g->stream.eof))
		return;
	hang_up(g);
	if (!greeted && err && err != -EMSGSIZE) {
		cannot_connect(g, -err);
		return;
	}
	if (err == -EMSGSIZE)
		set_trouble(g, greeted ? TROUBLE_PROTOCOL : TROUBLE_NOT_QMP,
			    "a line without end, which QMP does not send");
	else if (greeted)
		set_trouble(g, TROUBLE_GONE, "the guest is gone: QEMU closed the connection");
	else
		set_trouble(g, TROUBLE_NOT_QMP,
			    "the connection was closed without a greeting; is this a QMP socket?");
}

bool guest_waits(const struct guest *g)
{
	return g->phase != PHASE_DOWN && g->phase != PHASE_READY;
}

void guest_late(struct guest *g, double timeout, double now)
{
	/* Not yet: what was last said stands, and grows old. */
	if (g->trouble == TROUBLE_NONE && g->sample.mono > 0 && now - g->asked < timeout) {
		if (g->age >= 0)
			g->age = g->age_then + now - g->sample.mono;
		g->rates.event = RATE_SAME;
		return;
	}
	if (g->phase == PHASE_GREETING && g->source == SOURCE_QMP) {
		if (now - g->asked >= timeout) {
			hang_up(g);
			g->retry = now + BUSY_PAUSE * timeout;
		}
		set_trouble(g, TROUBLE_BUSY, "no greeting for %.1f s: %s", now - g->asked, busy);
		return;
	}
	/* It does answer, but the next sample is due. */
	if (now - g->asked < timeout) {
		set_trouble(g, TROUBLE_LATE, "%s is slow: its answer is not there yet",
			    g->source == SOURCE_QMP ? "QEMU" : "libvirt");
		return;
	}
	set_trouble(g, TROUBLE_LATE, "no answer from %s for %.0f s%s",
		    g->source == SOURCE_QMP ? "QEMU" : "libvirt", now - g->asked,
		    g->source == SOURCE_QMP ? "; it hangs, or is stopped" :
		    "; the domain's QEMU hangs, or libvirtd does");
}

/* Not reached yet, and not known to be out of reach. */
static bool may_be_reached(const struct guest *g)
{
	return g->phase == PHASE_DOWN &&
	       (g->trouble == TROUBLE_NONE || g->trouble == TROUBLE_BUSY);
}

void guest_restore(struct guest *g, const struct guest_wants *wants, double now)
{
	bool again = g->restoring;

	g->restoring = true;
	if (!g->claim.held)
		return;
	if (g->phase == PHASE_READY && g->path[0] && !again)
		begin_restore(g, wants, now);
	else if (may_be_reached(g) || (g->phase == PHASE_DOWN && !again))
		connect_to(g, now);
}

bool guest_restored(const struct guest *g)
{
	return !g->claim.held || !g->restoring ||
	       (g->phase == PHASE_DOWN && !may_be_reached(g));
}
