/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_NEGOTIATE_H
#define BALLOON_NEGOTIATE_H

#include <linux/virtio.h>

struct balloon;

/* Number of feature bits that the driver knows. */
#define BALLOON_FEATURE_BITS	6

extern const unsigned int balloon_feature_bits[BALLOON_FEATURE_BITS];

int balloon_negotiate_features(struct virtio_device *vdev);
bool balloon_negotiated(struct balloon *b, int bit);
int balloon_negotiate_queues(struct balloon *b);
void balloon_delete_queues(struct balloon *b);

#endif /* BALLOON_NEGOTIATE_H */
