// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deflate on OOM: gives some of the balloon back when the guest is out of memory, so
 * that the kernel need not kill a process, and keeps the balloon from growing for a
 * while. Serves "Device Operation" of the specification for the feature
 * VIRTIO_BALLOON_F_DEFLATE_ON_OOM.
 */
#include <linux/cpuset.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/oom.h>
#include <linux/slab.h>

#include "balloon.h"
#include "time.h"

/* An OOM gives back this share of the balloon, but not less than one batch. */
#define BALLOON_OOM_SHARE	16

/* After an OOM, the balloon does not grow for this time, in jiffies. */
#define BALLOON_OOM_PAUSE	(5 * HZ)

/*
 * How long one OOM waits in all, in jiffies. Long enough for a busy host, since the
 * kernel kills a process next; short enough for a host that does not answer.
 */
#define BALLOON_OOM_WAIT	HZ

/* The first batch is small, so that the first pages are free soon. */
#define BALLOON_OOM_FIRST	(BALLOON_BATCH_PAGES / 8)

/* Called before notifiers that only free their own caches. */
#define BALLOON_OOM_PRIORITY	80

/* The nodes whose memory helps in this OOM; NULL if all do. A cpuset has only some. */
static const nodemask_t *balloon_oom_nodes(void)
{
	const nodemask_t *allowed = &cpuset_current_mems_allowed;

	return nodes_subset(node_states[N_MEMORY], *allowed) ? NULL : allowed;
}

/* The number of pages on @nodes that the guest cannot use; NULL for all nodes. */
static unsigned long balloon_oom_available(struct balloon *b, const nodemask_t *nodes)
{
	unsigned long nr = 0;
	int node;

	if (!nodes)
		return READ_ONCE(b->pages.nr_pages);
	for_each_node_mask(node, *nodes)
		nr += max(atomic_long_read(&b->guest.on_node[node]), 0L);
	return nr;
}

/* The number of pages of a batch that are on @nodes; NULL for all nodes. */
static unsigned int balloon_oom_helps(const struct balloon_batch *batch, const nodemask_t *nodes)
{
	struct page *page;
	unsigned int nr = 0;

	if (!nodes)
		return batch->nr;
	list_for_each_entry(page, &batch->pages, lru)
		nr += node_isset(page_to_nid(page), *nodes);
	return nr;
}

/* Waits until @end for a batch, and frees its pages. Returns whether it is empty now. */
static bool balloon_oom_complete(struct balloon *b, struct balloon_batch *batch,
				 unsigned long end)
{
	long left = end - jiffies;

	lockdep_assert_held(&b->pages.lock);
	if (balloon_host_wait_for(b, BALLOON_QUEUE_DEFLATE, &batch->buffer, max(left, 0L)))
		return false;
	balloon_batch_free(b, batch);
	return true;
}

/*
 * Takes up to @max pages out of the balloon, in the batch that @slot points to, tells the
 * host, and frees them. Adds the number of those that help to @helped. Returns how many pages
 * were freed; 0 if no more can be had now.
 */
static unsigned int balloon_oom_deflate(struct balloon *b, struct balloon_batch **slot,
					unsigned long max, unsigned long end,
					const nodemask_t *nodes, unsigned long *helped)
{
	struct balloon_batch *batch = *slot;
	bool must_tell = virtio_has_feature(b->vdev, VIRTIO_BALLOON_F_MUST_TELL_HOST);
	unsigned int nr, helps;

	if (!balloon_oom_complete(b, batch, end))
		return 0;
	if (b->pages.leaving->nr || !balloon_host_free_entries(b, BALLOON_QUEUE_DEFLATE))
		return 0;
	balloon_batch_take(b, batch, max);
	nr = batch->nr;
	if (!nr)
		return 0;
	helps = balloon_oom_helps(batch, nodes);
	if (balloon_batch_give(b, BALLOON_QUEUE_DEFLATE, batch)) {
		/* The size work item finds out what is wrong, and gives these pages back. */
		swap(b->pages.leaving, *slot);
		return 0;
	}
	b->pages.nr_pages -= nr;
	if (must_tell && !balloon_oom_complete(b, batch, end))
		return 0;
	/* Without MUST_TELL_HOST the pages may be used before the host has answered. */
	balloon_batch_free(b, batch);
	*helped += helps;
	return nr;
}

/*
 * Gives back pages at once, and returns how many of the free pages help. Pages come back
 * in the reverse of the order in which they were taken, whatever their node is. So the number
 * of pages taken is limited to what is needed if the balloon is spread evenly over all nodes.
 *
 * Sleeps only for a limited time, since it runs under the system's OOM lock. If the host
 * has to acknowledge first and does not do so in time, the pages come back later, see
 * balloon_oom_settle().
 */
