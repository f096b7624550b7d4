// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "tags.h"

static const char *const names[TAG_NR] = VIRTIO_BALLOON_S_NAMES;
static const char *const prefixed[TAG_NR] = VIRTIO_BALLOON_S_NAMES_WITH_PREFIX("stat-");

const char *tag_name(unsigned int tag)
{
	return names[tag];
}

int tag_of_qemu(const char *name)
{
	/* QEMU's own, where it does not follow the contract. */
	if (!strcmp(name, "stat-htlb-pgalloc"))
		return VIRTIO_BALLOON_S_HTLB_PGALLOC;
	if (!strcmp(name, "stat-htlb-pgfail"))
		return VIRTIO_BALLOON_S_HTLB_PGFAIL;
	for (int tag = 0; tag < TAG_NR; tag++)
		if (!strcmp(name, prefixed[tag]))
			return tag;
	return -1;
}
