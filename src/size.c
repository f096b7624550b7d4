// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves the balloon towards the size that the host wants, and gives some of it
 * back when the guest is out of memory. Serves "Device Operation" of the
 * specification.
 */
#include <linux/cpuset.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/oom.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "balloon.h"
#include "time.h"

/*
 * How long the work item runs at a time, in jiffies. It ends in between, since
 * the freezer waits for it, and writes the size, which so is never older.
 */
#define BALLOON_SIZE_SLICE	(HZ / 4)

/* Time in jiffies between two attempts to get pages that the guest does not have. */
#define BALLOON_BACKOFF_MIN	(HZ / 5)
#define BALLOON_BACKOFF_MAX	(32 * HZ)

/* From here on, in jiffies, it is worth a message. */
#define BALLOON_BACKOFF_TELL	(4 * HZ)

/* How often to look whether memory came free meanwhile, in jiffies. */
#define BALLOON_BACKOFF_POLL	HZ

/* After an OOM, pages are not taken from the guest for so long, in jiffies. */
#define BALLOON_OOM_PAUSE	(5 * HZ)

/* And then in single batches at first, with so much time in between, in jiffies. */
#define BALLOON_OOM_PACE	(HZ / 2)

/* An OOM gives back this share of the balloon, but not less than a batch. */
#define BALLOON_OOM_SHARE	16

/* Before the ones that merely free caches of their own. */
#define BALLOON_OOM_PRIORITY	80

static unsigned int min_guest_free;
module_param(min_guest_free, uint, 0644);
MODULE_PARM_DESC(min_guest_free,
		 "Available memory in MiB below which the balloon does not grow, whatever the host wants (default: 0, no floor)");

/* What the next step of the work item is to wait for. */
#define BALLOON_SIZE_DONE	(-1L)

/* Pages of the guest that the host wants in the balloon. */
static unsigned long balloon_size_target(struct balloon *b)
{
	u32 pfns;

	/* The guest's memory is being saved by a kernel that has little of its own. */
	if (b->capture)
		return 0;
	virtio_cread_le(b->vdev, struct virtio_balloon_config, num_pages, &pfns);
	/* Up, or a target between two pages would never be reached. */
	return DIV_ROUND_UP((u64)pfns, BALLOON_PFNS_PER_PAGE);
}

static void balloon_size_write_actual(struct balloon *b)
{
	u32 pfns;

	if (READ_ONCE(b->gone))
		return;
	mutex_lock(&b->size.lock);
	pfns = b->size.nr_pages * BALLOON_PFNS_PER_PAGE;
	virtio_cwrite_le(b->vdev, struct virtio_balloon_config, actual, &pfns);
	mutex_unlock(&b->size.lock);
}

/*
 * The host wants another size; @given is what it has. As long as that is still more than
 * the guest can give, a change is no reason to try harder, or to say so again.
 */
static void balloon_size_retarget(struct balloon_size *size, unsigned long target,
				  unsigned long given)
{
	size->target = target;
	if (size->stuck && target > given)
		return;
	size->stuck = false;
	size->backoff = 0;
	size->short_of = false;
}

static void balloon_size_reached(struct balloon *b)
{
	struct balloon_size *size = &b->size;

	if (size->short_of)
		balloon_say(b, KERN_INFO, "balloon reached %lu MiB after all\n",
			    size->nr_pages >> (20 - PAGE_SHIFT));
	size->short_of = false;
}

/* Says once that the target is not reached for now. */
static void balloon_size_short(struct balloon *b, const char *why)
{
	struct balloon_size *size = &b->size;

	if (size->short_of)
		return;
	size->short_of = true;
	balloon_say(b, KERN_INFO, "%s: balloon at %lu of %lu MiB, trying less often\n", why,
		    size->nr_pages >> (20 - PAGE_SHIFT), size->target >> (20 - PAGE_SHIFT));
}

/* Whether the administrator wants no more taken. */
static bool balloon_size_at_floor(void)
{
	unsigned long floor = READ_ONCE(min_guest_free);

	return floor &&
	       si_mem_available() < (long)(floor << (20 - PAGE_SHIFT)) + BALLOON_BATCH_PAGES;
}

/* The guest has no more pages to give: sets when to try again. */
static void balloon_size_back_off(struct balloon *b)
{
	struct balloon_size *size = &b->size;

	size->stuck = true;
	size->backoff = clamp_t(unsigned long, 2 * size->backoff,
				BALLOON_BACKOFF_MIN, BALLOON_BACKOFF_MAX);
	if (size->backoff >= BALLOON_BACKOFF_TELL)
		balloon_size_short(b, "the guest has no more memory to give");
	size->retry = jiffies + size->backoff;
	size->free_then = global_zone_page_state(NR_FREE_PAGES);
}

