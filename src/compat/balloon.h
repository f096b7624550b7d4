/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mm's balloon, page allocator and shrinker as the newest kernel has them.
 */
#ifndef BALLOON_COMPAT_BALLOON_H
#define BALLOON_COMPAT_BALLOON_H

#include <linux/balloon_compaction.h>
#include <linux/gfp.h>
#include <linux/shrinker.h>

/*
 * mm itself has the new page join the balloon and lets go of the old one when
 * the driver's callback succeeded, by 7.3. Earlier the callback does both.
 */
static inline void balloon_compat_page_moved(struct balloon_dev_info *info,
					     struct page *newpage, struct page *page)
{
#ifdef CONFIG_BALLOON_COMPACTION
	unsigned long flags;

	get_page(newpage);
	spin_lock_irqsave(&info->pages_lock, flags);
	balloon_page_insert(info, newpage);
	info->isolated_pages--;
	__count_vm_event(BALLOON_MIGRATE);
	spin_unlock_irqrestore(&info->pages_lock, flags);
	balloon_page_finalize(page);
	put_page(page);
#endif
}

/* alloc_pages_bulk() has lost its list variant, and with it the suffix, by 7.3. */
#define alloc_pages_bulk(gfp, nr, array) alloc_pages_bulk_array(gfp, nr, array)

/* MAX_ORDER became MAX_PAGE_ORDER, and inclusive, by 6.8. */
#define MAX_PAGE_ORDER	(MAX_ORDER - 1)

/*
 * Shrinkers are allocated by mm and carry private_data since 6.7. Earlier the
 * driver owns the structure.
 */
struct balloon_compat_shrinker {
	struct shrinker shrinker;
	void *private_data;
};

struct shrinker *balloon_compat_shrinker_register(const char *name, void *data,
						  unsigned long (*count)(struct shrinker *shrinker,
									 struct shrink_control *sc),
						  unsigned long (*scan)(struct shrinker *shrinker,
									struct shrink_control *sc));
void balloon_compat_shrinker_free(struct shrinker *shrinker);

static inline void *balloon_compat_shrinker_data(struct shrinker *shrinker)
{
	return container_of(shrinker, struct balloon_compat_shrinker, shrinker)->private_data;
}

#endif /* BALLOON_COMPAT_BALLOON_H */
