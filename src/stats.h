/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_STATS_H
#define BALLOON_STATS_H

#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_balloon.h>
#include <linux/workqueue.h>

#include "host.h"

/**
 * struct balloon_stats - the statistics queue
 * @tags: one bit for each tag that is sent, the same in every buffer
 * @work: answers the host where an interrupt cannot
 * @lock: protects the fields below, and the statistics queue
 * @active: the host may be answered
 * @buffer: token of @entries, the only buffer of this queue
 * @entries: the statistics; not written while @buffer is in flight
 */
struct balloon_stats {
	u32 tags;
	struct delayed_work work;

	spinlock_t lock;	/* see above */
	bool active;
	struct balloon_buffer buffer;
	struct virtio_balloon_stat entries[VIRTIO_BALLOON_S_NR];
};

extern const struct balloon_feature balloon_stats_feature;

void balloon_stats_requested(struct virtqueue *vq);

#endif /* BALLOON_STATS_H */
