// SPDX-License-Identifier: GPL-2.0-only
/*
 * Facts about the kernel that this is built for, one a check. src/compat/facts.sh
 * has the compiler look at each by itself: a fact holds if there is no error.
 * Names, not versions, since distributions backport.
 *
 * A check says which upstream version its fact is new in, and where it is known,
 * the title of the change. What can be told without the headers is, since that
 * is quicker.
 */

/* Sentinel: a check can fail. */
#ifdef CHECK_SENTINEL_FALSE
#define CHECK_NO_HEADERS
static inline int check_sentinel_false(void) { return balloon_compat_no_such_name(); }
#endif

/*
 * mm's side of a balloon and of page reporting is there only where some driver
 * selected it; the first option was renamed with the header, by 7.3.
 */
#ifdef CHECK_BALLOON_CORE
#define CHECK_NO_HEADERS
#if !IS_ENABLED(CONFIG_BALLOON) && !IS_ENABLED(CONFIG_MEMORY_BALLOON)
#error no such option
#endif
#endif
#ifdef CHECK_PAGE_REPORTING
#define CHECK_NO_HEADERS
#if !IS_ENABLED(CONFIG_PAGE_REPORTING)
#error no such option
#endif
#endif

/* <linux/balloon_compaction.h> was renamed, by 7.3. */
#ifdef CHECK_BALLOON_HEADER
#define CHECK_NO_HEADERS
#if !__has_include("linux/balloon.h")
#error no such header
#endif
#endif

#ifndef CHECK_NO_HEADERS
#include <linux/mm.h>
#include <linux/page_reporting.h>
#include <linux/shrinker.h>
#include <linux/virtio.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <linux/vmstat.h>

/* The header has another name by 7.3, see above. */
#if __has_include("linux/balloon.h")
#include <linux/balloon.h>
#else
#include <linux/balloon_compaction.h>
#endif

/* Sentinel: a check can pass. */
#ifdef CHECK_SENTINEL_TRUE
static inline int check_sentinel_true(void) { return PAGE_SIZE > 0; }
#endif

/*
 * 5.10 is the floor: little-endian access to the configuration, from 5.9
 * ("virtio_config: LE config space accessors").
 */
#ifdef CHECK_CREAD_LE
static inline void check_cread_le(struct virtio_device *vdev, u32 *value)
{
	virtio_cread_le(vdev, struct virtio_balloon_config, num_pages, value);
}
#endif

/*
 * Balloon pages are migrated through an inode's operations, up to 5.19 ("mm:
 * Convert all PageMovable users to movable_operations").
 */
#ifdef CHECK_BALLOON_INODE
static inline void *check_inode(struct balloon_dev_info *info) { return info->inode; }
#endif

/* The driver adds the new page when migration succeeded, up to 6.19. */
#ifdef CHECK_BALLOON_PAGE_INSERT
static inline void check_insert(struct balloon_dev_info *info, struct page *page)
{
	balloon_page_insert(info, page);
}
#endif

/* What undoes it when a page leaves, from 5.18; before, it is part of another. */
#ifdef CHECK_BALLOON_PAGE_FINALIZE
static inline void check_finalize(struct page *page) { balloon_page_finalize(page); }
#endif

/*
 * Shrinkers are allocated by mm, from 6.7 ("mm: shrinker: add infrastructure for
 * dynamically allocating shrinker").
 */
#ifdef CHECK_SHRINKER_ALLOC
static inline void *check_shrinker_alloc(void) { return shrinker_alloc(0, "name"); }
#endif

/*
 * Shrinkers have names, from 6.0 ("mm: shrinkers: provide shrinkers with names");
 * of no interest where mm allocates them.
 */
#ifdef CHECK_SHRINKER_NAME
static inline int check_shrinker_name(struct shrinker *s) { return register_shrinker(s, "name"); }
#endif

/*
 * Names and callbacks of queues are one array, from 6.11 ("virtio: rename
 * find_vqs_info() op to find_vqs()").
 */
#ifdef CHECK_VIRTQUEUE_INFO
static inline const char *check_virtqueue_info(struct virtqueue_info *info) { return info->name; }
#endif

/*
 * From 5.17 ("virtio: wrap config->reset calls"); earlier it is the transport's
 * to reset the device.
 */
#ifdef CHECK_VIRTIO_RESET_DEVICE
static inline void check_reset(struct virtio_device *vdev) { virtio_reset_device(vdev); }
#endif

/* A driver is told of a reset of the function below its device, by 7.3. */
#ifdef CHECK_RESET_PREPARE
static inline void *check_reset_prepare(struct virtio_driver *driver)
{
	return driver->reset_prepare;
}
#endif

/*
 * Pages of a node are allocated in bulk, from 5.14 ("mm/page_alloc: add an
 * alloc_pages_bulk_array_node() helper"), ...
 */
#ifdef CHECK_ALLOC_PAGES_BULK_ARRAY_NODE
static inline unsigned long check_bulk_array(struct page **pages)
{
	return alloc_pages_bulk_array_node(GFP_KERNEL, 0, 1, pages);
}
#endif

/* ... and with this name, from 6.14 ("mm: alloc_pages_bulk: rename API"). */
#ifdef CHECK_ALLOC_PAGES_BULK_NODE
static inline unsigned long check_bulk(struct page **pages)
{
	return alloc_pages_bulk_node(GFP_KERNEL, 0, 1, pages);
}
#endif

/*
 * Whether free pages are poisoned is a static key, from 5.11 ("mm, page_poison:
 * use static key more efficiently").
 */
#ifdef CHECK_PAGE_POISONING_STATIC
static inline bool check_poisoning(void) { return page_poisoning_enabled_static(); }
#endif

/*
 * Reporting can be asked for an order, from 5.14 ("mm/page_reporting: allow driver
 * to specify reporting order").
 */
#ifdef CHECK_REPORTING_ORDER
static inline unsigned int check_order(struct page_reporting_dev_info *info) { return info->order; }
#endif

/* 0 is an order, and another value stands for mm's choice, by 7.3. */
#ifdef CHECK_REPORTING_ORDER_UNSPECIFIED
static inline unsigned int check_unspecified(void) { return PAGE_REPORTING_ORDER_UNSPECIFIED; }
#endif

/* Reclaim is counted by node, by 7.3; earlier they are events of a CPU. */
#ifdef CHECK_RECLAIM_NODE_STATE
static inline enum node_stat_item check_node_state(void) { return PGSCAN_KSWAPD; }
#endif
#ifdef CHECK_RECLAIM_EVENTS
static inline enum vm_event_item check_events(void) { return PGSCAN_KSWAPD; }
#endif

#endif /* CHECK_NO_HEADERS */
