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
 * @acked: woken when the host has returned a buffer and when a wait must end; every
 *	   wait also looks from time to time, so none depends on being woken
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

void balloon_host_acked(struct virtqueue *vq);
bool balloon_host_gone(struct balloon *b);
void balloon_host_abandon(struct balloon *b, const char *why);
int balloon_host_put(struct balloon *b, enum balloon_queue queue,
		     struct scatterlist *sg, struct balloon_buffer *buffer);
void balloon_host_notify(struct balloon *b, enum balloon_queue queue);
int balloon_host_give(struct balloon *b, enum balloon_queue queue,
		      struct scatterlist *sg, struct balloon_buffer *buffer);
int balloon_host_lend(struct balloon *b, enum balloon_queue queue,
		      struct scatterlist *sg, unsigned int nents,
		      struct balloon_buffer *buffer);
bool balloon_host_returned(struct balloon *b, enum balloon_queue queue,
			   const struct balloon_buffer *buffer);
unsigned int balloon_host_free_entries(struct balloon *b, enum balloon_queue queue);
unsigned int balloon_host_queue_size(struct balloon *b, enum balloon_queue queue);
int balloon_host_wait(struct balloon *b, enum balloon_queue queue,
		      const struct balloon_buffer *buffer);
int balloon_host_wait_for(struct balloon *b, enum balloon_queue queue,
			  const struct balloon_buffer *buffer,
			  unsigned long timeout);
void balloon_host_reset(struct balloon *b);

#endif /* BALLOON_HOST_H */
