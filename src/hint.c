// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free page hinting: while the host copies the guest's memory, it names a round
 * and is lent free blocks that need no copying. Serves "Free Page Hinting" of
 * the specification.
 *
 * The blocks are kept until the host is done, but mm may have them back at any
 * time: the host's copy is then of no use, and freeing initialises them.
 */
#include <linux/gfp.h>
#include <linux/list.h>

#include "balloon.h"

/* The largest block that the page allocator has. */
#define BALLOON_HINT_ORDER	MAX_PAGE_ORDER
#define BALLOON_HINT_PAGES	BIT(BALLOON_HINT_ORDER)

/* Only blocks that are free already: no reclaim, no reserves. */
#define BALLOON_HINT_GFP	(__GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC)

/* One entry of the queue stays free for the message that the round ends. */
#define BALLOON_HINT_RESERVED	1

/* How long the work item runs at a time, in jiffies; the freezer waits for it. */
#define BALLOON_HINT_SLICE	(HZ / 4)

/* While the host takes nothing, look again so often, in jiffies. */
#define BALLOON_HINT_POLL	HZ

/* Blocks freed in one go with the lock held. */
#define BALLOON_HINT_BATCH	16

/*
 * Gives up to @nr blocks back to mm, whether the host has looked at them or not.
 * Any context in which pages can be freed.
 */
static unsigned long balloon_hint_release(struct balloon_hint *hint, unsigned long nr)
{
	unsigned long released = 0;
	struct page *page, *next;
	unsigned int n;

	/* Outside the lock: initialising what is freed may take long. */
	do {
		LIST_HEAD(blocks);

		spin_lock(&hint->lock);
		for (n = 0; n < BALLOON_HINT_BATCH && released + n < nr; n++) {
			if (list_empty(&hint->blocks))
				break;
			list_move(hint->blocks.next, &blocks);
		}
		hint->nr_blocks -= n;
		spin_unlock(&hint->lock);

		list_for_each_entry_safe(page, next, &blocks, lru) {
			list_del(&page->lru);
			__free_pages(page, BALLOON_HINT_ORDER);
		}
		released += n;
		cond_resched();
	} while (n == BALLOON_HINT_BATCH);

	return released;
}

static unsigned long balloon_hint_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct balloon *b = balloon_compat_shrinker_data(shrinker);

	return READ_ONCE(b->hint.nr_blocks) * BALLOON_HINT_PAGES;
}

static unsigned long balloon_hint_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct balloon *b = balloon_compat_shrinker_data(shrinker);
	unsigned long nr = DIV_ROUND_UP(sc->nr_to_scan, BALLOON_HINT_PAGES);

	return balloon_hint_release(&b->hint, nr) * BALLOON_HINT_PAGES;
}

/* Says to the host where the round begins and ends. The token is not in flight. */
static int balloon_hint_say(struct balloon *b, struct balloon_buffer *buffer, __virtio32 *value)
{
	struct scatterlist sg;

	sg_init_one(&sg, value, sizeof(*value));
	return balloon_host_give(b, BALLOON_QUEUE_HINT, &sg, buffer);
}

/* Lends one free block. Returns -ENOMEM when the guest has no more. */
static int balloon_hint_lend(struct balloon *b)
{
	struct balloon_hint *hint = &b->hint;
	struct scatterlist sg;
	struct page *page;
	int err;

	page = alloc_pages(BALLOON_HINT_GFP, BALLOON_HINT_ORDER);
	if (!page)
		return -ENOMEM;

	sg_init_table(&sg, 1);
	sg_set_page(&sg, page, PAGE_SIZE << BALLOON_HINT_ORDER, 0);
	err = balloon_host_lend(b, BALLOON_QUEUE_HINT, &sg, 1, &hint->block);
	if (err) {
		__free_pages(page, BALLOON_HINT_ORDER);
		return err;
	}
	spin_lock(&hint->lock);
	list_add(&page->lru, &hint->blocks);
	hint->nr_blocks++;
	spin_unlock(&hint->lock);
	return 0;
}

static u32 balloon_hint_command(struct balloon *b)
{
	u32 id;

	virtio_cread_le(b->vdev, struct virtio_balloon_config, free_page_hint_cmd_id, &id);
	return id;
}

/* What the work item is to do after a step. */
enum balloon_hint_next {
	BALLOON_HINT_AGAIN,	/* another step */
	BALLOON_HINT_WAIT,	/* the queue's callback will say */
	BALLOON_HINT_IDLE,	/* the configuration will change */
};

static enum balloon_hint_next balloon_hint_step(struct balloon *b)
{
	struct virtqueue *vq = b->vqs[BALLOON_QUEUE_HINT];
	struct balloon_hint *hint = &b->hint;
	u32 command;

	if (balloon_host_gone(b)) {
		balloon_hint_release(hint, ULONG_MAX);
		return BALLOON_HINT_IDLE;
	}
	/* Not at each step: once a round has begun, QEMU shows STOP without meaning it. */
	if (xchg(&hint->changed, 0))
		hint->command = balloon_hint_command(b);
	command = hint->command;
	balloon_host_collect(b, BALLOON_QUEUE_HINT);

