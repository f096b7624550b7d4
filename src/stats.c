// SPDX-License-Identifier: GPL-2.0-only
/*
 * The statistics queue. One buffer goes back and forth: the host returns it to
 * ask for numbers, the driver fills it and gives it back. Serves "Memory
 * Statistics" of the specification.
 *
 * The host is answered in the queue's callback. A work item answers where that
 * cannot be: while a CPU goes on- or offline, and on so many CPUs that the sum
 * would take too long with interrupts off.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/moduleparam.h>

#include "balloon.h"
#include "pack.h"
#include "sample.h"

/*
 * Interrupts are off for so long at most, in nanoseconds, while a sample is taken. On a
 * large machine most of it is spent on other CPUs' cache lines, whose cost nobody can
 * tell beforehand: so the clock decides.
 */
#define BALLOON_STATS_IRQ_NS	50000

static unsigned int max_stat_tag = VIRTIO_BALLOON_S_NR - 1;
module_param(max_stat_tag, uint, 0444);
MODULE_PARM_DESC(max_stat_tag,
		 "Highest statistics tag sent to the host, 0 to 15; 9 for hosts that know only the old ten (default: 15)");

/**
 * balloon_stats_check_param - refuse a max_stat_tag out of range
 *
 * Return: 0, or -EINVAL with a message that says why.
 */
int balloon_stats_check_param(void)
{
	if (max_stat_tag < VIRTIO_BALLOON_S_NR)
		return 0;
	pr_err("max_stat_tag=%u is out of range: tags go from 0 to %u\n",
	       max_stat_tag, VIRTIO_BALLOON_S_NR - 1);
	return -EINVAL;
}

/* Puts the buffer, which is not in flight, on the queue. Does not notify. */
static int balloon_stats_put(struct balloon *b, const struct balloon_sample *sample)
{
	struct balloon_stats *stats = &b->stats;
	struct scatterlist sg;
	size_t len;

	lockdep_assert_held(&stats->lock);
	len = balloon_pack(sample, stats->tags, PAGE_SHIFT,
			   virtio_is_little_endian(b->vdev), stats->report);
	sg_init_one(&sg, stats->report, len);
	stats->owed = false;
	return virtqueue_add_outbuf(b->vqs[BALLOON_QUEUE_STATS], &sg, 1, stats, GFP_ATOMIC);
}

static void balloon_stats_answer(struct balloon *b, const struct balloon_sample *sample)
{
	/* An empty queue takes a buffer unless the device broke it. */
	if (!balloon_stats_put(b, sample))
		virtqueue_kick(b->vqs[BALLOON_QUEUE_STATS]);
	balloon_relax(b, BALLOON_AWAKE_STATS);
}

/*
 * Answers if the host has asked. Any context. First takes the buffer back, then
 * fills it: until then it is the host's.
 */
static void balloon_stats_check(struct balloon *b)
{
	struct balloon_stats *stats = &b->stats;
	struct balloon_sample sample;
	unsigned long flags;
	unsigned int len;

	spin_lock_irqsave(&stats->lock, flags);
	if (stats->open && virtqueue_get_buf(b->vqs[BALLOON_QUEUE_STATS], &len)) {
		balloon_stay_awake(b, BALLOON_AWAKE_STATS);
		if (balloon_sample_try(&sample, BALLOON_STATS_IRQ_NS)) {
			balloon_stats_answer(b, &sample);
		} else {
			stats->owed = true;
			balloon_queue_work(b, &stats->work, 0);
		}
	}
	spin_unlock_irqrestore(&stats->lock, flags);
}

/**
 * balloon_stats_requested - virtqueue callback: the host returned the buffer
 * @vq: the statistics queue
 *
 * Any context.
 */
void balloon_stats_requested(struct virtqueue *vq)
{
	balloon_stats_check(vq->vdev->priv);
}

static void balloon_stats_work(struct work_struct *work)
{
	struct balloon *b = container_of(to_delayed_work(work), struct balloon, stats.work);
	struct balloon_stats *stats = &b->stats;
	struct balloon_sample sample;

	balloon_sample(&sample);

	spin_lock_irq(&stats->lock);
	if (stats->open && stats->owed)
		balloon_stats_answer(b, &sample);
	spin_unlock_irq(&stats->lock);
}

static int balloon_stats_setup(struct balloon *b)
{
	struct balloon_stats *stats = &b->stats;

	spin_lock_init(&stats->lock);
	INIT_DELAYED_WORK(&stats->work, balloon_stats_work);
	stats->tags = balloon_pack_limit(balloon_sample_supported(), max_stat_tag);
	return 0;
}

static int balloon_stats_first(struct balloon *b)
{
	struct balloon_stats *stats = &b->stats;
	struct balloon_sample sample;
	int err;

	balloon_sample(&sample);

	spin_lock_irq(&stats->lock);
	err = balloon_stats_put(b, &sample);
	stats->open = !err;
	spin_unlock_irq(&stats->lock);
	return err;
}

/*
 * The first buffer is on the queue when the device starts: hosts publish it. Not with
 * CONFIG_VIRTIO_HARDEN_NOTIFICATION: there a queue counts as broken until the device runs.
 */
static int balloon_stats_arm(struct balloon *b)
{
	return virtqueue_is_broken(b->vqs[BALLOON_QUEUE_STATS]) ? 0 : balloon_stats_first(b);
}

static void balloon_stats_start(struct balloon *b)
{
	struct balloon_stats *stats = &b->stats;

	if (!stats->open && balloon_stats_first(b))
		return;
	spin_lock_irq(&stats->lock);
	virtqueue_kick(b->vqs[BALLOON_QUEUE_STATS]);
	spin_unlock_irq(&stats->lock);
}

static void balloon_stats_quiesce(struct balloon *b)
{
	struct balloon_stats *stats = &b->stats;

	spin_lock_irq(&stats->lock);
	stats->open = false;
	spin_unlock_irq(&stats->lock);
	cancel_delayed_work_sync(&stats->work);
	balloon_relax(b, BALLOON_AWAKE_STATS);
}

const struct balloon_room balloon_stats_room = {
	.feature = VIRTIO_BALLOON_F_STATS_VQ,
	.setup = balloon_stats_setup,
	.arm = balloon_stats_arm,
	.start = balloon_stats_start,
	.awake = balloon_stats_check,
	.quiesce = balloon_stats_quiesce,
};
