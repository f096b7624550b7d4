// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one door to the host: gives it a buffer, waits until it is back, and
 * knows when there is no host to wait for.
 *
 * Nobody wakes a waiter when a device dies. So every wait also looks at the
 * device, once a second. A device that is merely slow is waited for, unless the
 * balloon is being quiesced: then the wait has a limit, and ends with a reset too.
 */
#include <linux/virtio.h>
#include <linux/virtio_config.h>

#include "balloon.h"

/* How often a waiter looks whether the device still lives, in jiffies. */
#define BALLOON_HOST_POLL	HZ

/**
 * balloon_host_acked - virtqueue callback: the host returned a buffer
 * @vq: the queue
 *
 * Any context. The waiter takes the buffer from the queue.
 */
void balloon_host_acked(struct virtqueue *vq)
{
	struct balloon *b = vq->vdev->priv;

	wake_up(&b->acked);
}

static bool balloon_host_dead(struct balloon *b, u8 *status)
{
	unsigned int i;

	*status = b->vdev->config->get_status(b->vdev);

	/* 0 after a reset behind our back, all ones when the device is unplugged. */
	if (!(*status & VIRTIO_CONFIG_S_DRIVER_OK) || *status == 0xff ||
	    (*status & VIRTIO_CONFIG_S_NEEDS_RESET))
		return true;

	for (i = 0; i < BALLOON_QUEUES; i++)
		if (b->vqs[i] && virtqueue_is_broken(b->vqs[i]))
			return true;
	return false;
}

/* From here on the host owns nothing, and nobody waits for it. */
static void balloon_host_end(struct balloon *b)
{
	lockdep_assert_held(&b->gone_lock);
	WRITE_ONCE(b->gone, true);
	balloon_host_reset(b);
	wake_up_all(&b->acked);
}

/**
 * balloon_host_gone - look whether the device still lives
 * @b: the balloon, between start and reset
 *
 * To be asked before a value from the configuration is believed. A device that
 * is found dead is reset before this returns, so the host owns no page and no
 * buffer any more.
 *
 * Sleeps; takes gone_lock. Serves "Driver Requirements: Device Status Field".
 *
 * Return: whether the device is dead; it does not come back to life.
 */
bool balloon_host_gone(struct balloon *b)
{
	u8 status;

	mutex_lock(&b->gone_lock);
	if (!b->gone && balloon_host_dead(b, &status)) {
		balloon_say(b, KERN_ERR,
			    "the device died (status 0x%02x): giving its memory back to the guest\n",
			    status);
		balloon_host_end(b);
	}
	mutex_unlock(&b->gone_lock);

	return b->gone;
}

/**
 * balloon_host_abandon - reset a device that lives and is of no use
 * @b: the balloon, between start and reset
 * @why: what is wrong with it, for the log
 *
 * From here on the device is dead, see balloon_host_gone(). Sleeps; takes gone_lock.
 */
void balloon_host_abandon(struct balloon *b, const char *why)
{
	mutex_lock(&b->gone_lock);
	if (!b->gone) {
		balloon_say(b, KERN_ERR,
			    "%s: resetting the device, and giving its memory back to the guest\n",
			    why);
		balloon_host_end(b);
	}
	mutex_unlock(&b->gone_lock);
}

static int balloon_host_added(struct balloon *b, struct virtqueue *vq, int err,
			      struct balloon_buffer *buffer)
{
	if (err)
		return err;
	buffer->in_flight = true;
	virtqueue_kick(vq);
	return 0;
}

/**
 * balloon_host_give - put a buffer that the host reads on a queue, and notify
 * @b: the balloon; the device runs
 * @queue: the caller serialises its use
 * @sg: the buffer, one entry
 * @buffer: token; not in flight
 *
 * Does not sleep and allocates nothing.
 *
 * Return: 0, or -ENODEV from a dead device, -ENOSPC from a full queue, -EIO
 * from a broken one: then the buffer is still the caller's.
 */
int balloon_host_give(struct balloon *b, enum balloon_queue queue,
		      struct scatterlist *sg, struct balloon_buffer *buffer)
{
	struct virtqueue *vq = b->vqs[queue];

	if (READ_ONCE(b->gone))
		return -ENODEV;
	return balloon_host_added(b, vq, virtqueue_add_outbuf(vq, sg, 1, buffer, GFP_ATOMIC),
				  buffer);
}

/**
 * balloon_host_lend - put memory that the host may write on a queue, and notify
 * @b: the balloon; the device runs
 * @queue: the caller serialises its use
 * @sg: the memory, up to and including the entry marked as the end
 * @nents: number of entries
 * @buffer: token; may be shared by buffers that are not waited for
 *
 * Does not sleep; allocates nothing, since indirect descriptors are declined.
 *
 * Return: as balloon_host_give().
 */
