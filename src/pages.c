// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages in the balloon: how they get there, back, and from one place to
 * another. When to do so is for size.c and mm to say.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/vmstat.h>

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
 * By 7.3 an adjustment recomputes the zones' reserves, and takes no lock for that: of two
 * at a time, the one that read the older counts may be the last to write.
 */
static DEFINE_MUTEX(balloon_account_lock);

/*
 * The guest's total follows the balloon, except where pages may be taken back at any
 * time. @nr pages of the zone of @page return to the guest, or leave it if negative.
 */
static void balloon_account(struct balloon *b, struct page *page, long nr)
{
	atomic_long_sub(nr, &b->size.on_node[page_to_nid(page)]);
	if (virtio_has_feature(b->vdev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM))
		return;
	mutex_lock(&balloon_account_lock);
	adjust_managed_page_count(page, nr);
	mutex_unlock(&balloon_account_lock);
}

/* One adjustment for all pages of a run, since an adjustment is expensive. */
static void balloon_run_account(struct balloon *b, const struct balloon_run *run)
{
	if (run->nr)
		balloon_account(b, run->first, run->nr);
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

/* Gives a batch to the host, whose buffer is not in flight. */
static int balloon_batch_give(struct balloon *b, enum balloon_queue queue,
			      struct balloon_batch *batch)
{
	struct scatterlist sg;

	lockdep_assert_held(&b->size.lock);
	sg_init_one(&sg, batch->pfns, batch->nr_pfns * sizeof(batch->pfns[0]));
	return balloon_host_give(b, queue, &sg, &batch->buffer);
}

/* Waits until the host is done with a batch that it was given, if it was. */
static int balloon_batch_await(struct balloon *b, enum balloon_queue queue,
			       struct balloon_batch *batch)
{
	int err;

	lockdep_assert_held(&b->size.lock);
	err = balloon_host_wait(b, queue, &batch->buffer);
	/* If the device died, it was reset, and the host has nothing any more. */
	batch->buffer.in_flight = false;
	return err;
}

/*
 * As balloon_batch_give(). A queue that takes no buffer although it has room is broken, so
 * the device is reset then: after an error other than -ENOSPC the host has nothing.
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
 * The node with the most free memory: if pages are taken from there, no node runs short
 * while another has plenty.
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
 * Gets up to @nr pages from the guest, and returns how many. Bulk allocation may return a
 * single page where a zone is near its watermark, so this goes on until there is no more:
 * each buffer that is not full costs the host and the guest as much as a full one.
 */
static unsigned int balloon_pages_get(struct balloon *b, struct page **pages, unsigned int nr)
{
	unsigned int got = 0, before;

	do {
		before = got;
		/* Returns how many there are in all, with those of the rounds before. */
		got = alloc_pages_bulk_node(BALLOON_GFP, balloon_freest_node(), nr, pages);
		cond_resched();
	} while (got < nr && got > before && balloon_running(b));
	return got;
}

/* Takes up to @max pages from the guest; those that no page number can name stay. */
static void balloon_batch_fill(struct balloon *b, struct balloon_batch *batch, unsigned long max)
{
	struct page **fresh = b->size.fresh;
	struct balloon_run run = BALLOON_RUN_NONE;
	unsigned int i, nr, kept = 0, n = 0;

	nr = balloon_pages_get(b, fresh, min_t(unsigned long, max, BALLOON_BATCH_PAGES));
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

/*
 * Takes up to @max pages off the balloon's list, where the batch is empty. They are the
 * host's until it is told, see balloon_deflating_send(). They never go back on the list: before
 * 7.3 mm demands that nobody has locked a page that joins it, and compaction may just be
 * looking at one that has been there.
 */
static void balloon_batch_take(struct balloon *b, struct balloon_batch *batch, unsigned long max)
{
	struct page *page;
	unsigned int n = 0;

	lockdep_assert_held(&b->size.lock);
	if (batch->nr)
		return;
	batch->nr = balloon_page_list_dequeue(&b->size.info, &batch->pages,
					      min_t(unsigned long, max, BALLOON_BATCH_PAGES));
	list_for_each_entry(page, &batch->pages, lru)
		n += balloon_page_name(b, page, &batch->pfns[n]);
	batch->nr_pfns = n;
}

/* The pages, if any, join the balloon. */
static void balloon_batch_enlist(struct balloon *b, struct balloon_batch *batch)
{
	lockdep_assert_held(&b->size.lock);
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
 * The batch that is on its way to the host, if any, joins the balloon, and @next, if not
 * NULL, is on its way. On failure @next is not the host's.
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

/* Waits until what balloon_pages_relieve() had to leave to the host is back, and frees it. */
static void balloon_relief_await(struct balloon *b)
{
	struct balloon_size *size = &b->size;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(size->relief); i++) {
		balloon_batch_await(b, BALLOON_QUEUE_DEFLATE, size->relief[i]);
		balloon_batch_free(b, size->relief[i]);
	}
}

/*
 * Tells the host that the pages of a batch leave the balloon. A short queue may be full of an
 * OOM's buffers, which then have to come back first. On failure the pages are still counted.
 */
static int balloon_deflating_send(struct balloon *b, struct balloon_batch *batch)
{
	int err = balloon_batch_send(b, BALLOON_QUEUE_DEFLATE, batch);

	if (err == -ENOSPC) {
		balloon_relief_await(b);
		err = balloon_batch_send(b, BALLOON_QUEUE_DEFLATE, batch);
	}
	if (!err)
		b->size.nr_pages -= batch->nr;
	return err;
}

/*
 * The batch that is on its way back, if any, is the guest's again in any case, and @next, if
 * not NULL, is on its way. On failure @next is not on its way.
 */
static int balloon_deflating_complete(struct balloon *b, struct balloon_batch *next)
{
	struct balloon_batch *batch = b->size.deflating;
	int err = balloon_batch_await(b, BALLOON_QUEUE_DEFLATE, batch);

	if (next && !err)
		err = balloon_deflating_send(b, next);
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
	if (!err) {
		swap(size->taking, size->deflating);
	} else if (b->gone) {
		size->nr_pages -= nr;
		balloon_batch_free(b, batch);
	}
	/* Otherwise the pages wait in the batch for the next attempt. */

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

/* Whether a relief batch may be used, by the time of @end. */
static bool balloon_relief_settled(struct balloon *b, struct balloon_batch *batch,
				   unsigned long end)
{
	long left = end - jiffies;

	lockdep_assert_held(&b->size.lock);
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

/* How many pages of the guest that are not in its hands are on @nodes; NULL for any. */
static unsigned long balloon_pages_on(struct balloon *b, const nodemask_t *nodes)
{
	unsigned long nr = 0;
	int node;

	if (!nodes)
		return READ_ONCE(b->size.nr_pages);
	for_each_node_mask(node, *nodes)
		nr += max(atomic_long_read(&b->size.on_node[node]), 0L);
	return nr;
}

static unsigned int balloon_batch_on(const struct balloon_batch *batch, const nodemask_t *nodes)
{
	struct page *page;
	unsigned int nr = 0;

	if (!nodes)
		return batch->nr;
	list_for_each_entry(page, &batch->pages, lru)
		nr += node_isset(page_to_nid(page), *nodes);
	return nr;
}

/**
 * balloon_pages_relieve - take pages back at once, for a guest out of memory
 * @b: the balloon
 * @share: give back one part in so many of what helps, but not less than a batch
 * @nodes: pages of these nodes help; NULL if all do
 *
 * Pages come back in the reverse of the order in which they were taken, whatever their
 * node: as many in all as it takes where the balloon is spread evenly over the nodes.
 *
 * Sleeps, but for a limited time, as it runs under the system's OOM lock. If the
 * host insists on acknowledging first and does not in time, the pages come back
 * with balloon_pages_settle().
 *
 * Return: pages of the guest that are free now and help.
 */
unsigned long balloon_pages_relieve(struct balloon *b, unsigned int share,
				    const nodemask_t *nodes)
{
	bool must_tell = virtio_has_feature(b->vdev, VIRTIO_BALLOON_F_MUST_TELL_HOST);
	struct balloon_size *size = &b->size;
	/* Not where the host's answer takes longer than a full buffer. */
	unsigned long step = must_tell ? BALLOON_BATCH_PAGES : BALLOON_RELIEF_FIRST;
	unsigned long end = jiffies + BALLOON_RELIEF_WAIT;
	unsigned long left, wanted, helped = 0;
	unsigned int i;

	wanted = balloon_pages_on(b, nodes);
	if (!wanted)
		return 0;
	wanted = max_t(unsigned long, BALLOON_BATCH_PAGES, wanted / share);
	left = nodes ? wanted * num_node_state(N_MEMORY) : wanted;

	while (!mutex_trylock(&size->lock)) {
		if (time_after(jiffies, end))
			return 0;
		usleep_range(500, 1000);
	}

	for (i = 0; helped < wanted && left; i++) {
		struct balloon_batch *batch = size->relief[i % ARRAY_SIZE(size->relief)];
		unsigned int helps;

		if (!balloon_relief_settled(b, batch, end))
			break;
		if (size->taking->nr || !balloon_host_room(b, BALLOON_QUEUE_DEFLATE))
			break;
		balloon_batch_take(b, batch, min(left, step));
		step = BALLOON_BATCH_PAGES;
		if (!batch->nr)
			break;
		left -= batch->nr;
		helps = balloon_batch_on(batch, nodes);
		if (balloon_batch_give(b, BALLOON_QUEUE_DEFLATE, batch)) {
			/* The work item sees what is wrong, and gives them back. */
			swap(size->taking, size->relief[i % ARRAY_SIZE(size->relief)]);
			break;
		}
		size->nr_pages -= batch->nr;
		/* Otherwise the pages are free now, and the host only has to read their numbers. */
		if (must_tell && !balloon_relief_settled(b, batch, end))
			break;
		balloon_batch_free(b, batch);
		helped += helps;
	}
	mutex_unlock(&size->lock);

	return helped;
}

/* Tells the host about a single page. */
static int balloon_move_tell(struct balloon *b, enum balloon_queue queue, struct page *page)
{
	struct balloon_batch *batch = b->size.moving;

	lockdep_assert_held(&b->size.lock);
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
	/* Once the host has the new page it must hear of the old one, too. */
	if (!balloon_host_room(b, BALLOON_QUEUE_DEFLATE))
		goto out_unlock;
	if (balloon_move_tell(b, BALLOON_QUEUE_INFLATE, newpage))
		goto out_unlock;

	/* If the device dies now, it is reset, and @page is free to go all the same. */
	balloon_move_tell(b, BALLOON_QUEUE_DEFLATE, page);
	if (page_zone(page) != page_zone(newpage)) {
		balloon_account(b, page, 1);
		balloon_account(b, newpage, -1);
	}
	err = 0;

out_unlock:
	mutex_unlock(&b->size.lock);
	/* Last of all: once the page can be had, the balloon may be emptied and freed. */
	if (!err)
		balloon_compat_page_moved(info, newpage, page);
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
			size->nr_pages -= batch->nr;
			balloon_batch_free(b, batch);
			cond_resched();
			continue;
		}
		mutex_unlock(&size->lock);
		msleep(BALLOON_ISOLATED_WAIT_MS);
		mutex_lock(&size->lock);
	}
	mutex_unlock(&size->lock);
}
