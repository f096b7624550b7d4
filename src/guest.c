// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes memory from the guest, and gives it back. The unit is the block: 2 MiB that the
 * guest has free in one piece. A block is discarded by the host as a whole, split into pages,
 * and taken 1 MiB at a time. Where there is no block to be had, or it is better left to
 * the guest, single pages are taken. docs/memory-taken.md says which of the two, and why.
 *
 * Once they are taken, all pages are alike: each of them can be migrated, and they come back in
 * any order. Pages that come back next to each other are freed as one.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/page_ref.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmstat.h>

#include "balloon.h"
#include "pack.h"

#ifdef BALLOON_COMPAT_MIGRATION
#define BALLOON_GFP_BASE	GFP_HIGHUSER_MOVABLE
#else
#define BALLOON_GFP_BASE	GFP_HIGHUSER
#endif

/* Takes free pages and reclaims a little, but uses no reserves and causes no OOM kill. */
#define BALLOON_GFP	(BALLOON_GFP_BASE | __GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC)

/* For a block nothing is reclaimed or compacted, since single pages do as well. */
#define BALLOON_BLOCK_GFP	(BALLOON_GFP & ~__GFP_RECLAIM)

/* What is taken first. */
enum balloon_first {
	BALLOON_FIRST_LARGER,
	BALLOON_FIRST_BLOCKS,
	BALLOON_FIRST_PAGES,
};

static const char * const balloon_first_words[] = {
	[BALLOON_FIRST_LARGER] = "larger",
	[BALLOON_FIRST_BLOCKS] = "blocks",
	[BALLOON_FIRST_PAGES] = "pages",
};

static int balloon_first_set(const char *word, const struct kernel_param *param)
{
	int first = sysfs_match_string(balloon_first_words, word);

	if (first < 0) {
		pr_err("take_first is one of: larger, blocks, pages\n");
		return -EINVAL;
	}
	WRITE_ONCE(*(int *)param->arg, first);
	return 0;
}

static int balloon_first_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", balloon_first_words[READ_ONCE(*(int *)param->arg)]);
}

static const struct kernel_param_ops balloon_first_ops = {
	.set = balloon_first_set,
	.get = balloon_first_get,
};

static int take_first = BALLOON_FIRST_LARGER;
module_param_cb(take_first, &balloon_first_ops, &take_first, 0644);
MODULE_PARM_DESC(take_first,
		 "What the balloon takes first: blocks of 2 MiB (blocks), single pages (pages), or what more of the free memory is in (larger, the default)");

/*
 * In some kernels (7.3 is one) an adjustment computes the zones' reserves anew, and takes no
 * lock for this. If two do so at the same time, the one that has read the older counts may
 * be the last to write.
 */
static DEFINE_MUTEX(balloon_account_lock);

/* Pages of one zone. */
struct balloon_tally {
	struct page *first;
	int zone;
	long nr;
};

#define BALLOON_TALLY_NONE	{ .zone = -1 }

/**
 * balloon_guest_account - count pages that return to the guest or leave it
 * @b: the balloon
 * @page: one of them
 * @nr: how many pages of the zone of @page return to the guest; negative if they leave it
 *
 * The guest's total of memory follows the balloon, except with deflate on OOM: there the guest
 * may have its pages back at any time. Sleeps.
 */
void balloon_guest_account(struct balloon *b, struct page *page, long nr)
{
	atomic_long_sub(nr, &b->guest.on_node[page_to_nid(page)]);
	if (virtio_has_feature(b->vdev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM))
		return;
	mutex_lock(&balloon_account_lock);
	adjust_managed_page_count(page, nr);
	mutex_unlock(&balloon_account_lock);
}

/* One adjustment for all pages of a tally, since each adjustment is expensive. */
static void balloon_tally_account(struct balloon *b, const struct balloon_tally *tally)
{
	if (tally->nr)
		balloon_guest_account(b, tally->first, tally->nr);
}

/* Counts pages that leave the guest (@nr is negative) or return to it. */
static void balloon_tally_add(struct balloon *b, struct balloon_tally *tally, struct page *page,
			      long nr)
{
	int zone = page_zone_id(page);

	if (zone != tally->zone) {
		balloon_tally_account(b, tally);
		*tally = (struct balloon_tally){ .first = page, .zone = zone };
	}
	tally->nr += nr;
}

static unsigned long balloon_node_free(int node)
{
	struct zone *zones = NODE_DATA(node)->node_zones;
	unsigned long nr = 0;
	unsigned int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		nr += zone_page_state(&zones[i], NR_FREE_PAGES);
	return nr;
}

/* The pages that are free in blocks, or in more than a block. */
static unsigned long balloon_node_free_in_blocks(int node)
{
	struct zone *zones = NODE_DATA(node)->node_zones;
	unsigned long nr = 0;
	unsigned int i, order;

	for (i = 0; i < MAX_NR_ZONES; i++)
		for (order = BALLOON_BLOCK_ORDER; order <= MAX_PAGE_ORDER; order++)
			nr += READ_ONCE(zones[i].free_area[order].nr_free) << order;
	return nr;
}

