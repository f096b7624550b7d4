// SPDX-License-Identifier: GPL-2.0-only
/* A file for node_exporter's textfile collector, replaced in one step. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "view.h"

static const char *const helps[TAG_NR] = {
	[VIRTIO_BALLOON_S_SWAP_IN] = "Swapped in by the guest since it booted",
	[VIRTIO_BALLOON_S_SWAP_OUT] = "Swapped out by the guest since it booted",
	[VIRTIO_BALLOON_S_MAJFLT] = "Page faults of the guest that read from a disk",
	[VIRTIO_BALLOON_S_MINFLT] = "Page faults of the guest, as its driver counts them",
	[VIRTIO_BALLOON_S_MEMFREE] = "Memory that the guest uses for nothing",
	[VIRTIO_BALLOON_S_MEMTOT] = "Memory that the guest manages, balloon subtracted",
	[VIRTIO_BALLOON_S_AVAIL] = "Memory that the guest could use without swapping, an estimate",
	[VIRTIO_BALLOON_S_CACHES] = "Page cache of the guest",
	[VIRTIO_BALLOON_S_HTLB_PGALLOC] = "Huge pages that the guest has allocated",
	[VIRTIO_BALLOON_S_HTLB_PGFAIL] = "Huge pages that the guest could not allocate",
	[VIRTIO_BALLOON_S_OOM_KILL] = "Processes killed for want of memory in the guest or in a cgroup",
	[VIRTIO_BALLOON_S_ALLOC_STALL] = "Allocations in the guest that had to reclaim memory first",
	[VIRTIO_BALLOON_S_ASYNC_SCAN] = "Memory scanned by the guest's kswapd",
	[VIRTIO_BALLOON_S_DIRECT_SCAN] = "Memory scanned by the guest's allocations",
	[VIRTIO_BALLOON_S_ASYNC_RECLAIM] = "Memory reclaimed by the guest's kswapd",
	[VIRTIO_BALLOON_S_DIRECT_RECLAIM] = "Memory reclaimed by the guest's allocations",
};

static void put_value(const char *text, FILE *to)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", to);
		else if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else
			putc(*text, to);
	}
}

static void put_labels(const struct guest *g, FILE *to)
{
	fputs("{guest=\"", to);
	put_value(g->name, to);
	/* Two guests may have one name; no two have one address. */
	fputs("\",address=\"", to);
	put_value(g->where, to);
	putc('"', to);
}

static void put_head(const char *name, const char *type, const char *help, FILE *to)
{
	fprintf(to, "# HELP balloonstat_%s %s.\n# TYPE balloonstat_%s %s\n", name, help, name,
		type);
}

static void put_tag(struct guest *const *guests, size_t nr, unsigned int tag, FILE *to)
{
	bool bytes = TAGS_BYTES & TAG_BIT(tag), gauge = TAGS_GAUGES & TAG_BIT(tag);
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s", tag_name(tag), bytes ? "_bytes" : "",
		 gauge ? "" : "_total");
	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	put_head(name, gauge ? "gauge" : "counter", helps[tag], to);
	for (size_t i = 0; i < nr; i++) {
		if (!guest_reached(guests[i]) || !sample_has(&guests[i]->sample, tag))
			continue;
		fprintf(to, "balloonstat_%s", name);
		put_labels(guests[i], to);
		fprintf(to, "} %llu\n", (unsigned long long)guests[i]->sample.value[tag]);
	}
}

static double actual(const struct guest *g)
{
	return g->sample.actual ? (double)g->sample.actual : -1;
}

static double max(const struct guest *g)
{
	return g->sample.max ? (double)g->sample.max : -1;
}

static double polling(const struct guest *g)
{
	return (double)g->sample.polling;
}

static double report(const struct guest *g)
{
	return g->sample.last_update ? (double)g->sample.last_update : -1;
}

static double age(const struct guest *g)
{
	return g->age;
}

/* Negative is not known, and left out. */
static void put_gauge(struct guest *const *guests, size_t nr, const char *name, const char *help,
		      double (*value)(const struct guest *g), FILE *to)
{
	put_head(name, "gauge", help, to);
	for (size_t i = 0; i < nr; i++) {
		if (!guest_reached(guests[i]) || value(guests[i]) < 0)
			continue;
		fprintf(to, "balloonstat_%s", name);
		put_labels(guests[i], to);
		fprintf(to, "} %.15g\n", value(guests[i]));
	}
}

