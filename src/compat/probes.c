// SPDX-License-Identifier: GPL-2.0-only
/*
 * Facts about the kernel that this is built for, one a probe. src/compat/probe
 * has the compiler check all of them in one go: a fact holds if there is no
 * error below its #line. Names, not versions, since distributions backport.
 *
 * A probe says which upstream version its fact is new in, and where it is known,
 * the title of the change.
 */
#include <linux/mm.h>
#include <linux/page_reporting.h>
#include <linux/shrinker.h>
#include <linux/virtio.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <linux/vmstat.h>

/* The header has another name by 7.3, see below. */
#if __has_include("linux/balloon.h")
#include <linux/balloon.h>
#else
#include <linux/balloon_compaction.h>
#endif

/* Sentinels: a probe can pass, and a probe can fail. */
#line 1 "HAVE_SENTINEL_TRUE"
static inline int probe_sentinel_true(void) { return PAGE_SIZE > 0; }

#line 1 "HAVE_SENTINEL_FALSE"
static inline int probe_sentinel_false(void) { return balloon_compat_no_such_name(); }

/*
 * 5.10 is the floor: little-endian access to the configuration, from 5.9
 * ("virtio_config: LE config space accessors").
 */
#line 1 "HAVE_CREAD_LE"
static inline void probe_cread_le(struct virtio_device *vdev, u32 *value)
{
	virtio_cread_le(vdev, struct virtio_balloon_config, num_pages, value);
}

/*
 * mm's side of a balloon and of page reporting is there only where some driver
 * selected it; the first option was renamed with the header, by 7.3.
 */
#line 1 "HAVE_BALLOON_CORE"
#if !IS_ENABLED(CONFIG_BALLOON) && !IS_ENABLED(CONFIG_MEMORY_BALLOON)
#error no such option
#endif

#line 1 "HAVE_PAGE_REPORTING"
#if !IS_ENABLED(CONFIG_PAGE_REPORTING)
#error no such option
#endif

/* <linux/balloon_compaction.h> was renamed, by 7.3. */
#line 1 "HAVE_BALLOON_HEADER"
#if !__has_include("linux/balloon.h")
#error no such header
#endif

/*
 * Balloon pages are migrated through an inode's operations, up to 5.19 ("mm:
 * Convert all PageMovable users to movable_operations").
 */
#line 1 "HAVE_BALLOON_INODE"
static inline void *probe_inode(struct balloon_dev_info *info) { return info->inode; }

/* The driver adds the new page when migration succeeded, up to 6.19. */
#line 1 "HAVE_BALLOON_PAGE_INSERT"
static inline void probe_insert(struct balloon_dev_info *info, struct page *page)
{
	balloon_page_insert(info, page);
}

/* What undoes it when a page leaves, from 5.18; before, it is part of another. */
#line 1 "HAVE_BALLOON_PAGE_FINALIZE"
static inline void probe_finalize(struct page *page) { balloon_page_finalize(page); }

/*
 * Shrinkers are allocated by mm, from 6.7 ("mm: shrinker: add infrastructure for
 * dynamically allocating shrinker").
 */
#line 1 "HAVE_SHRINKER_ALLOC"
static inline void *probe_shrinker_alloc(void) { return shrinker_alloc(0, "name"); }

/*
 * Shrinkers have names, from 6.0 ("mm: shrinkers: provide shrinkers with names");
 * of no interest where mm allocates them.
 */
#line 1 "HAVE_SHRINKER_NAME"
static inline int probe_shrinker_name(struct shrinker *s) { return register_shrinker(s, "name"); }

/*
 * Names and callbacks of queues are one array, from 6.11 ("virtio: rename
 * find_vqs_info() op to find_vqs()").
 */
#line 1 "HAVE_VIRTQUEUE_INFO"
static inline const char *probe_virtqueue_info(struct virtqueue_info *info) { return info->name; }

/*
 * From 5.17 ("virtio: wrap config->reset calls"); earlier it is the transport's
 * to reset the device.
 */
#line 1 "HAVE_VIRTIO_RESET_DEVICE"
static inline void probe_reset(struct virtio_device *vdev) { virtio_reset_device(vdev); }

/* A driver is told of a reset of the function below its device, by 7.3. */
#line 1 "HAVE_RESET_PREPARE"
static inline void *probe_reset_prepare(struct virtio_driver *driver)
{
	return driver->reset_prepare;
}

/*
 * Pages of a node are allocated in bulk, from 5.14 ("mm/page_alloc: add an
 * alloc_pages_bulk_array_node() helper"), ...
 */
#line 1 "HAVE_ALLOC_PAGES_BULK_ARRAY_NODE"
static inline unsigned long probe_bulk_array(struct page **pages)
{
	return alloc_pages_bulk_array_node(GFP_KERNEL, 0, 1, pages);
}

/* ... and with this name, from 6.14 ("mm: alloc_pages_bulk: rename API"). */
#line 1 "HAVE_ALLOC_PAGES_BULK_NODE"
static inline unsigned long probe_bulk(struct page **pages)
{
	return alloc_pages_bulk_node(GFP_KERNEL, 0, 1, pages);
}

/*
 * Whether free pages are poisoned is a static key, from 5.11 ("mm, page_poison:
 * use static key more efficiently").
 */
#line 1 "HAVE_PAGE_POISONING_STATIC"
static inline bool probe_poisoning(void) { return page_poisoning_enabled_static(); }

/*
 * Reporting can be asked for an order, from 5.14 ("mm/page_reporting: allow driver
 * to specify reporting order").
 */
#line 1 "HAVE_REPORTING_ORDER"
static inline unsigned int probe_order(struct page_reporting_dev_info *info) { return info->order; }

/* 0 is an order, and another value stands for mm's choice, by 7.3. */
#line 1 "HAVE_REPORTING_ORDER_UNSPECIFIED"
static inline unsigned int probe_unspecified(void) { return PAGE_REPORTING_ORDER_UNSPECIFIED; }

/* Reclaim is counted by node, by 7.3; earlier they are events of a CPU. */
#line 1 "HAVE_RECLAIM_NODE_STATE"
static inline enum node_stat_item probe_node_state(void) { return PGSCAN_KSWAPD; }

#line 1 "HAVE_RECLAIM_EVENTS"
static inline enum vm_event_item probe_events(void) { return PGSCAN_KSWAPD; }
