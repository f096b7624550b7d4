/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_PAGES_H
#define BALLOON_PAGES_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/virtio_balloon.h>

#include "compat/mm.h"
#include "host.h"

struct balloon;

/* Page numbers of 4 KiB that one page of the guest has. */
#define BALLOON_PFNS_PER_PAGE	(PAGE_SIZE >> VIRTIO_BALLOON_PFN_SHIFT)

/* The specification has no limit, but hosts ignore a buffer with more page numbers. */
#define BALLOON_BATCH_PFNS	256
#define BALLOON_BATCH_PAGES	(BALLOON_BATCH_PFNS / BALLOON_PFNS_PER_PAGE)

/* mm isolates pages of the balloon for a short time; the driver tries again after this time. */
#define BALLOON_ISOLATED_WAIT_MS	20

/**
 * struct balloon_batch - pages that are named to the host in one buffer
 * @buffer: token of @pfns on the inflate queue or the deflate queue
 * @nr: number of @pages
 * @pages: the pages of the guest, linked by their lru field
 * @nr_pfns: number of @pfns
 * @pfns: page numbers for the host; not written while @buffer is in flight
 */
struct balloon_batch {
	struct balloon_buffer buffer;
	unsigned int nr;
	struct list_head pages;
	unsigned int nr_pfns;
	__virtio32 pfns[BALLOON_BATCH_PFNS];
};

/**
 * struct balloon_pages - the pages in the balloon
 * @batches: the memory of five batches; balloon_oom_deflate() may exchange @leaving with
 *	     a batch of oom.c, so a pointer below may point to the memory of that
 * @filling: pages that the work item took from the guest; used without @lock
 * @lock: protects the fields below, and the inflate queue and the deflate queue
 * @inflating: pages that the host was told about: they join the balloon; only while
 *	       the work item runs
 * @leaving: pages that leave the balloon, and that the host was not told about yet
 * @deflating: pages that the host was told about: they leave the balloon; only while
 *	       the work item runs
 * @moving: names the page that joins in a migration, then the page that leaves
 * @nr_pages: pages of the guest that the host owns: those on @info's list, those
 *	      that mm has isolated from it, and @leaving
 * @info: mm's list of the balloon's pages, which has a lock of its own
 */
struct balloon_pages {
	struct balloon_batch *batches;
	struct balloon_batch *filling;

	struct mutex lock;	/* see above */
	struct balloon_batch *inflating;
	struct balloon_batch *leaving;
	struct balloon_batch *deflating;
	struct balloon_batch *moving;
	unsigned long nr_pages;

	struct balloon_dev_info info;
};

extern const struct balloon_feature balloon_pages_feature;

struct balloon_batch *balloon_batches_alloc(unsigned int nr);
void balloon_batch_take(struct balloon *b, struct balloon_batch *batch, unsigned long max);
int balloon_batch_give(struct balloon *b, enum balloon_queue queue,
		       struct balloon_batch *batch);
int balloon_batch_await(struct balloon *b, enum balloon_queue queue,
			struct balloon_batch *batch);
void balloon_batch_free(struct balloon *b, struct balloon_batch *batch);

int balloon_pages_inflate(struct balloon *b, unsigned long max);
int balloon_pages_deflate(struct balloon *b, unsigned long max);
int balloon_pages_complete(struct balloon *b);

#endif /* BALLOON_PAGES_H */
