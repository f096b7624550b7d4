// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is negotiated with the device: features and virtqueues. Serves "Feature
 * bits" and "Virtqueues" of the specification.
 */
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "balloon.h"
#include "compat/virtio.h"

const unsigned int balloon_feature_bits[BALLOON_FEATURE_BITS] = {
	VIRTIO_BALLOON_F_MUST_TELL_HOST,
	VIRTIO_BALLOON_F_STATS_VQ,
	VIRTIO_BALLOON_F_DEFLATE_ON_OOM,
	VIRTIO_BALLOON_F_FREE_PAGE_HINT,
	VIRTIO_BALLOON_F_PAGE_POISON,
	VIRTIO_BALLOON_F_REPORTING,
};

static const struct {
	const char *name;
	int bit;
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
	[BALLOON_QUEUE_REPORTING] = {
		"reporting", VIRTIO_BALLOON_F_REPORTING, balloon_host_acked,
	},
};

/**
 * balloon_negotiate_features - decline features that this guest cannot support
 * @vdev: the device; its features are those that device and driver have in common
 *
 * Called by the virtio core before it accepts the features. Sleeps.
 *
 * Return: 0.
 */
int balloon_negotiate_features(struct virtio_device *vdev)
{
	u32 poison;

	/*
	 * A host that knows the value of free pages may discard them. A host that
	 * cannot be told this value must not be told of free pages.
	 */
	if (!balloon_poison_value(&poison))
		__virtio_clear_bit(vdev, VIRTIO_BALLOON_F_PAGE_POISON);
	else if (!virtio_has_feature(vdev, VIRTIO_BALLOON_F_PAGE_POISON))
		__virtio_clear_bit(vdev, VIRTIO_BALLOON_F_REPORTING);

	/*
	 * Indirect descriptors are allocated when a buffer is queued. A guest that is out of
	 * memory must be able to queue a buffer without an allocation.
	 */
	__virtio_clear_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC);

	/* Page numbers are physical addresses; an IOMMU would change what they mean. */
	__virtio_clear_bit(vdev, VIRTIO_F_ACCESS_PLATFORM);
	return 0;
}

/**
 * balloon_negotiate_queues - create the queues of the negotiated features
 * @b: the balloon; features are negotiated, the device does not run
 *
 * A queue without a name is left out, and the queues behind it get the next lower
 * numbers, as the specification demands for optional queues. Sleeps.
 *
 * Return: 0, or the transport's error; then there are no queues.
 */
int balloon_negotiate_queues(struct balloon *b)
{
	struct virtqueue_info info[BALLOON_QUEUES] = {};
	struct virtqueue **vqs = b->host.vqs;
	unsigned int i;
	int err;

	for (i = 0; i < BALLOON_QUEUES; i++) {
		if (!balloon_negotiated(b->vdev, balloon_queues[i].bit))
			continue;
		info[i].name = balloon_queues[i].name;
		info[i].callback = balloon_queues[i].callback;
	}
	err = virtio_find_vqs(b->vdev, BALLOON_QUEUES, vqs, info, NULL);
	if (err) {
		memset(vqs, 0, sizeof(b->host.vqs));
		return err;
	}
	/* Whoever waits enables these callbacks for as long, see balloon_host_wait_for(). */
	for (i = 0; i < BALLOON_QUEUES; i++)
		if (vqs[i] && info[i].callback == balloon_host_acked)
			virtqueue_disable_cb(vqs[i]);
	return 0;
}

/**
 * balloon_delete_queues - undo balloon_negotiate_queues()
 * @b: the balloon; the device has been reset or is absent
 *
 * Sleeps.
 */
void balloon_delete_queues(struct balloon *b)
{
	b->vdev->config->del_vqs(b->vdev);
	memset(b->host.vqs, 0, sizeof(b->host.vqs));
}
