// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's life: probe, configuration change, suspend, shutdown, remove.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/crash_dump.h>
#include <linux/module.h>
#include <linux/device.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>

#include "balloon.h"
#include "compat/virtio.h"
#include "takeover.h"

/*
 * Started in this order, stopped in reverse order. The pages come before the features
 * that use them.
 */
static const struct balloon_feature * const balloon_features[] = {
	&balloon_poison_feature,
	&balloon_discard_feature,
	&balloon_guest_feature,
	&balloon_pages_feature,
	&balloon_size_feature,
	&balloon_oom_feature,
	&balloon_stats_feature,
	&balloon_hint_feature,
	&balloon_reporting_feature,
};

#define BALLOON_FEATURES	ARRAY_SIZE(balloon_features)

/* A feature that was not negotiated is replaced by one without functions. */
static const struct balloon_feature *balloon_feature_at(struct balloon *b, unsigned int i)
{
	static const struct balloon_feature none;
	const struct balloon_feature *feature = balloon_features[i];

	return balloon_negotiated(b->vdev, feature->bit) ? feature : &none;
}

static void balloon_call(struct balloon *b, void (*function)(struct balloon *b))
{
	if (function)
		function(b);
}

/* Ends all work and lets no new work begin. Waits for the host for a limited time only. */
static void balloon_quiesce(struct balloon *b)
{
	unsigned int i;

	lockdep_assert_held(&b->life_lock);
	balloon_set_running(b, false);
	wake_up_all(&b->host.acked);
	for (i = BALLOON_FEATURES; i-- > 0; )
		balloon_call(b, balloon_feature_at(b, i)->quiesce);
}

/* The host owns nothing any more, neither a page nor a queue. */
static void balloon_release(struct balloon *b)
{
	unsigned int i;

	balloon_host_reset(b);
	for (i = BALLOON_FEATURES; i-- > 0; )
		balloon_call(b, balloon_feature_at(b, i)->after_reset);
	balloon_delete_queues(b);
	b->queues_exist = false;
}

static int balloon_up_locked(struct balloon *b)
{
	const struct balloon_feature *feature;
	unsigned int i;
	int err;

	lockdep_assert_held(&b->life_lock);
	b->host.gone = false;
	err = balloon_negotiate_queues(b);
	if (err)
		return err;
	b->queues_exist = true;

	for (i = 0; i < BALLOON_FEATURES; i++) {
		feature = balloon_feature_at(b, i);
		err = feature->before_ready ? feature->before_ready(b) : 0;
		if (err)
			goto err_release;
	}

	/* Before the device runs, or an early request of the host would be lost. */
	balloon_set_running(b, true);
	virtio_device_ready(b->vdev);
	/*
	 * Not earlier: on kernels with CONFIG_VIRTIO_HARDEN_NOTIFICATION all queues count as
	 * broken until the device runs.
	 */
	if (balloon_host_gone(b)) {
		err = -EIO;
		goto err_release;
	}
	for (i = 0; i < BALLOON_FEATURES; i++)
		balloon_call(b, balloon_feature_at(b, i)->start);
	return 0;

err_release:
	balloon_quiesce(b);
	balloon_release(b);
	return err;
}

/* Features are negotiated; afterwards the device is at work. For probe and restore. */
static int balloon_up(struct balloon *b)
{
	int err;

	mutex_lock(&b->life_lock);
	err = balloon_up_locked(b);
	mutex_unlock(&b->life_lock);
	return err;
}

/* The device is at work; afterwards it has been reset. For remove and freeze. */
static void balloon_down(struct balloon *b)
{
	unsigned int i;

	mutex_lock(&b->life_lock);
	if (b->queues_exist) {
		balloon_quiesce(b);
		for (i = BALLOON_FEATURES; i-- > 0; )
			balloon_call(b, balloon_feature_at(b, i)->give_back);
		balloon_release(b);
	} else {
		/* A restore has failed: the bus has set FAILED and expects a reset. */
		balloon_host_reset(b);
	}
	mutex_unlock(&b->life_lock);
}

/* If this fails, balloon_teardown() must be called all the same. */
static int balloon_setup(struct balloon *b)
{
	const struct balloon_feature *feature;
	unsigned int i;
	int err = 0;

	for (i = 0; i < BALLOON_FEATURES && !err; i++) {
		feature = balloon_feature_at(b, i);
		if (feature->setup)
			err = feature->setup(b);
	}
	return err;
}

static void balloon_teardown(struct balloon *b)
{
	unsigned int i;

	for (i = BALLOON_FEATURES; i-- > 0; )
		balloon_call(b, balloon_feature_at(b, i)->teardown);
}