	if (hint->sending && command == hint->round) {
		if (vq->num_free <= BALLOON_HINT_RESERVED)
			return BALLOON_HINT_WAIT;
		if (!balloon_hint_lend(b))
			return BALLOON_HINT_AGAIN;
	}
	if (hint->sending) {
		/* No block left to lend, or they are no longer asked for. */
		if (hint->stop.in_flight)
			return BALLOON_HINT_WAIT;
		balloon_hint_say(b, &hint->stop, &hint->stop_value);
		hint->sending = false;
	}

	if (command == VIRTIO_BALLOON_CMD_ID_DONE)
		balloon_hint_release(hint, ULONG_MAX);
	if (command == VIRTIO_BALLOON_CMD_ID_DONE || command == VIRTIO_BALLOON_CMD_ID_STOP ||
	    command == hint->round)
		return BALLOON_HINT_IDLE;

	if (hint->id.in_flight)
		return BALLOON_HINT_WAIT;
	hint->round = command;
	hint->id_value = cpu_to_virtio32(b->vdev, command);
	hint->sending = !balloon_hint_say(b, &hint->id, &hint->id_value);
	return hint->sending ? BALLOON_HINT_AGAIN : BALLOON_HINT_IDLE;
}

static void balloon_hint_work(struct work_struct *work)
{
	struct balloon *b = container_of(to_delayed_work(work), struct balloon, hint.work);
	unsigned long end = jiffies + BALLOON_HINT_SLICE;
	enum balloon_hint_next next;

	WRITE_ONCE(b->hint.waiting, false);
	do {
		next = balloon_hint_step(b);
		cond_resched();
	} while (next == BALLOON_HINT_AGAIN && balloon_running(b) && time_before(jiffies, end));

	WRITE_ONCE(b->hint.waiting, next == BALLOON_HINT_WAIT);
	if (next == BALLOON_HINT_AGAIN)
		balloon_queue_work(b, &b->hint.work, 0);
	else if (next == BALLOON_HINT_WAIT)
		/* The callback may have come too early to see that we wait. */
		balloon_queue_work(b, &b->hint.work, BALLOON_HINT_POLL);
}

/**
 * balloon_hint_returned - virtqueue callback: the host returned hints
 * @vq: the hinting queue
 *
 * Any context.
 */
void balloon_hint_returned(struct virtqueue *vq)
{
	struct balloon *b = vq->vdev->priv;

	if (READ_ONCE(b->hint.waiting))
		balloon_queue_work(b, &b->hint.work, 0);
}

static void balloon_hint_changed(struct balloon *b)
{
	if (!b->hint.shrinker)
		return;
	WRITE_ONCE(b->hint.changed, 1);
	balloon_queue_work(b, &b->hint.work, 0);
}

static int balloon_hint_setup(struct balloon *b)
{
	struct balloon_hint *hint = &b->hint;

	INIT_DELAYED_WORK(&hint->work, balloon_hint_work);
	spin_lock_init(&hint->lock);
	INIT_LIST_HEAD(&hint->blocks);
	hint->stop_value = cpu_to_virtio32(b->vdev, VIRTIO_BALLOON_CMD_ID_STOP);
	return 0;
}

static void balloon_hint_start(struct balloon *b)
{
	struct balloon_hint *hint = &b->hint;

	if (b->capture)
		return;
	if (virtqueue_get_vring_size(b->vqs[BALLOON_QUEUE_HINT]) <= BALLOON_HINT_RESERVED) {
		balloon_say(b, KERN_WARNING,
			    "no free page hinting: the device's queue is too short\n");
		return;
	}
	/* Without it, a guest short of memory could not have its blocks back. */
	hint->shrinker = balloon_compat_shrinker_register("virtio-balloon", b, balloon_hint_count,
							  balloon_hint_scan);
	if (!hint->shrinker) {
		balloon_say(b, KERN_WARNING, "no free page hinting: out of memory\n");
		return;
	}
	balloon_hint_changed(b);
}

static void balloon_hint_quiesce(struct balloon *b)
{
	struct balloon_hint *hint = &b->hint;

	cancel_delayed_work_sync(&hint->work);
	if (hint->shrinker)
		balloon_compat_shrinker_free(hint->shrinker);
	hint->shrinker = NULL;
}

/* The host need not be told that it does not get the blocks after all. */
static void balloon_hint_empty(struct balloon *b)
{
	balloon_hint_release(&b->hint, ULONG_MAX);
}

static void balloon_hint_released(struct balloon *b)
{
	struct balloon_hint *hint = &b->hint;

	hint->id.in_flight = false;
	hint->stop.in_flight = false;
	hint->sending = false;
	hint->round = VIRTIO_BALLOON_CMD_ID_STOP;
	hint->command = VIRTIO_BALLOON_CMD_ID_STOP;
	hint->changed = 0;
}

const struct balloon_room balloon_hint_room = {
	.feature = VIRTIO_BALLOON_F_FREE_PAGE_HINT,
	.setup = balloon_hint_setup,
	.start = balloon_hint_start,
	.changed = balloon_hint_changed,
	.quiesce = balloon_hint_quiesce,
	.empty = balloon_hint_empty,
	.released = balloon_hint_released,
};
