/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the kernel keeps its counters of reclaim.
 */
#ifndef BALLOON_COMPAT_VMSTAT_H
#define BALLOON_COMPAT_VMSTAT_H

#include <linux/vmstat.h>
#include <linux/virtio_balloon.h>

#include "facts.h"

/*
 * Up to 6.12 the kernel counts scanned and reclaimed pages for each CPU. In 7.3 it counts them
 * for each node; which version between them changed this is not known here. The constants
 * kept their names, and an index into the wrong array compiles. So there is one function for
 * each kind of counter, and one of the two is empty.
 */
#ifdef CONFIG_VM_EVENT_COUNTERS
static inline void balloon_compat_add_reclaim(u64 *value, const struct vm_event_state *cpu)
{
#ifndef BALLOON_HAVE_RECLAIM_NODE_STATE
	value[VIRTIO_BALLOON_S_ASYNC_SCAN] += cpu->event[PGSCAN_KSWAPD];
	value[VIRTIO_BALLOON_S_DIRECT_SCAN] += cpu->event[PGSCAN_DIRECT];
	value[VIRTIO_BALLOON_S_ASYNC_RECLAIM] += cpu->event[PGSTEAL_KSWAPD];
	value[VIRTIO_BALLOON_S_DIRECT_RECLAIM] += cpu->event[PGSTEAL_DIRECT];
#endif
}
#endif

static inline void balloon_compat_read_reclaim(u64 *value)
{
#ifdef BALLOON_HAVE_RECLAIM_NODE_STATE
	value[VIRTIO_BALLOON_S_ASYNC_SCAN] = global_node_page_state(PGSCAN_KSWAPD);
	value[VIRTIO_BALLOON_S_DIRECT_SCAN] = global_node_page_state(PGSCAN_DIRECT);
	value[VIRTIO_BALLOON_S_ASYNC_RECLAIM] = global_node_page_state(PGSTEAL_KSWAPD);
	value[VIRTIO_BALLOON_S_DIRECT_RECLAIM] = global_node_page_state(PGSTEAL_DIRECT);
#endif
}

/* Whether the counters of reclaim exist at all. */
#if defined(BALLOON_HAVE_RECLAIM_NODE_STATE) || defined(CONFIG_VM_EVENT_COUNTERS)
#define BALLOON_COMPAT_RECLAIM
#endif

#endif /* BALLOON_COMPAT_VMSTAT_H */
