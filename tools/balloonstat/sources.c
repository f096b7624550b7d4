// SPDX-License-Identifier: GPL-2.0-only
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libvirt.h"
#include "sources.h"

/* Seconds between two looks for what has come or gone. */
#define LOOK_AGAIN	5

static bool same_uri(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static struct guest *find(const struct sources *s, enum guest_source source, const char *uri,
			  const char *address)
{
	for (size_t i = 0; i < s->nr; i++) {
		struct guest *g = s->guests[i];

		if (g->source == source && same_uri(g->uri, uri) && !strcmp(g->address, address))
			return g;
	}
	return NULL;
}

static void add(struct sources *s, enum guest_source source, const char *uri,
		const char *address)
{
	struct guest **guests = s->guests;

	if (find(s, source, uri, address))
		return;
	if (s->nr == s->size) {
		s->size = s->size ? 2 * s->size : 16;
		guests = realloc(guests, s->size * sizeof(*guests));
		if (!guests)
			goto no_memory;
		s->guests = guests;
	}
	guests[s->nr] = guest_new(source, uri, address);
	if (guests[s->nr]) {
		s->nr++;
		return;
	}
no_memory:
	perror("balloonstat");
	exit(EXIT_TROUBLE);
}

/* A socket may have such a character in its name. */
static bool is_pattern(const char *path)
{
	return strpbrk(path, "*?[") && strncmp(path, "tcp:", 4) && access(path, F_OK);
}

/* vm2 before vm10. */
static int by_version(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

static void add_error(struct sources *s, const char *error)
{
	size_t len = strlen(s->error);

	if (error[0])
		snprintf(s->error + len, sizeof(s->error) - len, "%s%s", len ? "; " : "", error);
}

/* All that is wrong, in the order of the sources. */
static void collect_errors(struct sources *s)
{
	s->error[0] = '\0';
	add_error(s, s->missing);
	for (size_t i = 0; i < s->options->connections_nr; i++)
		add_error(s, s->listers[i].error);
}

static void look_for_sockets(struct sources *s)
{
	s->missing[0] = '\0';
	for (size_t i = 0; i < s->options->qmp_nr; i++) {
		const char *path = s->options->qmp[i];
		glob_t found;

		if (!is_pattern(path)) {
			add(s, SOURCE_QMP, NULL, path);
			continue;
		}
		if (!glob(path, GLOB_NOSORT, NULL, &found)) {
			qsort(found.gl_pathv, found.gl_pathc, sizeof(*found.gl_pathv), by_version);
			for (size_t j = 0; j < found.gl_pathc; j++)
				add(s, SOURCE_QMP, NULL, found.gl_pathv[j]);
			globfree(&found);
		} else if (!s->nr) {
			snprintf(s->missing, sizeof(s->missing), "%s: no socket there (yet)", path);
		}
	}
}

/* Which of several libvirts it is, has to be said. */
static void __attribute__((format(printf, 3, 4)))
lister_error(struct sources *s, size_t i, const char *format, ...)
{
	const char *uri = s->options->connections_nr > 1 ? s->options->connections[i].uri : NULL;
	struct lister *lister = &s->listers[i];
	va_list args;
	int n;

	n = snprintf(lister->error, sizeof(lister->error), "libvirt%s%s: ", uri ? " " : "",
		     uri ? uri : "");
	if (n < 0 || (size_t)n >= sizeof(lister->error))
		return;
	va_start(args, format);
	vsnprintf(lister->error + n, sizeof(lister->error) - n, format, args);
	va_end(args);
}

static void look_for_domains(struct sources *s, size_t i, double now)
{
	const struct connection *c = &s->options->connections[i];
	struct lister *lister = &s->listers[i];
	int fd;

	if (lister->stream.fd >= 0)
		return;
	if (c->domains_nr) {
		for (size_t j = 0; j < c->domains_nr; j++)
			add(s, SOURCE_LIBVIRT, c->uri, c->domains[j]);
		return;
	}
	fd = libvirt_list(c->uri);
	if (fd < 0) {
		lister_error(s, i, "%s", strerror(-fd));
		return;
	}
	stream_open(&lister->stream, fd);
	lister->asked = now;
	lister->failed = false;
}

static void look(struct sources *s, double now)
{
	look_for_sockets(s);
	for (size_t i = 0; i < s->options->connections_nr; i++)
		look_for_domains(s, i, now);
	collect_errors(s);
	s->next = now + LOOK_AGAIN;
}

static bool is_named(const struct sources *s, const struct guest *g)
{
	const struct options *o = s->options;

	for (size_t i = 0; i < o->qmp_nr && g->source == SOURCE_QMP; i++)
		if (!strcmp(o->qmp[i], g->address))
			return true;
	for (size_t i = 0; i < o->connections_nr && g->source == SOURCE_LIBVIRT; i++)
		for (size_t j = 0; j < o->connections[i].domains_nr; j++)
			if (same_uri(o->connections[i].uri, g->uri) &&
			    !strcmp(o->connections[i].domains[j], g->address))
				return true;
	return false;
}

/* Was found by itself, and is not to be found any more. */
static bool has_left(const struct sources *s, const struct guest *g)
{
	if (g->phase != PHASE_DOWN || is_named(s, g))
		return false;
	if (g->source == SOURCE_LIBVIRT)
		return g->trouble == TROUBLE_CONNECT;
	return access(g->address, F_OK);
}

static void drop_those_gone(struct sources *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->nr; i++) {
		if (has_left(s, s->guests[i]))
			guest_free(s->guests[i]);
		else
			s->guests[kept++] = s->guests[i];
	}
	s->nr = kept;
}

void sources_begin(struct sources *s, const struct options *o, double now)
{
	memset(s, 0, sizeof(*s));
	s->options = o;
	s->listers = calloc(o->connections_nr + 1, sizeof(*s->listers));
	if (!s->listers) {
		perror("balloonstat");
		exit(EXIT_TROUBLE);
	}
	for (size_t i = 0; i < o->connections_nr; i++)
		s->listers[i].stream.fd = -1;
	look(s, now);
}

void sources_again(struct sources *s, double now)
{
	if (now < s->next)
		return;
	drop_those_gone(s);
	look(s, now);
}

double sources_wait(const struct sources *s)
{
	double until = 0;

	for (size_t i = 0; i < s->options->connections_nr; i++) {
		const struct lister *lister = &s->listers[i];

		if (lister->stream.fd >= 0 && lister->asked + s->options->timeout > until)
			until = lister->asked + s->options->timeout;
	}
	return until;
}

void sources_work(struct sources *s, size_t i)
{
	struct lister *lister = &s->listers[i];
	char name[256];
	size_t len;
	char *line;

	if (stream_fill(&lister->stream))
		lister->stream.eof = true;
	while ((line = stream_line(&lister->stream, &len))) {
		json_t *message = reply_parse(line, len);

		if (reply_text(message, "domain", name, sizeof(name))) {
			add(s, SOURCE_LIBVIRT, s->options->connections[i].uri, name);
		} else if (reply_text(json_object_get(message, "error"), "desc", name,
				      sizeof(name))) {
			lister_error(s, i, "%s", name);
			lister->failed = true;
		}
		json_decref(message);
	}
	if (lister->stream.eof) {
		stream_close(&lister->stream);
		if (!lister->failed)
			lister->error[0] = '\0';
	}
	collect_errors(s);
}

void sources_give_up(struct sources *s, double now)
{
	for (size_t i = 0; i < s->options->connections_nr; i++)
		if (s->listers[i].stream.fd >= 0)
			lister_error(s, i,
				     "it has not listed its domains within %.0f s; is libvirtd well?",
				     now - s->listers[i].asked);
	collect_errors(s);
}

void sources_end(struct sources *s)
{
	for (size_t i = 0; i < s->nr; i++)
		guest_free(s->guests[i]);
	free(s->guests);
	for (size_t i = 0; i < s->options->connections_nr; i++)
		stream_close(&s->listers[i].stream);
	free(s->listers);
	memset(s, 0, sizeof(*s));
}
