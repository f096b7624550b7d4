// SPDX-License-Identifier: GPL-2.0-only
/*
 * series FILE... - judge series of samples that were recorded, and compare the verdicts
 *
 * The samples are those that series.py has written. Their times are those of the recording,
 * so the verdicts do not depend on this machine. A line is printed for each file: what
 * happened, in which kernel, and the verdicts, with tabs between them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

/* When a series begins, by both clocks: the first time in a file is 0. */
#define MONO	1000.0
#define WALL	1700000000

#define LINE_LEN	4096
#define SPACES	"\n "

struct series {
	char what[256], kernel[64], expected[1024], verdicts[1024];
	struct limits limits;
	struct guest *guest;
};

static void fail(const char *path, int line, const char *what)
{
	fprintf(stderr, "series: %s:%d: %s\n", path, line, what);
	exit(2);
}

/* The next word as a number; false if it is "-". */
static bool number(char **text, double *value)
{
	char *word = strtok_r(NULL, SPACES, text), *end;

	if (!word) {
		*value = 0;
		return false;
	}
	*value = strtod(word, &end);
	return end != word && !*end;
}

static void verdict(struct series *s)
{
	const char *name = regime_name(s->guest->diagnosis.regime);
	char *last = strrchr(s->verdicts, ' ');
	size_t len = strlen(s->verdicts);

	if (strcmp(last ? last + 1 : s->verdicts, name))
		snprintf(s->verdicts + len, sizeof(s->verdicts) - len, "%s%s", len ? " " : "",
			 name);
}

/* The columns are those of series.py. */
static void take_row(struct series *s, char *row, const char *path, int line)
{
	struct sample *next = &s->guest->next;
	char *rest = NULL, *word = strtok_r(row, SPACES, &rest);
	double time = strtod(word, NULL), value;

	memset(next, 0, sizeof(*next));
	if (number(&rest, &value))
		next->last_update = WALL + (int64_t)value;
	number(&rest, &value);
	next->polling = (int64_t)value;
	number(&rest, &value);
	next->running = value > 0;
	number(&rest, &value);
	next->actual = (uint64_t)value;
	number(&rest, &value);
	next->max = (uint64_t)value;
	for (unsigned int tag = 0; tag < TAG_NR; tag++) {
		word = strtok_r(NULL, SPACES, &rest);
		if (!word)
			fail(path, line, "a number is missing");
		next->known |= TAG_BIT(tag);
		if (!strcmp(word, "-"))
			continue;
		next->set |= TAG_BIT(tag);
		next->value[tag] = strtoull(word, NULL, 10);
	}
	guest_judge(s->guest, &s->limits, MONO + time, WALL + time);
	verdict(s);
}

static void take_head(struct series *s, const char *text, const char *path, int line)
{
	char why[160], name[32], value[1024];

	if (sscanf(text, "# %31[^:]: %1023[^\n]", name, value) != 2)
		fail(path, line, "what is this?");
	if (!strcmp(name, "what"))
		snprintf(s->what, sizeof(s->what), "%.255s", value);
	else if (!strcmp(name, "kernel"))
		snprintf(s->kernel, sizeof(s->kernel), "%.63s", value);
	else if (!strcmp(name, "verdicts"))
		snprintf(s->expected, sizeof(s->expected), "%s", value);
	else if (!strcmp(name, "set") && limits_set(&s->limits, value, why, sizeof(why)))
		fail(path, line, why);
}

/* Whether the verdicts are those that the file has. */
static bool judge(const char *path)
{
	struct series s = { .guest = guest_new(SOURCE_QMP, NULL, path) };
	FILE *file = fopen(path, "r");
	char text[LINE_LEN];
	bool same;

	if (!file || !s.guest)
		fail(path, 0, "cannot be read");
	limits_default(&s.limits);
	for (int line = 1; fgets(text, sizeof(text), file); line++) {
		if (text[0] == '#')
			take_head(&s, text, path, line);
		else
			take_row(&s, text, path, line);
	}
	fclose(file);
	guest_free(s.guest);
	printf("%s\t%s\t%s\n", s.what, s.kernel, s.verdicts);
	same = !strcmp(s.verdicts, s.expected);
	if (!same)
		fprintf(stderr, "series: %s: the verdicts are\n  %s\nand were\n  %s\n", path,
			s.verdicts, s.expected);
	return same;
}

int main(int argc, char **argv)
{
	bool good = argc > 1;

	if (!good)
		fputs("usage: series FILE...\n", stderr);
	for (int i = 1; i < argc; i++)
		good = judge(argv[i]) && good;
	return good ? 0 : 1;
}
