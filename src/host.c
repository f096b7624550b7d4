// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives buffers to the host, takes them back, waits for them, and finds out whether
 * the device is still alive. Only this file, its header, and negotiate.c, which creates
 * the queues, use the functions of virtqueues.
 *
 * Nobody wakes a waiter when a device dies. So every wait also looks at the device,
 * once a second. A device that is only slow is waited for. While the balloon is being
 * quiesced, this wait has a limit, and then the device is reset as a dead one is.
 */
#include <linux/virtio.h>
#include <linux/virtio_config.h>

#include "balloon.h"
#include "compat/virtio.h"

/* How often a waiter looks whether the device still lives, in jiffies. */
#define BALLOON_HOST_POLL	HZ

/**
 * balloon_host_acked - virtqueue callback: the host returned a buffer
 * @vq: the queue
 *
 * Any context. Whoever waits for the buffer takes it from the queue.
 */
void balloon_host_acked(struct virtqueue *vq)
{
	struct balloon *b = vq->vdev->priv;

	wake_up(&b->host.acked);
}

/**
 * balloon_device_dead - find out whether a device still works
 * @vdev: the device; it was started, by whatever driver, and its queues stay while this runs
 * @status: where its status is stored
 *
 * May sleep, as the transport does. Serves "Driver Requirements: Device Status Field".
 *
 * Return: whether the device is dead.
 */
bool balloon_device_dead(struct virtio_device *vdev, u8 *status)
{
	struct virtqueue *vq;

	*status = vdev->config->get_status(vdev);

	/* It is 0 after a reset by somebody else, and all ones when the device is unplugged. */
	if (!(*status & VIRTIO_CONFIG_S_DRIVER_OK) || *status == 0xff ||
	    (*status & VIRTIO_CONFIG_S_NEEDS_RESET))
		return true;

	virtio_device_for_each_vq(vdev, vq)
		if (virtqueue_is_broken(vq))
			return true;
	return false;
}

/* The host owns nothing from here on, and nobody waits for it any more. */
static void balloon_host_end(struct balloon *b)
{
	lockdep_assert_held(&b->host.gone_lock);
	WRITE_ONCE(b->host.gone, true);
	balloon_host_reset(b);
	wake_up_all(&b->host.acked);
}

/**
 * balloon_host_gone - find out whether the device is dead
 * @b: the balloon; the device was started and not reset since
 *
 * Ask this before you believe a value of the configuration. A device that is found
 * dead is reset before this returns, so the host owns no page and no buffer any more.
 *
 * Sleeps; takes gone_lock. Serves "Driver Requirements: Device Status Field".
 *
 * Return: whether the device is dead; it does not come back to life.
 */
bool balloon_host_gone(struct balloon *b)
{
	u8 status;

	mutex_lock(&b->host.gone_lock);
	if (!b->host.gone && balloon_device_dead(b->vdev, &status)) {
		balloon_log(b, KERN_ERR,
			    "the device died (status 0x%02x): giving its memory back to the guest\n",
			    status);
		balloon_host_end(b);
	}
	mutex_unlock(&b->host.gone_lock);

	return b->host.gone;
}

/**
 * balloon_host_abandon - give up a device that is alive but does not work
 * @b: the balloon; the device was started and not reset since
 * @why: what is wrong with it, for the log
 *
 * Resets the device. From here on it counts as dead, see balloon_host_gone(). Sleeps;
 * takes gone_lock.
 */
