// SPDX-License-Identifier: GPL-2.0-only
/* A line a sample, in the manner of vmstat. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "view.h"

/* Lines between two headers on a terminal. */
#define PAGE_LINES	20
#define NAME_MAX_WIDTH	24

static int name_width(const struct sources *s)
{
	int width = 0;

	if (s->nr < 2)
		return 0;
	for (size_t i = 0; i < s->nr; i++) {
		int len = (int)strlen(s->guests[i]->name);

		if (len > width)
			width = len;
	}
	return width > NAME_MAX_WIDTH ? NAME_MAX_WIDTH : width;
}

static void header(int width)
{
	static int lines, last_width = -1;

	if (last_width == width && (!isatty(STDOUT_FILENO) || ++lines % PAGE_LINES))
		return;
	last_width = width;
	if (width)
		printf("%-*s ", width, "guest");
	puts(view_header);
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
	if (diagnosis_advice(&g->diagnosis, &o->wants.limits, guest_domain(g), text, sizeof(text))[0])
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
			printf("%-*.*s ", width, width, g->name);
		puts(view_row(g, row));
		explain(g, loop->options);
	}
	return view_flush();
}

static int text_end(struct loop *loop)
{
	return view_status(loop);
}

const struct view text_view = { .round = text_round, .end = text_end };