/* Jiffies that inflation has to pause. */
static unsigned long balloon_size_pause(struct balloon_size *size)
{
	unsigned long hold = READ_ONCE(size->hold_until);
	unsigned long now = jiffies;
	unsigned long left;

	left = hold ? balloon_time_left(hold, BALLOON_OOM_PAUSE, now) : 0;
	if (left) {
		size->pace = BALLOON_OOM_PACE;
		return left;
	}
	cmpxchg(&size->hold_until, hold, 0);
	left = size->backoff ? balloon_time_left(size->retry, size->backoff, now) : 0;
	if (!left)
		return 0;
	if (global_zone_page_state(NR_FREE_PAGES) > size->free_then + BALLOON_BATCH_PAGES)
		return 0;
	return min_t(unsigned long, left, BALLOON_BACKOFF_POLL);
}

/* The time in jiffies until the next step is worth it. */
static long balloon_size_grow(struct balloon *b, unsigned long nr)
{
	struct balloon_size *size = &b->size;
	unsigned long pause;
	int given;

	pause = balloon_size_pause(size);
	if (pause)
		return pause;
	if (balloon_size_at_floor()) {
		size->stuck = true;
		balloon_size_short(b, "the guest is at min_guest_free");
		return BALLOON_BACKOFF_POLL;
	}
	given = balloon_pages_inflate(b, nr);
	if (given > 0) {
		size->stuck = false;
		size->backoff = 0;
		size->pace = size->pace * 7 / 8;
		return size->pace;
	}
	if (given == -ENOMEM)
		balloon_size_back_off(b);
	return BALLOON_BACKOFF_MIN;
}

/* The time in jiffies until the next step is worth it, where the balloon is too large. */
static long balloon_size_shrink(struct balloon *b, unsigned long nr)
{
	int taken = balloon_pages_deflate(b, nr);

	/* A dead device gives them back as well. */
	if (taken > 0 || taken == -ENODEV)
		return 0;
	/* What is left has been isolated by mm, for a moment. */
	return BALLOON_BACKOFF_MIN;
}

/*
 * Returns the time in jiffies until the next step, or BALLOON_SIZE_DONE.
 */
static long balloon_size_step(struct balloon *b)
{
	struct balloon_size *size = &b->size;
	bool gone = balloon_host_gone(b);
	unsigned long target, given;

	/* No value from the configuration of a dead device is believed. */
	target = gone ? 0 : balloon_size_target(b);
	if (!balloon_pages_settle(b, gone))
		return BALLOON_BACKOFF_POLL;
	given = size->nr_pages + size->inflating->nr;
	if (target != size->target)
		balloon_size_retarget(size, target, given);
	if (target > given)
		return balloon_size_grow(b, target - given);
	if (target < given)
		return balloon_size_shrink(b, given - target);
	if (balloon_pages_complete(b))
		return 0;
	balloon_size_reached(b);
	return BALLOON_SIZE_DONE;
}

static void balloon_size_work(struct work_struct *work)
{
	struct balloon *b = container_of(to_delayed_work(work), struct balloon, size.work);
	unsigned long end = jiffies + BALLOON_SIZE_SLICE;
	long delay;

	do {
		delay = balloon_size_step(b);
	} while (!delay && balloon_running(b) && time_before(jiffies, end));

	balloon_pages_complete(b);
	balloon_size_write_actual(b);
	if (delay)
		balloon_relax(b, BALLOON_AWAKE_SIZE);
	if (delay != BALLOON_SIZE_DONE)
		balloon_queue_work(b, &b->size.work, delay);
}

static void balloon_size_changed(struct balloon *b)
{
	balloon_stay_awake(b, BALLOON_AWAKE_SIZE);
	balloon_queue_work(b, &b->size.work, 0);
}

static struct balloon_batch *balloon_batch_alloc(void)
{
	struct balloon_batch *batch = kzalloc(sizeof(*batch), GFP_KERNEL);

	if (batch)
		INIT_LIST_HEAD(&batch->pages);
	return batch;
}

