// SPDX-License-Identifier: GPL-2.0-only
/* What several views show. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "units.h"
#include "view.h"

const char view_header[] =
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

const char *view_state(const struct guest *g)
{
	if (!guest_reached(g))
		return trouble_name(g->trouble);
	return regime_name(g->diagnosis.regime);
}

const char *view_row(const struct guest *g, char *buf)
{
	static const unsigned int speeds[] = {
		VIRTIO_BALLOON_S_SWAP_IN, VIRTIO_BALLOON_S_SWAP_OUT, VIRTIO_BALLOON_S_MAJFLT,
		VIRTIO_BALLOON_S_ALLOC_STALL, VIRTIO_BALLOON_S_ASYNC_SCAN,
		VIRTIO_BALLOON_S_ASYNC_RECLAIM, VIRTIO_BALLOON_S_DIRECT_SCAN,
		VIRTIO_BALLOON_S_DIRECT_RECLAIM,
	};
	/* Nothing is known of a guest that does not answer. */
	static const struct guest unknown = { .age = -1 };
	const struct guest *from = guest_reached(g) ? g : &unknown;
	char word[UNITS_LEN];
	int n;

	n = snprintf(buf, VIEW_ROW, "%5s", !from->sample.actual ? "-" :
		     units_short(word, (double)from->sample.actual, true));
	n += snprintf(buf + n, VIEW_ROW - n, " %5s", gauge(from, VIRTIO_BALLOON_S_AVAIL, word));
	for (size_t i = 0; i < sizeof(speeds) / sizeof(*speeds); i++)
		n += snprintf(buf + n, VIEW_ROW - n, " %5s", speed(from, speeds[i], word));
	n += snprintf(buf + n, VIEW_ROW - n, " %3s", risen(from, VIRTIO_BALLOON_S_OOM_KILL, word));
	n += snprintf(buf + n, VIEW_ROW - n, " %3s", units_age(word, from->age));
	snprintf(buf + n, VIEW_ROW - n, " %s", view_state(g));
	return buf;
}

static bool unwritten;

bool view_flush(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return true;
	if (errno == EPIPE)
		return false;
	if (!unwritten)
		fprintf(stderr, "balloonstat: cannot write to standard output: %s\n",
			strerror(errno));
	unwritten = true;
	return false;
}

int view_status(const struct loop *loop)
{
	return loop->samples && !unwritten ? EXIT_OK : EXIT_TROUBLE;
}

void view_complain(struct loop *loop)
{
	/* By what was said last; there are not many sources. */
	static char last[GUEST_ERROR_MAX];
	struct sources *s = &loop->sources;

	if (s->error[0] && strcmp(s->error, last))
		fprintf(stderr, "balloonstat: %s\n", s->error);
	snprintf(last, sizeof(last), "%s", s->error);
	for (size_t i = 0; i < s->nr; i++) {
		struct guest *g = s->guests[i];

		if (g->trouble != TROUBLE_NONE && g->trouble != g->shown.complained)
			fprintf(stderr, "balloonstat: %s: %s\n", g->name, g->error);
		g->shown.complained = g->trouble;
	}
}
