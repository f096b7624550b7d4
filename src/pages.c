// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages in the balloon: takes them from the guest, gives them back, and replaces one
 * by another when mm migrates it. size.c, oom.c and mm decide when. Serves "Device
 * Operation" of the specification.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/slab.h>
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

/* The batches of struct balloon_pages. */
#define BALLOON_PAGES_BATCHES	5

/* Consecutive pages of one zone. */
struct balloon_run {
	struct page *first;
	int zone;
	long nr;
};

#define BALLOON_RUN_NONE	{ .zone = -1 }

/*
 * In some kernels (7.3 is one) an adjustment computes the zones' reserves anew, and takes no
 * lock for this. If two do so at the same time, the one that has read the older counts may
 * be the last to write.
 */
static DEFINE_MUTEX(balloon_account_lock);

/*
 * @nr pages of the zone of @page return to the guest, or leave it if @nr is negative. The
 * guest's total of memory follows the balloon, except with deflate on OOM: there the guest
 * may have its pages back at any time.
 */
static void balloon_account(struct balloon *b, struct page *page, long nr)
{
	atomic_long_sub(nr, &b->pages.on_node[page_to_nid(page)]);
	if (virtio_has_feature(b->vdev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM))
		return;
	mutex_lock(&balloon_account_lock);
	adjust_managed_page_count(page, nr);
	mutex_unlock(&balloon_account_lock);
}

/* One adjustment for all pages of a run, since each adjustment is expensive. */
static void balloon_run_account(struct balloon *b, const struct balloon_run *run)
{
	if (run->nr)
		balloon_account(b, run->first, run->nr);
}

/* Counts a page that leaves the guest (@sign is -1) or returns to it (@sign is 1). */
static void balloon_run_add(struct balloon *b, struct balloon_run *run, struct page *page, int sign)
{
	int zone = page_zone_id(page);

	if (zone != run->zone) {
		balloon_run_account(b, run);
		*run = (struct balloon_run){ .first = page, .zone = zone };
	}
	run->nr += sign;
}

/* Writes a page's numbers to @pfns, which must not be in flight. Returns how many. */
static unsigned int balloon_page_name(struct balloon *b, struct page *page, __virtio32 *pfns)
{
	return balloon_pack_pfns(page_to_pfn(page), PAGE_SHIFT, virtio_is_little_endian(b->vdev),
				 pfns);
}

/**
 * balloon_batches_alloc - allocate empty batches
 * @nr: how many
 *
 * Sleeps.
 *
 * Return: an array of @nr batches, to be freed with kfree(); NULL without memory.
 */
struct balloon_batch *balloon_batches_alloc(unsigned int nr)
{
	struct balloon_batch *batches = kcalloc(nr, sizeof(*batches), GFP_KERNEL);
	unsigned int i;

	for (i = 0; batches && i < nr; i++)
		INIT_LIST_HEAD(&batches[i].pages);
	return batches;
}

/**
 * balloon_batch_give - give a batch to the host
 * @b: the balloon; the caller holds pages.lock
 * @queue: the inflate queue or the deflate queue
 * @batch: not in flight
 *
 * Does not sleep.
 *
 * Return: as balloon_host_give().
 */
int balloon_batch_give(struct balloon *b, enum balloon_queue queue, struct balloon_batch *batch)
{
	struct scatterlist sg;

	lockdep_assert_held(&b->pages.lock);
	sg_init_one(&sg, batch->pfns, batch->nr_pfns * sizeof(batch->pfns[0]));
	return balloon_host_give(b, queue, &sg, &batch->buffer);
}

/**
 * balloon_batch_await - wait until the host has returned a batch, if it has it
 * @b: the balloon; the caller holds pages.lock
 * @queue: the queue that the batch was given on
 * @batch: the batch; not in flight afterwards
 *
 * Sleeps.
 *
 * Return: as balloon_host_wait().
 */
int balloon_batch_await(struct balloon *b, enum balloon_queue queue, struct balloon_batch *batch)
{
	int err;

	lockdep_assert_held(&b->pages.lock);
	err = balloon_host_wait(b, queue, &batch->buffer);
	/* If the device died, it was reset, and the host has no buffer any more. */
	batch->buffer.in_flight = false;
	return err;
}

/*
 * As balloon_batch_give(). A queue that has space and takes no buffer is broken. Then the
 * device is reset, so after every error except -ENOSPC the host owns nothing.
 */
static int balloon_batch_send(struct balloon *b, enum balloon_queue queue,
			      struct balloon_batch *batch)
{
	int err = balloon_batch_give(b, queue, batch);

