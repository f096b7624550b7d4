// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz SECONDS SEED CORPUS - give balloonstat damaged answers of QEMU
 *
 * Acts as QEMU over a pair of sockets. The answers come in pieces, and many of
 * them are damaged. After each, all views have to show the guest. The program is
 * compiled with sanitizers. Nothing may grow without bounds, no output may have
 * control characters, and nothing may hang. The same seed does the same again.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "view.h"

#define CONVERSATIONS_MIN	2000
#define LINES_MAX	128
#define LINE_MAX_LEN	(64 * 1024)

static const char *const asks[] = {
	[ASK_CAPABILITIES] = "capabilities", [ASK_VERSION] = "version", [ASK_NAME] = "name",
	[ASK_PERIPHERAL] = "peripheral", [ASK_ANON] = "anon", [ASK_MEMORY] = "memory",
	[ASK_DEVICES] = "devices",
	[ASK_STATUS] = "status", [ASK_DRIVER] = "driver", [ASK_INTERVAL] = "interval",
	[ASK_SET_INTERVAL] = "set-interval", [ASK_STATS] = "stats", [ASK_ACTUAL] = "actual",
};

static const char *const tokens[] = {
	"18446744073709551615", "18446744073709551616", "9223372036854775808", "-1", "1e308",
	"1e999", "-0", "0.5", "null", "true", "[]", "{}", "\"", "\\u0000", "\\", "{", "}", "[", "]",
	",", ":", "\"id\"", "\"return\"", "\"error\"", "\"event\"", "\"QMP\"", "\"stats\"",
	"\"last-update\"", "\r", "\n", "\n\n", "\xff", "\xc0\x80", "4294967295", "4294967296",
	"1795572600", "\"running\": false", "\"RESET\"",
};

static struct {
	char *ask, *text;
} corpus[LINES_MAX];

static size_t corpus_nr;
static uint64_t state;
static unsigned long finished, troubled, regimes[REGIME_NR];

