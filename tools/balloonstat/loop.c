// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

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

static bool ended(const struct loop *loop)
{
	return signalled || loop->leave;
}

/* Wait until @until, or until something happens, and deal with it. */
static void work(struct loop *loop, const struct view *view, double until, const sigset_t *mask)
{
	struct sources *s = &loop->sources;
	size_t nr = s->nr, listers = loop->options->connections_nr, all = nr + listers + 1;
	double left = until - loop->now;
	struct timespec timeout;
	int ready;

	if (left < 0)
		left = 0;
	timeout.tv_sec = (time_t)left;
	timeout.tv_nsec = (long)((left - (double)timeout.tv_sec) * 1e9);
	if (loop->fds_size < all) {
		struct pollfd *fds = realloc(loop->fds, 2 * all * sizeof(*fds));

		if (!fds) {
			perror("balloonstat");
			exit(EXIT_TROUBLE);
		}
		loop->fds = fds;
		loop->fds_size = 2 * all;
	}
	for (size_t i = 0; i < nr; i++) {
		loop->fds[i].fd = s->guests[i]->stream.fd;
		loop->fds[i].events = guest_events(s->guests[i]);
		loop->fds[i].revents = 0;
	}
	for (size_t i = 0; i < listers; i++)
		loop->fds[nr + i] = (struct pollfd){ .fd = s->listers[i].stream.fd,
						     .events = POLLIN };
	loop->fds[all - 1] = (struct pollfd){ .fd = view->input ? STDIN_FILENO : -1,
					      .events = POLLIN };
	ready = ppoll(loop->fds, all, &timeout, mask);
	loop->now = monotonic();
	/* A changed window comes as a signal. */
	if (view->input && ready && (ready < 0 || loop->fds[all - 1].revents))
		loop->leave = !view->input(loop) || loop->leave;
	/* The terminal is gone. There may have been no signal, as in a session of its own. */
	if (ready > 0 && loop->fds[all - 1].revents & (POLLHUP | POLLERR | POLLNVAL))
		loop->leave = true;
	if (ready <= 0)
		return;
	for (size_t i = 0; i < nr; i++)
		if (loop->fds[i].revents)
			guest_work(s->guests[i], &loop->options->wants, loop->now);
	/* Last, as it may add guests. */
	for (size_t i = 0; i < listers; i++)
		if (loop->fds[nr + i].revents)
			sources_work(s, i);
}

/* One that was late already is not waited for again. */
static bool to_be_waited_for(const struct guest *g)
{
	return guest_waits(g) && g->trouble != TROUBLE_LATE && g->trouble != TROUBLE_BUSY;
}

static bool round_is_over(const struct loop *loop)
{
	for (size_t i = 0; i < loop->sources.nr; i++)
		if (to_be_waited_for(loop->sources.guests[i]))
			return false;
	return true;
}

/*
 * Until when a round may last. With INTERVAL, the next one is due. Without it nobody is kept
 * waiting, so each question has its time: a slow host needs that more than once.
 */
static double end_of_round(const struct loop *loop, double deadline)
{
	if (loop->options->interval > 0)
		return deadline;
	for (size_t i = 0; i < loop->sources.nr; i++) {
		const struct guest *g = loop->sources.guests[i];

		if (to_be_waited_for(g) && g->asked + loop->options->timeout > deadline)
			deadline = g->asked + loop->options->timeout;
	}
	return deadline;
}

static void one_round(struct loop *loop, const struct view *view, double patience,
		      const sigset_t *mask)
{
	struct sources *s = &loop->sources;
	double deadline = loop->now + patience;

	for (size_t i = 0; i < s->nr; i++)
		guest_begin(s->guests[i], &loop->options->wants, loop->now);
	while (!round_is_over(loop) && loop->now < end_of_round(loop, deadline) && !ended(loop))
		work(loop, view, end_of_round(loop, deadline), mask);
	for (size_t i = 0; i < s->nr; i++) {
		if (guest_waits(s->guests[i]))
			guest_late(s->guests[i], loop->options->timeout, loop->now);
		s->guests[i]->lost = false;
		loop->samples += s->guests[i]->fresh;
	}
}

