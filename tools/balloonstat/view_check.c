// SPDX-License-Identifier: GPL-2.0-only
/* One line and an exit code, as monitoring plugins have it. */
#include <stdio.h>
#include <string.h>

#include "view.h"

/* Sorted by what an operator wants to know first. */
static int rank(enum severity severity)
{
	static const int ranks[] = {
		[SEVERITY_OK] = 0,
		[SEVERITY_UNKNOWN] = 1,
		[SEVERITY_WARNING] = 2,
		[SEVERITY_CRITICAL] = 3,
	};

	return ranks[severity];
}

static enum severity severity_of(const struct guest *g)
{
	if (!guest_reached(g))
		return SEVERITY_UNKNOWN;
	return regime_severity(g->diagnosis.regime);
}

/* What follows "|" is for machines, and a line is a line. */
static void put(const char *text, FILE *to)
{
	for (; *text; text++)
		putc(*text == '|' || *text == '\n' || *text == '\r' ? '/' : *text, to);
}

static void put_guest(const struct guest *g, const struct limits *l, FILE *to)
{
	char text[VIEW_SENTENCE];

	put(g->name, to);
	fprintf(to, ": %s", view_state(g));
	if (!guest_reached(g)) {
		fputs(" (", to);
		put(g->error, to);
		putc(')', to);
		return;
	}
	fputs(" (", to);
	put(diagnosis_reason(&g->diagnosis, text, sizeof(text)), to);
	putc(')', to);
	if (diagnosis_advice(&g->diagnosis, l, guest_domain(g), text, sizeof(text))[0]) {
		fputs(", ", to);
		put(text, to);
	}
}

/* In quotes, with what a label may not have replaced. */
static void put_label(const struct guest *g, const char *what, FILE *to)
{
	putc('\'', to);
	for (const char *p = g->name; *p; p++)
		putc(strchr("'=|\n\r", *p) ? '_' : *p, to);
	fprintf(to, "_%s'=", what);
}

static void put_numbers(const struct guest *g, FILE *to)
{
	static const struct {
		unsigned int tag;
		const char *what;
	} rates[] = {
		{ VIRTIO_BALLOON_S_ALLOC_STALL, "stalls_per_s" },
		{ VIRTIO_BALLOON_S_DIRECT_SCAN, "direct_scans_per_s" },
		{ VIRTIO_BALLOON_S_ASYNC_SCAN, "async_scans_per_s" },
		{ VIRTIO_BALLOON_S_MAJFLT, "major_faults_per_s" },
	};
	const struct sample *s = &g->sample;

	if (sample_has(s, VIRTIO_BALLOON_S_AVAIL)) {
		putc(' ', to);
		put_label(g, "available", to);
		fprintf(to, "%lluB", (unsigned long long)s->value[VIRTIO_BALLOON_S_AVAIL]);
	}
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		if (!rate_has(&g->rates, rates[i].tag))
			continue;
		putc(' ', to);
		put_label(g, rates[i].what, to);
		fprintf(to, "%.2f", g->rates.rate[rates[i].tag]);
	}
}

enum severity check_report(struct guest *const *guests, size_t nr, const struct options *o,
			FILE *to)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	enum severity worst = nr ? SEVERITY_OK : SEVERITY_UNKNOWN;
	unsigned int healthy = 0;
	const char *separator = "";

	for (size_t i = 0; i < nr; i++)
		if (rank(severity_of(guests[i])) > rank(worst))
			worst = severity_of(guests[i]);
	fprintf(to, "BALLOON %s - ", words[worst]);
	for (int r = rank(SEVERITY_CRITICAL); r > rank(SEVERITY_OK); r--) {
		for (size_t i = 0; i < nr; i++) {
			if (rank(severity_of(guests[i])) != r)
				continue;
			fputs(separator, to);
			separator = "; ";
			put_guest(guests[i], &o->wants.limits, to);
		}
	}
	for (size_t i = 0; i < nr; i++)
		healthy += severity_of(guests[i]) == SEVERITY_OK;
	if (nr == 1 && healthy)
		put_guest(guests[0], &o->wants.limits, to);
	else if (nr)
		fprintf(to, "%s%u of %zu healthy", separator, healthy, nr);
	else
		fputs("no guests found", to);
	fputs(" |", to);
	for (size_t i = 0; i < nr; i++)
		if (guests[i]->trouble == TROUBLE_NONE)
			put_numbers(guests[i], to);
	putc('\n', to);
	return worst;
}

static enum severity result = SEVERITY_UNKNOWN;
static bool said;

static bool check_round(struct loop *loop)
{
	const struct sources *s = &loop->sources;

	result = check_report(s->guests, s->nr, loop->options, stdout);
	said = true;
	if (!view_flush())
		result = SEVERITY_UNKNOWN;
	return false;
}

static int check_end(struct loop *loop)
{
	(void)loop;
	if (!said)
		puts("BALLOON UNKNOWN - interrupted");
	return result;
}

const struct view check_view = { .round = check_round, .end = check_end, .settle = true };
