/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_HOST_H
#define BALLOON_HOST_H

#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/virtio.h>
#include <linux/wait.h>

struct balloon;

/* The queues in the order of their numbers on the device. */
enum balloon_queue {
	BALLOON_QUEUE_INFLATE,
	BALLOON_QUEUE_DEFLATE,
	BALLOON_QUEUE_STATS,
	BALLOON_QUEUE_HINT,
	BALLOON_QUEUE_REPORTING,
	BALLOON_QUEUES
};

/*
 * In jiffies. If a host does not answer for this time, the log gets a message, and whoever
 * stops the device or goes to sleep stops waiting.
 */
#define BALLOON_HOST_PATIENCE	(10 * HZ)

/**
 * struct balloon_buffer - the token of a buffer on a queue
 * @in_flight: the host has the buffer and may read or write it; protected by
 *	       whatever serialises the use of the queue
 */
struct balloon_buffer {
	bool in_flight;
};

/**
 * struct balloon_host - the host's side of the device
 * @vqs: the queues; NULL where a queue does not exist
 * @acked: woken when the host has returned a buffer, when the reporting queue is free, and
 *	   when a wait must end; every wait also looks from time to time, so none depends on
 *	   being woken
 * @slow_answers: how many answers took so long that the log says so
 * @gone_lock: protects the change of @gone, with the reset that belongs to it
 * @gone: the device died, or was given up, and was reset; it gets no more buffers
 */
struct balloon_host {
	struct virtqueue *vqs[BALLOON_QUEUES];
	wait_queue_head_t acked;
	atomic_long_t slow_answers;

	struct mutex gone_lock;	/* see above */
	bool gone;
};

/**
 * balloon_host_init - prepare the waits for the host
 * @host: of the balloon
 *
 * Any context.
 */
static inline void balloon_host_init(struct balloon_host *host)
{
	init_waitqueue_head(&host->acked);
	mutex_init(&host->gone_lock);
}

/*
 * The next four functions are inline: each statistics request calls them with interrupts
 * off.
 */

/**
 * balloon_host_put - put a buffer that the host reads on a queue
 * @host: of the balloon; its queues exist
 * @queue: the caller serialises its use
 * @sg: the buffer, one entry
 * @buffer: token; not in flight
 *
 * Does not notify the host. Does not sleep and allocates nothing.
 *
 * Return: 0; or -ENODEV if the device is dead, -ENOSPC if the queue is full, -EIO if it
 * is broken: then the buffer is still the caller's.
 */
static inline int balloon_host_put(struct balloon_host *host, enum balloon_queue queue,
				   struct scatterlist *sg, struct balloon_buffer *buffer)
{
	int err;

	if (READ_ONCE(host->gone))
		return -ENODEV;
	err = virtqueue_add_outbuf(host->vqs[queue], sg, 1, buffer, GFP_ATOMIC);
	if (!err)
		buffer->in_flight = true;
	return err;
}

/**
 * balloon_host_notify - tell the host that there are new buffers on a queue
 * @host: of the balloon; the device runs
 * @queue: the caller serialises its use
 *
 * Does not sleep.
 */
static inline void balloon_host_notify(struct balloon_host *host, enum balloon_queue queue)
{
	virtqueue_kick(host->vqs[queue]);
}

/**
 * balloon_host_take - take the next buffer that the host has returned
 * @host: of the balloon
 * @queue: the caller serialises its use
 *
 * Does not sleep. Ignores the used length, since legacy devices set it wrongly.
 *
 * Return: whether there was one.
 */
static inline bool balloon_host_take(struct balloon_host *host, enum balloon_queue queue)
{
	struct balloon_buffer *buffer;
	unsigned int len;

	buffer = virtqueue_get_buf(host->vqs[queue], &len);
	if (!buffer)
		return false;
	buffer->in_flight = false;
	return true;
}

/**
 * balloon_host_returned - whether the host has returned a buffer
 * @host: of the balloon
 * @queue: the caller serialises its use
 * @buffer: token
 *
 * Does not sleep. Takes buffers that the host has returned until this one is among them.
 *
 * Return: whether the buffer is the caller's.
 */
static inline bool balloon_host_returned(struct balloon_host *host, enum balloon_queue queue,
					 const struct balloon_buffer *buffer)
{
	while (buffer->in_flight)
		if (!balloon_host_take(host, queue))
			return false;
	return true;
}

void balloon_host_acked(struct virtqueue *vq);
bool balloon_device_dead(struct virtio_device *vdev, u8 *status);
bool balloon_host_gone(struct balloon *b);
void balloon_host_abandon(struct balloon *b, const char *why);
int balloon_host_give(struct balloon *b, enum balloon_queue queue,
		      struct scatterlist *sg, struct balloon_buffer *buffer);
int balloon_host_lend(struct balloon *b, enum balloon_queue queue,
		      struct scatterlist *sg, unsigned int nents,
		      struct balloon_buffer *buffer);
unsigned int balloon_host_free_entries(struct balloon *b, enum balloon_queue queue);
unsigned int balloon_host_queue_size(struct balloon *b, enum balloon_queue queue);
int balloon_host_wait(struct balloon *b, enum balloon_queue queue,
		      const struct balloon_buffer *buffer);
int balloon_host_wait_for(struct balloon *b, enum balloon_queue queue,
			  const struct balloon_buffer *buffer,
			  unsigned long timeout);
void balloon_host_reset(struct balloon *b);

#endif /* BALLOON_HOST_H */
