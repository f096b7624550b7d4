// SPDX-License-Identifier: GPL-2.0-only
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libvirt.h"
#include "sources.h"

/* Seconds between two looks for what has come or gone. */
#define LOOK_AGAIN	5

static struct guest *find(const struct sources *s, enum guest_source source,
			  const char *address)
{
	for (size_t i = 0; i < s->nr; i++)
		if (s->guests[i]->source == source && !strcmp(s->guests[i]->address, address))
			return s->guests[i];
	return NULL;
}

static void add(struct sources *s, enum guest_source source, const char *address)
{
	struct guest **guests = s->guests;

	if (find(s, source, address))
		return;
	if (s->nr == s->size) {
		s->size = s->size ? 2 * s->size : 16;
		guests = realloc(guests, s->size * sizeof(*guests));
		if (!guests)
			goto no_memory;
		s->guests = guests;
	}
	guests[s->nr] = guest_new(source, source == SOURCE_LIBVIRT ? s->options->uri : NULL,
				  address);
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

static void look_for_sockets(struct sources *s)
{
	for (size_t i = 0; i < s->options->qmp_nr; i++) {
		const char *path = s->options->qmp[i];
		glob_t found;

		if (!is_pattern(path)) {
			add(s, SOURCE_QMP, path);
			continue;
		}
		if (!glob(path, GLOB_NOSORT, NULL, &found)) {
			qsort(found.gl_pathv, found.gl_pathc, sizeof(*found.gl_pathv), by_version);
			for (size_t j = 0; j < found.gl_pathc; j++)
				add(s, SOURCE_QMP, found.gl_pathv[j]);
			globfree(&found);
		} else if (!s->nr) {
			snprintf(s->error, sizeof(s->error), "%s: no socket there (yet)", path);
		}
	}
}

static void look_for_domains(struct sources *s, double now)
{
	int fd;

	if (!s->options->libvirt || s->lister.fd >= 0)
		return;
	if (s->options->domains_nr) {
		for (size_t i = 0; i < s->options->domains_nr; i++)
			add(s, SOURCE_LIBVIRT, s->options->domains[i]);
		return;
	}
	fd = libvirt_list(s->options->uri);
	if (fd < 0) {
		snprintf(s->error, sizeof(s->error), "libvirt: %s", strerror(-fd));
		return;
	}
	stream_open(&s->lister, fd);
	s->asked = now;
}

/* Was found by itself, and is not to be found any more. */
static bool has_left(const struct sources *s, const struct guest *g)
{
	if (g->phase != PHASE_DOWN)
		return false;
	if (g->source == SOURCE_LIBVIRT)
		return !s->options->domains_nr && g->trouble == TROUBLE_CONNECT;
	for (size_t i = 0; i < s->options->qmp_nr; i++)
		if (!strcmp(s->options->qmp[i], g->address))
			return false;
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
	s->lister.fd = -1;
	look_for_sockets(s);
	look_for_domains(s, now);
	s->next = now + LOOK_AGAIN;
}

void sources_again(struct sources *s, double now)
{
	if (now < s->next)
		return;
	s->next = now + LOOK_AGAIN;
	s->error[0] = '\0';
	drop_those_gone(s);
	look_for_sockets(s);
	look_for_domains(s, now);
}

bool sources_wait(const struct sources *s)
{
	return s->lister.fd >= 0;
}

void sources_work(struct sources *s)
{
	char name[256];
	size_t len;
	char *line;

	if (stream_fill(&s->lister))
		s->lister.eof = true;
	while ((line = stream_line(&s->lister, &len))) {
		json_t *message = reply_parse(line, len);

		if (reply_text(message, "domain", name, sizeof(name)))
			add(s, SOURCE_LIBVIRT, name);
		else if (reply_text(json_object_get(message, "error"), "desc", name, sizeof(name)))
			snprintf(s->error, sizeof(s->error), "libvirt: %s", name);
		json_decref(message);
	}
	if (s->lister.eof)
		stream_close(&s->lister);
}

void sources_give_up(struct sources *s, double now)
{
	if (s->lister.fd >= 0)
		snprintf(s->error, sizeof(s->error),
			 "libvirt has not listed its domains within %.0f s; is libvirtd well?",
			 now - s->asked);
}

void sources_end(struct sources *s)
{
	for (size_t i = 0; i < s->nr; i++)
		guest_free(s->guests[i]);
	free(s->guests);
	stream_close(&s->lister);
	memset(s, 0, sizeof(*s));
}
