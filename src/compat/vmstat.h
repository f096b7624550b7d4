/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the kernel keeps its counters of reclaim.
 */
#ifndef BALLOON_COMPAT_VMSTAT_H
#define BALLOON_COMPAT_VMSTAT_H

#include <linux/vmstat.h>
#include <linux/virtio_balloon.h>

/*
 * Pages scanned and reclaimed are per-CPU events up to 6.12, and statistics of
 * the nodes by 7.3. The names did not change with it, and an index into the
 * wrong array compiles: hence the type of the parameter.
 */
#ifdef CONFIG_VM_EVENT_COUNTERS
static inline unsigned long balloon_compat_event(const struct vm_event_state *cpu,
						 enum vm_event_item item)
{
	return cpu->event[item];
}

static inline void balloon_compat_add_reclaim(u64 *value, const struct vm_event_state *cpu)
{
	value[VIRTIO_BALLOON_S_ASYNC_SCAN] += balloon_compat_event(cpu, PGSCAN_KSWAPD);
	value[VIRTIO_BALLOON_S_DIRECT_SCAN] += balloon_compat_event(cpu, PGSCAN_DIRECT);
	value[VIRTIO_BALLOON_S_ASYNC_RECLAIM] += balloon_compat_event(cpu, PGSTEAL_KSWAPD);
	value[VIRTIO_BALLOON_S_DIRECT_RECLAIM] += balloon_compat_event(cpu, PGSTEAL_DIRECT);
}
#endif

#endif /* BALLOON_COMPAT_VMSTAT_H */