	if (err && err != -ENOSPC)
		balloon_host_abandon(b, "a queue takes no buffer");
	return err;
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
		struct zone *zones = NODE_DATA(node)->node_zones;
		unsigned long nr = 0;
		unsigned int i;

		for (i = 0; i < MAX_NR_ZONES; i++)
			nr += zone_page_state(&zones[i], NR_FREE_PAGES);
		if (nr > most) {
			most = nr;
			freest = node;
		}
	}
	return freest;
}

/*
 * Gets up to @nr pages from the guest, and returns how many. A bulk allocation returns a
 * single page if a zone is near its watermark. So this repeats it until there are no more
 * pages: a buffer that is not full costs the host and the guest as much as a full one.
 */
static unsigned int balloon_pages_get(struct balloon *b, struct page **array, unsigned int nr)
{
	unsigned int got = 0, before;

	do {
		before = got;
		/* Returns the number of all pages in the array, including earlier ones. */
		got = alloc_pages_bulk_node(BALLOON_GFP, balloon_freest_node(), nr, array);
		cond_resched();
	} while (got < nr && got > before && balloon_running(b));
	return got;
}

/* Takes up to @max pages from the guest, except those that no page number can name. */
static void balloon_batch_fill(struct balloon *b, struct balloon_batch *batch, unsigned long max)
{
	struct page **allocated = b->pages.allocated;
	struct balloon_run run = BALLOON_RUN_NONE;
	unsigned int i, nr, kept = 0, n = 0;

	nr = balloon_pages_get(b, allocated, min_t(unsigned long, max, BALLOON_BATCH_PAGES));
	for (i = 0; i < nr; i++) {
		struct page *page = allocated[i];

		/* The allocator fills only elements that are NULL. */
		allocated[i] = NULL;
		if (balloon_pack_addressable(page_to_pfn(page), PAGE_SHIFT)) {
			n += balloon_page_name(b, page, &batch->pfns[n]);
			balloon_run_add(b, &run, page, -1);
			list_add_tail(&page->lru, &batch->pages);
			kept++;
		} else {
			__free_page(page);
		}
	}
	balloon_run_account(b, &run);
	batch->nr = kept;
	batch->nr_pfns = n;
}

/**
 * balloon_batch_take - take pages off the balloon's list
 * @b: the balloon; the caller holds pages.lock
 * @batch: left as it is unless it is empty; not in flight
 * @max: at most this number of pages of the guest
 *
 * The host still owns the pages and must be told that they leave the balloon. They never go
 * back on the list: before 7.3 mm requires that nobody has locked a page that joins the
 * list, and compaction may have locked a page that was on it before. Does not sleep.
 */
void balloon_batch_take(struct balloon *b, struct balloon_batch *batch, unsigned long max)
{
	struct page *page;
	unsigned int n = 0;

	lockdep_assert_held(&b->pages.lock);
	if (batch->nr)
		return;
	batch->nr = balloon_page_list_dequeue(&b->pages.info, &batch->pages,
					      min_t(unsigned long, max, BALLOON_BATCH_PAGES));
	list_for_each_entry(page, &batch->pages, lru)
		n += balloon_page_name(b, page, &batch->pfns[n]);
	batch->nr_pfns = n;
}

/* The pages of a batch, if there are any, join the balloon. */
static void balloon_batch_enlist(struct balloon *b, struct balloon_batch *batch)
{
	lockdep_assert_held(&b->pages.lock);
	if (!batch->nr)
		return;
	b->pages.nr_pages += balloon_page_list_enqueue(&b->pages.info, &batch->pages);
	batch->nr = 0;
}

/**
 * balloon_batch_free - give the pages of a batch back to the guest
 * @b: the balloon
 * @batch: pages that the host does not own any more; empty afterwards
 *
 * May sleep.
 */
void balloon_batch_free(struct balloon *b, struct balloon_batch *batch)
{
	struct balloon_run run = BALLOON_RUN_NONE;
	struct page *page, *next;

	/*
	 * Not put_pages_list(): in some kernels, 6.1 is one, it removes a page from the list
	 * after it has dropped its reference. Compaction may hold another reference, and when
	 * this is dropped too, mm puts the page on a list of its own.
	 */
	list_for_each_entry_safe(page, next, &batch->pages, lru) {
		balloon_run_add(b, &run, page, 1);
		__free_page(page);
	}
	balloon_run_account(b, &run);
	INIT_LIST_HEAD(&batch->pages);
	batch->nr = 0;
}

/*
 * Completes the batch that was sent to the host, if there is one: its pages join the
 * balloon. Then sends @next unless it is NULL. On failure the host does not have @next.
 *
 * The next batch is sent only when the last one is back: QEMU handles this queue until it
 * is empty and does nothing else meanwhile, and would not even ask for statistics. It is
 * sent before anything else is done, so that the host need not wait for the guest.
 */
