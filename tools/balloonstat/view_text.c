// SPDX-License-Identifier: GPL-2.0-only
/* A line a sample, in the manner of vmstat. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"
#include "view.h"

/* Lines between two headers on a terminal. */
#define PAGE_LINES	20
#define NAME_MAX_WIDTH	24

static const char title[] = "guest";

static int name_width(const struct sources *s)
{
	int width = (int)strlen(title);

	if (s->nr < 2)
		return 0;
	for (size_t i = 0; i < s->nr; i++) {
		int columns = text_columns(s->guests[i]->name);

		if (columns > width)
			width = columns;
	}
	return width > NAME_MAX_WIDTH ? NAME_MAX_WIDTH : width;
}

static void put_name(const char *name, int width)
{
	int bytes = text_fit(name, width);

	printf("%.*s%*s ", bytes, name, width - (text_columns(name) < width ?
						 text_columns(name) : width), "");
}

static void header(int width)
{
	static int lines, last_width = -1;

	if (last_width == width && (!isatty(STDOUT_FILENO) || ++lines % PAGE_LINES))
		return;
	last_width = width;
	if (width)
		put_name(title, width);
	puts(view_header);
}

/* A line without numbers is a riddle, so why there are none is said once, also without -e. */
static void say_why(struct guest *g, const struct options *o)
{
	char reason[VIEW_SENTENCE], advice[VIEW_SENTENCE];
	enum why why = g->diagnosis.why;

	/* The next report answers this, or there is an error. */
	if (g->trouble != TROUBLE_NONE || (o->interval > 0 && why == WHY_ONE_REPORT))
		why = WHY_NOT;
	if (why != WHY_NOT && why != g->shown.why && !o->explain) {
		diagnosis_advice(&g->diagnosis, &o->wants.limits, g->setmem, advice,
				 sizeof(advice));
		fprintf(stderr, "balloonstat: %s: %s: %s%s%s\n", g->name, view_state(g),
			diagnosis_reason(&g->diagnosis, reason, sizeof(reason)),
			advice[0] ? "; " : "", advice);
	}
	g->shown.why = why;
}

/* Why, and what to do, below the line: when there is something new to say. */
static void explain(struct guest *g, const struct options *o)
{
	char text[VIEW_SENTENCE];

	if (!o->explain || g->trouble != TROUBLE_NONE ||
	    (g->shown.explained && g->shown.regime == g->diagnosis.regime))
		return;
	g->shown.explained = true;
	g->shown.regime = g->diagnosis.regime;
	printf("    %s: %s\n", regime_name(g->diagnosis.regime),
	       diagnosis_reason(&g->diagnosis, text, sizeof(text)));
	if (diagnosis_advice(&g->diagnosis, &o->wants.limits, g->setmem, text, sizeof(text))[0])
		printf("    -> %s\n", text);
}

static bool text_round(struct loop *loop)
{
	struct sources *s = &loop->sources;
	int width = name_width(s);
	char row[VIEW_ROW];

	view_complain(loop);
	for (size_t i = 0; i < s->nr; i++) {
		struct guest *g = s->guests[i];

		header(width);
		if (width)
			put_name(g->name, width);
		puts(view_row(g, row));
		say_why(g, loop->options);
		explain(g, loop->options);
	}
	return view_flush();
}

static int text_end(struct loop *loop)
{
	return view_status(loop);
}

const struct view text_view = { .round = text_round, .end = text_end };
