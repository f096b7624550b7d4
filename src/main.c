// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's life: probe, configuration change, suspend, shutdown, remove.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/crash_dump.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "balloon.h"

/* Opened in this order, closed in reverse. */
static const struct balloon_room * const balloon_rooms[] = {
	&balloon_poison_room,
	&balloon_size_room,
	&balloon_oom_room,
	&balloon_stats_room,
	&balloon_hint_room,
	&balloon_report_room,
};

#define BALLOON_ROOMS	ARRAY_SIZE(balloon_rooms)

/* So many messages of balloon_say() in so many jiffies are written. */
#define BALLOON_SAID_BURST	10
#define BALLOON_SAID_INTERVAL	(300 * HZ)

/* A room that has no verbs stands in where the feature was not negotiated. */
static const struct balloon_room *balloon_room(struct balloon *b, unsigned int i)
{
	static const struct balloon_room closed;
	const struct balloon_room *room = balloon_rooms[i];

	if (room->feature == BALLOON_ALWAYS || virtio_has_feature(b->vdev, room->feature))
		return room;
	return &closed;
}

static void balloon_call(struct balloon *b, void (*verb)(struct balloon *b))
{
	if (verb)
		verb(b);
}

/**
 * balloon_running - whether work goes on
 * @b: the balloon
 *
 * Any context. Long work asks now and then, and ends if not.
 *
 * Return: false once the balloon is being quiesced.
 */
bool balloon_running(struct balloon *b)
{
	return READ_ONCE(b->running);
}

/**
 * balloon_say - write a message about the device to the log
 * @b: the balloon
 * @level: KERN_INFO or another
 * @format: as printk() has it, with its arguments
 *
 * For all that a host can have the driver say: it may do the same again and again, so
 * only some messages in a while are written. Any context.
 */
void balloon_say(struct balloon *b, const char *level, const char *format, ...)
{
	struct va_format message = { .fmt = format };
	va_list args;

	if (!__ratelimit(&b->said))
		return;
	va_start(args, format);
	message.va = &args;
	dev_printk(level, &b->vdev->dev, "%pV", &message);
	va_end(args);
}

static void balloon_set_running(struct balloon *b, bool running)
{
	spin_lock_irq(&b->state_lock);
	WRITE_ONCE(b->running, running);
	spin_unlock_irq(&b->state_lock);
}

/**
 * balloon_queue_work - queue work, unless the balloon is being quiesced
 * @b: the balloon
 * @work: a room's work item; may be pending or running
 * @delay: 0 for at once, whatever it is pending for; otherwise in jiffies, and
 *	   then a pending item is left as it is
 *
 * Any context; takes state_lock.
 */
void balloon_queue_work(struct balloon *b, struct delayed_work *work, unsigned long delay)
{
	unsigned long flags;

	spin_lock_irqsave(&b->state_lock, flags);
	if (b->running) {
		if (delay)
			queue_delayed_work(b->wq, work, delay);
		else
			mod_delayed_work(b->wq, work, 0);
	}
	spin_unlock_irqrestore(&b->state_lock, flags);
}

/**
 * balloon_stay_awake - do not let a guest fall asleep that is just suspending
 * @b: the balloon
 * @reason: one of BALLOON_AWAKE_*, until balloon_relax() with the same
 *
 * Only where the administrator enabled it in the device's power/wakeup, and while work
 * may be queued, whose end or whose quiescing lets go again. Nothing here wakes a guest
 * that sleeps already. Any context; takes state_lock.
 */
void balloon_stay_awake(struct balloon *b, unsigned long reason)
{
	unsigned long flags;

	if (!device_may_wakeup(&b->vdev->dev))
		return;

	spin_lock_irqsave(&b->state_lock, flags);
	if (b->running) {
		if (!b->awake)
			pm_stay_awake(&b->vdev->dev);
		b->awake |= reason;
	}
	spin_unlock_irqrestore(&b->state_lock, flags);
}

/**
 * balloon_relax - undo balloon_stay_awake()
 * @b: the balloon
 * @reason: one of BALLOON_AWAKE_*
 *
 * Any context; takes state_lock.
 */
void balloon_relax(struct balloon *b, unsigned long reason)
{
	unsigned long flags;

	if (!READ_ONCE(b->awake))
		return;

	spin_lock_irqsave(&b->state_lock, flags);
	if (b->awake == reason)
		pm_relax(&b->vdev->dev);
	b->awake &= ~reason;
	spin_unlock_irqrestore(&b->state_lock, flags);
}

/* No work begins any more, and what ran has ended. Waits for a host only for a while. */
static void balloon_quiesce(struct balloon *b)
{
	unsigned int i;

	lockdep_assert_held(&b->life_lock);
	balloon_set_running(b, false);
	wake_up_all(&b->acked);
	for (i = BALLOON_ROOMS; i-- > 0; )
		balloon_call(b, balloon_room(b, i)->quiesce);
}

