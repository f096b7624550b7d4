// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the kernel's counters into struct balloon_sample, in pages and events.
 *
 * The kernel counts events for each CPU, and this adds up the counts of all CPUs that are
 * online. When a CPU goes offline, the kernel adds its counts to those of another CPU before
 * it clears them, so a sum taken at that moment would be wrong. The CPU hotplug lock prevents
 * this; an interrupt can only try to take it. Only events that are sent are read.
 */
#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/sched/clock.h>
#include <linux/string.h>
#include <linux/vmstat.h>

#include "compat/vmstat.h"
#include "sample.h"

/*
 * The clock is read after this number of CPUs. If one CPU takes a microsecond, they take a
 * third of the time that the statistics queue allows.
 */
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

/* The zones above ZONE_MOVABLE are left out: no page is ever allocated from them. */
static unsigned long balloon_sample_stalls(const struct vm_event_state *cpu)
{
	unsigned long stalls = 0;
	unsigned int zone;

	for (zone = 0; zone <= ZONE_MOVABLE; zone++)
		stalls += cpu->event[ALLOCSTALL_NORMAL - ZONE_NORMAL + zone];
	return stalls;
}

/* Adds up the events of all CPUs. Returns false if this took more than @ns nanoseconds. */
static bool balloon_sample_events(u64 *value, u64 ns)
{
	/*
	 * With few CPUs the clock is not read: reading it takes as long as reading the counts
	 * of a CPU.
	 */
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
 * Any context. A constant, so every statistics buffer has the same tags.
 *
 * Return: bit per tag.
 */
u32 balloon_sample_supported(void)
{
	return BALLOON_EVENT_TAGS | BALLOON_HUGETLB_TAGS | BALLOON_RECLAIM_TAGS |
	       BIT(VIRTIO_BALLOON_S_MEMFREE) | BIT(VIRTIO_BALLOON_S_MEMTOT) |
	       BIT(VIRTIO_BALLOON_S_AVAIL) | BIT(VIRTIO_BALLOON_S_CACHES);
}

/* The caller holds the CPU hotplug lock. The totals are those of si_meminfo(). */
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
 * @ns: give up after this number of nanoseconds
 *
 * Any context. Reads the clock after every BALLOON_SAMPLE_LOOK CPUs; with fewer CPUs it does
 * not read it.
 *
 * Return: true if the sample was taken; false if the time is over, or if a CPU is going
 * online or offline: then use balloon_sample().
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
 * Sleeps while a CPU goes online or offline. The time that it takes grows with the number
 * of online CPUs.
 */
void balloon_sample(struct balloon_sample *sample)
{
	cpus_read_lock();
	balloon_sample_locked(sample, BALLOON_SAMPLE_UNTIMED);
	cpus_read_unlock();
}
