/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_HINT_H
#define BALLOON_HINT_H

#include <linux/list.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_types.h>
#include <linux/workqueue.h>

#include "host.h"

/**
 * struct balloon_hint - free page hinting
 * @lock: protects @blocks and @nr_blocks
 * @blocks: free blocks of the guest that the host need not copy
 * @nr_blocks: number of @blocks
 * @shrinker: gives @blocks back when the guest needs memory
 * @config_changed: not 0 if the configuration changed since @work has read it; any
 *		    context; not a bool, since some architectures cannot exchange a
 *		    byte
 * @waits_for_host: @work has nothing to do until the host returns a buffer; any
 *		    context
 * @work: sends the hints; it alone uses the queue and the fields below
 * @cmd_id: the command id that the host showed last
 * @round_id: the command id of the last round that was begun
 * @round_active: this round goes on
 * @block: token of every block on the queue
 * @id: token of @id_value, the buffer that begins a round
 * @id_value: the round's command id in the device's byte order
 * @stop: token of @stop_value, the buffer that ends a round
 * @stop_value: VIRTIO_BALLOON_CMD_ID_STOP in the device's byte order
 */
struct balloon_hint {
	spinlock_t lock;	/* see above */
	struct list_head blocks;
	unsigned long nr_blocks;
	struct shrinker *shrinker;

	u32 config_changed;
	bool waits_for_host;

	struct delayed_work work;
	u32 cmd_id;
	u32 round_id;
	bool round_active;
	struct balloon_buffer block;
	struct balloon_buffer id;
	__virtio32 id_value;
	struct balloon_buffer stop;
	__virtio32 stop_value;
};

extern const struct balloon_feature balloon_hint_feature;

void balloon_hint_returned(struct virtqueue *vq);

#endif /* BALLOON_HINT_H */