void balloon_host_abandon(struct balloon *b, const char *why)
{
	mutex_lock(&b->host.gone_lock);
	if (!b->host.gone) {
		balloon_log(b, KERN_ERR,
			    "%s: resetting the device, and giving its memory back to the guest\n",
			    why);
		balloon_host_end(b);
	}
	mutex_unlock(&b->host.gone_lock);
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
 * Return: as balloon_host_put().
 */
int balloon_host_give(struct balloon *b, enum balloon_queue queue,
		      struct scatterlist *sg, struct balloon_buffer *buffer)
{
	int err = balloon_host_put(&b->host, queue, sg, buffer);

	if (!err)
		balloon_host_notify(&b->host, queue);
	return err;
}

/**
 * balloon_host_lend - put memory that the host may write on a queue, and notify
 * @b: the balloon; the device runs
 * @queue: the caller serialises its use
 * @sg: the memory, up to and including the entry marked as the end
 * @nents: number of entries
 * @buffer: token; several buffers may share it if nobody waits for them
 *
 * Does not sleep. Allocates nothing, since indirect descriptors are declined.
 *
 * Return: as balloon_host_put().
 */
int balloon_host_lend(struct balloon *b, enum balloon_queue queue,
		      struct scatterlist *sg, unsigned int nents,
		      struct balloon_buffer *buffer)
{
	struct virtqueue *vq = b->host.vqs[queue];
	int err;

	if (READ_ONCE(b->host.gone))
		return -ENODEV;
	err = virtqueue_add_inbuf(vq, sg, nents, buffer, GFP_ATOMIC);
	if (err)
		return err;
	buffer->in_flight = true;
	balloon_host_notify(&b->host, queue);
	return 0;
}

/**
 * balloon_host_free_entries - how many entries of a queue are free
 * @b: the balloon
 * @queue: the caller serialises its use
 *
 * Does not sleep. Takes the buffers that the host has returned.
 *
 * Return: number of buffers of one entry that the queue has space for.
 */
unsigned int balloon_host_free_entries(struct balloon *b, enum balloon_queue queue)
{
	while (balloon_host_take(&b->host, queue))
		;
	return b->host.vqs[queue]->num_free;
}

/**
 * balloon_host_queue_size - how many entries a queue has
 * @b: the balloon; its queues exist
 * @queue: the queue
 *
 * Any context.
 *
 * Return: number of entries, free or not.
 */
unsigned int balloon_host_queue_size(struct balloon *b, enum balloon_queue queue)
{
	return virtqueue_get_vring_size(b->host.vqs[queue]);
}

/**
 * balloon_host_wait_for - wait a limited time until the host returns a buffer
 * @b: the balloon
 * @queue: the caller serialises its use
 * @buffer: token
 * @timeout: in jiffies
 *
 * Sleeps. Does not find out whether the device is alive.
 *
 * Return: 0 when the buffer is back, -ETIMEDOUT if it is still the host's.
 */
int balloon_host_wait_for(struct balloon *b, enum balloon_queue queue,
			  const struct balloon_buffer *buffer,
			  unsigned long timeout)
{
	struct virtqueue *vq = b->host.vqs[queue];
	long left;

	if (balloon_host_returned(&b->host, queue, buffer))
		return 0;
	/* Enabled only now: a host that was quick enough need not send an interrupt. */
	virtqueue_enable_cb(vq);
	left = wait_event_timeout(b->host.acked, balloon_host_returned(&b->host, queue, buffer),
				  timeout);
	virtqueue_disable_cb(vq);
	return left ? 0 : -ETIMEDOUT;
}

/**
 * balloon_host_wait - wait until the host returns a buffer
 * @b: the balloon
 * @queue: the caller serialises its use
 * @buffer: token
 *
 * Sleeps; takes gone_lock. While the balloon works, this waits for a slow host without
 * a limit, and writes one message about it. While the balloon is being quiesced, it
 * resets the device when the host has not answered for BALLOON_HOST_PATIENCE: so a
 * guest that shuts down or goes to sleep does not hang because of its host.
 *
 * Return: 0 when the buffer is back; -ENODEV if the device died or was given up: it
 * has been reset then, and what was in flight belongs to the guest again.
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
			balloon_log(b, KERN_WARNING,
				    "the host has not answered for %d s, and is waited for (%ld times so far)\n",
				    BALLOON_HOST_PATIENCE / HZ,
				    atomic_long_inc_return(&b->host.slow_answers));
	}
	return 0;
}

/**
 * balloon_host_reset - reset the device, which takes everything back from the host
 * @b: the balloon
 *
 * Sleeps. Afterwards the host owns no page and no buffer, and no callback of a queue
 * runs.
 */
void balloon_host_reset(struct balloon *b)
{
	/* The virtio core would wait for ever for the reset of an absent device. */
	if (b->vdev->config->get_status(b->vdev) != 0xff)
		virtio_reset_device(b->vdev);
}
