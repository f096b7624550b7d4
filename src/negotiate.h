/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_NEGOTIATE_H
#define BALLOON_NEGOTIATE_H

#include <linux/virtio.h>
#include <linux/virtio_config.h>

struct balloon;

/* Number of feature bits that the driver knows. */
#define BALLOON_FEATURE_BITS	6

/* Stands in for a bit where no feature needs to be negotiated. */
#define BALLOON_ALWAYS		-1

extern const unsigned int balloon_feature_bits[BALLOON_FEATURE_BITS];

/**
 * balloon_negotiated - whether a feature was negotiated
 * @vdev: the device; its features are negotiated
 * @bit: a feature bit, or BALLOON_ALWAYS
 *
 * Any context.
 *
 * Return: whether device and driver have agreed on it; true for BALLOON_ALWAYS.
 */
static inline bool balloon_negotiated(struct virtio_device *vdev, int bit)
{
	return bit == BALLOON_ALWAYS || virtio_has_feature(vdev, bit);
}

int balloon_negotiate_features(struct virtio_device *vdev);
int balloon_negotiate_queues(struct balloon *b);
void balloon_delete_queues(struct balloon *b);

#endif /* BALLOON_NEGOTIATE_H */