int balloon_host_lend(struct balloon *b, enum balloon_queue queue,
		      struct scatterlist *sg, unsigned int nents,
		      struct balloon_buffer *buffer)
{
	struct virtqueue *vq = b->vqs[queue];

	if (READ_ONCE(b->gone))
		return -ENODEV;
	return balloon_host_added(b, vq, virtqueue_add_inbuf(vq, sg, nents, buffer, GFP_ATOMIC),
				  buffer);
}

/**
 * balloon_host_collect - take the buffers that the host has returned
 * @b: the balloon
 * @queue: the caller serialises its use
 *
 * Does not sleep. The used length is ignored: legacy devices get it wrong.
 */
void balloon_host_collect(struct balloon *b, enum balloon_queue queue)
{
	struct balloon_buffer *buffer;
	unsigned int len;

	while ((buffer = virtqueue_get_buf(b->vqs[queue], &len)))
		buffer->in_flight = false;
}

/**
 * balloon_host_room - whether a queue takes a buffer of one entry
 * @b: the balloon
 * @queue: the caller serialises its use
 *
 * Does not sleep. Takes the buffers that the host has returned.
 *
 * Return: whether an entry is free.
 */
bool balloon_host_room(struct balloon *b, enum balloon_queue queue)
{
	balloon_host_collect(b, queue);
	return b->vqs[queue]->num_free;
}

static bool balloon_host_returned(struct balloon *b, enum balloon_queue queue,
				  const struct balloon_buffer *buffer)
{
	if (buffer->in_flight)
		balloon_host_collect(b, queue);
	return !buffer->in_flight;
}

/**
 * balloon_host_wait_for - wait a limited time until the host returns a buffer
 * @b: the balloon
 * @queue: the caller serialises its use
 * @buffer: token
 * @timeout: in jiffies
 *
 * Sleeps. Does not look whether the device lives.
 *
 * Return: 0 when the buffer is back, -ETIMEDOUT if it is still the host's.
 */
int balloon_host_wait_for(struct balloon *b, enum balloon_queue queue,
			  const struct balloon_buffer *buffer,
			  unsigned long timeout)
{
	struct virtqueue *vq = b->vqs[queue];
	long left;

	if (balloon_host_returned(b, queue, buffer))
		return 0;
	/* Only now, so that a host that was quick enough need not interrupt. */
	virtqueue_enable_cb(vq);
	left = wait_event_timeout(b->acked, balloon_host_returned(b, queue, buffer), timeout);
	virtqueue_disable_cb(vq);
	return left ? 0 : -ETIMEDOUT;
}

/**
 * balloon_host_wait - wait until the host returns a buffer
 * @b: the balloon
 * @queue: the caller serialises its use
 * @buffer: token
 *
 * Sleeps; takes gone_lock. A slow host is waited for without a limit, with one
 * message that says so, as long as the balloon works. Once it is being quiesced, the
 * device is reset when the host has been silent for BALLOON_HOST_PATIENCE: a guest
 * that goes down or to sleep does not hang on its host.
 *
 * Return: 0 when the buffer is back, -ENODEV if the device died or was given up: it
 * has been reset then, and what was in flight is the guest's again.
 */
int balloon_host_wait(struct balloon *b, enum balloon_queue queue,
		      const struct balloon_buffer *buffer)
{
	unsigned long waited = 0;

	while (balloon_host_wait_for(b, queue, buffer, BALLOON_HOST_POLL)) {
		if (balloon_host_gone(b))
			return -ENODEV;
		waited += BALLOON_HOST_POLL;
		if (waited >= BALLOON_HOST_PATIENCE && !balloon_running(b)) {
			balloon_host_abandon(b, "the host does not answer");
			return -ENODEV;
		}
		if (waited == BALLOON_HOST_PATIENCE)
			balloon_say(b, KERN_WARNING,
				    "the host has not answered for %d s, and is waited for (%ld times so far)\n",
				    BALLOON_HOST_PATIENCE / HZ, atomic_long_inc_return(&b->slow));
	}
	return 0;
}

/**
 * balloon_host_reset - take everything back from the device
 * @b: the balloon
 *
 * Sleeps. Afterwards the host owns no page and no buffer, and no queue callback
 * runs.
 */
void balloon_host_reset(struct balloon *b)
{
	/* The reset of an absent device would be waited for without end. */
	if (b->vdev->config->get_status(b->vdev) != 0xff)
		virtio_reset_device(b->vdev);
}