/* Without INTERVAL: whether waiting longer would bring more. */
static bool has_settled(const struct loop *loop)
{
	for (size_t i = 0; i < loop->sources.nr; i++) {
		const struct guest *g = loop->sources.guests[i];

		if (!guest_reached(g))
			continue;
		switch (g->diagnosis.why) {
		case WHY_NEVER_REPORTED:
		case WHY_ONE_REPORT:
		case WHY_RESET:
		case WHY_JUMPED:
			return false;
		case WHY_STALE:
			/* Asked again just now, it may answer yet. */
			if (g->claim.held)
				return false;
			break;
		case WHY_POLLING_OFF:
			/* It is about to be turned on. */
			if (loop->options->wants.poll && g->trouble == TROUBLE_NONE)
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
static double settle_time(const struct loop *loop)
{
	int64_t longest = 0;

	for (size_t i = 0; i < loop->sources.nr; i++)
		if (loop->sources.guests[i]->sample.polling > longest)
			longest = loop->sources.guests[i]->sample.polling;
	/* Who asks once a day is not waited for. */
	if (longest > 300)
		longest = 0;
	return 2 * (double)longest + 2 * loop->options->interval + loop->options->timeout;
}

static bool all_restored(const struct sources *s)
{
	for (size_t i = 0; i < s->nr; i++)
		if (!guest_restored(s->guests[i]))
			return false;
	return true;
}

static void put_back(struct loop *loop, const sigset_t *mask)
{
	static const struct view blind = { .input = NULL };
	struct sources *s = &loop->sources;
	double deadline;
	size_t i;

	loop->now = monotonic();
	deadline = loop->now + RESTORE_TIMEOUT;
	for (i = 0; i < s->nr; i++)
		guest_restore(s->guests[i], &loop->options->wants, loop->now);
	while (!all_restored(s) && loop->now < deadline) {
		work(loop, &blind, loop->now + RESTORE_AGAIN, mask);
		for (i = 0; i < s->nr; i++)
			if (!guest_restored(s->guests[i]))
				guest_restore(s->guests[i], &loop->options->wants, loop->now);
	}
	for (i = 0; i < s->nr; i++) {
		const struct guest *g = s->guests[i];

		/* A guest that is gone has no polling any more. */
		if (g->claim.held && g->trouble != TROUBLE_GONE &&
		    g->trouble != TROUBLE_CONNECT)
			fprintf(stderr,
				"balloonstat: %s: polling could not be put back from %lld to %lld s: set guest-stats-polling-interval of %s with qom-set\n",
				g->name, (long long)g->claim.set, (long long)g->claim.before,
				g->path);
	}
}

static void rounds(struct loop *loop, const struct view *view, const sigset_t *mask)
{
	const struct options *o = loop->options;
	double interval = o->interval > 0 ? o->interval : SETTLE_INTERVAL;
	double patience = o->timeout;
	double began = 0, next = loop->now;
	long done = 0;

	while (!ended(loop)) {
		sources_again(&loop->sources, loop->now);
		one_round(loop, view, patience, mask);
		if (ended(loop))
			break;
		/* The first round takes as long as the slowest host. */
		if (began <= 0)
			began = loop->now;
		/* From then on, all should answer before the next is due. */
		if (patience > 0.8 * interval && !view->settle)
			patience = 0.8 * interval < 0.2 ? 0.2 : 0.8 * interval;

		if (!view->settle || has_settled(loop) || loop->now - began > settle_time(loop)) {
			if (!view->round(loop) || view->settle || ++done == o->count)
				break;
		}
		next += interval;
		if (next < loop->now)
			next = loop->now;
		while (loop->now < next && !ended(loop))
			work(loop, view, next, mask);
	}
}

int loop_run(const struct options *o, const struct view *view)
{
	struct loop loop = { .options = o };
	sigset_t mask;
	int status;

	catch_signals(&mask);
	loop.now = monotonic();
	status = view->begin ? view->begin(&loop) : -1;
	if (status >= 0)
		return status;
	sources_begin(&loop.sources, o, loop.now);
	while (loop.now < sources_wait(&loop.sources) && !ended(&loop))
		work(&loop, view, sources_wait(&loop.sources), &mask);
	sources_give_up(&loop.sources, loop.now);
	rounds(&loop, view, &mask);
	status = view->end(&loop);
	put_back(&loop, &mask);
	sources_end(&loop.sources);
	free(loop.fds);
	return signalled ? 128 + signalled : status;
}
