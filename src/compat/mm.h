/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Offers mm's functions for balloons, pages and shrinkers as the newest kernel has them.
 */
#ifndef BALLOON_COMPAT_MM_H
#define BALLOON_COMPAT_MM_H

#ifdef CONFIG_MEM_ALLOC_PROFILING
#include <linux/alloc_tag.h>
#endif
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
 * Called when a page was migrated. After 6.19 mm itself adds the new page to the balloon and
 * releases the old one; before, this is the driver's task.
 *
 * As soon as the new page is on the list, another thread may empty and free the balloon and
 * unload the module. So balloon_compat_info_exit() waits until nobody runs this code any more.
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

/* Up to 5.19 mm finds the balloon of a page through an inode, so the driver provides one. */
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
 * Before 5.14 mm cannot allocate pages in bulk, and before 6.14 the function has another name.
 * All of them keep the pages that are in the array already, and return how many it has then.
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

/* The name is new in 6.8. Up to 6.3 MAX_ORDER was the first order that was too large. */
#ifndef MAX_PAGE_ORDER
#define MAX_PAGE_ORDER	ilog2(MAX_ORDER_NR_PAGES)
#endif

/*
 * Clears what mm has left in a page that was in a balloon. mm clears it itself in a page that is
 * freed alone, and in the first page of those that are freed as one. In 7.3 the type stays.
 */
static inline void balloon_compat_page_clean(struct page *page)
{
	page->mapping = NULL;
	set_page_private(page, 0);
	if (PageOffline(page))
		__ClearPageOffline(page);
}

bool balloon_compat_pages_owned(void);

/*
 * Whether pages that were allocated one by one may be freed as one. Page owner (from 6.9) and
 * memory allocation profiling (from 6.10) count pages by the place in the code that has allocated
 * them, and take the first page's place for that of all. Their counts would be wrong, and page
 * owner warns when a count falls below 0. @owned is what balloon_compat_pages_owned() said.
 */
static inline bool balloon_compat_pages_join(bool owned)
{
#ifdef CONFIG_MEM_ALLOC_PROFILING
	if (mem_alloc_profiling_enabled())
		return false;
#endif
	return !owned;
}

/* Before 5.11 it also depends on the configuration whether freed pages keep the value. */
static inline bool balloon_compat_pages_poisoned(void)
{
#ifdef BALLOON_HAVE_PAGE_POISONING_STATIC
	return page_poisoning_enabled_static();
#else
	return !IS_ENABLED(CONFIG_PAGE_POISONING_NO_SANITY) && page_poisoning_enabled();
#endif
}

/*
 * The largest value that mm's pageblock order may have. On architectures whose huge pages have
 * different sizes, such as ppc64, it is a variable that mm does not export.
 */
#ifdef CONFIG_HUGETLB_PAGE_SIZE_VARIABLE
#define BALLOON_COMPAT_PAGEBLOCK_ORDER	MAX_PAGE_ORDER
#else
#define BALLOON_COMPAT_PAGEBLOCK_ORDER	pageblock_order
#endif

/*
 * Sets the smallest order of pages that mm reports. If @order is negative, mm chooses it. Before
 * 5.14 mm always chooses it.
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
