// SPDX-License-Identifier: GPL-2.0-only
/* Why there are no numbers, or too few. */
#include <stdarg.h>
#include <stdio.h>

#include "view.h"
#include "units.h"

/* The first that knows the six: 9.2. */
#define QEMU_KNOWS_SIX	902

/* The ten and the six without those that a kernel may be built without. */
#define TAGS_HUGETLB	(TAG_BIT(VIRTIO_BALLOON_S_HTLB_PGALLOC) | \
			 TAG_BIT(VIRTIO_BALLOON_S_HTLB_PGFAIL))
#define TAGS_EVENTS	(TAG_BIT(VIRTIO_BALLOON_S_SWAP_IN) | TAG_BIT(VIRTIO_BALLOON_S_MAJFLT))

static unsigned int findings;

static void __attribute__((format(printf, 1, 2))) finding(const char *format, ...)
{
	va_list args;

	findings++;
	fputs("  ! ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void show_guest(const struct guest *g)
{
	const struct sample *s = &g->sample;
	char actual[UNITS_LEN], max[UNITS_LEN];

	if (g->version)
		printf("  QEMU %d.%d", g->version / 100, g->version % 100);
	if (g->path[0])
		printf(", balloon %s", g->path);
	if (s->actual && s->max)
		printf(", guest has %s of %s", units_bytes(actual, (double)s->actual),
		       units_bytes(max, (double)s->max));
	if (g->version)
		putchar('\n');
}

/* The highest tag if the guest sends all up to it, as far as its kernel has them. */
static int sent_up_to(uint32_t set)
{
	for (int tag = TAG_NR - 1; tag >= 0; tag--)
		if (set & TAG_BIT(tag))
			return ((set | TAGS_HUGETLB) & ((2u << tag) - 1)) == (2u << tag) - 1 ?
			       tag : -1;
	return -1;
}

static void missing(const struct sample *s)
{
	const char *who = "so may drivers of older kernels or of other systems, such as Windows";
	int last = sent_up_to(s->set);

	if (last == VIRTIO_BALLOON_S_HTLB_PGFAIL)
		who = "so does Linux's stock driver before 6.12 (install virtio-balloon there)";

	if (!(s->set & TAGS_EVENTS) && s->set & TAGS_GAUGES)
		finding("no counters: the guest's kernel was built without CONFIG_VM_EVENT_COUNTERS");
	else if (last >= 0)
		finding("the guest sends tags 0 to %d only: %s; or it has virtio-balloon, loaded with max_stat_tag=%d, which the host cannot tell apart; in the guest: cat /sys/module/virtio_balloon/parameters/max_stat_tag",
			last, who, last);
	else
		finding("the guest leaves out some of the six statistics of pressure");
}

static void look_at_numbers(const struct guest *g)
{
	const struct sample *s = &g->sample;
	bool host_old = (s->known & TAGS_PRESSURE) != TAGS_PRESSURE;

	if (host_old)
		finding("this host's QEMU%s does not know the six statistics of pressure: they need 9.2 or newer",
			g->version && g->version < QEMU_KNOWS_SIX ? ", being older than 9.2," : "");
	if (s->absurd)
		for (unsigned int tag = 0; tag < TAG_NR; tag++)
			if (s->absurd & TAG_BIT(tag))
				finding("%s has a value that cannot be; is the guest's driver sane?",
					tag_name(tag));
	/* What was never asked for cannot be old. */
	if (s->polling && s->set && g->diagnosis.why == WHY_STALE)
		finding("stale: the last statistics came %.0f s ago, and the host asks every %lld s; the guest hangs, is starved of CPU, or its driver was unloaded",
			g->age, (long long)s->polling);
	if (s->set && !host_old && (s->set & TAGS_PRESSURE) != TAGS_PRESSURE)
		missing(s);
}

static void examine(const struct guest *g)
{
	const struct sample *s = &g->sample;
	unsigned int before = findings;

	printf("%s (%s)\n", g->name, g->where);
	show_guest(g);
	if (g->trouble != TROUBLE_NONE) {
		finding("%s", g->error);
		/* Nothing is known without a sample. */
		if (!g->fresh)
			return;
	}
	if (!s->running)
		finding("the guest is paused: it answers once it runs");
	if (g->driver == 0)
		finding("no driver runs the balloon: modprobe virtio_balloon in the guest; if there is none, its kernel needs CONFIG_VIRTIO_BALLOON");
	else if (g->driver == 1 && !g->stats_queue)
		finding("the driver has not taken the statistics queue: it sends none");
	if (!s->polling)
		finding("polling is off: balloonstat --poll SECONDS turns it on while it runs; libvirt has <stats period='SECONDS'/> and virsh dommemstat --period");
	if (s->polling && !s->set && !s->absurd && g->driver != 0)
		finding("no statistics have come since the guest booted; is it still booting? If not, its driver is the matter");
	look_at_numbers(g);
	if (findings == before)
		printf("  all %d statistics, the last %.0f s ago, asked for every %lld s\n",
		       __builtin_popcount(s->set), g->age, (long long)s->polling);
}

static bool doctor_round(struct loop *loop)
{
	const struct sources *s = &loop->sources;

	if (s->error[0] || !s->nr)
		finding("%s", s->error[0] ? s->error : "no guests found");
	for (size_t i = 0; i < s->nr; i++)
		examine(s->guests[i]);
	if (!view_flush())
		findings++;
	return false;
}

static int doctor_end(struct loop *loop)
{
	return findings || !loop->samples ? EXIT_TROUBLE : EXIT_OK;
}

const struct view doctor_view = { .round = doctor_round, .end = doctor_end };