/*
 * The node with the most free memory. Pages are taken from there, so that no node runs out
 * of memory while another has plenty.
 */
static int balloon_freest_node(void)
{
	int node, freest = numa_mem_id();
	unsigned long most = 0;

	if (num_node_state(N_MEMORY) == 1)
		return freest;

	for_each_node_state(node, N_MEMORY) {
		unsigned long nr = balloon_node_free(node);

		if (nr > most) {
			most = nr;
			freest = node;
		}
	}
	return freest;
}

/*
 * Whether a block is to be taken from this node. Single pages break up huge pages of the host,
 * and blocks are huge pages that the guest loses. So the larger part of the free memory is
 * taken from. With free page reporting the host has the free blocks already, and a block that
 * is taken wins nothing more for it. So there single pages are taken unless they are few.
 */
static bool balloon_block_wanted(struct balloon *b, int node)
{
	unsigned long in_blocks, in_pages;

	switch (READ_ONCE(take_first)) {
	case BALLOON_FIRST_BLOCKS:
		return true;
	case BALLOON_FIRST_PAGES:
		return false;
	}
	in_blocks = balloon_node_free_in_blocks(node);
	/* The counts are read one after the other. */
	in_pages = max(balloon_node_free(node), in_blocks) - in_blocks;
	if (balloon_discard_offered(b))
		return in_blocks > 7 * in_pages;
	return in_blocks > in_pages;
}

/* Takes a block from the guest, if there is one, for balloon_guest_take(). */
static void balloon_block_take(struct balloon *b)
{
	struct balloon_guest *guest = &b->guest;
	int node = balloon_freest_node();
	struct scatterlist sg;
	struct page *block;

	if (!balloon_block_wanted(b, node))
		return;
	block = alloc_pages_node(node, BALLOON_BLOCK_GFP, BALLOON_BLOCK_ORDER);
	if (!block)
		return;
	if (!balloon_pack_addressable(page_to_pfn(block) + BALLOON_BLOCK_PAGES - 1, PAGE_SHIFT)) {
		__free_pages(block, BALLOON_BLOCK_ORDER);
		return;
	}
	balloon_guest_account(b, block, -(long)BALLOON_BLOCK_PAGES);

	/*
	 * Hosts discard what is inflated page by page, which breaks up their huge pages. What is
	 * reported they discard as a whole. After an error the host has no part of the block,
	 * and the block is as good as any.
	 */
	if (balloon_discard_offered(b)) {
		sg_init_table(&sg, 1);
		sg_set_page(&sg, block, PAGE_SIZE << BALLOON_BLOCK_ORDER, 0);
		balloon_discard(b, &sg, 1);
	}
	split_page(block, BALLOON_BLOCK_ORDER);
	guest->block = block;
	guest->left = BALLOON_BLOCK_PAGES;
}

/*
 * Gets up to @nr single pages from the guest, and returns how many. A bulk allocation returns a
 * single page if a zone is near its watermark. So this repeats it until there are no more
 * pages: a buffer that is not full costs the host and the guest as much as a full one.
 */
static unsigned int balloon_singles_get(struct balloon *b, unsigned int nr)
{
	unsigned int got = 0, before;

	do {
		before = got;
		/* Returns the number of all pages in the array, including earlier ones. */
		got = alloc_pages_bulk_node(BALLOON_GFP, balloon_freest_node(), nr,
					    b->guest.allocated);
		cond_resched();
	} while (got < nr && got > before && balloon_running(b));
	return got;
}

/* Takes up to @max single pages, except those that no page number can name. */
static unsigned int balloon_singles_take(struct balloon *b, struct list_head *pages,
					 unsigned int max)
{
	struct page **allocated = b->guest.allocated;
	struct balloon_tally tally = BALLOON_TALLY_NONE;
	unsigned int i, nr, taken = 0;

	nr = balloon_singles_get(b, max);
	for (i = 0; i < nr; i++) {
		struct page *page = allocated[i];

		/* The allocator fills only elements that are NULL. */
		allocated[i] = NULL;
		if (balloon_pack_addressable(page_to_pfn(page), PAGE_SHIFT)) {
			balloon_tally_add(b, &tally, page, -1);
			list_add_tail(&page->lru, pages);
			taken++;
		} else {
			__free_page(page);
		}
	}
	balloon_tally_account(b, &tally);
	return taken;
}

