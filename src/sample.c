// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the kernel's counters into struct balloon_sample, in pages and events.
 *
 * The per-CPU events are summed over the CPUs that are online. When a CPU goes
 * offline, its counts are added to another's before they are cleared, so this
 * must not run meanwhile: hence the CPU hotplug lock, which an interrupt can
 * only try. Only the events that are sent are read.
 */
#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/sched/clock.h>
#include <linux/string.h>
#include <linux/vmstat.h>

#include "compat/vmstat.h"
#include "sample.h"

/* CPUs between two looks at the clock; at a microsecond each, a third of what is allowed. */
#ifndef BALLOON_SAMPLE_LOOK
#define BALLOON_SAMPLE_LOOK	16
#endif

#define BALLOON_SAMPLE_UNTIMED	U64_MAX

#ifdef CONFIG_VM_EVENT_COUNTERS
#define BALLOON_EVENT_TAGS					\
	(BIT(VIRTIO_BALLOON_S_SWAP_IN) |			\
	 BIT(VIRTIO_BALLOON_S_SWAP_OUT) |			\
	 BIT(VIRTIO_BALLOON_S_MAJFLT) |				\
	 BIT(VIRTIO_BALLOON_S_MINFLT) |				\
	 BIT(VIRTIO_BALLOON_S_OOM_KILL) |			\
	 BIT(VIRTIO_BALLOON_S_ALLOC_STALL))

#ifdef CONFIG_HUGETLB_PAGE
#define BALLOON_HUGETLB_TAGS					\
	(BIT(VIRTIO_BALLOON_S_HTLB_PGALLOC) |			\
	 BIT(VIRTIO_BALLOON_S_HTLB_PGFAIL))
#else
#define BALLOON_HUGETLB_TAGS	0
#endif

/* No page is ever allocated from the zones above ZONE_MOVABLE. */
static unsigned long balloon_sample_stalls(const struct vm_event_state *cpu)
{
	unsigned long stalls = 0;
	unsigned int zone;

	for (zone = 0; zone <= ZONE_MOVABLE; zone++)
		stalls += cpu->event[ALLOCSTALL_NORMAL - ZONE_NORMAL + zone];
	return stalls;
}

/* Returns false if it was not done in @ns nanoseconds. */
static bool balloon_sample_events(u64 *value, u64 ns)
{
	/* Reading the clock costs as much as a CPU whose counts are in the cache. */
	bool timed = ns != BALLOON_SAMPLE_UNTIMED && num_online_cpus() >= BALLOON_SAMPLE_LOOK;
	u64 start = timed ? sched_clock() : 0;
	unsigned int i, nr = 0;

	for_each_online_cpu(i) {
		const struct vm_event_state *cpu = &per_cpu(vm_event_states, i);

		if (timed && ++nr % BALLOON_SAMPLE_LOOK == 0 && sched_clock() - start > ns)
			return false;
		value[VIRTIO_BALLOON_S_SWAP_IN] += cpu->event[PSWPIN];
		value[VIRTIO_BALLOON_S_SWAP_OUT] += cpu->event[PSWPOUT];
		value[VIRTIO_BALLOON_S_MAJFLT] += cpu->event[PGMAJFAULT];
		value[VIRTIO_BALLOON_S_MINFLT] += cpu->event[PGFAULT];
#ifdef CONFIG_HUGETLB_PAGE
		value[VIRTIO_BALLOON_S_HTLB_PGALLOC] += cpu->event[HTLB_BUDDY_PGALLOC];
		value[VIRTIO_BALLOON_S_HTLB_PGFAIL] += cpu->event[HTLB_BUDDY_PGALLOC_FAIL];
#endif
		value[VIRTIO_BALLOON_S_OOM_KILL] += cpu->event[OOM_KILL];
		value[VIRTIO_BALLOON_S_ALLOC_STALL] += balloon_sample_stalls(cpu);
		balloon_compat_add_reclaim(value, cpu);
	}
	return true;
}
#else
#define BALLOON_EVENT_TAGS	0
#define BALLOON_HUGETLB_TAGS	0

static bool balloon_sample_events(u64 *value, u64 ns)
{
	return true;
}
#endif /* CONFIG_VM_EVENT_COUNTERS */

#ifdef BALLOON_COMPAT_RECLAIM
#define BALLOON_RECLAIM_TAGS					\
	(BIT(VIRTIO_BALLOON_S_ASYNC_SCAN) |			\
	 BIT(VIRTIO_BALLOON_S_DIRECT_SCAN) |			\
	 BIT(VIRTIO_BALLOON_S_ASYNC_RECLAIM) |			\
	 BIT(VIRTIO_BALLOON_S_DIRECT_RECLAIM))
#else
#define BALLOON_RECLAIM_TAGS	0
#endif

/**
 * balloon_sample_supported - the statistics that this kernel has
 *
 * Any context. A constant, so every report has the same tags.
 *
 * Return: bit per tag.
 */
u32 balloon_sample_supported(void)
{
	return BALLOON_EVENT_TAGS | BALLOON_HUGETLB_TAGS | BALLOON_RECLAIM_TAGS |
	       BIT(VIRTIO_BALLOON_S_MEMFREE) | BIT(VIRTIO_BALLOON_S_MEMTOT) |
	       BIT(VIRTIO_BALLOON_S_AVAIL) | BIT(VIRTIO_BALLOON_S_CACHES);
}

/* With the CPU hotplug lock held. The totals are what si_meminfo() would say. */
static bool balloon_sample_locked(struct balloon_sample *sample, u64 ns)
{
	u64 *value = sample->value;

	memset(sample, 0, sizeof(*sample));
	if (!balloon_sample_events(value, ns))
		return false;
	balloon_compat_read_reclaim(value);
	value[VIRTIO_BALLOON_S_MEMFREE] = global_zone_page_state(NR_FREE_PAGES);
	value[VIRTIO_BALLOON_S_MEMTOT] = totalram_pages();
	value[VIRTIO_BALLOON_S_AVAIL] = si_mem_available();
	value[VIRTIO_BALLOON_S_CACHES] = global_node_page_state(NR_FILE_PAGES);
	return true;
}

/**
 * balloon_sample_try - take a sample without sleeping, in a limited time
 * @sample: in pages of the guest and events, native byte order
 * @ns: give up after so many nanoseconds; looked at every BALLOON_SAMPLE_LOOK CPUs
 *
 * Any context.
 *
 * Return: false if the time is over, or a CPU is going on- or offline just now; then
 * use balloon_sample().
 */
bool balloon_sample_try(struct balloon_sample *sample, u64 ns)
{
	bool taken;

	if (!cpus_read_trylock())
		return false;
	taken = balloon_sample_locked(sample, ns);
	cpus_read_unlock();
	return taken;
}

/**
 * balloon_sample - take a sample
 * @sample: in pages of the guest and events, native byte order
 *
 * Sleeps while a CPU goes on- or offline. Takes time in proportion to the number of
 * online CPUs.
 */
void balloon_sample(struct balloon_sample *sample)
{
	cpus_read_lock();
	balloon_sample_locked(sample, BALLOON_SAMPLE_UNTIMED);
	cpus_read_unlock();
}
