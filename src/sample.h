/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A sample of the guest's memory counters, in the kernel's own units.
 */
#ifndef BALLOON_SAMPLE_H
#define BALLOON_SAMPLE_H

#include <linux/types.h>
#include <linux/virtio_balloon.h>

/**
 * struct balloon_sample - what the kernel counts, in its own units
 * @value: indexed by tag; in pages of the guest (PAGE_SIZE) if the tag's unit in the
 *	   statistics buffer is bytes, otherwise in events
 *
 * A value is 0 if balloon_sample_supported() has no bit for its tag.
 */
struct balloon_sample {
	u64 value[VIRTIO_BALLOON_S_NR];
};

u32 balloon_sample_supported(void);
bool balloon_sample_try(struct balloon_sample *sample, u64 ns);
void balloon_sample(struct balloon_sample *sample);

#endif /* BALLOON_SAMPLE_H */
