// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes a sample as the array of tagged values that the host reads.
 *
 * Page size and byte order are parameters and no kernel state is used. So one machine can
 * test it for all page sizes and both byte orders.
 */
#include <asm/byteorder.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/virtio_byteorder.h>

#include "pack.h"

/* Fails if the compiler has found the kernel's own, older header first. */
static_assert(VIRTIO_BALLOON_S_NR == 16);
static_assert(sizeof(struct virtio_balloon_stat) == 10);

/* The tags whose values are memory. They are sampled in pages and sent in bytes. */
#define BALLOON_TAGS_IN_BYTES					\
	(BIT(VIRTIO_BALLOON_S_SWAP_IN) |			\
	 BIT(VIRTIO_BALLOON_S_SWAP_OUT) |			\
	 BIT(VIRTIO_BALLOON_S_MEMFREE) |			\
	 BIT(VIRTIO_BALLOON_S_MEMTOT) |				\
	 BIT(VIRTIO_BALLOON_S_AVAIL) |				\
	 BIT(VIRTIO_BALLOON_S_CACHES) |				\
	 BIT(VIRTIO_BALLOON_S_ASYNC_SCAN) |			\
	 BIT(VIRTIO_BALLOON_S_DIRECT_SCAN) |			\
	 BIT(VIRTIO_BALLOON_S_ASYNC_RECLAIM) |			\
	 BIT(VIRTIO_BALLOON_S_DIRECT_RECLAIM))

/**
 * balloon_pack_limit - leave out tags that an old host may not cope with
 * @supported: bit per tag, balloon_sample_supported()
 * @max_tag: highest tag to send; 0 to VIRTIO_BALLOON_S_NR - 1
 *
 * Any context.
 *
 * Return: the bits of @supported up to and including @max_tag.
 */
u32 balloon_pack_limit(u32 supported, unsigned int max_tag)
{
	return supported & GENMASK(max_tag, 0);
}

/**
 * balloon_pack - write the contents of a statistics buffer
 * @sample: values in guest pages and events
 * @tags: bit per tag to send
 * @page_shift: log2 of the guest's page size in bytes
 * @little_endian: byte order of the device: true for a modern device, the guest's own
 *		   for a legacy one
 * @out: space for one entry for each bit in @tags
 *
 * The tags ascend, so a host that stops at the first tag that it does not know has read all
 * older ones. Memory is sent in bytes, modulo 2^64 as all counters are. Any context; takes no
 * lock. Serves "Memory Statistics" and "Memory Statistics Tags" of the specification.
 *
 * Return: bytes written to @out.
 */
size_t balloon_pack(const struct balloon_sample *sample, u32 tags,
		    unsigned int page_shift, bool little_endian,
		    struct virtio_balloon_stat *out)
{
	struct virtio_balloon_stat *entry = out;
	unsigned int tag;

	for (tag = 0; tag < VIRTIO_BALLOON_S_NR; tag++) {
		u64 value;

		if (!(tags & BIT(tag)))
			continue;
		value = sample->value[tag];
		if (BALLOON_TAGS_IN_BYTES & BIT(tag))
			value <<= page_shift;
		entry->tag = __cpu_to_virtio16(little_endian, tag);
		entry->val = __cpu_to_virtio64(little_endian, value);
		entry++;
	}
	return (char *)entry - (char *)out;
}
