// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages in the balloon: how they get there, back, and from one place to
 * another. When to do so is for size.c and mm to say.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "balloon.h"
#include "pack.h"

#ifdef BALLOON_COMPAT_MIGRATION
#define BALLOON_GFP_BASE	GFP_HIGHUSER_MOVABLE
#else
#define BALLOON_GFP_BASE	GFP_HIGHUSER
#endif

/* Take what there is, try a little for more, but leave the reserves and the OOM killer alone. */
#define BALLOON_GFP	(BALLOON_GFP_BASE | __GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC)

/*
 * How long the OOM path waits in all, in jiffies: enough for a busy host, since the
 * next step is to kill a process, and not too much for a dead one.
 */
#define BALLOON_RELIEF_WAIT	HZ

/* The first of its buffers is small, so that a page is back soon. */
#define BALLOON_RELIEF_FIRST	(BALLOON_BATCH_PAGES / 8)

/* While mm has pages isolated, they cannot be had; they come back soon. */
#define BALLOON_ISOLATED_WAIT_MS	20

/* Pages of one zone, one after the other. */
struct balloon_run {
	struct page *first;
	int zone;
	long nr;
};

#define BALLOON_RUN_NONE	{ .zone = -1 }

/*
 * The guest's total follows the balloon, except where pages may be taken back
 * at any time. One adjustment a run: each may recompute the zones' reserves.
 */
static void balloon_run_account(struct balloon *b, const struct balloon_run *run)
{
	if (run->nr && !virtio_has_feature(b->vdev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM))
		adjust_managed_page_count(run->first, run->nr);
}

/* The page leaves the guest, with @sign -1, or is the guest's again, with 1. */
static void balloon_run_add(struct balloon *b, struct balloon_run *run, struct page *page, int sign)
{
	int zone = page_zone_id(page);

	if (zone != run->zone) {
		balloon_run_account(b, run);
		*run = (struct balloon_run){ .first = page, .zone = zone };
	}
	run->nr += sign;
}

/* Writes a page's numbers to @pfns, which the host does not have. Returns how many. */
static unsigned int balloon_page_name(struct balloon *b, struct page *page, __virtio32 *pfns)
{
	return balloon_pack_pfns(page_to_pfn(page), PAGE_SHIFT, virtio_is_little_endian(b->vdev),
				 pfns);
}

/* With size->lock held and the batch's buffer not in flight. */
static int balloon_batch_give(struct balloon *b, enum balloon_queue queue,
			      struct balloon_batch *batch)
{
	struct scatterlist sg;

	sg_init_one(&sg, batch->pfns, batch->nr_pfns * sizeof(batch->pfns[0]));
	return balloon_host_give(b, queue, &sg, &batch->buffer);
}

/* With size->lock held: waits until the host is done with a batch that it was given. */
static int balloon_batch_await(struct balloon *b, enum balloon_queue queue,
			       struct balloon_batch *batch)
{
	int err = balloon_host_wait(b, queue, &batch->buffer);

	/* If the device died, it was reset, and the host has nothing any more. */
	batch->buffer.in_flight = false;
	return err;
}

/* With size->lock held: as balloon_batch_give(), and no error leaves a device that lives. */
static int balloon_batch_send(struct balloon *b, enum balloon_queue queue,
			      struct balloon_batch *batch)
{
	int err = balloon_batch_give(b, queue, batch);

	/* A queue that takes no buffer is broken: have the device reset. */
	if (err)
		balloon_host_gone(b);
	return err;
}

