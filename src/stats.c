// SPDX-License-Identifier: GPL-2.0-only
/*
 * The statistics queue. There is one buffer: the host returns it to ask for
 * statistics, and the driver fills it and gives it back. Serves "Memory Statistics"
 * of the specification.
 *
 * The queue's callback answers the host. A work item answers instead where the
 * callback cannot: while a CPU goes online or offline, and where there are so many
 * CPUs that interrupts would be off for too long.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/scatterlist.h>
#include <linux/virtio_config.h>

#include "balloon.h"
#include "pack.h"
#include "sample.h"

/*
 * The longest time in nanoseconds that interrupts are off while a sample is taken. On a
 * large machine most of the time goes into reading other CPUs' cache lines, and nobody
 * knows in advance how long this takes. So the clock decides.
 */
#define BALLOON_STATS_IRQ_NS	50000

static int balloon_stats_set_max_tag(const char *value, const struct kernel_param *param)
{
	unsigned int tag;
	int err = kstrtouint(value, 0, &tag);

	if (err)
		return err;
	if (tag >= VIRTIO_BALLOON_S_NR) {
		pr_err("max_stat_tag=%u is out of range: tags go from 0 to %u\n",
		       tag, VIRTIO_BALLOON_S_NR - 1);
		return -EINVAL;
	}
	*(unsigned int *)param->arg = tag;
	return 0;
}

static const struct kernel_param_ops balloon_stats_max_tag_ops = {
	.set = balloon_stats_set_max_tag,
	.get = param_get_uint,
};

static unsigned int max_stat_tag = VIRTIO_BALLOON_S_NR - 1;
module_param_cb(max_stat_tag, &balloon_stats_max_tag_ops, &max_stat_tag, 0444);
__MODULE_PARM_TYPE(max_stat_tag, "uint");
MODULE_PARM_DESC(max_stat_tag,
		 "Highest statistics tag sent to the host, 0 to 15; 9 for hosts that know only the old ten (default: 15)");

/* Puts the buffer, which is not in flight, on the queue. Does not notify the host. */
static int balloon_stats_put(struct balloon *b, const struct balloon_sample *sample)
{
	struct balloon_stats *stats = &b->stats;
	struct scatterlist sg;
	size_t len;

	lockdep_assert_held(&stats->lock);
	len = balloon_pack(sample, stats->tags, PAGE_SHIFT,
			   virtio_is_little_endian(b->vdev), stats->entries);
	sg_init_one(&sg, stats->entries, len);
	return balloon_host_put(&b->host, BALLOON_QUEUE_STATS, &sg, &stats->buffer);
}

static void balloon_stats_answer(struct balloon *b, const struct balloon_sample *sample)
{
	/* The queue is empty. It refuses the buffer only if it is broken or the device is dead. */
	if (!balloon_stats_put(b, sample))
		balloon_host_notify(&b->host, BALLOON_QUEUE_STATS);
	balloon_relax(b, BALLOON_STAY_AWAKE_STATS);
}

/*
 * Answers the host if it has asked. Any context. Takes the buffer back before it fills
 * it, since until then the host may read it.
 */
static void balloon_stats_check(struct balloon *b)
{
	struct balloon_stats *stats = &b->stats;
	struct balloon_sample sample;
	unsigned long flags;

	spin_lock_irqsave(&stats->lock, flags);
	if (stats->active &&
	    balloon_host_returned(&b->host, BALLOON_QUEUE_STATS, &stats->buffer)) {
		balloon_stay_awake(b, BALLOON_STAY_AWAKE_STATS);
		if (balloon_sample_try(&sample, BALLOON_STATS_IRQ_NS))
			balloon_stats_answer(b, &sample);
		else
			balloon_queue_work(b, &stats->work, 0);
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
	if (stats->active && !stats->buffer.in_flight)
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
	stats->active = !err;
	spin_unlock_irq(&stats->lock);
	return err;
}

/*
 * The first buffer must be on the queue when the device starts, since hosts publish its
 * contents. A queue that is broken already is no error: on kernels with
 * CONFIG_VIRTIO_HARDEN_NOTIFICATION all queues count as broken until the device runs.
 * The first buffer follows in balloon_stats_start() then.
 */
static int balloon_stats_before_ready(struct balloon *b)
{
	int err;

	/* After a reset the host has no buffer any more. */
	b->stats.buffer.in_flight = false;
	err = balloon_stats_first(b);
	return err == -EIO ? 0 : err;
}

static void balloon_stats_start(struct balloon *b)
{
	struct balloon_stats *stats = &b->stats;
	int err = stats->active ? 0 : balloon_stats_first(b);

	if (err) {
		balloon_log(b, KERN_WARNING, "no statistics: the queue takes no buffer (%d)\n",
			    err);
		return;
	}
	spin_lock_irq(&stats->lock);
	balloon_host_notify(&b->host, BALLOON_QUEUE_STATS);
	spin_unlock_irq(&stats->lock);
}

static void balloon_stats_quiesce(struct balloon *b)
{
	struct balloon_stats *stats = &b->stats;

	spin_lock_irq(&stats->lock);
	stats->active = false;
	spin_unlock_irq(&stats->lock);
	cancel_delayed_work_sync(&stats->work);
	balloon_relax(b, BALLOON_STAY_AWAKE_STATS);
}

const struct balloon_feature balloon_stats_feature = {
	.bit = VIRTIO_BALLOON_F_STATS_VQ,
	.setup = balloon_stats_setup,
	.before_ready = balloon_stats_before_ready,
	.start = balloon_stats_start,
	.pm_wake = balloon_stats_check,
	.quiesce = balloon_stats_quiesce,
};
