// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of the fake device: made, put on the bus, taken off it, freed.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/virtio_ids.h>

#include "fake_internal.h"
#include "suites.h"

static void fake_release(struct device *dev)
{
	complete(&to_fake(dev_to_virtio(dev))->released);
}

static struct device *fake_root_register(void)
{
	static unsigned int count;
	char name[32];

	/* Another name each time: a device that the driver has not let go of keeps its own. */
	snprintf(name, sizeof(name), "fake-balloon-%u", count++);
	/* Some kernels run suites before sysfs knows this module, so it cannot be the owner. */
	return __root_device_register(name, NULL);
}

/**
 * fake_balloon_init - make a device that is not on the bus; the init of a suite
 * @test: the test; its priv becomes the device; undone by fake_balloon_exit()
 * @features: what the device offers, as a mask
 *
 * Sleeps. The test may change the device before fake_balloon_plug().
 *
 * Return: 0, or -ENOMEM.
 */
int fake_balloon_init(struct kunit *test, u64 features)
{
	struct fake_balloon *fake;

	if (*suites_only && strcmp(suites_only, test->name))
		kunit_skip(test, "only %s", suites_only);

	fake = kzalloc(sizeof(*fake), GFP_KERNEL);
	if (!fake)
		return -ENOMEM;
	/* WQ_MEM_RECLAIM: the host still works when the guest has no memory left. */
	fake->wq = alloc_workqueue("fake-balloon", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	if (!fake->wq)
		goto err_free;
	fake->root = fake_root_register();
	if (IS_ERR(fake->root))
		goto err_wq;
	fake->features = features;
	fake->config_len = sizeof(fake->config);
	spin_lock_init(&fake->lock);
	xa_init_flags(&fake->owned, XA_FLAGS_LOCK_IRQ);
	INIT_WORK(&fake->work, fake_host_work);
	init_irq_work(&fake->irq, fake_irq);
	init_waitqueue_head(&fake->changed);
	init_completion(&fake->released);
	fake->test = test;
	test->priv = fake;
	return 0;

err_wq:
	destroy_workqueue(fake->wq);
err_free:
	kfree(fake);
	return -ENOMEM;
}

/**
 * fake_balloon_plug - put the device on the bus
 * @fake: the device
 *
 * Sleeps. Runs the driver's probe in this thread: some cases have its allocations fail. Whether
 * probe has succeeded is what fake_balloon_bound() returns.
 *
 * Return: 0, or an error of the bus.
 */
int fake_balloon_plug(struct fake_balloon *fake)
{
	struct virtio_device *vdev = &fake->vdev;

	memset(vdev, 0, sizeof(*vdev));
	vdev->id.device = VIRTIO_ID_BALLOON;
	vdev->id.vendor = VIRTIO_DEV_ANY_ID - 1;
	vdev->config = fake->no_config ? &fake_config_ops_no_config : &fake_config_ops;
	vdev->dev.parent = fake->root;
	vdev->dev.release = fake_release;
	fake->plugged = !register_virtio_device(vdev);
	if (!fake->plugged) {
		put_device(&vdev->dev);
		wait_for_completion(&fake->released);
		return -ENODEV;
	}
	return 0;
}

/**
 * fake_balloon_bound - get whether a driver is bound to the device
 * @fake: the device, on the bus
 *
 * Sleeps; takes the lock of the struct device.
 *
 * Return: true if probe has succeeded.
 */
bool fake_balloon_bound(struct fake_balloon *fake)
{
	bool bound;

	device_lock(&fake->vdev.dev);
	bound = fake->vdev.dev.driver;
	device_unlock(&fake->vdev.dev);
	return bound;
}

static int fake_do_unplug(struct fake_balloon *fake)
{
	if (!fake->plugged)
		return 0;
	/* virtio-pci does this when the device was unplugged without warning. */
	if (fake->vanished)
		virtio_break_device(&fake->vdev);
	unregister_virtio_device(&fake->vdev);
	fake->plugged = false;
	/* Less than the time that this call has. */
	if (wait_for_completion_timeout(&fake->released, fake_balloon_patience(fake) / 2)) {
		reinit_completion(&fake->released);
		return 0;
	}
	fake->leaked = true;
	fake_breach(fake, "the device was taken off the bus, and is still referred to");
	return 0;
}

const struct fake_call fake_unplug = { "unplug", fake_do_unplug };

/* Returns the number of breaches of the specification; the kernel log has the details. */
static unsigned int fake_destroy(struct fake_balloon *fake)
{
	unsigned int breaches;

	if (fake_calls_end(fake)) {
		fake_balloon_start(fake, &fake_unplug);
		fake_calls_end(fake);
	}
	breaches = fake->breaches;
	/* The call that has not ended may use all of it. */
	if (fake->abandoned)
		return breaches;
	destroy_workqueue(fake->wq);
	irq_work_sync(&fake->irq);
	if (fake->leaked)
		return breaches;
	xa_destroy(&fake->owned);
	root_device_unregister(fake->root);
	kfree(fake);
	return breaches;
}

/**
 * fake_balloon_exit - take the device off the bus and free it; the exit of a suite
 * @test: the test; its priv is the device, or NULL
 *
 * Sleeps. Fails the test if there were breaches of the specification.
 */
void fake_balloon_exit(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	if (!fake)
		return;
	/* A case that fails ends at once, perhaps with buffers that it would have returned. */
	if (fake_test_failed(fake))
		fake_give_up(fake);
	KUNIT_EXPECT_EQ(test, fake_destroy(fake), 0U);
}
