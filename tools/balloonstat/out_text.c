// SPDX-License-Identifier: GPL-2.0-only
/* A line a sample, in the manner of vmstat. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "out.h"
#include "units.h"

/* Lines between two headers on a terminal. */
#define PAGE_LINES	20
#define NAME_MAX_WIDTH	24

const char out_header[] =
	"  mem avail  swin swout majfl stall kscan krecl dscan drecl oom age diagnosis";

static const char *gauge(const struct guest *g, unsigned int tag, char *buf)
{
	if (!sample_has(&g->sample, tag))
		return "-";
	return units_short(buf, (double)g->sample.value[tag], true);
}

static const char *speed(const struct guest *g, unsigned int tag, char *buf)
{
	if (!rate_has(&g->rates, tag))
		return "-";
	return units_short(buf, g->rates.rate[tag], TAGS_BYTES & TAG_BIT(tag));
}

static const char *risen(const struct guest *g, unsigned int tag, char *buf)
{
	if (!rate_has(&g->rates, tag))
		return "-";
	return units_short(buf, (double)g->rates.delta[tag], false);
}

const char *out_state(const struct guest *g)
{
	if (g->trouble != TROUBLE_NONE && g->trouble != TROUBLE_REFUSED)
		return trouble_name(g->trouble);
	return regime_name(g->diagnosis.regime);
}

const char *out_row(const struct guest *g, char *buf)
{
	static const unsigned int speeds[] = {
		VIRTIO_BALLOON_S_SWAP_IN, VIRTIO_BALLOON_S_SWAP_OUT, VIRTIO_BALLOON_S_MAJFLT,
		VIRTIO_BALLOON_S_ALLOC_STALL, VIRTIO_BALLOON_S_ASYNC_SCAN,
		VIRTIO_BALLOON_S_ASYNC_RECLAIM, VIRTIO_BALLOON_S_DIRECT_SCAN,
		VIRTIO_BALLOON_S_DIRECT_RECLAIM,
	};
	/* Nothing is known of a guest that does not answer. */
	static const struct guest unknown = { .age = -1 };
	const struct guest *from = g->trouble == TROUBLE_NONE || g->trouble == TROUBLE_REFUSED ?
				   g : &unknown;
	char word[UNITS_LEN];
	int n;

	n = snprintf(buf, OUT_ROW, "%5s", !from->sample.actual ? "-" :
		     units_short(word, (double)from->sample.actual, true));
	n += snprintf(buf + n, OUT_ROW - n, " %5s", gauge(from, VIRTIO_BALLOON_S_AVAIL, word));
	for (size_t i = 0; i < sizeof(speeds) / sizeof(*speeds); i++)
		n += snprintf(buf + n, OUT_ROW - n, " %5s", speed(from, speeds[i], word));
	n += snprintf(buf + n, OUT_ROW - n, " %3s", risen(from, VIRTIO_BALLOON_S_OOM_KILL, word));
	n += snprintf(buf + n, OUT_ROW - n, " %3s", units_age(word, from->age));
	snprintf(buf + n, OUT_ROW - n, " %s", out_state(g));
	return buf;
}

void out_complain(struct hub *hub)
{
	/* By what was said last; there are not many sources. */
	static char last[GUEST_ERROR_MAX];
	struct sources *s = &hub->sources;

	if (s->error[0] && strcmp(s->error, last))
		fprintf(stderr, "balloonstat: %s\n", s->error);
	snprintf(last, sizeof(last), "%s", s->error);
	for (size_t i = 0; i < s->nr; i++) {
		struct guest *g = s->guests[i];

		if (g->trouble != TROUBLE_NONE && g->trouble != g->complained)
			fprintf(stderr, "balloonstat: %s: %s\n", g->name, g->error);
		g->complained = g->trouble;
	}
}

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
	puts(out_header);
}

/* Why, and what to do, below the line: when there is something new to say. */
static void explain(struct guest *g, const struct options *o)
{
	char text[OUT_SENTENCE];

	if (!o->explain || g->trouble != TROUBLE_NONE ||
	    (g->explained && g->explained_regime == g->diagnosis.regime))
		return;
	g->explained = true;
	g->explained_regime = g->diagnosis.regime;
	printf("    %s: %s\n", regime_name(g->diagnosis.regime),
	       diagnosis_reason(&g->diagnosis, text, sizeof(text)));
	if (diagnosis_advice(&g->diagnosis, &o->wants.limits, text, sizeof(text))[0])
		printf("    -> %s\n", text);
}

static bool text_round(struct hub *hub)
{
	struct sources *s = &hub->sources;
	int width = name_width(s);
	char row[OUT_ROW];

	out_complain(hub);
	for (size_t i = 0; i < s->nr; i++) {
		struct guest *g = s->guests[i];

		header(width);
		if (width)
			printf("%-*.*s ", width, width, g->name);
		puts(out_row(g, row));
		explain(g, hub->options);
	}
	/* Whoever reads it may have gone, or its disk be full. */
	return fflush(stdout) == 0;
}

static int text_end(struct hub *hub)
{
	return hub->samples ? EXIT_OK : EXIT_TROUBLE;
}

const struct view view_text = { .round = text_round, .end = text_end };
