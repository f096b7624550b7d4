// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether work may run, and whether the guest must stay awake until it has run.
 */
#include <linux/device.h>
#include <linux/virtio.h>

#include "balloon.h"

/**
 * balloon_activity_setup - create the workqueue
 * @b: the balloon
 *
 * Sleeps. No work runs before balloon_set_running().
 *
 * Return: 0 or -ENOMEM.
 */
int balloon_activity_setup(struct balloon *b)
{
	spin_lock_init(&b->activity.lock);
	/*
	 * Freezable, so that no work runs when the device is frozen. Unbound, since some
	 * work keeps a CPU busy for long. WQ_MEM_RECLAIM, since a guest that is short of
	 * memory cannot start another thread, and this work gives memory back.
	 */
	b->activity.wq = alloc_workqueue("virtio-balloon-%s",
					 WQ_FREEZABLE | WQ_UNBOUND | WQ_MEM_RECLAIM, 0,
					 dev_name(&b->vdev->dev));
	return b->activity.wq ? 0 : -ENOMEM;
}

/**
 * balloon_activity_teardown - undo balloon_activity_setup()
 * @b: the balloon; no work is queued any more
 *
 * Sleeps.
 */
void balloon_activity_teardown(struct balloon *b)
{
	destroy_workqueue(b->activity.wq);
}

/**
 * balloon_set_running - let work be queued, or no longer
 * @b: the balloon
 * @running: whether work may be queued from here on
 *
 * Work that is queued or runs already is not waited for. Process context; takes
 * activity.lock.
 */
void balloon_set_running(struct balloon *b, bool running)
{
	spin_lock_irq(&b->activity.lock);
	WRITE_ONCE(b->activity.running, running);
	spin_unlock_irq(&b->activity.lock);
}

/**
 * balloon_running - whether work may go on
 * @b: the balloon
 *
 * Any context. Work that takes long asks this now and then, and ends early if not.
 *
 * Return: false once the balloon is being quiesced.
 */
bool balloon_running(struct balloon *b)
{
	return READ_ONCE(b->activity.running);
}

/**
 * balloon_queue_work - queue work, unless the balloon is being quiesced
 * @b: the balloon
 * @work: a feature's work item; may be pending or running
 * @delay: 0 to run it at once, also if it is pending with a delay; otherwise in
 *	   jiffies, and then a pending item is left as it is
 *
 * Any context; takes activity.lock.
 */
void balloon_queue_work(struct balloon *b, struct delayed_work *work, unsigned long delay)
{
	unsigned long flags;

	spin_lock_irqsave(&b->activity.lock, flags);
	if (b->activity.running) {
		if (delay)
			queue_delayed_work(b->activity.wq, work, delay);
		else
			mod_delayed_work(b->activity.wq, work, 0);
	}
	spin_unlock_irqrestore(&b->activity.lock, flags);
}

/**
 * balloon_stay_awake - keep awake a guest that is about to suspend
 * @b: the balloon
 * @reason: one of BALLOON_STAY_AWAKE_*, until balloon_relax() with the same reason
 *
 * Only if the administrator enabled it in the device's power/wakeup, and only while
 * work may be queued: the end of this work, or quiesce, calls balloon_relax(). This
 * does not wake a guest that sleeps already. Any context; takes activity.lock.
 */
void balloon_stay_awake(struct balloon *b, unsigned long reason)
{
	unsigned long flags;

	if (!device_may_wakeup(&b->vdev->dev))
		return;

	spin_lock_irqsave(&b->activity.lock, flags);
	if (b->activity.running) {
		if (!b->activity.stay_awake)
			pm_stay_awake(&b->vdev->dev);
		b->activity.stay_awake |= reason;
	}
	spin_unlock_irqrestore(&b->activity.lock, flags);
}

/**
 * balloon_relax - undo balloon_stay_awake()
 * @b: the balloon
 * @reason: one of BALLOON_STAY_AWAKE_*
 *
 * Any context; takes activity.lock.
 */
void balloon_relax(struct balloon *b, unsigned long reason)
{
	unsigned long flags;

	if (!READ_ONCE(b->activity.stay_awake))
		return;

	spin_lock_irqsave(&b->activity.lock, flags);
	if (b->activity.stay_awake == reason)
		pm_relax(&b->vdev->dev);
	b->activity.stay_awake &= ~reason;
	spin_unlock_irqrestore(&b->activity.lock, flags);
}
