/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The interface between driver and device of the virtio memory balloon (device id 5).
 *
 * Programs can use this header with the kernel's own user-space headers. Sections refer to
 * the virtio specification, "Traditional Memory Balloon Device".
 */
#ifndef _LINUX_VIRTIO_BALLOON_H
#define _LINUX_VIRTIO_BALLOON_H

#include <linux/types.h>
#include <linux/virtio_types.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_config.h>

/* Feature bits. */
#define VIRTIO_BALLOON_F_MUST_TELL_HOST	0 /* no page is used again before the host acknowledged */
#define VIRTIO_BALLOON_F_STATS_VQ	1 /* statistics queue */
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM	2 /* the guest may take pages when it runs out of memory */
#define VIRTIO_BALLOON_F_FREE_PAGE_HINT	3 /* free page hinting queue */
#define VIRTIO_BALLOON_F_PAGE_POISON	4 /* the guest writes poison_val to the pages it frees */
#define VIRTIO_BALLOON_F_REPORTING	5 /* free page reporting queue */

/* A page number counts pages of 4 KiB, whatever the guest's page size. */
#define VIRTIO_BALLOON_PFN_SHIFT	12

/* Values of free_page_hint_cmd_id that are commands; others are ids of a round of hints. */
#define VIRTIO_BALLOON_CMD_ID_STOP	0 /* stop hinting, keep the pages */
#define VIRTIO_BALLOON_CMD_ID_DONE	1 /* the pages may go back to the guest */

/*
 * Configuration space. Little-endian for legacy devices too.
 *
 * @num_pages: pages of 4 KiB the host wants the guest to give up
 * @actual: pages of 4 KiB in the balloon, written by the driver
 * @free_page_hint_cmd_id: read-only; exists with VIRTIO_BALLOON_F_FREE_PAGE_HINT
 * @free_page_report_cmd_id: former name of the same field
 * @poison_val: written by the driver; exists with VIRTIO_BALLOON_F_PAGE_POISON
 */
struct virtio_balloon_config {
	__le32 num_pages;
	__le32 actual;
	union {
		__le32 free_page_hint_cmd_id;
		__le32 free_page_report_cmd_id;
	};
	__le32 poison_val;
};

/* Tags of the memory statistics, with their units. Counters run since the guest booted. */
#define VIRTIO_BALLOON_S_SWAP_IN	0  /* bytes swapped in */
#define VIRTIO_BALLOON_S_SWAP_OUT	1  /* bytes swapped out */
#define VIRTIO_BALLOON_S_MAJFLT		2  /* major page faults */
#define VIRTIO_BALLOON_S_MINFLT		3  /* page faults */
#define VIRTIO_BALLOON_S_MEMFREE	4  /* bytes not in use for any purpose */
#define VIRTIO_BALLOON_S_MEMTOT		5  /* bytes of memory the guest has, balloon subtracted */
#define VIRTIO_BALLOON_S_AVAIL		6  /* bytes to be had without swapping, an estimate */
#define VIRTIO_BALLOON_S_CACHES		7  /* bytes of page cache */
#define VIRTIO_BALLOON_S_HTLB_PGALLOC	8  /* huge pages allocated */
#define VIRTIO_BALLOON_S_HTLB_PGFAIL	9  /* huge page allocations that failed */
#define VIRTIO_BALLOON_S_OOM_KILL	10 /* OOM kills */
#define VIRTIO_BALLOON_S_ALLOC_STALL	11 /* allocations that had to wait for direct reclaim */
#define VIRTIO_BALLOON_S_ASYNC_SCAN	12 /* bytes scanned by kswapd */
#define VIRTIO_BALLOON_S_DIRECT_SCAN	13 /* bytes scanned by direct reclaim */
#define VIRTIO_BALLOON_S_ASYNC_RECLAIM	14 /* bytes reclaimed by kswapd */
#define VIRTIO_BALLOON_S_DIRECT_RECLAIM	15 /* bytes reclaimed by direct reclaim */
#define VIRTIO_BALLOON_S_NR		16

/* Initializer for an array of VIRTIO_BALLOON_S_NR names in tag order, each behind @prefix. */
#define VIRTIO_BALLOON_S_NAMES_WITH_PREFIX(prefix) {	\
	prefix "swap-in",				\
	prefix "swap-out",				\
	prefix "major-faults",				\
	prefix "minor-faults",				\
	prefix "free-memory",				\
	prefix "total-memory",				\
	prefix "available-memory",			\
	prefix "disk-caches",				\
	prefix "hugetlb-allocations",			\
	prefix "hugetlb-failures",			\
	prefix "oom-kills",				\
	prefix "alloc-stalls",				\
	prefix "async-scans",				\
	prefix "direct-scans",				\
	prefix "async-reclaims",			\
	prefix "direct-reclaims",			\
}

#define VIRTIO_BALLOON_S_NAMES	VIRTIO_BALLOON_S_NAMES_WITH_PREFIX("")

/*
 * One statistic: 10 bytes, no padding. Little-endian for a modern device, in
 * the guest's byte order for a legacy one.
 */
struct virtio_balloon_stat {
	__virtio16 tag;
	__virtio64 val;
} __attribute__((packed));

#endif /* _LINUX_VIRTIO_BALLOON_H */
