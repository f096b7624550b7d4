/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire format of a statistics report, and of page numbers.
 */
#ifndef BALLOON_PACK_H
#define BALLOON_PACK_H

#include "sample.h"

u32 balloon_pack_limit(u32 supported, unsigned int max_tag);
size_t balloon_pack(const struct balloon_sample *sample, u32 tags,
		    unsigned int page_shift, bool little_endian,
		    struct virtio_balloon_stat *out);
bool balloon_pack_addressable(u64 pfn, unsigned int page_shift);
unsigned int balloon_pack_pfns(u64 pfn, unsigned int page_shift, bool little_endian,
			       __virtio32 *out);

#endif /* BALLOON_PACK_H */