/* Takes up to @max pages from the guest; those that no page number can name stay. */
static void balloon_batch_fill(struct balloon *b, struct balloon_batch *batch, unsigned long max)
{
	struct page **fresh = b->size.fresh;
	struct balloon_run run = BALLOON_RUN_NONE;
	unsigned int i, nr, kept = 0, n = 0;

	nr = alloc_pages_bulk(BALLOON_GFP, min_t(unsigned long, max, BALLOON_BATCH_PAGES), fresh);
	for (i = 0; i < nr; i++) {
		struct page *page = fresh[i];

		/* Only what is empty is filled. */
		fresh[i] = NULL;
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

/* With size->lock held: takes up to @max pages off the balloon's list. */
static void balloon_batch_take(struct balloon *b, struct balloon_batch *batch, unsigned long max)
{
	struct page *page;
	unsigned int n = 0;

	batch->nr = balloon_page_list_dequeue(&b->size.info, &batch->pages,
					      min_t(unsigned long, max, BALLOON_BATCH_PAGES));
	b->size.nr_pages -= batch->nr;
	list_for_each_entry(page, &batch->pages, lru)
		n += balloon_page_name(b, page, &batch->pfns[n]);
	batch->nr_pfns = n;
}

/* With size->lock held: the pages, if any, join the balloon. */
static void balloon_batch_enlist(struct balloon *b, struct balloon_batch *batch)
{
	if (!batch->nr)
		return;
	b->size.nr_pages += balloon_page_list_enqueue(&b->size.info, &batch->pages);
	batch->nr = 0;
}

/*
 * The pages, which left the balloon, are the guest's again.
 *
 * Not put_pages_list(): in some kernels, 6.1 among them, that takes a page off the list
 * when it has given up its reference already. Compaction may just be looking at the page
 * with one of its own, and once that is dropped too, mm has the page on a list of its own.
 */
static void balloon_batch_free(struct balloon *b, struct balloon_batch *batch)
{
	struct balloon_run run = BALLOON_RUN_NONE;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &batch->pages, lru) {
		balloon_run_add(b, &run, page, 1);
		__free_page(page);
	}
	balloon_run_account(b, &run);
	INIT_LIST_HEAD(&batch->pages);
	batch->nr = 0;
}

/*
 * With size->lock held: the batch that is on its way to the host, if any, joins the balloon, and
 * @next, if not NULL, is on its way. On failure @next is not the host's.
 *
 * Only once the last is back: QEMU does nothing else as long as it finds a buffer on the queue,
 * and would not even take a report. Before anything else, so that it need not wait for us.
 */
static int balloon_inflating_complete(struct balloon *b, struct balloon_batch *next)
{
	struct balloon_batch *batch = b->size.inflating;
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

/* Likewise: the batch that is on its way back, if any, is the guest's again in any case. */
static int balloon_deflating_complete(struct balloon *b, struct balloon_batch *next)
{
	struct balloon_batch *batch = b->size.deflating;
	int err = balloon_batch_await(b, BALLOON_QUEUE_DEFLATE, batch);

	if (next && !err)
		err = balloon_batch_send(b, BALLOON_QUEUE_DEFLATE, next);
	balloon_batch_free(b, batch);
	return err;
}

/**
 * balloon_pages_inflate - give some pages to the host
 * @b: the balloon
 * @max: at most so many pages of the guest, more than 0
 *
 * Waits for those of the call before, and returns while the host works on these, so
 * that the next ones can be taken from the guest meanwhile; balloon_pages_complete()
 * waits for the last. Sleeps; takes size->lock. Only for the size work item. Serves
 * "Driver Requirements: Memory Balloon Device / Device Operation".
 *
 * Return: pages of the guest that are on their way, -ENOMEM if there were none to
 * give, -ENODEV and others from balloon_host_give() if the device died.
 */
int balloon_pages_inflate(struct balloon *b, unsigned long max)
{
	struct balloon_size *size = &b->size;
	struct balloon_batch *batch = size->filling;
	int err;

	/* Outside the lock, since this may compact memory and migrate our pages. */
	balloon_batch_fill(b, batch, max);
	if (!batch->nr)
		return -ENOMEM;

	mutex_lock(&size->lock);
	err = balloon_inflating_complete(b, batch);
	if (err)
		balloon_batch_free(b, batch);
	else
		swap(size->filling, size->inflating);
	mutex_unlock(&size->lock);

	return err ?: size->inflating->nr;
}

/**
 * balloon_pages_deflate - take some pages back from the host
 * @b: the balloon
 * @max: at most so many pages of the guest, more than 0
 *
 * Ends inflating. Waits for the pages of the call before and frees them while the
 * host works on these; balloon_pages_complete() waits for the last. So pages are
 * used again only when the host has acknowledged, whether it insists on that or not.
 * Sleeps; takes size->lock. Only for the size work item, and once that is stopped.
 *
 * Return: pages of the guest that are on their way; 0 if mm has isolated the rest,
 * which it soon returns; -ENODEV and others from balloon_host_give() if the
 * device died: the pages are the guest's all the same.
 */
int balloon_pages_deflate(struct balloon *b, unsigned long max)
{
	struct balloon_size *size = &b->size;
	struct balloon_batch *batch = size->taking;
	unsigned int nr;
	int err = 0;

	mutex_lock(&size->lock);
	/* If the device dies of it, that shows below. */
	balloon_inflating_complete(b, NULL);
	balloon_batch_take(b, batch, max);
	nr = batch->nr;
	if (!nr)
		goto out_unlock;
	err = balloon_deflating_complete(b, batch);
	if (!err)
		swap(size->taking, size->deflating);
	else if (b->gone)
		balloon_batch_free(b, batch);
	else
		balloon_batch_enlist(b, batch);

out_unlock:
	mutex_unlock(&size->lock);

	return err ?: nr;
}

/**
 * balloon_pages_complete - end what inflating and deflating have left under way
 * @b: the balloon
 *
 * Sleeps; takes size->lock. Only for the size work item, and once that is stopped.
 *
 * Return: 0, or -ENODEV if the device died: the pages are the guest's again.
 */
int balloon_pages_complete(struct balloon *b)
{
	int inflating, deflating;

	mutex_lock(&b->size.lock);
	inflating = balloon_inflating_complete(b, NULL);
	deflating = balloon_deflating_complete(b, NULL);
	mutex_unlock(&b->size.lock);
	return inflating ?: deflating;
}

/* With size->lock held: whether a relief batch may be used, by the time of @end. */
static bool balloon_relief_settled(struct balloon *b, struct balloon_batch *batch,
				   unsigned long end)
{
	long left = end - jiffies;

	if (balloon_host_wait_for(b, BALLOON_QUEUE_DEFLATE, &batch->buffer, max(left, 0L)))
		return false;
	balloon_batch_free(b, batch);
	return true;
}

/**
 * balloon_pages_settle - complete what balloon_pages_relieve() had to leave
 * @b: the balloon
 * @reset: the device has been reset
 *
 * Sleeps; takes size->lock.
 *
 * Return: whether nothing is left.
 */
bool balloon_pages_settle(struct balloon *b, bool reset)
{
	struct balloon_size *size = &b->size;
	bool settled = true;
	unsigned int i;

	mutex_lock(&size->lock);
	for (i = 0; i < ARRAY_SIZE(size->relief); i++) {
		if (reset)
			size->relief[i]->buffer.in_flight = false;
		settled &= balloon_relief_settled(b, size->relief[i], jiffies);
	}
	mutex_unlock(&size->lock);
	return settled;
}

/**
 * balloon_pages_relieve - take pages back at once, for a guest out of memory
 * @b: the balloon
 * @max: at most so many pages of the guest
 *
 * Sleeps, but for a limited time, as it runs under the system's OOM lock. If the
 * host insists on acknowledging first and does not in time, the pages come back
 * with balloon_pages_settle().
 *
 * Return: pages of the guest that are free now.
 */
unsigned long balloon_pages_relieve(struct balloon *b, unsigned long max)
{
	bool must_tell = virtio_has_feature(b->vdev, VIRTIO_BALLOON_F_MUST_TELL_HOST);
	struct balloon_size *size = &b->size;
	/* Not where the host's answer takes longer than a full buffer. */
	unsigned long step = must_tell ? BALLOON_BATCH_PAGES : BALLOON_RELIEF_FIRST;
	unsigned long end = jiffies + BALLOON_RELIEF_WAIT;
	unsigned long freed = 0;
	unsigned int i;

	while (!mutex_trylock(&size->lock)) {
		if (time_after(jiffies, end))
			return 0;
		usleep_range(500, 1000);
	}

	for (i = 0; freed < max; i++) {
		struct balloon_batch *batch = size->relief[i % ARRAY_SIZE(size->relief)];
		unsigned int nr;

		if (!balloon_relief_settled(b, batch, end))
			break;
		balloon_batch_take(b, batch, min(max - freed, step));
		step = BALLOON_BATCH_PAGES;
		nr = batch->nr;
		if (!nr)
			break;
		if (balloon_batch_give(b, BALLOON_QUEUE_DEFLATE, batch)) {
			balloon_batch_enlist(b, batch);
			break;
		}
		/* Otherwise they are free now; only their numbers stay until read. */
		if (must_tell && !balloon_relief_settled(b, batch, end))
			break;
		balloon_batch_free(b, batch);
		freed += nr;
	}
	mutex_unlock(&size->lock);

	return freed;
}

/* With size->lock held: tells the host about a single page. */
static int balloon_move_tell(struct balloon *b, enum balloon_queue queue, struct page *page)
{
	struct balloon_batch *batch = b->size.moving;

	/* The page itself is on a list of mm's. */
	batch->nr_pfns = balloon_page_name(b, page, batch->pfns);
	return balloon_batch_send(b, queue, batch) ?: balloon_batch_await(b, queue, batch);
}

/**
 * balloon_pages_migrate - give the host another page for one that mm wants
 * @info: the balloon's pages
 * @newpage: joins the balloon
 * @page: leaves it; isolated
 * @mode: ignored, this always waits for the host
 *
 * mm's callback; both pages are locked. Sleeps, but not for size->lock, whose
 * holder may be waiting for this migration. Lists and references are mm's.
 *
 * Return: 0, or -EAGAIN if @page stays.
 */
int balloon_pages_migrate(struct balloon_dev_info *info, struct page *newpage,
			  struct page *page, enum migrate_mode mode)
{
	struct balloon *b = container_of(info, struct balloon, size.info);
	int err = -EAGAIN;

	if (!mutex_trylock(&b->size.lock))
		return -EAGAIN;

	if (!balloon_running(b) || !balloon_pack_addressable(page_to_pfn(newpage), PAGE_SHIFT))
		goto out_unlock;
	if (balloon_move_tell(b, BALLOON_QUEUE_INFLATE, newpage))
		goto out_unlock;

	/* If the device dies now, it is reset, and @page is free to go all the same. */
	balloon_move_tell(b, BALLOON_QUEUE_DEFLATE, page);
	if (!virtio_has_feature(b->vdev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM) &&
	    page_zone(page) != page_zone(newpage)) {
		adjust_managed_page_count(page, 1);
		adjust_managed_page_count(newpage, -1);
	}
	balloon_compat_page_moved(info, newpage, page);
	err = 0;

out_unlock:
	mutex_unlock(&b->size.lock);
	return err;
}

/**
 * balloon_pages_reclaim - take all pages back from a device that was reset
 * @b: the balloon, quiesced
 *
 * Sleeps; takes size->lock. Waits for pages that mm has isolated.
 */
void balloon_pages_reclaim(struct balloon *b)
{
	struct balloon_size *size = &b->size;
	struct balloon_batch *batch = size->taking;

	balloon_pages_settle(b, true);
	mutex_lock(&size->lock);
	while (size->nr_pages) {
		balloon_batch_take(b, batch, size->nr_pages);
		if (batch->nr) {
			balloon_batch_free(b, batch);
			continue;
		}
		mutex_unlock(&size->lock);
		msleep(BALLOON_ISOLATED_WAIT_MS);
		mutex_lock(&size->lock);
	}
	mutex_unlock(&size->lock);
}
