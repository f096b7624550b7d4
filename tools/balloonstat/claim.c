// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "claim.h"

/* Three numbers of up to 20 digits. */
#define CONTENT_MAX	80

/* Where the files are, which nobody else may write to. */
static int open_directory(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[4096];
	struct stat about;
	int fd;

	if (!geteuid())
		snprintf(path, sizeof(path), "/run/balloonstat");
	else if (runtime && runtime[0] == '/')
		snprintf(path, sizeof(path), "%s/balloonstat", runtime);
	else
		snprintf(path, sizeof(path), "/tmp/balloonstat-%u", (unsigned int)geteuid());
	if (mkdir(path, 0700) && errno != EEXIST)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &about) || about.st_uid != geteuid() || about.st_mode & 022)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* The name is a hash, since a key may be longer than a name, and have slashes. */
static int open_file(const char *key)
{
	uint64_t hash = 0xcbf29ce484222325ULL;	/* FNV-1a */
	int directory = open_directory(), fd;
	char name[32];

	if (directory < 0)
		return -1;
	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3ULL;
	snprintf(name, sizeof(name), "%016" PRIx64, hash);
	fd = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	close(directory);
	return fd;
}

static bool read_content(const struct claim *c, int64_t *before, int64_t *set, int64_t *was)
{
	char text[CONTENT_MAX];
	ssize_t n = pread(c->fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return sscanf(text, "%" SCNd64 " %" SCNd64 " %" SCNd64, before, set, was) == 3;
}

static void write_content(const struct claim *c)
{
	char text[CONTENT_MAX];
	int n = snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 " %" PRId64 "\n", c->before,
			 c->set, c->was);

	/* Without a file this process knows it, and with a full disk as well. */
	if (c->fd >= 0 && (pwrite(c->fd, text, (size_t)n, 0) != n || ftruncate(c->fd, n)))
		errno = 0;
}

/* What others have agreed on meanwhile. */
static void refresh(struct claim *c)
{
	int64_t before, set, was;

	if (c->fd < 0 || !read_content(c, &before, &set, &was))
		return;
	c->before = before;
	c->set = set;
	c->was = was;
}

bool claim_begin(struct claim *c, const char *key, int64_t now, int64_t want)
{
	int64_t before, set, was;
	bool alone, known;

	*c = (struct claim){ .fd = open_file(key), .held = true, .before = now, .set = want,
			     .was = now };
	if (c->fd < 0)
		return true;
	alone = !flock(c->fd, LOCK_EX | LOCK_NB);
	if (!alone && flock(c->fd, LOCK_SH | LOCK_NB)) {
		claim_end(c, false);
		return false;
	}
	known = read_content(c, &before, &set, &was);
	if (known && (!alone || now == set))
		c->before = before;
	if (known && !alone) {
		c->set = set < want ? set : want;
		c->was = set < want ? was : set;
	}
	write_content(c);
	if (alone)
		flock(c->fd, LOCK_SH);
	return true;
}

bool claim_look(struct claim *c, int64_t now)
{
	refresh(c);
	if (now == c->set)
		return false;
	if (now != c->was) {
		c->before = now;
		c->was = now;
		write_content(c);
	}
	return true;
}

bool claim_is_last(struct claim *c)
{
	refresh(c);
	return c->fd < 0 || !flock(c->fd, LOCK_EX | LOCK_NB);
}

void claim_end(struct claim *c, bool restored)
{
	if (c->held && c->fd >= 0) {
		if (restored && ftruncate(c->fd, 0))
			errno = 0;
		close(c->fd);
	}
	c->fd = -1;
	c->held = false;
}
