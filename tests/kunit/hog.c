// SPDX-License-Identifier: GPL-2.0-only
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/spinlock.h>

#include "hog.h"

static LIST_HEAD(hog_pages);
static DEFINE_SPINLOCK(hog_lock);
static unsigned long hog_others;
static bool hog_asked;

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

	if (!READ_ONCE(hog_asked)) {
		hog_others = *freed;
		WRITE_ONCE(hog_asked, true);
	}
	*freed += hog_release();
	return NOTIFY_OK;
}

/* After everybody else. */
static struct notifier_block hog_nb = { .notifier_call = hog_oom, .priority = INT_MIN };

/**
 * hog_run_out - take memory until mm knows no more, and asks for it back
 *
 * Sleeps. All of it is free again afterwards, and that spares everybody the OOM killer.
 *
 * Return: pages that others had given back when mm asked for the first time.
 */
unsigned long hog_run_out(void)
{
	struct page *page;

	hog_others = 0;
	hog_asked = false;
	register_oom_notifier(&hog_nb);
	while (!READ_ONCE(hog_asked)) {
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
	return hog_others;
}

/**
 * hog_use_free - use all free blocks for a moment
 *
 * Sleeps. mm reports a page once; one that has been used is another.
 */
void hog_use_free(void)
{
	struct page *page, *next;
	LIST_HEAD(blocks);

	while ((page = alloc_pages(__GFP_NORETRY | __GFP_NOWARN, pageblock_order)))
		list_add(&page->lru, &blocks);
	list_for_each_entry_safe(page, next, &blocks, lru)
		__free_pages(page, pageblock_order);
}
