// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages that a host can cause. It can cause them as often as it likes, so their
 * number is limited.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/ratelimit.h>

#include "balloon.h"

/* At most this many messages are written in this many jiffies. */
#define BALLOON_LOG_BURST	10
#define BALLOON_LOG_INTERVAL	(300 * HZ)

/**
 * balloon_log_init - prepare the limit of balloon_log()
 * @b: the balloon
 *
 * Any context.
 */
void balloon_log_init(struct balloon *b)
{
	ratelimit_state_init(&b->log_limit, BALLOON_LOG_INTERVAL, BALLOON_LOG_BURST);
}

/**
 * balloon_log - write a message about the device to the kernel's log
 * @b: the balloon
 * @level: KERN_INFO or another level
 * @format: a format of printk(), followed by its arguments
 *
 * For every message that a host can cause. Any context.
 */
void balloon_log(struct balloon *b, const char *level, const char *format, ...)
{
	struct va_format message = { .fmt = format };
	va_list args;

	if (!__ratelimit(&b->log_limit))
		return;
	va_start(args, format);
	message.va = &args;
	dev_printk(level, &b->vdev->dev, "%pV", &message);
	va_end(args);
}