/* The splitmix64 generator. */
static uint64_t next(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static size_t below(size_t n)
{
	return n ? next() % n : 0;
}

static void read_corpus(const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL, *tab;
	size_t size = 0;

	if (!f) {
		perror(path);
		exit(2);
	}
	while (getline(&line, &size, f) > 0 && corpus_nr < LINES_MAX) {
		line[strcspn(line, "\n")] = '\0';
		tab = strchr(line, '\t');
		if (line[0] == '#' || !tab)
			continue;
		*tab = '\0';
		corpus[corpus_nr].ask = strdup(line);
		corpus[corpus_nr++].text = strdup(tab + 1);
	}
	free(line);
	fclose(f);
}

/* An answer to @ask. With @bad it may be one that is wrong. */
static const char *pick(const char *ask, bool bad)
{
	size_t hits[LINES_MAX], n = 0, len = strlen(ask);

	for (size_t i = 0; i < corpus_nr; i++)
		if (!strncmp(corpus[i].ask, ask, len) &&
		    (!corpus[i].ask[len] || (bad && !strcmp(corpus[i].ask + len, "!"))))
			hits[n++] = i;
	if (!n) {
		fprintf(stderr, "fuzz: no %s in the corpus\n", ask);
		exit(2);
	}
	return corpus[hits[below(n)]].text;
}

/*
 * Write @template to @out, with @id in place of "@", a time up to 2 seconds ago in place of "~",
 * and a counter that grows in place of "$". Return the length.
 */
static size_t fill(char *out, const char *template, int64_t id)
{
	static uint64_t grown;
	size_t n = 0;

	for (; *template; template++) {
		if (*template == '@')
			n += sprintf(out + n, "%lld", (long long)id);
		else if (*template == '~')
			n += sprintf(out + n, "%lld", (long long)time(NULL) - (long long)below(3));
		else if (*template == '$')
			n += sprintf(out + n, "%llu", (unsigned long long)
				     (grown += below(3) ? below(1ULL << below(26)) : 0));
		else
			out[n++] = *template;
	}
	return n;
}

static size_t insert(char *buf, size_t len, const char *what, size_t n)
{
	size_t at = below(len + 1);

	if (len + n > LINE_MAX_LEN / 2)
		return len;
	memmove(buf + at + n, buf + at, len - at);
	memcpy(buf + at, what, n);
	return len + n;
}

static size_t damage(char *buf, size_t len)
{
	static char copy[LINE_MAX_LEN];
	size_t at = below(len), n = below(len - at);
	const char *text;

	switch (below(8)) {
	case 0:
		if (len)
			buf[at] ^= 1 << below(8);
		break;
	case 1:
		memmove(buf + at, buf + at + n, len - at - n);
		len -= n;
		break;
	case 2:
		memcpy(copy, buf + at, n);
		len = insert(buf, len, copy, n);
		break;
	case 3:
		len = at;
		break;
	case 4:
		text = corpus[below(corpus_nr)].text;
		len = insert(buf, len, text, strlen(text));
		break;
	case 5:
		/* Replace a number by another one. */
		while (at < len && !isdigit((unsigned char)buf[at]))
			at++;
		for (n = at; n < len && isdigit((unsigned char)buf[n]); n++)
			;
		memmove(buf + at, buf + n, len - n);
		len -= n - at;
		text = tokens[below(13)];
		memmove(buf + at + strlen(text), buf + at, len - at);
		memcpy(buf + at, text, strlen(text));
		len += strlen(text);
		break;
	default:
		text = tokens[below(sizeof(tokens) / sizeof(*tokens))];
		len = insert(buf, len, text, strlen(text));
	}
	return len;
}

static void demand(bool condition, const char *what, const struct guest *g)
{
	if (condition)
		return;
	fprintf(stderr, "fuzz: %s; name \"%s\", error \"%s\"\n", what, g->name, g->error);
	abort();
}

static void look_at(struct guest *g, const struct options *o)
{
	static char row[VIEW_ROW], *text;
	struct guest *guests[] = { g };
	size_t size;
	json_t *object;
	FILE *to;

	demand(strlen(g->error) < sizeof(g->error), "the error is too long", g);
	for (const char *p = g->name; *p; p++)
		demand((unsigned char)*p >= ' ' && *p != 127, "the name has control characters", g);
	demand(g->batch_nr >= 0 && g->batch_nr <= GUEST_BATCH_MAX, "the batch overflows", g);
	demand(g->stream.in_size <= 2 * (STREAM_LINE_MAX + STREAM_BUDGET), "too much is kept", g);
	demand(g->diagnosis.regime < REGIME_NR, "no such regime", g);
	/* The length of names is limited, and therefore that of lines. */
	demand(strlen(view_row(g, row)) < 100, "the row is too long", g);
	for (int tag = 0; tag < TAG_NR; tag++)
		demand(g->rates.rate[tag] >= 0 && g->rates.rate[tag] < 1e16, "an absurd rate", g);

	object = json_guest(g, &o->wants.limits, 1795572511);
	text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15));
	demand(text, "the object cannot be written", g);
	demand(!strstr(text, "nan") && !strstr(text, "inf,"), "not a number", g);
	free(text);
	json_decref(object);

	to = open_memstream(&text, &size);
	prometheus_metrics(guests, 1, 1795572511, to);
	check_report(guests, 1, "", o, to);
	fclose(to);
	demand(!strstr(text, " nan") && !strstr(text, " -nan"), "not a number", g);
	free(text);
}

/* Send an answer, often in pieces, and have balloonstat read each piece. */
static void feed(struct guest *g, int fd, const char *buf, size_t len, const struct options *o,
		 double now)
{
	while (len && g->stream.fd >= 0) {
		size_t n = below(4) ? len : 1 + below(len);
		ssize_t sent = send(fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent <= 0)
			return;
		buf += sent;
		len -= sent;
		guest_work(g, &o->wants, now);
	}
}

static void answer(struct guest *g, int fd, const struct options *o, unsigned int damaged,
		   double now)
{
	static char buf[LINE_MAX_LEN];
	const char *ask = g->phase == PHASE_GREETING ? "greeting" : asks[g->batch[0].ask];
	int64_t id = g->phase == PHASE_GREETING ? 0 : g->batch[0].id;
	size_t len;

	if (g->phase != PHASE_GREETING && !below(20))
		ask = "event";
	else if (damaged && !below(40))
		ask = "junk";
	len = fill(buf, pick(ask, damaged), id);
	if (damaged && below(100) < damaged)
		for (size_t n = 1 + below(3); n; n--)
			len = damage(buf, len);
	buf[len++] = '\n';
	feed(g, fd, buf, len, o, now);
}

