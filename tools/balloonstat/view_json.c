// SPDX-License-Identifier: GPL-2.0-only
/* An object a sample, one a line. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "view.h"

/* Enough, and short: a millionth of whatever it is. */
static json_t *real(double value)
{
	return json_real(round(value * 1e6) / 1e6);
}

static json_t *integer(uint64_t value)
{
	return value > INT64_MAX ? json_real((double)value) : json_integer((json_int_t)value);
}

/* A number of bytes or events that is less than 0 is not known. */
static json_t *real_or_null(double value)
{
	return value < 0 ? json_null() : real(value);
}

static json_t *stats(const struct sample *s)
{
	json_t *o = json_object();

	for (int tag = 0; tag < TAG_NR; tag++)
		json_object_set_new(o, tag_name(tag), sample_has(s, tag) ?
				    integer(s->value[tag]) : json_null());
	return o;
}

static json_t *rates(const struct rates *r)
{
	json_t *o = json_object();

	for (int tag = 0; tag < TAG_NR; tag++)
		if (!(TAGS_GAUGES & TAG_BIT(tag)))
			json_object_set_new(o, tag_name(tag), rate_has(r, tag) ?
					    real(r->rate[tag]) : json_null());
	return o;
}

#define SIX	"s:o, s:o, s:o, s:o, s:o, s:o, "

static json_t *evidence(const struct evidence *e)
{
	return json_pack("{" SIX SIX SIX "}",
			 "oom-kills", real(e->kills),
			 "alloc-stalls", real(e->stalls),
			 "alloc-stalls-high", real(e->stall_high),
			 "direct-scans", real(e->direct_scan),
			 "direct-scans-high", real(e->scan_high),
			 "direct-reclaims", real(e->direct_reclaim),
			 "async-scans", real(e->async_scan),
			 "async-scans-high", real(e->kscan_high),
			 "async-reclaims", real(e->async_reclaim),
			 "swap-in", real(e->swap_in),
			 "swap-out", real(e->swap_out),
			 "major-faults", real(e->major_faults),
			 "reclaimed-percent", real_or_null(e->ratio),
			 "returned-percent", real_or_null(e->returned),
			 "available", real_or_null(e->avail),
			 "memory", real(e->memory),
			 "balloon", real_or_null(e->balloon),
			 "max", e->max > 0 ? real(e->max) : json_null());
}

static json_t *diagnosis(const struct guest *g, const struct limits *l)
{
	const struct diagnosis *d = &g->diagnosis;
	char reason[VIEW_SENTENCE], advice[VIEW_SENTENCE];

	diagnosis_reason(d, reason, sizeof(reason));
	diagnosis_advice(d, l, g->setmem, advice, sizeof(advice));
	return json_pack("{s:s, s:i, s:s?, s:s, s:s, s:o, s:o}",
			 "name", regime_name(d->regime),
			 "severity", (int)regime_severity(d->regime),
			 "why", d->why == WHY_NOT ? NULL : why_name(d->why),
			 "reason", reason,
			 "advice", advice,
			 "since", real_or_null(g->sample.mono - d->since),
			 "numbers", evidence(&d->evidence));
}

json_t *json_guest(const struct guest *g, const struct limits *l, double now)
{
	const struct sample *s = &g->sample;
	json_t *o = json_object();

	json_object_set_new(o, "time", real(now));
	json_object_set_new(o, "guest", json_string(g->name));
	json_object_set_new(o, "source", json_string(g->source == SOURCE_QMP ? "qmp" : "libvirt"));
	json_object_set_new(o, "address", json_string(g->where));
	json_object_set_new(o, "error", g->trouble == TROUBLE_NONE ? json_null() :
			    json_string(g->error));
	json_object_set_new(o, "state", json_string(view_state(g)));
	/* Nothing is known of a guest that does not answer. */
	if (!guest_reached(g))
		return o;
	json_object_set_new(o, "age", real_or_null(g->age));
	json_object_set_new(o, "reported", s->last_update ? json_integer(s->last_update) :
			    json_null());
	json_object_set_new(o, "polling", json_integer(s->polling));
	json_object_set_new(o, "running", json_boolean(s->running));
	json_object_set_new(o, "actual", s->actual ? integer(s->actual) : json_null());
	json_object_set_new(o, "max", s->max ? integer(s->max) : json_null());
	json_object_set_new(o, "stats", stats(s));
	json_object_set_new(o, "event", json_string(rate_event_name(g->rates.event)));
	json_object_set_new(o, "seconds", g->rates.seconds > 0 ? real(g->rates.seconds) :
			    json_null());
	json_object_set_new(o, "rates", rates(&g->rates));
	json_object_set_new(o, "diagnosis", diagnosis(g, l));
	return o;
}

static bool json_round(struct loop *loop)
{
	struct sources *s = &loop->sources;
	struct timespec now;

	view_complain(loop);
	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < s->nr; i++) {
		json_t *o = json_guest(s->guests[i], &loop->options->wants.limits,
				       (double)now.tv_sec + (double)now.tv_nsec / 1e9);

		json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
		putchar('\n');
		json_decref(o);
	}
	return view_flush();
}

static int json_end(struct loop *loop)
{
	return view_status(loop);
}

const struct view json_view = { .round = json_round, .end = json_end };
