// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which virtqueues there are. Serves "Virtqueues" of the specification.
 */
#include <linux/virtio.h>
#include <linux/virtio_config.h>

#include "balloon.h"

static const struct {
	const char *name;
	int feature;
	vq_callback_t *callback;
} balloon_queues[BALLOON_QUEUES] = {
	[BALLOON_QUEUE_INFLATE] = {
		"inflate", BALLOON_ALWAYS, balloon_host_acked,
	},
	[BALLOON_QUEUE_DEFLATE] = {
		"deflate", BALLOON_ALWAYS, balloon_host_acked,
	},
	[BALLOON_QUEUE_STATS] = {
		"stats", VIRTIO_BALLOON_F_STATS_VQ, balloon_stats_requested,
	},
	[BALLOON_QUEUE_HINT] = {
		"hint", VIRTIO_BALLOON_F_FREE_PAGE_HINT, balloon_hint_returned,
	},
	[BALLOON_QUEUE_REPORT] = {
		"report", VIRTIO_BALLOON_F_REPORTING, balloon_host_acked,
	},
};

/**
 * balloon_queues_find - create the queues of the negotiated features
 * @b: the balloon; features are negotiated, the device does not run
 *
 * An unnamed queue is skipped and the numbers close up behind it, as the
 * specification has it for optional queues.
 *
 * Sleeps.
 *
 * Return: 0, or the transport's error; then there are no queues.
 */
int balloon_queues_find(struct balloon *b)
{
	struct virtqueue_info info[BALLOON_QUEUES] = {};
	unsigned int i;
	int err;

	for (i = 0; i < BALLOON_QUEUES; i++) {
		if (balloon_queues[i].feature != BALLOON_ALWAYS &&
		    !virtio_has_feature(b->vdev, balloon_queues[i].feature))
			continue;
		info[i].name = balloon_queues[i].name;
		info[i].callback = balloon_queues[i].callback;
	}
	err = virtio_find_vqs(b->vdev, BALLOON_QUEUES, b->vqs, info, NULL);
	if (err) {
		memset(b->vqs, 0, sizeof(b->vqs));
		return err;
	}
	/* Whoever waits enables them for so long, see balloon_host_wait_for(). */
	for (i = 0; i < BALLOON_QUEUES; i++)
		if (b->vqs[i] && info[i].callback == balloon_host_acked)
			virtqueue_disable_cb(b->vqs[i]);
	return 0;
}

/**
 * balloon_queues_delete - undo balloon_queues_find()
 * @b: the balloon; the device has been reset or is absent
 *
 * Sleeps.
 */
void balloon_queues_delete(struct balloon *b)
{
	b->vdev->config->del_vqs(b->vdev);
	memset(b->vqs, 0, sizeof(b->vqs));
}