static int balloon_inflating_complete(struct balloon *b, struct balloon_batch *next)
{
	struct balloon_batch *batch = b->pages.inflating;
	int died = balloon_batch_await(b, BALLOON_QUEUE_INFLATE, batch);
	int err = died;

	if (next && !died)
		err = balloon_batch_send(b, BALLOON_QUEUE_INFLATE, next);
	if (died)
		balloon_batch_free(b, batch);
	else
		balloon_batch_enlist(b, batch);
	return err;
}

/*
 * Completes the batch of pages that the host was told leave the balloon, if there is one:
 * the pages belong to the guest again in any case. Then sends @next unless it is NULL. On
 * failure the host was not told about @next.
 */
static int balloon_deflating_complete(struct balloon *b, struct balloon_batch *next)
{
	struct balloon_batch *batch = b->pages.deflating;
	int err = balloon_batch_await(b, BALLOON_QUEUE_DEFLATE, batch);

	if (next && !err)
		err = balloon_batch_send(b, BALLOON_QUEUE_DEFLATE, next);
	if (next && !err)
		b->pages.nr_pages -= next->nr;
	balloon_batch_free(b, batch);
	return err;
}

/**
 * balloon_pages_inflate - give some pages to the host
 * @b: the balloon
 * @max: at most this number of pages of the guest, more than 0
 *
 * First waits for the pages of the last call. Returns while the host works on these, so
 * that the caller can take the next pages from the guest meanwhile. After the last call,
 * balloon_pages_complete() waits for the rest. Sleeps; takes pages.lock. Only for the size
 * work item. Serves "Driver Requirements: Memory Balloon Device / Device Operation".
 *
 * Return: number of pages of the guest that were sent; -ENOMEM if the guest had none to
 * give; -ENODEV or another error of balloon_host_give() if the device died.
 */
int balloon_pages_inflate(struct balloon *b, unsigned long max)
{
	struct balloon_pages *pages = &b->pages;
	struct balloon_batch *batch = pages->filling;
	int err;

	/* Without the lock, since this may compact memory and migrate the balloon's pages. */
	balloon_batch_fill(b, batch, max);
	if (!batch->nr)
		return -ENOMEM;

	mutex_lock(&pages->lock);
	err = balloon_inflating_complete(b, batch);
	if (err)
		balloon_batch_free(b, batch);
	else
		swap(pages->filling, pages->inflating);
	mutex_unlock(&pages->lock);

	return err ?: pages->inflating->nr;
}

/**
 * balloon_pages_deflate - take some pages back from the host
 * @b: the balloon
 * @max: at most this number of pages of the guest, more than 0
 *
 * Completes inflation first. Then waits for the pages of the last call, and frees them
 * while the host works on these. After the last call, balloon_pages_complete() waits for
 * the rest. So pages are used again only after the host has acknowledged, whether it
 * demands this (MUST_TELL_HOST) or not. Sleeps; takes pages.lock. Only for the size work
 * item, and after it has stopped.
 *
 * Return: number of pages of the guest that were sent; 0 if mm has isolated the other
 * pages, which it returns soon; -ENOSPC if buffers of an OOM fill the queue; -ENODEV or
 * another error of balloon_host_give() if the device died: the pages belong to the guest
 * then.
 */
int balloon_pages_deflate(struct balloon *b, unsigned long max)
{
	struct balloon_pages *pages = &b->pages;
	struct balloon_batch *batch = pages->leaving;
	unsigned int nr = 0;
	int err = 0;

	mutex_lock(&pages->lock);
	/* If the device dies now, the calls below return an error. */
	balloon_inflating_complete(b, NULL);
	/* Buffers of an OOM can fill a short queue. Then no page is taken until they are back. */
	if (!b->host.gone && !pages->deflating->buffer.in_flight &&
	    !balloon_host_free_entries(b, BALLOON_QUEUE_DEFLATE)) {
		err = -ENOSPC;
		goto out_unlock;
	}
	balloon_batch_take(b, batch, max);
	nr = batch->nr;
	if (!nr)
		goto out_unlock;
	err = balloon_deflating_complete(b, batch);
	if (!err) {
		swap(pages->leaving, pages->deflating);
	} else if (b->host.gone) {
		pages->nr_pages -= nr;
		balloon_batch_free(b, batch);
	}
	/* After another error the pages stay in the batch until the next call. */

out_unlock:
	mutex_unlock(&pages->lock);

	return err ?: nr;
}