static unsigned long balloon_oom_relieve(struct balloon *b, const nodemask_t *nodes)
{
	/* A small first batch is of no use where the host's answer takes most of the time. */
	unsigned long max = virtio_has_feature(b->vdev, VIRTIO_BALLOON_F_MUST_TELL_HOST) ?
			    BALLOON_BATCH_PAGES : BALLOON_OOM_FIRST;
	unsigned long end = jiffies + BALLOON_OOM_WAIT;
	unsigned long left, wanted, helped = 0;
	unsigned int i, nr;

	wanted = balloon_oom_available(b, nodes);
	if (!wanted)
		return 0;
	wanted = max_t(unsigned long, BALLOON_BATCH_PAGES, wanted / BALLOON_OOM_SHARE);
	left = nodes ? wanted * num_node_state(N_MEMORY) : wanted;

	while (!mutex_trylock(&b->pages.lock)) {
		if (time_after(jiffies, end))
			return 0;
		usleep_range(500, 1000);
	}
	for (i = 0; helped < wanted && left; i++) {
		nr = balloon_oom_deflate(b, &b->oom.batches[i % BALLOON_OOM_BATCHES],
					 min(left, max), end, nodes, &helped);
		if (!nr)
			break;
		left -= nr;
		max = BALLOON_BATCH_PAGES;
	}
	mutex_unlock(&b->pages.lock);

	return helped;
}

static void balloon_oom_start_pause(struct balloon *b)
{
	WRITE_ONCE(b->oom.pause_until, balloon_time_ahead(jiffies, BALLOON_OOM_PAUSE));
}

static int balloon_oom_notify(struct notifier_block *nb, unsigned long unused, void *freed)
{
	struct balloon *b = container_of(nb, struct balloon, oom.nb);
	unsigned long before = READ_ONCE(b->oom.pause_until);
	const nodemask_t *nodes = balloon_oom_nodes();
	unsigned long nr;

	/* The size work item must not take back meanwhile what is given back here. */
	balloon_oom_start_pause(b);
	nr = balloon_oom_relieve(b, nodes);
	*(unsigned long *)freed += nr;
	/* The balloon may have no page on the nodes that need one. */
	if (nodes && !nr) {
		WRITE_ONCE(b->oom.pause_until, before);
		return NOTIFY_OK;
	}

	balloon_oom_start_pause(b);
	/*
	 * The work item completes what the host was too slow for, and finds out whether the
	 * host is dead.
	 */
	balloon_queue_work(b, &b->size.work, 0);
	return NOTIFY_OK;
}

/**
 * balloon_oom_pause - how long the balloon must not grow because of an OOM
 * @b: the balloon
 *
 * Any context.
 *
 * Return: time in jiffies; 0 if the balloon may grow.
 */
unsigned long balloon_oom_pause(struct balloon *b)
{
	unsigned long until = READ_ONCE(b->oom.pause_until);
	unsigned long left;

	if (!until)
		return 0;
	left = balloon_time_left(until, BALLOON_OOM_PAUSE, jiffies);
	/* A time that has passed is forgotten, unless another OOM has just set a new one. */
	if (!left)
		cmpxchg(&b->oom.pause_until, until, 0);
	return left;
}

/**
 * balloon_oom_settle - complete what the last OOM had to leave to the host
 * @b: the balloon
 * @reset: the device has been reset, so the host has no buffer any more
 *
 * Sleeps; takes pages.lock. Does not wait for the host.
 *
 * Return: whether nothing is left.
 */
bool balloon_oom_settle(struct balloon *b, bool reset)
{
	bool settled = true;
	unsigned int i;

	if (!b->oom.memory)
		return true;
	mutex_lock(&b->pages.lock);
	for (i = 0; i < BALLOON_OOM_BATCHES; i++) {
		struct balloon_batch *batch = b->oom.batches[i];

		if (reset)
			batch->buffer.in_flight = false;
		settled &= balloon_oom_complete(b, batch, jiffies);
	}
	mutex_unlock(&b->pages.lock);
	return settled;
}

static int balloon_oom_setup(struct balloon *b)
{
	unsigned int i;

	b->oom.memory = balloon_batches_alloc(BALLOON_OOM_BATCHES);
	if (!b->oom.memory)
		return -ENOMEM;
	for (i = 0; i < BALLOON_OOM_BATCHES; i++)
		b->oom.batches[i] = &b->oom.memory[i];
	return 0;
}

static void balloon_oom_start(struct balloon *b)
{
	b->oom.pause_until = 0;
	b->oom.nb.notifier_call = balloon_oom_notify;
	b->oom.nb.priority = BALLOON_OOM_PRIORITY;
	register_oom_notifier(&b->oom.nb);
}

static void balloon_oom_quiesce(struct balloon *b)
{
	if (!b->oom.nb.notifier_call)
		return;
	unregister_oom_notifier(&b->oom.nb);
	b->oom.nb.notifier_call = NULL;
}

/* The deflate queue must be empty before all other pages go back: it may be short. */
static void balloon_oom_give_back(struct balloon *b)
{
	unsigned int i;

	mutex_lock(&b->pages.lock);
	for (i = 0; i < BALLOON_OOM_BATCHES; i++)
		if (balloon_batch_await(b, BALLOON_QUEUE_DEFLATE, b->oom.batches[i]))
			break;
	mutex_unlock(&b->pages.lock);
	balloon_oom_settle(b, false);
}

static void balloon_oom_after_reset(struct balloon *b)
{
	balloon_oom_settle(b, true);
}

static void balloon_oom_teardown(struct balloon *b)
{
	kfree(b->oom.memory);
}

const struct balloon_feature balloon_oom_feature = {
	.bit = VIRTIO_BALLOON_F_DEFLATE_ON_OOM,
	.setup = balloon_oom_setup,
	.start = balloon_oom_start,
	.quiesce = balloon_oom_quiesce,
	.give_back = balloon_oom_give_back,
	.after_reset = balloon_oom_after_reset,
	.teardown = balloon_oom_teardown,
};
