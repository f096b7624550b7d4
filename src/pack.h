/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's format of statistics and of page numbers. Page numbers are written often, so
 * their functions are inline.
 */
#ifndef BALLOON_PACK_H
#define BALLOON_PACK_H

#include <linux/limits.h>
#include <linux/virtio_byteorder.h>

#include "sample.h"

u32 balloon_pack_limit(u32 supported, unsigned int max_tag);
size_t balloon_pack(const struct balloon_sample *sample, u32 tags,
		    unsigned int page_shift, bool little_endian,
		    struct virtio_balloon_stat *out);

/* The number of page numbers that one page of the guest has: one for each 4 KiB. */
static inline unsigned int balloon_pack_factor(unsigned int page_shift)
{
	return 1U << (page_shift - VIRTIO_BALLOON_PFN_SHIFT);
}

/**
 * balloon_pack_addressable - whether there are page numbers for a page
 * @pfn: the page, counted in pages of the guest
 * @page_shift: log2 of the guest's page size in bytes, at least 12
 *
 * The device's page numbers have 32 bits and reach up to 16 TiB. Any context.
 * Serves "Device Operation" of the specification.
 *
 * Return: whether each of its numbers fits.
 */
static inline bool balloon_pack_addressable(u64 pfn, unsigned int page_shift)
{
	return pfn <= U32_MAX / balloon_pack_factor(page_shift);
}

/**
 * balloon_pack_pfns - write the page numbers of a page
 * @pfn: the page, counted in pages of the guest; addressable
 * @page_shift: log2 of the guest's page size in bytes, at least 12
 * @little_endian: byte order of the device, as for balloon_pack()
 * @out: space for one number for each 4 KiB of the page
 *
 * Any context; takes no lock. Serves "Device Operation" of the specification.
 *
 * Return: numbers written to @out.
 */
static inline unsigned int balloon_pack_pfns(u64 pfn, unsigned int page_shift,
					     bool little_endian, __virtio32 *out)
{
	unsigned int i, factor = balloon_pack_factor(page_shift);

	for (i = 0; i < factor; i++)
		out[i] = __cpu_to_virtio32(little_endian, pfn * factor + i);
	return factor;
}

#endif /* BALLOON_PACK_H */
