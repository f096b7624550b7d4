// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free page hinting: while the host copies the guest's memory to another machine, it asks
 * for free blocks, which it need not copy. Each time that it asks is a round, with a
 * command id of its own. Serves "Free Page Hinting" of the specification.
 *
 * The driver keeps the blocks until the host is done. mm may take a block back earlier, at
 * any time: the guest does not rely on what is in it.
 */
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/sizes.h>
#include <linux/virtio_config.h>

#include "balloon.h"

/*
 * A hint is a block of 4 MiB, or the largest that the page allocator has if that is smaller.
 * With large pages the largest one is up to 512 MiB, and hardly ever free as a whole.
 */
#define BALLOON_HINT_ORDER	\
	min_t(unsigned int, const_ilog2(SZ_4M) - PAGE_SHIFT, MAX_PAGE_ORDER)
#define BALLOON_HINT_PAGES	BIT(BALLOON_HINT_ORDER)

/* Takes only blocks that are free already: no reclaim, no reserves. */
#define BALLOON_HINT_GFP	(__GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC)

/* One entry of the queue stays free for the buffer that ends a round. */
#define BALLOON_HINT_RESERVED	1

/* The longest time in jiffies that the work item runs at once; the freezer waits for it. */
#define BALLOON_HINT_SLICE	(HZ / 4)

/* While the queue is full, the work item looks again after this time, in jiffies. */
#define BALLOON_HINT_POLL	HZ

/* The number of blocks that are taken off the list each time the lock is held. */
#define BALLOON_HINT_BATCH	16

/*
 * Gives up to @nr blocks back to mm, also those that the host still has. Returns how many.
 * May sleep.
 */
