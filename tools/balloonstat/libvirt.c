// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "libvirt.h"

#ifdef HAVE_LIBVIRT

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

/* libvirt's calls go deep, but not so deep. */
#define STACK	(512 * 1024)

struct bridge {
	char *uri;
	char *domain;		/* NULL: list them */
	int fd;
};

bool libvirt_built(void)
{
	return true;
}

static void silent(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

/* A line to balloonstat; false if nobody is there any more. */
static bool say(const struct bridge *b, json_t *message)
{
	char *line = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t len = line ? strlen(line) : 0, done = 0;
	bool good = line;

	json_decref(message);
	if (line)
		line[len++] = '\n';	/* in place of the 0 */
	while (good && done < len) {
		ssize_t n = send(b->fd, line + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		good = n > 0;
		done += good ? n : 0;
	}
	free(line);
	return good;
}

static json_t *failure(const char *fallback)
{
	const virError *error = virGetLastError();

	return json_pack("{s:{s:s, s:s}}", "error", "class", "libvirt", "desc",
			 error && error->message ? error->message : fallback);
}

/* Pass one command on; libvirt wants to put its own id. NULL: the domain is gone. */
static json_t *pass(virDomainPtr domain, const char *line)
{
	json_t *command = json_loads(line, 0, NULL), *id, *answer = NULL;
	char *text, *result = NULL;

	id = json_incref(json_object_get(command, "id"));
	json_object_del(command, "id");
	text = json_dumps(command, JSON_COMPACT);
	json_decref(command);
	virResetLastError();
	if (text && !virDomainQemuMonitorCommand(domain, text, &result, 0) && result)
		answer = json_loads(result, JSON_DECODE_INT_AS_REAL, NULL);
	if (!json_is_object(answer)) {
		json_decref(answer);
		answer = failure("the monitor's answer makes no sense");
		if (virDomainIsActive(domain) != 1) {
			json_decref(answer);
			answer = NULL;
		}
	}
	if (answer)
		json_object_set(answer, "id", id);
	json_decref(id);
	free(result);
	free(text);
	return answer;
}

static void converse(const struct bridge *b, virDomainPtr domain)
{
	char *line = NULL;
	size_t size = 0;
	FILE *in;
	int fd;

	fd = dup(b->fd);
	in = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!in) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (say(b, json_pack("{s:{}}", "QMP")))
		while (getline(&line, &size, in) > 0 && say(b, pass(domain, line)))
			;
	free(line);
	fclose(in);
}

/* vm2 before vm10. */
static int by_version(const void *a, const void *b)
{
	return strverscmp(virDomainGetName(*(const virDomainPtr *)a),
			  virDomainGetName(*(const virDomainPtr *)b));
}

static void list(const struct bridge *b, virConnectPtr connection)
{
	virDomainPtr *domains = NULL;
	int n;

	n = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	if (n < 0)
		say(b, failure("the domains cannot be listed"));
	if (n > 0)
		qsort(domains, n, sizeof(*domains), by_version);
	for (int i = 0; i < n; i++) {
		say(b, json_pack("{s:s}", "domain", virDomainGetName(domains[i])));
		virDomainFree(domains[i]);
	}
	free(domains);
}

static void serve(const struct bridge *b)
{
	virConnectPtr connection = virConnectOpen(b->uri);
	virDomainPtr domain;

	if (!connection) {
		say(b, failure("no connection"));
		return;
	}
	if (!b->domain) {
		list(b, connection);
	} else {
		domain = virDomainLookupByName(connection, b->domain);
		if (!domain)
			say(b, failure("no such domain"));
		else if (virDomainIsActive(domain) == 0)
			say(b, json_pack("{s:{s:s}}", "error", "desc", "the domain does not run"));
		else
			converse(b, domain);
		if (domain)
			virDomainFree(domain);
	}
	virConnectClose(connection);
}

static void *bridge_thread(void *data)
{
	struct bridge *b = data;

	serve(b);
	close(b->fd);
	free(b->uri);
	free(b->domain);
	free(b);
	return NULL;
}

static void initialize(void)
{
	virInitialize();
	virSetErrorFunc(NULL, silent);
}

/* A connection for each thread: libvirtd answers one connection five calls at a time. */
static int bridge(const char *uri, const char *domain)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct bridge *b = calloc(1, sizeof(*b));
	int pair[2] = { -1, -1 }, err = ENOMEM;
	pthread_attr_t attr;
	pthread_t thread;

	pthread_once(&once, initialize);
	if (!b)
		return -ENOMEM;
	b->uri = uri ? strdup(uri) : NULL;
	b->domain = domain ? strdup(domain) : NULL;
	if ((uri && !b->uri) || (domain && !b->domain))
		goto fail;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		err = errno;
		goto fail;
	}
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK)) {
		err = errno;
		goto fail;
	}
	b->fd = pair[1];
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, bridge_thread, b);
	pthread_attr_destroy(&attr);
	if (!err)
		return pair[0];
fail:
	if (pair[0] >= 0) {
		close(pair[0]);
		close(pair[1]);
	}
	free(b->uri);
	free(b->domain);
	free(b);
	return -err;
}

int libvirt_open(const char *uri, const char *domain)
{
	return bridge(uri, domain);
}

int libvirt_list(const char *uri)
{
	return bridge(uri, NULL);
}

#else /* !HAVE_LIBVIRT */

bool libvirt_built(void)
{
	return false;
}

int libvirt_open(const char *uri, const char *domain)
{
	(void)uri;
	(void)domain;
	return -EOPNOTSUPP;
}

int libvirt_list(const char *uri)
{
	(void)uri;
	return -EOPNOTSUPP;
}

#endif
