// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hub.h"

/* Without INTERVAL: how often to look whether there are rates at last. */
#define SETTLE_INTERVAL	0.25
/* What putting back may take, at the most. */
#define RESTORE_TIMEOUT	3.0
/* How often to look then whether a busy monitor is free. */
#define RESTORE_AGAIN	0.1

static volatile sig_atomic_t signalled;

static void on_signal(int sig)
{
	signalled = sig;
}

static double monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Signals are let through while the loop waits and at no other time. */
static void catch_signals(sigset_t *waiting)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t block;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&block);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		struct sigaction old;

		/* What nohup has ignored stays ignored. */
		sigaction(ends[i], NULL, &old);
		if (old.sa_handler == SIG_IGN)
			continue;
		sigaddset(&block, ends[i]);
		sigaction(ends[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &block, waiting);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigdelset(waiting, ends[i]);
}

static bool ended(const struct hub *hub)
{
	return signalled || hub->leave;
}

/* Wait until @until, or until something happens, and deal with it. */
static void work(struct hub *hub, const struct view *view, double until, const sigset_t *mask)
{
	struct sources *s = &hub->sources;
	size_t nr = s->nr;
	double left = until - hub->now;
	struct timespec timeout;
	int ready;

	if (left < 0)
		left = 0;
	timeout.tv_sec = (time_t)left;
	timeout.tv_nsec = (long)((left - (double)timeout.tv_sec) * 1e9);
	if (hub->fds_size < nr + 2) {
		struct pollfd *fds = realloc(hub->fds, 2 * (nr + 2) * sizeof(*fds));

		if (!fds) {
			perror("balloonstat");
			exit(EXIT_TROUBLE);
		}
		hub->fds = fds;
		hub->fds_size = 2 * (nr + 2);
	}
	for (size_t i = 0; i < nr; i++) {
		hub->fds[i].fd = s->guests[i]->stream.fd;
		hub->fds[i].events = guest_events(s->guests[i]);
		hub->fds[i].revents = 0;
	}
	hub->fds[nr] = (struct pollfd){ .fd = s->lister.fd, .events = POLLIN };
	hub->fds[nr + 1] = (struct pollfd){ .fd = view->input ? STDIN_FILENO : -1,
					    .events = POLLIN };
	ready = ppoll(hub->fds, nr + 2, &timeout, mask);
	hub->now = monotonic();
	/* A changed window comes as a signal. */
	if (view->input && ready && (ready < 0 || hub->fds[nr + 1].revents))
		hub->leave = !view->input(hub) || hub->leave;
	if (ready <= 0)
		return;
	for (size_t i = 0; i < nr; i++)
		if (hub->fds[i].revents)
			guest_work(s->guests[i], &hub->options->wants, hub->now);
	/* Last, as it may add guests. */
	if (hub->fds[nr].revents)
		sources_work(s);
}

/* One that was late already is not waited for again. */
static bool to_be_waited_for(const struct guest *g)
{
	return guest_waits(g) && g->trouble != TROUBLE_LATE && g->trouble != TROUBLE_BUSY;
}

static bool round_is_over(const struct hub *hub)
{
	for (size_t i = 0; i < hub->sources.nr; i++)
		if (to_be_waited_for(hub->sources.guests[i]))
			return false;
	return true;
}

static void one_round(struct hub *hub, const struct view *view, double patience,
		      const sigset_t *mask)
{
	struct sources *s = &hub->sources;
	double deadline = hub->now + patience;

	for (size_t i = 0; i < s->nr; i++)
		guest_begin(s->guests[i], &hub->options->wants, hub->now);
	while (!round_is_over(hub) && hub->now < deadline && !ended(hub))
		work(hub, view, deadline, mask);
	for (size_t i = 0; i < s->nr; i++) {
		if (guest_waits(s->guests[i]))
			guest_late(s->guests[i], hub->options->timeout, hub->now);
		s->guests[i]->lost = false;
		hub->samples += s->guests[i]->fresh;
	}
}

