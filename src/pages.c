// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages in the balloon: names them to the host, takes them back from it, and replaces one
 * by another when mm migrates it. guest.c takes them from the guest and frees them. size.c,
 * oom.c and mm decide when. Serves "Device Operation" of the specification.
 */
#include <linux/build_bug.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "balloon.h"
#include "pack.h"

/* The batches of struct balloon_pages. */
#define BALLOON_PAGES_BATCHES	5

/* What is taken from the guest at a time fits into one buffer. */
static_assert(BALLOON_TAKE_PAGES == BALLOON_BATCH_PAGES);

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

/* Writes the numbers of the pages of a batch, which is not in flight, for the host. */
static void balloon_batch_name(struct balloon *b, struct balloon_batch *batch)
{
	struct page *page;
	unsigned int n = 0;

	list_for_each_entry(page, &batch->pages, lru)
		n += balloon_page_name(b, page, &batch->pfns[n]);
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
	lockdep_assert_held(&b->pages.lock);
	if (batch->nr)
		return;
	batch->nr = balloon_page_list_dequeue(&b->pages.info, &batch->pages,
					      min_t(unsigned long, max, BALLOON_BATCH_PAGES));
	balloon_batch_name(b, batch);
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
	balloon_guest_free(b, &batch->pages);
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

	batch->nr = balloon_guest_take(b, &batch->pages, max);
	if (!batch->nr)
		return -ENOMEM;
	balloon_batch_name(b, batch);

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

	balloon_guest_release(b);
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
 * Gives the rest of a block that was begun back to the guest. Sleeps; takes pages.lock. Only for
 * the size work item, and after it has stopped.
 *
 * Return: 0; -ENODEV if the device died: the pages belong to the guest again.
 */
int balloon_pages_complete(struct balloon *b)
{
	int inflating, deflating;

	balloon_guest_release(b);
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
		balloon_guest_account(b, page, 1);
		balloon_guest_account(b, newpage, -1);
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

	pages->batches = balloon_batches_alloc(BALLOON_PAGES_BATCHES);
	if (!pages->batches)
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
	balloon_compat_info_exit(&pages->info);
	mutex_destroy(&pages->lock);
}

const struct balloon_feature balloon_pages_feature = {
	.bit = BALLOON_ALWAYS,
	.setup = balloon_pages_setup,
	.after_reset = balloon_pages_after_reset,
	.teardown = balloon_pages_teardown,
};
