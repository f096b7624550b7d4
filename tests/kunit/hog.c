// SPDX-License-Identifier: GPL-2.0-only
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>

#include "hog.h"

/* Pages that the functions below have taken and keep; protected by hog_lock. */
static LIST_HEAD(hog_pages);
static DEFINE_SPINLOCK(hog_lock);

/*
 * Blocks of memory here: as large as what the driver has mm report, which is 2 MiB, or less where
 * mm groups its pages in smaller ones. With large pages mm's groups have up to 512 MiB.
 */
#define HOG_ORDER	min_t(unsigned int, pageblock_order, get_order(SZ_2M))

/* Movable, or mm would keep these blocks for other pages, and compaction would not use them. */
#define HOG_BLOCK_GFP	(__GFP_MOVABLE | __GFP_NORETRY | __GFP_NOWARN)

/* Whether the OOM notifiers were called, and what the others had freed at the first call. */
static bool hog_notified;
static unsigned long hog_freed_by_others;

/* Frees all pages that were taken, and returns how many. */
static unsigned long hog_release(void)
{
	struct page *page, *next;
	unsigned long nr = 0;
	LIST_HEAD(pages);

	spin_lock(&hog_lock);
	list_splice_init(&hog_pages, &pages);
	spin_unlock(&hog_lock);
	list_for_each_entry_safe(page, next, &pages, lru) {
		__free_page(page);
		nr++;
	}
	return nr;
}

static int hog_oom(struct notifier_block *nb, unsigned long unused, void *data)
{
	unsigned long *freed = data;

	if (!READ_ONCE(hog_notified)) {
		hog_freed_by_others = *freed;
		WRITE_ONCE(hog_notified, true);
	}
	*freed += hog_release();
	return NOTIFY_OK;
}

/* The lowest priority: runs after all other notifiers, so it sees what they have freed. */
static struct notifier_block hog_nb = { .notifier_call = hog_oom, .priority = INT_MIN };

/**
 * hog_run_out - take memory until the guest is out of memory
 *
 * Sleeps. hog_oom() frees all of it, so the OOM killer has no reason to kill.
 *
 * Return: pages that the other OOM notifiers had freed when they were called for the first time.
 */
unsigned long hog_run_out(void)
{
	struct page *page;

	hog_freed_by_others = 0;
	hog_notified = false;
	register_oom_notifier(&hog_nb);
	while (!READ_ONCE(hog_notified)) {
		page = alloc_page(GFP_KERNEL | __GFP_NOWARN);
		if (!page)
			break;
		spin_lock(&hog_lock);
		list_add(&page->lru, &hog_pages);
		spin_unlock(&hog_lock);
		cond_resched();
	}
	unregister_oom_notifier(&hog_nb);
	hog_release();
	return hog_freed_by_others;
}

/**
 * hog_use_free - allocate all free blocks, and free them again
 *
 * Sleeps. mm reports a free page only once, until it has been used: afterwards it reports all
 * of these blocks.
 */
void hog_use_free(void)
{
	struct page *page, *next;
	LIST_HEAD(blocks);

	while ((page = alloc_pages(HOG_BLOCK_GFP, HOG_ORDER)))
		list_add(&page->lru, &blocks);
	list_for_each_entry_safe(page, next, &blocks, lru)
		__free_pages(page, HOG_ORDER);
}

/*
 * Allocates all free pieces of 2^@whole pages, and keeps every other part of 2^@order pages until
 * hog_mend().
 */
static void hog_keep_half(unsigned int whole, unsigned int order)
{
	LIST_HEAD(others);
	struct page *page, *next;
	unsigned int i;

	while ((page = alloc_pages(HOG_BLOCK_GFP, whole))) {
		split_page(page, whole);
		spin_lock(&hog_lock);
		for (i = 0; i < BIT(whole); i++)
			list_add(&page[i].lru, (i >> order) % 2 ? &others : &hog_pages);
		spin_unlock(&hog_lock);
		cond_resched();
	}
	list_for_each_entry_safe(page, next, &others, lru)
		__free_page(page);
}

/**
 * hog_splinter - take every other page of all free blocks, so that hardly any block is free
 *
 * Sleeps. hog_mend() undoes it.
 */
void hog_splinter(void)
{
	hog_keep_half(HOG_ORDER, 0);
}

/**
 * hog_divide - take every other free block where mm would join them, so that many are free
 *
 * mm reports up to 32 pieces of free memory at a time, however large they are. Where its groups
 * are larger than blocks, all free memory may be in fewer pieces. One report then has all of it,
 * and leaves the driver no block. Sleeps. hog_mend() undoes it.
 */
void hog_divide(void)
{
	if (pageblock_order > HOG_ORDER)
		hog_keep_half(HOG_ORDER + 1, HOG_ORDER);
}

static int hog_compare(void *unused, const struct list_head *a, const struct list_head *b)
{
	return page_to_pfn(list_entry(a, struct page, lru)) >
	       page_to_pfn(list_entry(b, struct page, lru));
}

/**
 * hog_leave_lowest - take all free blocks but the lowest ones of the zone that mm prefers
 * @nr: pages that it leaves; rounded down to blocks
 *
 * Compaction moves pages up, and to blocks of which only a part is free. So it is certain to move
 * what is allocated next, after hog_mend() and hog_splinter(). Sleeps.
 */
void hog_leave_lowest(unsigned long nr)
{
	struct page *page, *next;
	struct zone *zone = NULL;
	LIST_HEAD(blocks);
	unsigned int i;

	while ((page = alloc_pages(HOG_BLOCK_GFP, HOG_ORDER))) {
		zone = zone ?: page_zone(page);
		list_add(&page->lru, &blocks);
	}
	list_sort(NULL, &blocks, hog_compare);
	list_for_each_entry_safe(page, next, &blocks, lru) {
		if (nr >= BIT(HOG_ORDER) && page_zone(page) == zone) {
			__free_pages(page, HOG_ORDER);
			nr -= BIT(HOG_ORDER);
			continue;
		}
		split_page(page, HOG_ORDER);
		spin_lock(&hog_lock);
		for (i = 0; i < BIT(HOG_ORDER); i++)
			list_add(&page[i].lru, &hog_pages);
		spin_unlock(&hog_lock);
		cond_resched();
	}
}

/**
 * hog_mend - free what hog_splinter(), hog_divide() or hog_leave_lowest() has taken
 *
 * Sleeps.
 */
void hog_mend(void)
{
	hog_release();
}
