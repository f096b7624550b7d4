// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the devices over from the driver that is built into the kernel, and hands them back.
 * Only part of the module where the kernel has CONFIG_VIRTIO_BALLOON=y.
 *
 * The bus asks its drivers in the order in which they were registered, and the built-in driver
 * was registered at boot. So it is taken off the bus and registered again, behind ours. A device
 * that is plugged in then comes to our driver. The built-in driver gets a device that ours fails
 * to drive, and all devices when this module is unloaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/module.h>
#include <linux/virtio.h>
#include <linux/virtio_ids.h>

#include "host.h"
#include "takeover.h"

#define BALLOON_BUILTIN_NAME	"virtio_balloon"

static bool take_over = true;
module_param(take_over, bool, 0444);
MODULE_PARM_DESC(take_over,
		 "Take the balloon devices over from the driver that is built into the kernel (default: Y)");

/* The built-in driver, which exists as long as the kernel; NULL if it was never started. */
static struct device_driver *balloon_builtin;

/*
 * Refuses a device of the driver @other that is dead. That driver would wait for it for ever when
 * the device is taken away. The lock keeps the queues from being deleted meanwhile. Only for
 * bus_for_each_dev(): driver_for_each_device() may not call what takes this lock, since whoever
 * unbinds the device holds it and waits for the end of that loop.
 */
static int balloon_refuse_dead(struct device *dev, void *other)
{
	bool dead;
	u8 status = 0;

	device_lock(dev);
	dead = dev->driver == other && balloon_device_dead(dev_to_virtio(dev), &status);
	device_unlock(dev);
	if (!dead)
		return 0;
	dev_err(dev,
		"the device is dead (status 0x%02x), and taking it from the built-in driver would hang: nothing is taken over. Reboot.\n",
		status);
	return -EIO;
}

/* Says which driver has a balloon device. @ours is NULL when our driver has gone. */
static int balloon_say_who(struct device *dev, void *ours)
{
	const struct device_driver *driver;

	if (dev_to_virtio(dev)->id.device != VIRTIO_ID_BALLOON)
		return 0;
	device_lock(dev);
	driver = dev->driver;
	if (!driver)
		dev_err(dev, "no driver could be started for this device\n");
	else if (driver == ours)
		dev_info(dev,
			 "taken over from the built-in driver, which has it again when this module is unloaded\n");
	else if (driver != balloon_builtin)
		dev_info(dev, "left to the driver %s\n", driver->name);
	else if (ours)
		dev_warn(dev, "not taken over: the built-in driver has it again\n");
	else
		dev_info(dev, "handed back to the built-in driver\n");
	device_unlock(dev);
	return 0;
}

/**
 * balloon_take_over - take the devices over from the built-in driver
 * @ours: our driver, which was registered before
 *
 * Takes over nothing if the parameter take_over says so, or if one of the devices is dead. Sleeps.
 * Waits without a limit for a host that does not answer, since the built-in driver does.
 *
 * Return: 0; -EIO if a device is dead; -EBUSY if the other driver is not built in.
 */
int balloon_take_over(struct device_driver *ours)
{
	struct device_driver *other = driver_find(BALLOON_BUILTIN_NAME, ours->bus);
	int err;

	if (!other) {
		pr_info("the built-in driver was not started, so there is nothing to take over\n");
		return 0;
	}
	/* A module may be unloaded at any time. */
	if (other->owner) {
		pr_err("the driver %s is a module: unload it first\n", other->name);
		return -EBUSY;
	}
	balloon_builtin = other;
	if (!take_over) {
		pr_info("take_over=0: the built-in driver keeps its devices\n");
		return 0;
	}
	err = bus_for_each_dev(ours->bus, NULL, other, balloon_refuse_dead);
	if (err)
		return err;

	driver_unregister(other);
	/* Ours is the only driver now. Each device says in the log if its probe fails. */
	err = driver_attach(ours);
	if (err)
		pr_err("the bus does not ask this driver (%d)\n", err);
	err = driver_register(other);
	if (err)
		pr_err("the built-in driver is away until this module is unloaded (%d)\n", err);
	bus_for_each_dev(ours->bus, NULL, ours, balloon_say_who);
	return 0;
}

/**
 * balloon_hand_back - hand all devices back to the built-in driver
 *
 * Our driver is not registered any more. Sleeps.
 */
void balloon_hand_back(void)
{
	struct device_driver *other = balloon_builtin;
	int err;

	if (!other)
		return;
	/* It could not be registered again when the devices were taken over. */
	if (driver_find(other->name, other->bus) != other)
		err = driver_register(other);
	else
		err = driver_attach(other);
	if (err)
		pr_err("the built-in driver cannot be started again (%d): reboot\n", err);
	bus_for_each_dev(other->bus, NULL, NULL, balloon_say_who);
}