/* Any context. The features read the configuration later, in a context that may sleep. */
static void balloon_config_changed(struct virtio_device *vdev)
{
	struct balloon *b = vdev->priv;
	unsigned int i;

	for (i = 0; i < BALLOON_FEATURES; i++)
		balloon_call(b, balloon_feature_at(b, i)->config_changed);
}

/*
 * On some kernels the bus breaks the queues and resets the device at shutdown. All work of the
 * driver must have ended by then. A reboot notifier is used, since only the newest kernels
 * call a function of the driver at shutdown. The device may be removed at the same time.
 */
static int balloon_reboot_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct balloon *b = container_of(nb, struct balloon, reboot_nb);

	mutex_lock(&b->life_lock);
	if (b->queues_exist)
		balloon_quiesce(b);
	mutex_unlock(&b->life_lock);
	return NOTIFY_OK;
}

static void balloon_pm_wake(struct balloon *b)
{
	unsigned int i;

	for (i = 0; i < BALLOON_FEATURES; i++)
		balloon_call(b, balloon_feature_at(b, i)->pm_wake);
	balloon_config_changed(b->vdev);
}

/*
 * Freeze and restore are not enough: a transport does not call them for a device that
 * keeps its state while the guest sleeps. Such a device does not repeat an interrupt
 * that came while the guest slept.
 */
static int balloon_pm_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct balloon *b = container_of(nb, struct balloon, pm_nb);
	bool sleep = action == PM_SUSPEND_PREPARE || action == PM_HIBERNATION_PREPARE ||
		     action == PM_RESTORE_PREPARE;
	const struct balloon_feature *feature;
	unsigned int i;
	int err;

	if (!sleep) {
		balloon_pm_wake(b);
		return NOTIFY_OK;
	}
	for (i = 0; i < BALLOON_FEATURES; i++) {
		feature = balloon_feature_at(b, i);
		err = feature->pm_sleep ? feature->pm_sleep(b) : 0;
		if (err) {
			/*
			 * The kernel tells the notifiers that it has called before this one
			 * that the guest stays awake, but not this one.
			 */
			balloon_pm_wake(b);
			return notifier_from_errno(err);
		}
	}
	return NOTIFY_OK;
}

static int balloon_probe(struct virtio_device *vdev)
{
	struct balloon *b;
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
	mutex_init(&b->life_lock);
	balloon_log_init(b);
	balloon_host_init(&b->host);

	b->capture_kernel = is_kdump_kernel();
	if (b->capture_kernel)
		dev_info(&vdev->dev,
			 "this is the capture kernel of a crash: nothing is inflated or hinted\n");

	err = balloon_activity_setup(b);
	if (err)
		goto err_free;

	err = balloon_setup(b);
	if (err)
		goto err_teardown;

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
	balloon_activity_teardown(b);
err_free:
	vdev->priv = NULL;
	kfree(b);
	return err;
}

static void balloon_remove(struct virtio_device *vdev)
{
	struct balloon *b = vdev->priv;

	balloon_down(b);
	/* The administrator may have enabled wakeup; the core would not free its source. */
	device_init_wakeup(&vdev->dev, false);
	unregister_pm_notifier(&b->pm_nb);
	unregister_reboot_notifier(&b->reboot_nb);
	balloon_teardown(b);
	balloon_activity_teardown(b);
	vdev->priv = NULL;
	kfree(b);
}

/*
 * Called before the guest sleeps, when the workqueue is frozen, and before the function
 * below the device is reset. The device loses the balloon, so the memory goes back.
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

static const struct virtio_device_id balloon_ids[] = {
	{ VIRTIO_ID_BALLOON, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, balloon_ids);

static struct virtio_driver balloon_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	/* All devices are taken over before the built-in driver is asked again. */
	.driver.probe_type = PROBE_FORCE_SYNCHRONOUS,
	.id_table = balloon_ids,
	.feature_table = balloon_feature_bits,
	.feature_table_size = BALLOON_FEATURE_BITS,
	.validate = balloon_negotiate_features,
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
	int err = register_virtio_driver(&balloon_driver);

	if (err)
		return err;
	err = balloon_take_over(&balloon_driver.driver);
	if (err)
		unregister_virtio_driver(&balloon_driver);
	return err;
}
module_init(balloon_init);

static void __exit balloon_exit(void)
{
	unregister_virtio_driver(&balloon_driver);
	balloon_hand_back();
}
module_exit(balloon_exit);

MODULE_DESCRIPTION("Virtio memory balloon driver with all 16 statistics");
MODULE_AUTHOR("the virtio-balloon authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(BALLOON_VERSION);
