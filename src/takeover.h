/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_TAKEOVER_H
#define BALLOON_TAKEOVER_H

#include <linux/device/driver.h>
#include <linux/kconfig.h>

/* Only a module finds another driver in the kernel: built in, this one is in its place. */
#if defined(MODULE) && IS_BUILTIN(CONFIG_VIRTIO_BALLOON)
int balloon_take_over(struct device_driver *ours);
void balloon_hand_back(void);
#else
static inline int balloon_take_over(struct device_driver *ours)
{
	return 0;
}

static inline void balloon_hand_back(void)
{
}
#endif

#endif /* BALLOON_TAKEOVER_H */