static int balloon_size_setup(struct balloon *b)
{
	struct balloon_size *size = &b->size;
	int err;

	mutex_init(&size->lock);
	INIT_DELAYED_WORK(&size->work, balloon_size_work);
	err = balloon_compat_info_init(&size->info);
	if (err)
		return err;
	size->info.migratepage = balloon_pages_migrate;

	size->on_node = kcalloc(nr_node_ids, sizeof(*size->on_node), GFP_KERNEL);
	size->filling = balloon_batch_alloc();
	size->inflating = balloon_batch_alloc();
	size->taking = balloon_batch_alloc();
	size->deflating = balloon_batch_alloc();
	size->relief[0] = balloon_batch_alloc();
	size->relief[1] = balloon_batch_alloc();
	size->moving = balloon_batch_alloc();
	if (!size->on_node || !size->filling || !size->inflating || !size->taking ||
	    !size->deflating || !size->relief[0] || !size->relief[1] || !size->moving)
		return -ENOMEM;
	return 0;
}

/*
 * The work item writes the size even where it has nothing to do: the host may
 * remember another, from before the guest was reset.
 */
static void balloon_size_start(struct balloon *b)
{
	balloon_size_retarget(&b->size, 0, 0);
	balloon_size_changed(b);
}

static void balloon_size_quiesce(struct balloon *b)
{
	cancel_delayed_work_sync(&b->size.work);
	balloon_relax(b, BALLOON_AWAKE_SIZE);
}

/* The host is told of every page, and that none is left. */
static void balloon_size_empty(struct balloon *b)
{
	while (b->size.nr_pages && !balloon_host_gone(b)) {
		if (balloon_pages_deflate(b, b->size.nr_pages) <= 0)
			msleep(20);
		cond_resched();
	}
	balloon_pages_complete(b);
	balloon_size_write_actual(b);
}

static void balloon_size_teardown(struct balloon *b)
{
	struct balloon_size *size = &b->size;

	kfree(size->moving);
	kfree(size->relief[1]);
	kfree(size->relief[0]);
	kfree(size->deflating);
	kfree(size->taking);
	kfree(size->inflating);
	kfree(size->filling);
	kfree(size->on_node);
	balloon_compat_info_exit(&size->info);
	mutex_destroy(&size->lock);
}

const struct balloon_room balloon_size_room = {
	.feature = BALLOON_ALWAYS,
	.setup = balloon_size_setup,
	.start = balloon_size_start,
	.changed = balloon_size_changed,
	.quiesce = balloon_size_quiesce,
	.empty = balloon_size_empty,
	.released = balloon_pages_reclaim,
	.teardown = balloon_size_teardown,
};

/* The nodes whose memory helps in this OOM; NULL if any does. A cpuset has only some. */
static const nodemask_t *balloon_oom_nodes(void)
{
	const nodemask_t *allowed = &cpuset_current_mems_allowed;

	return nodes_subset(node_states[N_MEMORY], *allowed) ? NULL : allowed;
}

static int balloon_oom_notify(struct notifier_block *nb, unsigned long unused, void *freed)
{
	struct balloon *b = container_of(nb, struct balloon, size.oom_nb);
	struct balloon_size *size = &b->size;
	const nodemask_t *nodes = balloon_oom_nodes();
	unsigned long nr;

	nr = balloon_pages_relieve(b, BALLOON_OOM_SHARE, nodes);
	*(unsigned long *)freed += nr;
	/* Of what only some nodes want, the balloon may have nothing. */
	if (nodes && !nr)
		return NOTIFY_OK;

	/* 0 says that there is no pause. */
	WRITE_ONCE(size->hold_until, (jiffies + BALLOON_OOM_PAUSE) | 1);
	/* What the host was too slow for ends there, and if it is dead it shows. */
	balloon_queue_work(b, &size->work, 0);
	return NOTIFY_OK;
}

static void balloon_oom_start(struct balloon *b)
{
	b->size.hold_until = 0;
	b->size.oom_nb.notifier_call = balloon_oom_notify;
	b->size.oom_nb.priority = BALLOON_OOM_PRIORITY;
	register_oom_notifier(&b->size.oom_nb);
}

static void balloon_oom_quiesce(struct balloon *b)
{
	if (!b->size.oom_nb.notifier_call)
		return;
	unregister_oom_notifier(&b->size.oom_nb);
	b->size.oom_nb.notifier_call = NULL;
}

const struct balloon_room balloon_oom_room = {
	.feature = VIRTIO_BALLOON_F_DEFLATE_ON_OOM,
	.start = balloon_oom_start,
	.quiesce = balloon_oom_quiesce,
};
