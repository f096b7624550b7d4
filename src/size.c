// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves the balloon towards the size that the host wants. Serves "Device Operation" of
 * the specification.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/vmstat.h>
#include <linux/virtio_config.h>

#include "balloon.h"
#include "time.h"

/*
 * The longest time in jiffies that the work item runs at once. Then it writes the size for
 * the host and is queued again, so the size is never older than this, and the freezer,
 * which waits for the work item, need not wait longer.
 */
#define BALLOON_SIZE_SLICE	(HZ / 4)

/* Time in jiffies between two attempts to get pages that the guest does not have. */
#define BALLOON_BACKOFF_MIN	(HZ / 5)
#define BALLOON_BACKOFF_MAX	(32 * HZ)

/* A back-off of this time, in jiffies, causes a message. */
#define BALLOON_BACKOFF_TELL	(4 * HZ)

/* How often to look whether memory has become free meanwhile, in jiffies. */
#define BALLOON_BACKOFF_POLL	HZ

/* Time between the first batches after an OOM, in jiffies. */
#define BALLOON_OOM_INTERVAL	(HZ / 2)

static unsigned int min_guest_free;
module_param(min_guest_free, uint, 0644);
MODULE_PARM_DESC(min_guest_free,
		 "Available memory in MiB below which the balloon does not grow, whatever the host wants (default: 0, no floor)");

/* Returned by a step of the work item when there is nothing left to do. */
#define BALLOON_SIZE_DONE	(-1L)

/* Pages of the guest that the host wants in the balloon. */
static unsigned long balloon_size_target(struct balloon *b)
{
	u32 pfns;

	/* This kernel has little memory, which it needs to save that of the crashed one. */
	if (b->capture_kernel)
		return 0;
	virtio_cread_le(b->vdev, struct virtio_balloon_config, num_pages, &pfns);
	/* Rounded up, or a target between two pages would never be reached. */
	return DIV_ROUND_UP((u64)pfns, BALLOON_PFNS_PER_PAGE);
}

static void balloon_size_write_actual(struct balloon *b)
{
	u32 pfns;

	if (READ_ONCE(b->host.gone))
		return;
	mutex_lock(&b->pages.lock);
	pfns = b->pages.nr_pages * BALLOON_PFNS_PER_PAGE;
	virtio_cwrite_le(b->vdev, struct virtio_balloon_config, actual, &pfns);
	mutex_unlock(&b->pages.lock);
}

/*
 * The host wants another size; @given is what it has. If the guest has no more to give and
 * the new target is still above @given, nothing changes: the driver does not try more often
 * and writes no new message.
 */
static void balloon_size_retarget(struct balloon_size *size, unsigned long target,
				  unsigned long given)
{
	size->target = target;
	if (size->exhausted && target > given)
		return;
	size->exhausted = false;
	size->backoff = 0;
	size->shortage_logged = false;
}

static void balloon_size_reached(struct balloon *b)
{
	struct balloon_size *size = &b->size;

	if (size->shortage_logged)
		balloon_log(b, KERN_INFO, "balloon reached %lu MiB after all\n",
			    b->pages.nr_pages >> (20 - PAGE_SHIFT));
	size->shortage_logged = false;
}

/* Writes one message which says that the target cannot be reached for now. */
static void balloon_size_short(struct balloon *b, const char *why)
{
	struct balloon_size *size = &b->size;

	if (size->shortage_logged)
		return;
	size->shortage_logged = true;
	balloon_log(b, KERN_INFO, "%s: balloon at %lu of %lu MiB, trying less often\n", why,
		    b->pages.nr_pages >> (20 - PAGE_SHIFT), size->target >> (20 - PAGE_SHIFT));
}

/* How many pages may be taken until the administrator wants no more to be taken. */
static unsigned long balloon_size_room(void)
{
	unsigned long floor = READ_ONCE(min_guest_free);

	if (!floor)
		return ULONG_MAX;
	return max(si_mem_available() - (long)(floor << (20 - PAGE_SHIFT)), 0L);
}

/* The guest has no more pages to give: sets the time of the next attempt. */
static void balloon_size_back_off(struct balloon *b)
{
	struct balloon_size *size = &b->size;

	size->exhausted = true;
	size->backoff = clamp_t(unsigned long, 2 * size->backoff,
				BALLOON_BACKOFF_MIN, BALLOON_BACKOFF_MAX);
	if (size->backoff >= BALLOON_BACKOFF_TELL)
		balloon_size_short(b, "the guest has no more memory to give");
	size->retry_at = jiffies + size->backoff;
	size->free_at_failure = global_zone_page_state(NR_FREE_PAGES);
}

/* The time in jiffies that inflation has to wait. */
static unsigned long balloon_size_pause(struct balloon *b)
{
	struct balloon_size *size = &b->size;
	unsigned long left = balloon_oom_pause(b);

	if (left) {
		size->interval = BALLOON_OOM_INTERVAL;
		return left;
	}
	if (!size->backoff)
		return 0;
	left = balloon_time_left(size->retry_at, size->backoff, jiffies);
	if (!left)
		return 0;
	if (global_zone_page_state(NR_FREE_PAGES) > size->free_at_failure + BALLOON_BATCH_PAGES)
		return 0;
	return min_t(unsigned long, left, BALLOON_BACKOFF_POLL);
}