/* Nothing is the host's any more, the device's queues included. */
static void balloon_release(struct balloon *b)
{
	unsigned int i;

	balloon_host_reset(b);
	for (i = BALLOON_ROOMS; i-- > 0; )
		balloon_call(b, balloon_room(b, i)->released);
	balloon_queues_delete(b);
	b->up = false;
}

static int balloon_up_locked(struct balloon *b)
{
	const struct balloon_room *room;
	unsigned int i;
	int err;

	lockdep_assert_held(&b->life_lock);
	b->gone = false;
	err = balloon_queues_find(b);
	if (err)
		return err;
	b->up = true;

	for (i = 0; i < BALLOON_ROOMS; i++) {
		room = balloon_room(b, i);
		err = room->arm ? room->arm(b) : 0;
		if (err)
			goto err_release;
	}

	/* Before the device runs, or an early request of the host would be lost. */
	balloon_set_running(b, true);
	virtio_device_ready(b->vdev);
	/* Only now is a broken queue the device's fault on every kernel, see stats.c. */
	if (balloon_host_gone(b)) {
		err = -EIO;
		goto err_release;
	}
	for (i = 0; i < BALLOON_ROOMS; i++)
		balloon_call(b, balloon_room(b, i)->start);
	return 0;

err_release:
	balloon_quiesce(b);
	balloon_release(b);
	return err;
}

/* From negotiated features to a device at work: probe and restore. */
static int balloon_up(struct balloon *b)
{
	int err;

	mutex_lock(&b->life_lock);
	err = balloon_up_locked(b);
	mutex_unlock(&b->life_lock);
	return err;
}

/* From a device at work to one that has been reset: remove and freeze. */
static void balloon_down(struct balloon *b)
{
	unsigned int i;

	mutex_lock(&b->life_lock);
	if (b->up) {
		balloon_quiesce(b);
		for (i = BALLOON_ROOMS; i-- > 0; )
			balloon_call(b, balloon_room(b, i)->empty);
		balloon_release(b);
	} else {
		/* After a restore that failed. The bus has FAILED set, and wants it undone. */
		balloon_host_reset(b);
	}
	mutex_unlock(&b->life_lock);
}

static void balloon_teardown(struct balloon *b)
{
	unsigned int i;

	for (i = BALLOON_ROOMS; i-- > 0; )
		balloon_call(b, balloon_room(b, i)->teardown);
}

/* Any context. The configuration is read later, where that may sleep. */
static void balloon_config_changed(struct virtio_device *vdev)
{
	struct balloon *b = vdev->priv;
	unsigned int i;

	for (i = 0; i < BALLOON_ROOMS; i++)
		balloon_call(b, balloon_room(b, i)->changed);
}

/*
 * The bus breaks and resets the device on shutdown. By then nothing of ours is
 * to be under way, on any kernel: few offer a driver's own shutdown. The device may
 * be removed at the same time.
 */
static int balloon_reboot_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct balloon *b = container_of(nb, struct balloon, reboot_nb);

	mutex_lock(&b->life_lock);
	if (b->up)
		balloon_quiesce(b);
	mutex_unlock(&b->life_lock);
	return NOTIFY_OK;
}

static void balloon_wake(struct balloon *b)
{
	unsigned int i;

	for (i = 0; i < BALLOON_ROOMS; i++)
		balloon_call(b, balloon_room(b, i)->awake);
	balloon_config_changed(b->vdev);
}

/*
 * Apart from freeze and restore, which a transport leaves out for a device that
 * keeps its state asleep. Nor does that device repeat an interrupt that the
 * guest has slept through.
 */
static int balloon_pm_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct balloon *b = container_of(nb, struct balloon, pm_nb);
	bool asleep = action == PM_SUSPEND_PREPARE || action == PM_HIBERNATION_PREPARE ||
		      action == PM_RESTORE_PREPARE;
	const struct balloon_room *room;
	unsigned int i;
	int err;

	if (!asleep) {
		balloon_wake(b);
		return NOTIFY_OK;
	}
	for (i = 0; i < BALLOON_ROOMS; i++) {
		room = balloon_room(b, i);
		err = room->asleep ? room->asleep(b) : 0;
		if (err) {
			/*
			 * The kernel tells those that the guest stays awake whose notifiers it
			 * had called before. This one is not among them.
			 */
			balloon_wake(b);
			return notifier_from_errno(err);
		}
	}
	return NOTIFY_OK;
}

