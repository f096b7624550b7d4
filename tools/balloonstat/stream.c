// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "stream.h"

static int connect_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

static int connect_tcp(const char *address)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	const char *port = strrchr(address, ':');
	struct addrinfo *found;
	char host[256];
	int fd, err;

	if (!port || (size_t)(port - address) >= sizeof(host))
		return -EDESTADDRREQ;
	memcpy(host, address, port - address);
	host[port - address] = '\0';
	err = getaddrinfo(host[0] ? host : NULL, port + 1, &hints, &found);
	if (err)
		return err == EAI_SYSTEM ? -errno : -EADDRNOTAVAIL;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		err = errno;
	} else if (connect(fd, found->ai_addr, found->ai_addrlen) && errno != EINPROGRESS) {
		err = errno;
		close(fd);
	}
	freeaddrinfo(found);
	return err ? -err : fd;
}

int stream_connect(const char *address)
{
	return strncmp(address, "tcp:", 4) ? connect_unix(address) : connect_tcp(address + 4);
}

void stream_open(struct stream *s, int fd)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
}

void stream_close(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->in);
	free(s->out);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

/* Make room for @more bytes; both buffers grow in steps and stay small. */
static int grow(char **buf, size_t *size, size_t used, size_t more)
{
	size_t want = *size ? *size : 1024;
	char *new;

	while (want < used + more)
		want *= 2;
	if (want == *size)
		return 0;
	new = realloc(*buf, want);
	if (!new)
		return -ENOMEM;
	*buf = new;
	*size = want;
	return 0;
}

int stream_put(struct stream *s, const char *line)
{
	size_t len = strlen(line);
	int err;

	if (s->out_used + len + 1 > STREAM_LINE_MAX)
		return -EMSGSIZE;
	err = grow(&s->out, &s->out_size, s->out_used, len + 1);
	if (err)
		return err;
	memcpy(s->out + s->out_used, line, len);
	s->out[s->out_used + len] = '\n';
	s->out_used += len + 1;
	return 0;
}

int stream_flush(struct stream *s)
{
	while (s->out_used) {
		ssize_t n = send(s->fd, s->out, s->out_used, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		s->out_used -= n;
		memmove(s->out, s->out + n, s->out_used);
	}
	return 0;
}

static void drop_taken(struct stream *s)
{
	s->in_used -= s->taken;
	memmove(s->in, s->in + s->taken, s->in_used);
	s->taken = 0;
}

int stream_fill(struct stream *s)
{
	size_t budget = STREAM_BUDGET;

	if (s->taken)
		drop_taken(s);
	while (budget) {
		size_t want = budget > 4096 ? 4096 : budget;
		ssize_t n;
		int err;

		if (s->in_used > STREAM_LINE_MAX)
			return memchr(s->in, '\n', s->in_used) ? 0 : -EMSGSIZE;
		/* One byte more for the 0 behind a line. */
		err = grow(&s->in, &s->in_size, s->in_used, want + 1);
		if (err)
			return err;
		n = recv(s->fd, s->in + s->in_used, want, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (!n) {
			s->eof = true;
			return 0;
		}
		s->in_used += n;
		budget -= n;
	}
	return 0;
}

/* Whether nothing but a bracket is on the line. */
static bool opens_object(const char *line, const char *end)
{
	return line[0] == '{' && (end == line + 1 || (end == line + 2 && line[1] == '\r'));
}

/* The end of the line that closes the object: all lines in between are indented. */
static char *end_of_object(char *end, const char *limit)
{
	while (end && end + 1 < limit && end[1] != '}')
		end = memchr(end + 1, '\n', limit - end - 1);
	if (!end || end + 1 >= limit)
		return NULL;
	return memchr(end + 1, '\n', limit - end - 1);
}

char *stream_line(struct stream *s, size_t *len)
{
	char *line, *end;

	if (s->taken == s->in_used)
		return NULL;
	line = s->in + s->taken;
	end = memchr(line, '\n', s->in_used - s->taken);
	if (end && opens_object(line, end))
		end = end_of_object(end, s->in + s->in_used);
	if (!end)
		return NULL;
	*end = '\0';
	*len = end - line;
	s->taken += *len + 1;
	return line;
}
