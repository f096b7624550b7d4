/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 16 statistics: what a tag is called and what kind of number it carries.
 * Numbers and names are the wire contract's.
 */
#ifndef BALLOONSTAT_TAGS_H
#define BALLOONSTAT_TAGS_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_balloon.h>

#define TAG_NR			VIRTIO_BALLOON_S_NR
#define TAG_BIT(tag)		(1u << (tag))

/* The ten that every driver knows, and the six of memory pressure. */
#define TAGS_OLD		(TAG_BIT(VIRTIO_BALLOON_S_OOM_KILL) - 1)
#define TAGS_PRESSURE		(((1u << TAG_NR) - 1) & ~TAGS_OLD)

/* Those that go up and down; all others count since the guest booted. */
#define TAGS_GAUGES		(TAG_BIT(VIRTIO_BALLOON_S_MEMFREE) | \
				 TAG_BIT(VIRTIO_BALLOON_S_MEMTOT) | \
				 TAG_BIT(VIRTIO_BALLOON_S_AVAIL) | \
				 TAG_BIT(VIRTIO_BALLOON_S_CACHES))

/* Those in bytes; all others are numbers of events. */
#define TAGS_BYTES		(TAGS_GAUGES | \
				 TAG_BIT(VIRTIO_BALLOON_S_SWAP_IN) | \
				 TAG_BIT(VIRTIO_BALLOON_S_SWAP_OUT) | \
				 TAG_BIT(VIRTIO_BALLOON_S_ASYNC_SCAN) | \
				 TAG_BIT(VIRTIO_BALLOON_S_DIRECT_SCAN) | \
				 TAG_BIT(VIRTIO_BALLOON_S_ASYNC_RECLAIM) | \
				 TAG_BIT(VIRTIO_BALLOON_S_DIRECT_RECLAIM))

/**
 * tag_name() - what the specification calls a statistic
 * @tag: 0 to TAG_NR - 1
 *
 * Return: such as "swap-in"; never NULL.
 */
const char *tag_name(unsigned int tag);

/**
 * tag_of_qemu() - find the statistic that QEMU means
 * @name: a member of "guest-stats", such as "stat-swap-in"
 *
 * Return: the tag, or -1 if it is not one of the 16.
 */
int tag_of_qemu(const char *name);

#endif