static int balloon_probe(struct virtio_device *vdev)
{
	const struct balloon_room *room;
	struct balloon *b;
	unsigned int i;
	int err;

	if (!vdev->config->get) {
		dev_err(&vdev->dev, "the transport gives no access to the configuration\n");
		return -EINVAL;
	}

	b = kzalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return -ENOMEM;
	b->vdev = vdev;
	vdev->priv = b;
	init_waitqueue_head(&b->acked);
	mutex_init(&b->life_lock);
	mutex_init(&b->gone_lock);
	spin_lock_init(&b->state_lock);
	ratelimit_state_init(&b->said, BALLOON_SAID_INTERVAL, BALLOON_SAID_BURST);

	b->capture = is_kdump_kernel();
	if (b->capture)
		dev_info(&vdev->dev,
			 "this is the capture kernel of a crash: nothing is inflated or hinted\n");

	/*
	 * Unbound, since some of it keeps a CPU busy for long. With a thread of its own,
	 * since a guest that is short of memory, which this gives back, can start no other.
	 */
	b->wq = alloc_workqueue("virtio-balloon-%s", WQ_FREEZABLE | WQ_UNBOUND | WQ_MEM_RECLAIM, 0,
				dev_name(&vdev->dev));
	if (!b->wq) {
		err = -ENOMEM;
		goto err_free;
	}

	for (i = 0; i < BALLOON_ROOMS; i++) {
		room = balloon_room(b, i);
		err = room->setup ? room->setup(b) : 0;
		if (err)
			goto err_teardown;
	}

	b->reboot_nb.notifier_call = balloon_reboot_notify;
	err = register_reboot_notifier(&b->reboot_nb);
	if (err)
		goto err_teardown;

	b->pm_nb.notifier_call = balloon_pm_notify;
	err = register_pm_notifier(&b->pm_nb);
	if (err)
		goto err_reboot;

	device_set_wakeup_capable(&vdev->dev, true);
	err = balloon_up(b);
	if (err)
		goto err_pm;
	return 0;

err_pm:
	device_init_wakeup(&vdev->dev, false);
	unregister_pm_notifier(&b->pm_nb);
err_reboot:
	unregister_reboot_notifier(&b->reboot_nb);
err_teardown:
	balloon_teardown(b);
	destroy_workqueue(b->wq);
err_free:
	vdev->priv = NULL;
	kfree(b);
	return err;
}

static void balloon_remove(struct virtio_device *vdev)
{
	struct balloon *b = vdev->priv;

	balloon_down(b);
	/* With what the administrator may have enabled, or the core would lose sight of it. */
	device_init_wakeup(&vdev->dev, false);
	unregister_pm_notifier(&b->pm_nb);
	unregister_reboot_notifier(&b->reboot_nb);
	balloon_teardown(b);
	destroy_workqueue(b->wq);
	vdev->priv = NULL;
	kfree(b);
}

/*
 * Before suspend, with the workqueue frozen, and before the function below the
 * device is reset. The memory goes back, since the device forgets it.
 */
static int __maybe_unused balloon_freeze(struct virtio_device *vdev)
{
	balloon_down(vdev->priv);
	return 0;
}

static int __maybe_unused balloon_restore(struct virtio_device *vdev)
{
	return balloon_up(vdev->priv);
}

/* Drops the features that the guest's configuration does not allow. */
static int balloon_validate(struct virtio_device *vdev)
{
	u32 poison;

	/*
	 * A host that knows the value of free pages may discard them. If it
	 * cannot be told the value, it may not.
	 */
	if (!balloon_poison_value(&poison))
		__virtio_clear_bit(vdev, VIRTIO_BALLOON_F_PAGE_POISON);
	else if (!virtio_has_feature(vdev, VIRTIO_BALLOON_F_PAGE_POISON))
		__virtio_clear_bit(vdev, VIRTIO_BALLOON_F_REPORTING);

	/* Indirect descriptors are allocated, and not only reporting must not do that. */
	__virtio_clear_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC);

	/* Page numbers are physical; an IOMMU would make them something else. */
	__virtio_clear_bit(vdev, VIRTIO_F_ACCESS_PLATFORM);
	return 0;
}

static const unsigned int balloon_features[] = {
	VIRTIO_BALLOON_F_MUST_TELL_HOST,
	VIRTIO_BALLOON_F_STATS_VQ,
	VIRTIO_BALLOON_F_DEFLATE_ON_OOM,
	VIRTIO_BALLOON_F_FREE_PAGE_HINT,
	VIRTIO_BALLOON_F_PAGE_POISON,
	VIRTIO_BALLOON_F_REPORTING,
};

static const struct virtio_device_id balloon_ids[] = {
	{ VIRTIO_ID_BALLOON, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, balloon_ids);

static struct virtio_driver balloon_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.id_table = balloon_ids,
	.feature_table = balloon_features,
	.feature_table_size = ARRAY_SIZE(balloon_features),
	.validate = balloon_validate,
	.probe = balloon_probe,
	.remove = balloon_remove,
	.config_changed = balloon_config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = balloon_freeze,
	.restore = balloon_restore,
#endif
	BALLOON_COMPAT_RESET(balloon_freeze, balloon_restore)
};

static int __init balloon_init(void)
{
	int err = balloon_stats_check_param();

	return err ?: register_virtio_driver(&balloon_driver);
}
module_init(balloon_init);

static void __exit balloon_exit(void)
{
	unregister_virtio_driver(&balloon_driver);
}
module_exit(balloon_exit);

MODULE_DESCRIPTION("Virtio memory balloon driver with all 16 statistics");
MODULE_AUTHOR("the virtio-balloon authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(BALLOON_VERSION);
