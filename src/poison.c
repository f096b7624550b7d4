// SPDX-License-Identifier: GPL-2.0-only
/*
 * The value that the guest's free pages have. A host that discards a reported page has to
 * know this value, so that the guest finds its free memory unchanged.
 */
#include <linux/mm.h>
#include <linux/poison.h>
#include <linux/virtio_config.h>

#include "balloon.h"

/**
 * balloon_poison_value - what the kernel writes to pages that it frees
 * @value: set to the value of each 32-bit word of a free page, native order
 *
 * Any context.
 *
 * Return: whether it writes them at all.
 */
bool balloon_poison_value(u32 *value)
{
	/* The kernel either initialises pages or poisons them; if asked for both, it poisons. */
	*value = 0;
	if (want_init_on_free())
		return true;
	if (!balloon_compat_pages_poisoned())
		return false;
	memset(value, PAGE_POISON, sizeof(*value));
	return true;
}

/*
 * Called before the device runs, at probe and at each restore, since the device loses the
 * value when it is reset. Serves "Driver Requirements: Page Poison".
 */
static int balloon_poison_before_ready(struct balloon *b)
{
	u32 value;

	balloon_poison_value(&value);
	virtio_cwrite_le(b->vdev, struct virtio_balloon_config, poison_val, &value);
	return 0;
}

const struct balloon_feature balloon_poison_feature = {
	.bit = VIRTIO_BALLOON_F_PAGE_POISON,
	.before_ready = balloon_poison_before_ready,
};
