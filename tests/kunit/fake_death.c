// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ways in which the device dies.
 */
#include "fake_internal.h"

/**
 * fake_balloon_forget - be reset without the driver, as by another user of the device
 * @fake: the device
 *
 * Any context. The device answers nothing any more, and does not interrupt.
 */
void fake_balloon_forget(struct fake_balloon *fake)
{
	unsigned long flags;

	spin_lock_irqsave(&fake->lock, flags);
	fake_lose_state(fake);
	fake->forgot = true;
	spin_unlock_irqrestore(&fake->lock, flags);
}

/**
 * fake_balloon_need_reset - fail: set NEEDS_RESET, and interrupt the driver
 * @fake: the device
 *
 * Any context. The device answers nothing any more.
 */
void fake_balloon_need_reset(struct fake_balloon *fake)
{
	unsigned long flags;
	unsigned int role;

	spin_lock_irqsave(&fake->lock, flags);
	for (role = 0; role < FAKE_QUEUES; role++)
		fake->queues[role].hold = true;
	fake->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	spin_unlock_irqrestore(&fake->lock, flags);
	fake_balloon_config_irq(fake);
}

/**
 * fake_balloon_vanish - be unplugged without warning
 * @fake: the device
 *
 * Any context. The driver reads all ones from now on, and what it writes is lost.
 */
void fake_balloon_vanish(struct fake_balloon *fake)
{
	unsigned long flags;

	spin_lock_irqsave(&fake->lock, flags);
	fake_lose_state(fake);
	fake->vanished = true;
	spin_unlock_irqrestore(&fake->lock, flags);
}

/**
 * fake_give_up - die in such a way that nearly every driver stops waiting for the device
 * @fake: the device
 *
 * Any context. For a case that has failed already, and is only to end.
 */
void fake_give_up(struct fake_balloon *fake)
{
	fake_balloon_vanish(fake);
	if (fake->plugged)
		virtio_break_device(&fake->vdev);
	fake_balloon_config_irq(fake);
}