static void conversation(const struct options *o, unsigned int damaged)
{
	struct guest *g = guest_new(SOURCE_QMP, NULL, "/nowhere/fuzz.sock");
	char sink[65536];
	double now = 1000;
	int pair[2];

	if (!g || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair)) {
		perror("fuzz");
		exit(2);
	}
	stream_open(&g->stream, pair[0]);
	g->phase = PHASE_GREETING;
	for (int i = 0; i < 120 && g->stream.fd >= 0; i++) {
		now += (double)below(300) / 100;
		/* Sometimes send an answer although nothing was asked. */
		if (guest_waits(g) || (damaged && !below(8)))
			answer(g, pair[1], o, damaged, now);
		else
			guest_begin(g, &o->wants, now);
		/* Throw away what balloonstat has asked. */
		while (recv(pair[1], sink, sizeof(sink), 0) > 0)
			;
		if (!below(30) && guest_waits(g))
			guest_late(g, 1, now);
		if (!below(200))
			guest_restore(g, &o->wants, now);
		if (!(i % 8))
			look_at(g, o);
		if (g->fresh)
			regimes[g->diagnosis.regime]++;
	}
	close(pair[1]);
	if (g->stream.fd >= 0)
		guest_work(g, &o->wants, now);
	demand(g->stream.fd < 0, "still connected to nobody", g);
	demand(g->trouble != TROUBLE_NONE && g->error[0], "ended without a word", g);
	look_at(g, o);
	finished++;
	troubled += g->trouble != TROUBLE_GONE;
	guest_free(g);
}

/* A line that never ends must not be kept without limit. */
static void endless(const struct options *o)
{
	struct guest *g = guest_new(SOURCE_QMP, NULL, "/nowhere/long.sock");
	static char junk[65536];
	int pair[2];

	if (!g || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair)) {
		perror("fuzz");
		exit(2);
	}
	memset(junk, 'x', sizeof(junk));
	stream_open(&g->stream, pair[0]);
	g->phase = PHASE_GREETING;
	for (int i = 0; i < 64 && g->stream.fd >= 0; i++) {
		feed(g, pair[1], junk, sizeof(junk), o, 1);
		demand(g->stream.in_size <= 2 * (STREAM_LINE_MAX + STREAM_BUDGET),
		       "too much is kept", g);
	}
	demand(g->stream.fd < 0, "still listening to a line without end", g);
	close(pair[1]);
	guest_free(g);
}

int main(int argc, char **argv)
{
	struct options o = { };
	double seconds;
	time_t end;

	if (argc != 4) {
		fputs("usage: fuzz SECONDS SEED CORPUS\n", stderr);
		return 2;
	}
	seconds = atof(argv[1]);
	state = strtoull(argv[2], NULL, 0);
	read_corpus(argv[3]);
	limits_default(&o.wants.limits);
	/* A conversation is to go on after the first sample. */
	o.wants.hold = true;
	endless(&o);
	end = time(NULL) + (time_t)seconds;
	/* On a busy machine it takes longer, so that no less is tested there. */
	while (time(NULL) < end || finished < CONVERSATIONS_MIN) {
		/*
		 * In every fourth conversation all answers are right, so that the code that
		 * comes after a right answer is reached.
		 */
		o.wants.poll = (int64_t)below(3);
		o.wants.driver = below(2);
		conversation(&o, below(4) ? 1 + (unsigned int)below(30) : 0);
	}
	printf("fuzz: seed %s: %lu conversations, %lu of them ended by a bad answer; samples:",
	       argv[2], finished, troubled);
	for (int i = 0; i < REGIME_NR; i++)
		printf(" %s %lu", regime_name(i), regimes[i]);
	putchar('\n');
	/* Fail if some of the code that is to be tested was not reached. */
	if (!troubled || troubled == finished || !regimes[REGIME_CRITICAL] ||
	    !regimes[REGIME_NO_DATA]) {
		fputs("fuzz: too little was reached\n", stderr);
		return 1;
	}
	return 0;
}