static unsigned long balloon_hint_release(struct balloon_hint *hint, unsigned long nr)
{
	unsigned long released = 0;
	struct page *page, *next;
	unsigned int n;

	/* Freed without the lock: the kernel may initialise what is freed, which takes long. */
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

/* Tells the host that a round begins or ends. @buffer, the token, is not in flight. */
static int balloon_hint_send_cmd_id(struct balloon *b, struct balloon_buffer *buffer,
				    __virtio32 *value)
{
	struct scatterlist sg;

	sg_init_one(&sg, value, sizeof(*value));
	return balloon_host_give(b, BALLOON_QUEUE_HINT, &sg, buffer);
}

/* Gives one free block to the host. Returns -ENOMEM if the guest has no more. */
static int balloon_hint_send_block(struct balloon *b)
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

static u32 balloon_hint_read_cmd_id(struct balloon *b)
{
	u32 id;

	virtio_cread_le(b->vdev, struct virtio_balloon_config, free_page_hint_cmd_id, &id);
	return id;
}

/* What the work item is to do after a step. */
enum balloon_hint_next {
	BALLOON_HINT_CONTINUE,	/* another step */
	BALLOON_HINT_WAIT,	/* wait for the callback of the queue */
	BALLOON_HINT_IDLE,	/* wait for a change of the configuration */
};

static enum balloon_hint_next balloon_hint_step(struct balloon *b)
{
	struct balloon_hint *hint = &b->hint;
	unsigned int free;
	u32 cmd_id;

	if (READ_ONCE(b->host.gone)) {
		balloon_hint_release(hint, ULONG_MAX);
		return BALLOON_HINT_IDLE;
	}
	/*
	 * Not read at each step: as soon as a round has begun, QEMU shows STOP in the
	 * configuration, although the round goes on.
	 */
	if (xchg(&hint->config_changed, 0))
		hint->cmd_id = balloon_hint_read_cmd_id(b);
	cmd_id = hint->cmd_id;
	free = balloon_host_free_entries(b, BALLOON_QUEUE_HINT);

	if (hint->round_active && cmd_id == hint->round_id) {
		if (free <= BALLOON_HINT_RESERVED)
			return BALLOON_HINT_WAIT;
		if (!balloon_hint_send_block(b))
			return BALLOON_HINT_CONTINUE;
	}
	if (hint->round_active) {
		/* There are no more free blocks, or the host does not ask for them any more. */
		if (hint->stop.in_flight)
			return BALLOON_HINT_WAIT;
		balloon_hint_send_cmd_id(b, &hint->stop, &hint->stop_value);
		hint->round_active = false;
	}

	if (cmd_id == VIRTIO_BALLOON_CMD_ID_DONE)
		balloon_hint_release(hint, ULONG_MAX);
	if (cmd_id == VIRTIO_BALLOON_CMD_ID_DONE || cmd_id == VIRTIO_BALLOON_CMD_ID_STOP ||
	    cmd_id == hint->round_id)
		return BALLOON_HINT_IDLE;

	if (hint->id.in_flight)
		return BALLOON_HINT_WAIT;
	hint->round_id = cmd_id;
	hint->id_value = cpu_to_virtio32(b->vdev, cmd_id);
	hint->round_active = !balloon_hint_send_cmd_id(b, &hint->id, &hint->id_value);
	return hint->round_active ? BALLOON_HINT_CONTINUE : BALLOON_HINT_IDLE;
}

static void balloon_hint_work(struct work_struct *work)
{
	struct balloon *b = container_of(to_delayed_work(work), struct balloon, hint.work);
	unsigned long end = jiffies + BALLOON_HINT_SLICE;
	enum balloon_hint_next next;

	WRITE_ONCE(b->hint.waits_for_host, false);
	/* Once for all steps, since asking the device costs an exit to the host. */
	balloon_host_gone(b);
	do {
		next = balloon_hint_step(b);
		cond_resched();
	} while (next == BALLOON_HINT_CONTINUE && balloon_running(b) && time_before(jiffies, end));

	WRITE_ONCE(b->hint.waits_for_host, next == BALLOON_HINT_WAIT);
	if (next == BALLOON_HINT_CONTINUE)
		balloon_queue_work(b, &b->hint.work, 0);
	else if (next == BALLOON_HINT_WAIT)
		/* The callback may have come before waits_for_host was set. */
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

	if (READ_ONCE(b->hint.waits_for_host))
		balloon_queue_work(b, &b->hint.work, 0);
}

static void balloon_hint_config_changed(struct balloon *b)
{
	if (!b->hint.shrinker)
		return;
	WRITE_ONCE(b->hint.config_changed, 1);
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

	if (b->capture_kernel)
		return;
	if (balloon_host_queue_size(b, BALLOON_QUEUE_HINT) <= BALLOON_HINT_RESERVED) {
		balloon_log(b, KERN_WARNING,
			    "no free page hinting: the device's queue is too short\n");
		return;
	}
	/* Without a shrinker, a guest short of memory could not get its blocks back. */
	hint->shrinker = balloon_compat_shrinker_register("virtio-balloon", b, balloon_hint_count,
							  balloon_hint_scan);
	if (!hint->shrinker) {
		balloon_log(b, KERN_WARNING, "no free page hinting: out of memory\n");
		return;
	}
	balloon_hint_config_changed(b);
}

static void balloon_hint_quiesce(struct balloon *b)
{
	struct balloon_hint *hint = &b->hint;

	cancel_delayed_work_sync(&hint->work);
	if (hint->shrinker)
		balloon_compat_shrinker_free(hint->shrinker);
	hint->shrinker = NULL;
}

/* The host need not be told: the guest may take blocks back at any time. */
static void balloon_hint_give_back(struct balloon *b)
{
	balloon_hint_release(&b->hint, ULONG_MAX);
}

static void balloon_hint_after_reset(struct balloon *b)
{
	struct balloon_hint *hint = &b->hint;

	hint->id.in_flight = false;
	hint->stop.in_flight = false;
	hint->round_active = false;
	hint->round_id = VIRTIO_BALLOON_CMD_ID_STOP;
	hint->cmd_id = VIRTIO_BALLOON_CMD_ID_STOP;
	hint->config_changed = 0;
}

const struct balloon_feature balloon_hint_feature = {
	.bit = VIRTIO_BALLOON_F_FREE_PAGE_HINT,
	.setup = balloon_hint_setup,
	.start = balloon_hint_start,
	.config_changed = balloon_hint_config_changed,
	.quiesce = balloon_hint_quiesce,
	.give_back = balloon_hint_give_back,
	.after_reset = balloon_hint_after_reset,
};
