// SPDX-License-Identifier: GPL-2.0-only
/*
 * Facts about the kernel that the module is built for. src/compat/facts.sh compiles each
 * check alone: a fact holds if its check compiles without an error. The checks look at names
 * and not at versions, since distributions backport changes to older versions.
 *
 * Each check says in which upstream version its fact is new and, if known, in which change.
 * "Found in 7.3" means that the version in which it came is not known here. A check that needs
 * no header is compiled without headers, since this takes less time.
 */

/* Sentinel: a check can fail. */
#ifdef CHECK_SENTINEL_FALSE
#define CHECK_NO_HEADERS
static inline int check_sentinel_false(void) { return balloon_compat_no_such_name(); }
#endif

/*
 * A kernel has mm's functions for balloons and for page reporting only if one of its drivers
 * needs them. The first option was renamed together with the header; found in 7.3.
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

/* <linux/balloon_compaction.h> has a new name; found in 7.3. */
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

/* The header has two names, see above. */
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

/* The driver itself adds the new page after a migration, up to 6.19. */
#ifdef CHECK_BALLOON_PAGE_INSERT
static inline void check_insert(struct balloon_dev_info *info, struct page *page)
{
	balloon_page_insert(info, page);
}
#endif

/* The function that undoes balloon_page_insert() when a page leaves, from 5.18. */
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
 * Shrinkers have names, from 6.0 ("mm: shrinkers: provide shrinkers with names"). Not used
 * on kernels where mm allocates them.
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
 * The core has a function that resets a device, from 5.17 ("virtio: wrap config->reset
 * calls").
 */
#ifdef CHECK_VIRTIO_RESET_DEVICE
static inline void check_reset(struct virtio_device *vdev) { virtio_reset_device(vdev); }
#endif

/* The driver is told before the function below its device is reset; found in 7.3. */
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

/* Order 0 is valid, and another value means that mm chooses; found in 7.3. */
#ifdef CHECK_REPORTING_ORDER_UNSPECIFIED
static inline unsigned int check_unspecified(void) { return PAGE_REPORTING_ORDER_UNSPECIFIED; }
#endif

/* Reclaim is counted for each node (found in 7.3), or for each CPU (up to 6.12). */
#ifdef CHECK_RECLAIM_NODE_STATE
static inline enum node_stat_item check_node_state(void) { return PGSCAN_KSWAPD; }
#endif
#ifdef CHECK_RECLAIM_EVENTS
static inline enum vm_event_item check_events(void) { return PGSCAN_KSWAPD; }
#endif

#endif /* CHECK_NO_HEADERS */