/* Takes the next pages from the guest. Returns the time in jiffies until the next step. */
static long balloon_size_grow(struct balloon *b, unsigned long nr)
{
	struct balloon_size *size = &b->size;
	unsigned long pause, room;
	int given;

	pause = balloon_size_pause(b);
	if (pause)
		return pause;
	room = balloon_size_room();
	if (room < BALLOON_BATCH_PAGES) {
		size->exhausted = true;
		balloon_size_short(b, "the guest is at min_guest_free");
		return BALLOON_BACKOFF_POLL;
	}
	/* After an OOM, no more is taken than is offered to the host before the next pause. */
	if (size->interval)
		room = BALLOON_BATCH_PAGES;
	given = balloon_pages_inflate(b, min(nr, room));
	if (given > 0) {
		size->exhausted = false;
		size->backoff = 0;
		size->interval = size->interval * 7 / 8;
		return size->interval;
	}
	if (given == -ENOMEM)
		balloon_size_back_off(b);
	return BALLOON_BACKOFF_MIN;
}

/* Gives the next pages back. Returns the time in jiffies until the next step. */
static long balloon_size_shrink(struct balloon *b, unsigned long nr)
{
	int taken = balloon_pages_deflate(b, nr);

	/* The pages of a dead device come back as well. */
	if (taken > 0 || taken == -ENODEV)
		return 0;
	/* mm has isolated the other pages, or an OOM has just filled the queue. */
	return BALLOON_BACKOFF_MIN;
}

/*
 * Finds out what the host wants, and whether the device is dead: no value from the configuration
 * of a dead device is believed. Both cost an exit to the host each, or on s390 an I/O, which waits
 * for ever if the device is unplugged just then. So they are not asked for at each step. Who waits
 * for a buffer finds out about a dead device as well.
 */
static unsigned long balloon_size_look(struct balloon *b, bool *gone)
{
	bool look = xchg(&b->size.look, 0);

	*gone = (look || READ_ONCE(b->host.gone)) && balloon_host_gone(b);
	if (*gone)
		return 0;
	return look ? balloon_size_target(b) : b->size.target;
}

/* Does one step. Returns the time in jiffies until the next one, or BALLOON_SIZE_DONE. */
static long balloon_size_step(struct balloon *b)
{
	struct balloon_size *size = &b->size;
	unsigned long target, given;
	bool gone;

	target = balloon_size_look(b, &gone);
	if (!balloon_oom_settle(b, gone))
		return BALLOON_BACKOFF_POLL;
	given = b->pages.nr_pages + b->pages.inflating->nr;
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

	WRITE_ONCE(b->size.look, 1);
	/* A block that was begun is taken whole, also if this takes a little longer. */
	do {
		delay = balloon_size_step(b);
	} while (!delay && balloon_running(b) && (time_before(jiffies, end) || b->guest.left));

	balloon_pages_complete(b);
	balloon_size_write_actual(b);
	if (delay)
		balloon_relax(b, BALLOON_STAY_AWAKE_SIZE);
	if (delay != BALLOON_SIZE_DONE)
		balloon_queue_work(b, &b->size.work, delay);
}

static void balloon_size_config_changed(struct balloon *b)
{
	balloon_stay_awake(b, BALLOON_STAY_AWAKE_SIZE);
	WRITE_ONCE(b->size.look, 1);
	balloon_queue_work(b, &b->size.work, 0);
}

static int balloon_size_setup(struct balloon *b)
{
	INIT_DELAYED_WORK(&b->size.work, balloon_size_work);
	return 0;
}

/*
 * The work item is queued even if there is nothing to do, since it writes the size: the
 * host may remember another one from before the guest was reset.
 */
static void balloon_size_start(struct balloon *b)
{
	balloon_size_retarget(&b->size, 0, 0);
	balloon_size_config_changed(b);
}

static void balloon_size_quiesce(struct balloon *b)
{
	cancel_delayed_work_sync(&b->size.work);
	balloon_relax(b, BALLOON_STAY_AWAKE_SIZE);
}

/* Tells the host of every page, and then that the balloon is empty. */
static void balloon_size_give_back(struct balloon *b)
{
	bool gone = balloon_host_gone(b);

	while (b->pages.nr_pages && !gone) {
		if (balloon_pages_deflate(b, b->pages.nr_pages) <= 0) {
			msleep(BALLOON_ISOLATED_WAIT_MS);
			gone = balloon_host_gone(b);
		}
		cond_resched();
	}
	balloon_pages_complete(b);
	balloon_size_write_actual(b);
}

const struct balloon_feature balloon_size_feature = {
	.bit = BALLOON_ALWAYS,
	.setup = balloon_size_setup,
	.start = balloon_size_start,
	.config_changed = balloon_size_config_changed,
	.quiesce = balloon_size_quiesce,
	.give_back = balloon_size_give_back,
};