/**
 * balloon_guest_take - take pages from the guest
 * @b: the balloon; the caller holds no lock, since this may compact memory and migrate the
 *     balloon's pages
 * @pages: an empty list, to which the pages are added by their lru field
 * @max: at most this number of pages of the guest, more than 0
 *
 * Takes the rest of a block that was begun; or else the first part of a block, if @max is at
 * least a block and the guest has one to give; or else single pages. The numbers of a block's
 * pages ascend. Where the host discards free pages that are reported to it, the block is reported
 * before, and this waits for the host. Every page has page numbers. Sleeps. Only for the size
 * work item. Serves "Driver Requirements: Memory Balloon Device / Device Operation".
 *
 * Return: number of pages of the guest; at most BALLOON_TAKE_PAGES; 0 if there are none.
 */
unsigned int balloon_guest_take(struct balloon *b, struct list_head *pages, unsigned long max)
{
	struct balloon_guest *guest = &b->guest;
	unsigned int i, nr = min_t(unsigned long, max, BALLOON_TAKE_PAGES);

	cond_resched();
	if (!guest->left && max >= BALLOON_BLOCK_PAGES)
		balloon_block_take(b);
	if (!guest->left)
		return balloon_singles_take(b, pages, nr);

	nr = min(nr, guest->left);
	for (i = 0; i < nr; i++)
		list_add_tail(&guest->block[i].lru, pages);
	guest->block += nr;
	guest->left -= nr;
	return nr;
}

/* Frees 2^@order pages that are aligned, as one if nobody looks at one of them. */
static void balloon_piece_free(struct page *pages, unsigned int order)
{
	unsigned int i, nr = 1U << order;

	/* Only the first page of what is freed may have a reference, and only it is cleaned. */
	for (i = 1; i < nr && page_ref_freeze(&pages[i], 1); i++)
		balloon_compat_page_clean(&pages[i]);
	if (i == nr) {
		__free_pages(pages, order);
		return;
	}
	/* Compaction, say, holds a reference to page i, and frees it if that is the last one. */
	while (--i > 0)
		page_ref_unfreeze(&pages[i], 1);
	for (i = 0; i < nr; i++)
		__free_page(&pages[i]);
}

/* Frees @nr consecutive pages of one zone in few pieces. */
static void balloon_run_free(struct balloon *b, struct page *first, unsigned long nr)
{
	unsigned long pfn = page_to_pfn(first);
	unsigned long most = balloon_compat_pages_join(b->guest.owned) ? BALLOON_TAKE_PAGES : 1;
	unsigned int order;

	for (; nr; nr -= BIT(order), pfn += BIT(order)) {
		order = min_t(unsigned int, ilog2(nr), __ffs(pfn | most));
		balloon_piece_free(pfn_to_page(pfn), order);
	}
}

/**
 * balloon_guest_free - give pages back to the guest
 * @b: the balloon
 * @pages: pages that the host does not own, linked by their lru field; empty afterwards
 *
 * Pages that follow each other in the list and in memory are freed as one. Sleeps.
 */
void balloon_guest_free(struct balloon *b, struct list_head *pages)
{
	struct balloon_tally tally = BALLOON_TALLY_NONE;
	struct page *page, *next, *first = NULL;
	unsigned long nr = 0;

	/*
	 * Not put_pages_list(): in some kernels, 6.1 is one, it removes a page from the list
	 * after it has dropped its reference. Compaction may hold another reference, and when
	 * this is dropped too, mm puts the page on a list of its own. So here a page is freed
	 * after the next one was looked up.
	 */
	list_for_each_entry_safe(page, next, pages, lru) {
		if (nr && (page_to_pfn(page) != page_to_pfn(first) + nr ||
			   page_zone_id(page) != page_zone_id(first))) {
			balloon_tally_add(b, &tally, first, nr);
			balloon_run_free(b, first, nr);
			nr = 0;
		}
		if (!nr)
			first = page;
		nr++;
	}
	if (nr) {
		balloon_tally_add(b, &tally, first, nr);
		balloon_run_free(b, first, nr);
	}
	balloon_tally_account(b, &tally);
	INIT_LIST_HEAD(pages);
}

/**
 * balloon_guest_release - give back the rest of a block that was begun
 * @b: the balloon
 *
 * Sleeps. Only for the size work item, and after it has stopped.
 */
void balloon_guest_release(struct balloon *b)
{
	struct balloon_guest *guest = &b->guest;

	if (!guest->left)
		return;
	balloon_guest_account(b, guest->block, guest->left);
	balloon_run_free(b, guest->block, guest->left);
	guest->left = 0;
}

static int balloon_guest_setup(struct balloon *b)
{
	b->guest.owned = balloon_compat_pages_owned();
	b->guest.on_node = kcalloc(nr_node_ids, sizeof(*b->guest.on_node), GFP_KERNEL);
	return b->guest.on_node ? 0 : -ENOMEM;
}

static void balloon_guest_teardown(struct balloon *b)
{
	kfree(b->guest.on_node);
}

const struct balloon_feature balloon_guest_feature = {
	.bit = BALLOON_ALWAYS,
	.setup = balloon_guest_setup,
	.after_reset = balloon_guest_release,
	.teardown = balloon_guest_teardown,
};