static void put_diagnosis(struct guest *const *guests, size_t nr, FILE *to)
{
	put_head("diagnosis", "gauge", "What is the matter with the guest: 1 for what is", to);
	for (size_t i = 0; i < nr; i++) {
		if (!guest_reached(guests[i]))
			continue;
		for (enum regime regime = 0; regime < REGIME_NR; regime++) {
			fputs("balloonstat_diagnosis", to);
			put_labels(guests[i], to);
			fprintf(to, ",diagnosis=\"%s\"} %d\n", regime_name(regime),
				guests[i]->diagnosis.regime == regime);
		}
	}
}

int prometheus_metrics(struct guest *const *guests, size_t nr, double now, FILE *to)
{
	put_head("up", "gauge", "Whether the guest's monitor has answered", to);
	for (size_t i = 0; i < nr; i++) {
		fputs("balloonstat_up", to);
		put_labels(guests[i], to);
		fprintf(to, "} %d\n", guest_reached(guests[i]));
	}
	put_head("written_timestamp_seconds", "gauge", "When this was written", to);
	fprintf(to, "balloonstat_written_timestamp_seconds %.15g\n", now);
	for (unsigned int tag = 0; tag < TAG_NR; tag++)
		put_tag(guests, nr, tag, to);
	put_gauge(guests, nr, "actual_bytes", "Memory that the guest has, balloon subtracted",
		  actual, to);
	put_gauge(guests, nr, "max_bytes", "Memory that the guest has with an empty balloon",
		  max, to);
	put_gauge(guests, nr, "polling_interval_seconds",
		  "How often the host asks for a report, 0 for never", polling, to);
	put_gauge(guests, nr, "report_timestamp_seconds", "When the guest's last report came",
		  report, to);
	put_gauge(guests, nr, "report_age_seconds", "Age of the guest's last report", age, to);
	put_diagnosis(guests, nr, to);
	return ferror(to) ? -1 : 0;
}

static int put_all(const struct loop *loop, FILE *to)
{
	const struct sources *s = &loop->sources;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return prometheus_metrics(s->guests, s->nr, (double)now.tv_sec + (double)now.tv_nsec / 1e9,
				  to);
}

/* Close @to, and leave in errno what went wrong first. */
static int finish(FILE *to, int err)
{
	int first = errno;

	if (!fclose(to))
		errno = first;
	else if (!err)
		err = -1;
	else
		errno = first;
	return err;
}

/* A pipe or a device is what others have opened, and is not to be replaced. */
static int write_into(const struct loop *loop, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0644);
	FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!to) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return finish(to, put_all(loop, to));
}

/* Who reads the file sees the old one or the new one, and nothing in between. */
static int replace(const struct loop *loop, const char *path)
{
	char *temporary;
	int fd, err = -1;
	mode_t mask;
	FILE *to;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -1;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		goto out;
	mask = umask(0);
	umask(mask);
	to = fdopen(fd, "w");
	if (to) {
		err = fchmod(fd, 0644 & ~mask);
		if (!err)
			err = put_all(loop, to);
		err = finish(to, err);
	} else {
		close(fd);
	}
	if (!err)
		err = rename(temporary, path);
	if (err) {
		fd = errno;
		unlink(temporary);
		errno = fd;
	}
out:
	free(temporary);
	return err;
}

static bool is_stdout(const char *path)
{
	return !strcmp(path, "-") || !strcmp(path, "/dev/stdout");
}

static int write_file(const struct loop *loop, const char *path)
{
	char *real = realpath(path, NULL);
	struct stat about;
	int err;

	if (!lstat(path, &about) && (!real || stat(real, &about) || !S_ISREG(about.st_mode)))
		err = write_into(loop, path);
	else
		err = replace(loop, real ? real : path);
	free(real);
	return err;
}

/* Each failure is said once, until there is another one or none. */
static void complain(const char *path, int err)
{
	static int last;
	bool place = err == ENOENT || err == EACCES || err == ENOTDIR || err == EROFS;

	if (err && err != last)
		fprintf(stderr, "balloonstat: cannot write %s: %s%s\n", path, strerror(err),
			place ? "; its directory must exist and be writable" : "");
	last = err;
}

static bool failed;

static bool prometheus_round(struct loop *loop)
{
	const char *path = loop->options->prometheus;

	view_complain(loop);
	if (is_stdout(path)) {
		put_all(loop, stdout);
		return view_flush();
	}
	errno = 0;
	failed = write_file(loop, path);
	complain(path, failed ? errno : 0);
	/* A disk that is full may have room again in the next round. */
	return true;
}

static int prometheus_end(struct loop *loop)
{
	return failed ? EXIT_TROUBLE : view_status(loop);
}

const struct view prometheus_view = { .round = prometheus_round, .end = prometheus_end };