/**
 * balloon_pages_complete - wait for what inflating and deflating have sent last
 * @b: the balloon
 *
 * Sleeps; takes pages.lock. Only for the size work item, and after it has stopped.
 *
 * Return: 0; -ENODEV if the device died: the pages belong to the guest again.
 */
int balloon_pages_complete(struct balloon *b)
{
	int inflating, deflating;

	mutex_lock(&b->pages.lock);
	inflating = balloon_inflating_complete(b, NULL);
	deflating = balloon_deflating_complete(b, NULL);
	mutex_unlock(&b->pages.lock);
	return inflating ?: deflating;
}

/* Tells the host about a single page. */
static int balloon_move_tell(struct balloon *b, enum balloon_queue queue, struct page *page)
{
	struct balloon_batch *batch = b->pages.moving;

	lockdep_assert_held(&b->pages.lock);
	/* The batch only names the page, which is on a list of mm. */
	batch->nr_pfns = balloon_page_name(b, page, batch->pfns);
	return balloon_batch_send(b, queue, batch) ?: balloon_batch_await(b, queue, batch);
}

/*
 * mm's callback: @newpage joins the balloon in place of @page, which mm has isolated. Both
 * pages are locked. Sleeps, but does not wait for pages.lock, since its holder may be waiting
 * for this migration. @mode is ignored, since this always waits for the host. Lists and
 * references are mm's. Returns 0, or -EAGAIN if @page stays.
 */
static int balloon_pages_migrate(struct balloon_dev_info *info, struct page *newpage,
				 struct page *page, enum migrate_mode mode)
{
	struct balloon *b = container_of(info, struct balloon, pages.info);
	int err = -EAGAIN;

	if (!mutex_trylock(&b->pages.lock))
		return -EAGAIN;

	if (!balloon_running(b) || !balloon_pack_addressable(page_to_pfn(newpage), PAGE_SHIFT))
		goto out_unlock;
	/* After the host has the new page it must be told of the old one too. */
	if (!balloon_host_free_entries(b, BALLOON_QUEUE_DEFLATE))
		goto out_unlock;
	if (balloon_move_tell(b, BALLOON_QUEUE_INFLATE, newpage))
		goto out_unlock;

	/* If the device dies now, it is reset, and then @page may leave as well. */
	balloon_move_tell(b, BALLOON_QUEUE_DEFLATE, page);
	if (page_zone(page) != page_zone(newpage)) {
		balloon_account(b, page, 1);
		balloon_account(b, newpage, -1);
	}
	err = 0;

out_unlock:
	mutex_unlock(&b->pages.lock);
	/* Last: when the page is on the list, the balloon may be emptied and freed. */
	if (!err)
		balloon_compat_page_moved(info, newpage, page);
	return err;
}

static int balloon_pages_setup(struct balloon *b)
{
	struct balloon_pages *pages = &b->pages;
	int err;

	mutex_init(&pages->lock);
	err = balloon_compat_info_init(&pages->info);
	if (err)
		return err;
	pages->info.migratepage = balloon_pages_migrate;

	pages->on_node = kcalloc(nr_node_ids, sizeof(*pages->on_node), GFP_KERNEL);
	pages->batches = balloon_batches_alloc(BALLOON_PAGES_BATCHES);
	if (!pages->on_node || !pages->batches)
		return -ENOMEM;
	pages->filling = &pages->batches[0];
	pages->inflating = &pages->batches[1];
	pages->leaving = &pages->batches[2];
	pages->deflating = &pages->batches[3];
	pages->moving = &pages->batches[4];
	return 0;
}

/* Takes all pages back. Waits for pages that mm has isolated. */
static void balloon_pages_after_reset(struct balloon *b)
{
	struct balloon_pages *pages = &b->pages;
	struct balloon_batch *batch = pages->leaving;

	mutex_lock(&pages->lock);
	while (pages->nr_pages) {
		balloon_batch_take(b, batch, pages->nr_pages);
		if (batch->nr) {
			pages->nr_pages -= batch->nr;
			balloon_batch_free(b, batch);
			cond_resched();
			continue;
		}
		mutex_unlock(&pages->lock);
		msleep(BALLOON_ISOLATED_WAIT_MS);
		mutex_lock(&pages->lock);
	}
	mutex_unlock(&pages->lock);
}

static void balloon_pages_teardown(struct balloon *b)
{
	struct balloon_pages *pages = &b->pages;

	kfree(pages->batches);
	kfree(pages->on_node);
	balloon_compat_info_exit(&pages->info);
	mutex_destroy(&pages->lock);
}

const struct balloon_feature balloon_pages_feature = {
	.bit = BALLOON_ALWAYS,
	.setup = balloon_pages_setup,
	.after_reset = balloon_pages_after_reset,
	.teardown = balloon_pages_teardown,
};