/* Without INTERVAL: whether waiting longer would bring more. */
static bool has_settled(const struct hub *hub)
{
	for (size_t i = 0; i < hub->sources.nr; i++) {
		const struct guest *g = hub->sources.guests[i];

		if (g->trouble != TROUBLE_NONE && g->trouble != TROUBLE_REFUSED)
			continue;
		switch (g->diagnosis.why) {
		case WHY_NEVER_REPORTED:
		case WHY_ONE_REPORT:
		case WHY_RESET:
			return false;
		case WHY_STALE:
			/* Asked again just now, it may answer yet. */
			if (g->polling_changed)
				return false;
			break;
		case WHY_HOST_OLD:
		case WHY_DRIVER_OLD:
			/* There are no six, but there may be rates. */
			if (g->rates.event == RATE_FIRST)
				return false;
			break;
		default:
			break;
		}
	}
	return true;
}

/* The longest that rates can take: two reports, and their delay. */
static double settle_time(const struct hub *hub)
{
	int64_t longest = 0;

	for (size_t i = 0; i < hub->sources.nr; i++)
		if (hub->sources.guests[i]->sample.polling > longest)
			longest = hub->sources.guests[i]->sample.polling;
	/* Who asks once a day is not waited for. */
	if (longest > 300)
		longest = 0;
	return 2 * (double)longest + 2 * hub->options->interval + hub->options->timeout;
}

static bool all_restored(const struct sources *s)
{
	for (size_t i = 0; i < s->nr; i++)
		if (!guest_restored(s->guests[i]))
			return false;
	return true;
}

static void put_back(struct hub *hub, const sigset_t *mask)
{
	static const struct view blind = { .input = NULL };
	struct sources *s = &hub->sources;
	double deadline;
	size_t i;

	hub->now = monotonic();
	deadline = hub->now + RESTORE_TIMEOUT;
	for (i = 0; i < s->nr; i++)
		guest_restore(s->guests[i], hub->now);
	while (!all_restored(s) && hub->now < deadline) {
		work(hub, &blind, hub->now + RESTORE_AGAIN, mask);
		for (i = 0; i < s->nr; i++)
			if (!guest_restored(s->guests[i]))
				guest_restore(s->guests[i], hub->now);
	}
	for (i = 0; i < s->nr; i++) {
		const struct guest *g = s->guests[i];

		/* A guest that is gone has no polling any more. */
		if (g->polling_changed && g->trouble != TROUBLE_GONE &&
		    g->trouble != TROUBLE_CONNECT)
			fprintf(stderr,
				"balloonstat: %s: polling could not be put back from %lld to %lld s: set guest-stats-polling-interval of %s with qom-set\n",
				g->name, (long long)g->polling_ours,
				(long long)g->polling_before, g->path);
	}
}

static void rounds(struct hub *hub, const struct view *view, const sigset_t *mask)
{
	const struct options *o = hub->options;
	double interval = o->interval > 0 ? o->interval : SETTLE_INTERVAL;
	double patience = o->timeout;
	double began = hub->now, next = hub->now;
	long done = 0;

	while (!ended(hub)) {
		sources_again(&hub->sources, hub->now);
		one_round(hub, view, patience, mask);
		if (ended(hub))
			break;
		/* From then on, all should answer before the next is due. */
		if (patience > 0.8 * interval && !view->settle)
			patience = 0.8 * interval < 0.2 ? 0.2 : 0.8 * interval;

		if (!view->settle || has_settled(hub) || hub->now - began > settle_time(hub)) {
			if (!view->round(hub) || view->settle || ++done == o->count)
				break;
		}
		next += interval;
		if (next < hub->now)
			next = hub->now;
		while (hub->now < next && !ended(hub))
			work(hub, view, next, mask);
	}
}

int hub_run(const struct options *o, const struct view *view)
{
	struct hub hub = { .options = o };
	sigset_t mask;
	int status;

	catch_signals(&mask);
	hub.now = monotonic();
	status = view->begin ? view->begin(&hub) : -1;
	if (status >= 0)
		return status;
	sources_begin(&hub.sources, o, hub.now);
	while (sources_wait(&hub.sources) && !ended(&hub) &&
	       hub.now < hub.sources.asked + o->timeout)
		work(&hub, view, hub.sources.asked + o->timeout, &mask);
	sources_give_up(&hub.sources, hub.now);
	rounds(&hub, view, &mask);
	status = view->end(&hub);
	put_back(&hub, &mask);
	sources_end(&hub.sources);
	free(hub.fds);
	return signalled ? 128 + signalled : status;
}
