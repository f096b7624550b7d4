/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire format of a statistics report.
 */
#ifndef BALLOON_PACK_H
#define BALLOON_PACK_H

#include "sample.h"

u32 balloon_pack_limit(u32 supported, unsigned int max_tag);
size_t balloon_pack(const struct balloon_sample *sample, u32 tags,
		    unsigned int page_shift, bool little_endian,
		    struct virtio_balloon_stat *out);

#endif /* BALLOON_PACK_H */
