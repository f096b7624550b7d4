/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Offers functions of the virtio core as the newest kernel has them.
 */
#ifndef BALLOON_COMPAT_VIRTIO_H
#define BALLOON_COMPAT_VIRTIO_H

#include <linux/virtio_config.h>

#include "facts.h"

/* Before 6.11 callbacks and names of queues are two arrays. */
#ifndef BALLOON_HAVE_VIRTQUEUE_INFO
struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
	bool ctx;
};

static inline int balloon_compat_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
					  struct virtqueue *vqs[],
					  struct virtqueue_info vqs_info[],
					  struct irq_affinity *desc)
{
	vq_callback_t *callbacks[8];
	const char *names[8];
	unsigned int i;

	if (nvqs > ARRAY_SIZE(names))
		return -EINVAL;
	for (i = 0; i < nvqs; i++) {
		callbacks[i] = vqs_info[i].callback;
		names[i] = vqs_info[i].name;
	}
	return virtio_find_vqs(vdev, nvqs, vqs, callbacks, names, desc);
}

#define virtio_find_vqs balloon_compat_find_vqs
#endif

/* Before 5.17 the core has no function that resets a device. */
#ifndef BALLOON_HAVE_VIRTIO_RESET_DEVICE
static inline void virtio_reset_device(struct virtio_device *vdev)
{
	vdev->config->reset(vdev);
}
#endif

/*
 * Fields of struct virtio_driver for the reset of the function below the device. Kernels
 * without them do not tell the driver, which then finds a dead device.
 */
#ifdef BALLOON_HAVE_RESET_PREPARE
#define BALLOON_COMPAT_RESET(prepare, done)	.reset_prepare = prepare, .reset_done = done,
#else
#define BALLOON_COMPAT_RESET(prepare, done)
#endif

#endif /* BALLOON_COMPAT_VIRTIO_H */
