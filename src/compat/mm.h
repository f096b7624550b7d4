/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mm's balloon, page allocator and shrinker as the newest kernel has them.
 */
#ifndef BALLOON_COMPAT_MM_H
#define BALLOON_COMPAT_MM_H

#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page_reporting.h>
#include <linux/rcupdate.h>
#include <linux/shrinker.h>

#include "facts.h"

#ifdef BALLOON_HAVE_BALLOON_HEADER
#include <linux/balloon.h>
#else
#include <linux/balloon_compaction.h>
#endif

/* The option was renamed with the header. */
#if defined(CONFIG_BALLOON_MIGRATION) || defined(CONFIG_BALLOON_COMPACTION)
#define BALLOON_COMPAT_MIGRATION
#endif

/*
 * mm has the new page join the balloon and lets go of the old one when the
 * driver's callback succeeded, by 7.3. Earlier the callback does both.
 *
 * As soon as the page is on the list, the balloon may be emptied and freed, and the
 * module unloaded: balloon_compat_info_exit() waits for who is still in here.
 */
static inline void balloon_compat_page_moved(struct balloon_dev_info *info,
					     struct page *newpage, struct page *page)
{
#if defined(BALLOON_COMPAT_MIGRATION) && defined(BALLOON_HAVE_BALLOON_PAGE_INSERT)
	unsigned long flags;

	rcu_read_lock();
	get_page(newpage);
	spin_lock_irqsave(&info->pages_lock, flags);
	balloon_page_insert(info, newpage);
	info->isolated_pages--;
	__count_vm_event(BALLOON_MIGRATE);
	spin_unlock_irqrestore(&info->pages_lock, flags);
#ifdef BALLOON_HAVE_BALLOON_PAGE_FINALIZE
	balloon_page_finalize(page);
#else
	balloon_page_delete(page);
#endif
	put_page(page);
	rcu_read_unlock();
#endif
}

/* Up to 5.19, migration finds the balloon through an inode, of a file system of our own. */
#if defined(BALLOON_COMPAT_MIGRATION) && defined(BALLOON_HAVE_BALLOON_INODE)
int balloon_compat_info_init(struct balloon_dev_info *info);
void balloon_compat_info_exit(struct balloon_dev_info *info);
#else
static inline int balloon_compat_info_init(struct balloon_dev_info *info)
{
	balloon_devinfo_init(info);
	return 0;
}

static inline void balloon_compat_info_exit(struct balloon_dev_info *info)
{
	synchronize_rcu();
}
#endif

/*
 * Before 5.14 pages are allocated one by one, and before 6.14 in bulk with another name. All
 * keep the pages that the array begins with, and return how many it then has.
 */
#ifndef BALLOON_HAVE_ALLOC_PAGES_BULK_NODE
#ifdef BALLOON_HAVE_ALLOC_PAGES_BULK_ARRAY_NODE
#define alloc_pages_bulk_node(gfp, nid, nr, array) alloc_pages_bulk_array_node(gfp, nid, nr, array)
#else
static inline unsigned long alloc_pages_bulk_node(gfp_t gfp, int nid, unsigned long nr,
						  struct page **array)
{
	unsigned long n;

	for (n = 0; n < nr; n++) {
		if (!array[n])
			array[n] = alloc_pages_node(nid, gfp, 0);
		if (!array[n])
			break;
	}
	return n;
}
#endif
#endif

/* MAX_ORDER was exclusive up to 6.3, and has this name from 6.8; this holds for all. */
#ifndef MAX_PAGE_ORDER
#define MAX_PAGE_ORDER	ilog2(MAX_ORDER_NR_PAGES)
#endif

/* Before 5.11, what the kernel does with freed pages also depends on its configuration. */
static inline bool balloon_compat_pages_poisoned(void)
{
#ifdef BALLOON_HAVE_PAGE_POISONING_STATIC
	return page_poisoning_enabled_static();
#else
	return !IS_ENABLED(CONFIG_PAGE_POISONING_NO_SANITY) && page_poisoning_enabled();
#endif
}

/*
 * The most that mm's pageblock order may be. Where huge pages have no one size, as on
 * ppc64, it is a variable that mm does not export.
 */
#ifdef CONFIG_HUGETLB_PAGE_SIZE_VARIABLE
#define BALLOON_COMPAT_PAGEBLOCK_ORDER	MAX_PAGE_ORDER
#else
#define BALLOON_COMPAT_PAGEBLOCK_ORDER	pageblock_order
#endif

/*
 * The order from which on free pages are reported; mm's choice where @order is
 * negative, which earlier is 0, or the field is missing, before 5.14.
 */
static inline void balloon_compat_reporting_order(struct page_reporting_dev_info *info, int order)
{
#ifdef BALLOON_HAVE_REPORTING_ORDER_UNSPECIFIED
	info->order = order < 0 ? PAGE_REPORTING_ORDER_UNSPECIFIED : order;
#elif defined(BALLOON_HAVE_REPORTING_ORDER)
	info->order = max(order, 0);
#endif
}

struct shrinker *balloon_compat_shrinker_register(const char *name, void *data,
						  unsigned long (*count)(struct shrinker *shrinker,
									 struct shrink_control *sc),
						  unsigned long (*scan)(struct shrinker *shrinker,
									struct shrink_control *sc));
void balloon_compat_shrinker_free(struct shrinker *shrinker);
void *balloon_compat_shrinker_data(struct shrinker *shrinker);

#endif /* BALLOON_COMPAT_MM_H */
