/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_GUEST_H
#define BALLOON_GUEST_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "compat/mm.h"

struct balloon;

/*
 * A block has 2 MiB, as a huge page of most hosts has, which they keep or discard as a whole; or
 * less, where mm has no free memory in such pieces (s390: 1 MiB).
 */
#define BALLOON_BLOCK_ORDER \
	min_t(unsigned int, const_ilog2(SZ_2M) - PAGE_SHIFT, MAX_PAGE_ORDER)
#define BALLOON_BLOCK_PAGES	BIT(BALLOON_BLOCK_ORDER)

/* Pages are taken at most this many at a time: as many as a buffer names, which is 1 MiB. */
#define BALLOON_TAKE_PAGES	(SZ_1M >> PAGE_SHIFT)

/**
 * struct balloon_guest - what is taken from the guest
 * @allocated: single pages that were just allocated; only while they are taken
 * @block: the next page of the block that is being taken
 * @left: how many pages of this block were not taken yet; 0 if there is no such block
 * @owned: mm keeps a record of each page, so none are freed together
 * @on_node: for each node, the pages that the guest cannot use
 *
 * @allocated, @block and @left are for the size work item only, and for others after it has
 * stopped.
 */
struct balloon_guest {
	struct page *allocated[BALLOON_TAKE_PAGES];
	struct page *block;
	unsigned int left;
	bool owned;
	atomic_long_t *on_node;
};

extern const struct balloon_feature balloon_guest_feature;

unsigned int balloon_guest_take(struct balloon *b, struct list_head *pages, unsigned long max);
void balloon_guest_release(struct balloon *b);
void balloon_guest_free(struct balloon *b, struct list_head *pages);
void balloon_guest_account(struct balloon *b, struct page *page, long nr);

#endif /* BALLOON_GUEST_H */
