// SPDX-License-Identifier: GPL-2.0-only
/* A line, an exit code and a line for each guest in trouble, as monitoring plugins have it. */
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
	if (diagnosis_advice(&g->diagnosis, l, g->setmem, text, sizeof(text))[0]) {
		fputs(", ", to);
		put(text, to);
	}
}

/* Two guests may have one name; no two have one address. */
static bool is_alone(const struct guest *g, struct guest *const *guests, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (guests[i] != g && !strcmp(guests[i]->name, g->name))
			return false;
	return true;
}

/* In quotes, with what a label may not have replaced. */
static void put_label(const struct guest *g, bool alone, const char *what, FILE *to)
{
	char text[REPLY_NAME_MAX + 256];

	snprintf(text, sizeof(text), alone ? "%s" : "%s_%s", g->name, g->where);
	fputs(" '", to);
	for (const char *p = text; *p; p++)
		putc(strchr("'=|\n\r", *p) ? '_' : *p, to);
	fprintf(to, "_%s'=", what);
}

/* From when on it is high, as the diagnosis has it; 0: nothing is. */
static void put_limit(double limit, FILE *to)
{
	putc(';', to);
	if (limit > 0)
		fprintf(to, "%.2f", limit);
}

static void put_numbers(const struct guest *g, bool alone, const struct limits *l, FILE *to)
{
	const struct evidence *e = &g->diagnosis.evidence;
	const struct {
		unsigned int tag;
		const char *what;
		double warn;
	} rates[] = {
		{ VIRTIO_BALLOON_S_ALLOC_STALL, "stalls_per_s", e->stall_high },
		{ VIRTIO_BALLOON_S_DIRECT_SCAN, "direct_scans_per_s", e->scan_high },
		{ VIRTIO_BALLOON_S_ASYNC_SCAN, "async_scans_per_s", e->kscan_high },
		{ VIRTIO_BALLOON_S_MAJFLT, "major_faults_per_s", 0 },
	};
	const struct sample *s = &g->sample;

	/* Too little is below a limit, which is written with a colon. None is critical alone. */
	if (sample_has(s, VIRTIO_BALLOON_S_AVAIL)) {
		put_label(g, alone, "available", to);
		fprintf(to, "%lluB;", (unsigned long long)s->value[VIRTIO_BALLOON_S_AVAIL]);
		if (e->memory > 0)
			fprintf(to, "%.0f:", l->v[LIMIT_AVAIL_LOW] / 100 * e->memory);
		fputs(";;0;", to);
		if (e->memory > 0)
			fprintf(to, "%.0f", e->memory);
	}
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		if (!rate_has(&g->rates, rates[i].tag))
			continue;
		put_label(g, alone, rates[i].what, to);
		fprintf(to, "%.2f", g->rates.rate[rates[i].tag]);
		put_limit(rates[i].warn, to);
		fputs(";;0", to);
	}
}

/* Guests that are named in the first line, and those whose numbers are given. */
#define NAMED_MAX	5
#define NUMBERED_MAX	20

/* What pagers show: the worst first, and no more than fits. */
static void put_summary(struct guest *const *guests, size_t nr, size_t healthy, FILE *to)
{
	size_t named = 0;

	for (int r = rank(SEVERITY_CRITICAL); r > rank(SEVERITY_OK); r--) {
		for (size_t i = 0; i < nr; i++) {
			if (rank(severity_of(guests[i])) != r || named++ >= NAMED_MAX)
				continue;
			put(guests[i]->name, to);
			fprintf(to, ": %s, ", view_state(guests[i]));
		}
	}
	if (named > NAMED_MAX)
		fprintf(to, "%zu more, ", named - NAMED_MAX);
	fprintf(to, "%zu of %zu healthy", healthy, nr);
}

/* A line for each guest that is not healthy. */
static void put_details(struct guest *const *guests, size_t nr, const struct limits *l, FILE *to)
{
	for (int r = rank(SEVERITY_CRITICAL); r > rank(SEVERITY_OK); r--) {
		for (size_t i = 0; i < nr; i++) {
			if (rank(severity_of(guests[i])) != r)
				continue;
			put_guest(guests[i], l, to);
			putc('\n', to);
		}
	}
}

enum severity check_report(struct guest *const *guests, size_t nr, const char *error,
			   const struct options *o, FILE *to)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	enum severity worst = nr && !error[0] ? SEVERITY_OK : SEVERITY_UNKNOWN;
	size_t healthy = 0;

	for (size_t i = 0; i < nr; i++) {
		healthy += severity_of(guests[i]) == SEVERITY_OK;
		if (rank(severity_of(guests[i])) > rank(worst))
			worst = severity_of(guests[i]);
	}
	fprintf(to, "BALLOON %s - ", words[worst]);
	if (error[0]) {
		put(error, to);
		if (nr)
			fputs(", ", to);
	}
	if (nr == 1)
		put_guest(guests[0], &o->wants.limits, to);
	else if (nr)
		put_summary(guests, nr, healthy, to);
	else if (!error[0])
		fputs("no guests found", to);
	fputs(" |", to);
	if (nr != 1)
		fprintf(to, " 'healthy'=%zu;;;0;%zu", healthy, nr);
	for (size_t i = 0; i < nr && nr <= NUMBERED_MAX; i++)
		if (guests[i]->trouble == TROUBLE_NONE)
			put_numbers(guests[i], is_alone(guests[i], guests, nr), &o->wants.limits,
				    to);
	putc('\n', to);
	if (nr > 1)
		put_details(guests, nr, &o->wants.limits, to);
	return worst;
}

static enum severity result = SEVERITY_UNKNOWN;
static bool said;

static bool check_round(struct loop *loop)
{
	const struct sources *s = &loop->sources;

	result = check_report(s->guests, s->nr, s->error, loop->options, stdout);
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
