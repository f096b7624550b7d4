// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has the host discard the contents of free pages: names them on the reporting queue, and
 * waits for the host. The queue has two users: mm's free page reporting, see reporting.c, and
 * the blocks that are about to join the balloon, see guest.c. One of them uses it at a time.
 * Serves "Free Page Reporting" of the specification.
 */
#include <linux/scatterlist.h>
#include <linux/virtio_config.h>
#include <linux/wait.h>

#include "balloon.h"

/**
 * balloon_discard_offered - whether the host discards pages
 * @b: the balloon
 *
 * Any context.
 *
 * Return: whether balloon_discard() may be called.
 */
bool balloon_discard_offered(struct balloon *b)
{
	return virtio_has_feature(b->vdev, VIRTIO_BALLOON_F_REPORTING);
}

static int balloon_discard_some(struct balloon *b, struct scatterlist *sg, unsigned int nents)
{
	struct balloon_buffer *buffer = &b->discard.buffer;
	int err;

	err = balloon_host_lend(b, BALLOON_QUEUE_REPORTING, sg, nents, buffer);
	if (err)
		return err;
	/* Until the host answers, the contents of the pages are undefined. */
	return balloon_host_wait(b, BALLOON_QUEUE_REPORTING, buffer);
}

/* There may be more pages than the queue has entries. */
static int balloon_discard_all(struct balloon *b, struct scatterlist *sg, unsigned int nents)
{
	unsigned int capacity = balloon_host_queue_size(b, BALLOON_QUEUE_REPORTING);

	while (nents) {
		unsigned int some = min(nents, capacity);
		bool last = sg_is_last(&sg[some - 1]);
		int err;

		sg_mark_end(&sg[some - 1]);
		err = balloon_discard_some(b, sg, some);
		if (!last)
			sg_unmark_end(&sg[some - 1]);
		if (err)
			return err;
		sg += some;
		nents -= some;
	}
	return 0;
}

/* Waits for the lock for @timeout, in jiffies. Returns whether the caller has it. */
static bool balloon_discard_lock(struct balloon *b, unsigned long timeout)
{
	return wait_event_timeout(b->host.acked, mutex_trylock(&b->discard.lock), timeout);
}

static void balloon_discard_unlock(struct balloon *b)
{
	mutex_unlock(&b->discard.lock);
	wake_up(&b->host.acked);
}

/**
 * balloon_discard - have the host discard the contents of free pages
 * @b: the balloon; the device runs; balloon_discard_offered()
 * @sg: the pages, which nobody uses meanwhile
 * @nents: number of entries of @sg
 *
 * Sleeps until the host has answered; takes discard.lock. Afterwards the pages are the
 * caller's, also after an error. What is in them is the guest's poison value, or undefined after
 * an error.
 *
 * Return: 0; -EBUSY while the guest goes to sleep or sleeps; or as balloon_host_lend() and
 * balloon_host_wait().
 */
int balloon_discard(struct balloon *b, struct scatterlist *sg, unsigned int nents)
{
	int err = -EBUSY;

	/* The kernel would take a task for hung that waits in mutex_lock() for a slow host. */
	while (!balloon_discard_lock(b, HZ))
		;
	if (!READ_ONCE(b->discard.paused))
		err = balloon_discard_all(b, sg, nents);
	balloon_discard_unlock(b);
	return err;
}

/*
 * Lets no report begin, and waits for one that has begun. mm reports from a worker that is not
 * frozen, and a transport does not call the driver's freeze for a device that keeps its state
 * while the guest sleeps. If the host does not answer a report, the guest stays awake: its pages
 * must not be used until the host has answered.
 */
static int balloon_discard_pm_sleep(struct balloon *b)
{
	WRITE_ONCE(b->discard.paused, true);
	if (!balloon_discard_lock(b, BALLOON_HOST_PATIENCE)) {
		balloon_log(b, KERN_WARNING,
			    "the host does not answer a report of free pages: not going to sleep\n");
		return -EBUSY;
	}
	balloon_discard_unlock(b);
	return 0;
}

static void balloon_discard_pm_wake(struct balloon *b)
{
	WRITE_ONCE(b->discard.paused, false);
}

static int balloon_discard_setup(struct balloon *b)
{
	mutex_init(&b->discard.lock);
	return 0;
}

const struct balloon_feature balloon_discard_feature = {
	.bit = VIRTIO_BALLOON_F_REPORTING,
	.setup = balloon_discard_setup,
	.pm_sleep = balloon_discard_pm_sleep,
	.pm_wake = balloon_discard_pm_wake,
};
