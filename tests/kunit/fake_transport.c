// SPDX-License-Identifier: GPL-2.0-only
/*
 * The transport: configuration, status, features, reset, and the queues that the driver asks for.
 */
#include <linux/string.h>

#include "compat/facts.h"
#include "fake_internal.h"

/* Whether the driver may access @len bytes at @offset of the configuration. */
static bool fake_config_allowed(struct fake_balloon *fake, unsigned int offset,
				unsigned int len, bool write)
{
	if (len != sizeof(__le32) || offset % len || offset + len > sizeof(fake->config))
		return false;
	if (offset + len > fake->config_len)
		return false;
	switch (offset) {
	case offsetof(struct virtio_balloon_config, num_pages):
		return !write;
	case offsetof(struct virtio_balloon_config, actual):
		return true;
	case offsetof(struct virtio_balloon_config, free_page_hint_cmd_id):
		return !write && fake_negotiated(fake, VIRTIO_BALLOON_F_FREE_PAGE_HINT);
	case offsetof(struct virtio_balloon_config, poison_val):
		return fake_negotiated(fake, VIRTIO_BALLOON_F_PAGE_POISON) &&
		       !(write && fake->status & VIRTIO_CONFIG_S_DRIVER_OK);
	}
	return false;
}

static void fake_get(struct virtio_device *vdev, unsigned int offset, void *buf,
		     unsigned int len)
{
	struct fake_balloon *fake = to_fake(vdev);
	unsigned long flags;

	spin_lock_irqsave(&fake->lock, flags);
	if (fake->vanished) {
		memset(buf, 0xff, len);
	} else if (fake_config_allowed(fake, offset, len, false)) {
		memcpy(buf, (u8 *)&fake->config + offset, len);
	} else {
		memset(buf, 0, len);
		fake_breach(fake, "%u bytes read at %u of the configuration", len, offset);
	}
	spin_unlock_irqrestore(&fake->lock, flags);
}

static void fake_set(struct virtio_device *vdev, unsigned int offset, const void *buf,
		     unsigned int len)
{
	struct fake_balloon *fake = to_fake(vdev);
	u8 ready = fake_negotiated(fake, VIRTIO_F_VERSION_1) ? VIRTIO_CONFIG_S_FEATURES_OK :
							       VIRTIO_CONFIG_S_DRIVER;
	unsigned long flags;

	spin_lock_irqsave(&fake->lock, flags);
	/* A device that is gone, or that was reset, does not keep it. */
	if (fake->vanished || fake->forgot)
		goto out_unlock;
	if (!(fake->status & ready))
		fake_breach(fake, "configuration written with status 0x%02x", fake->status);
	else if (!fake_config_allowed(fake, offset, len, true))
		fake_breach(fake, "%u bytes written at %u of the configuration", len, offset);
	else
		memcpy((u8 *)&fake->config + offset, buf, len);

out_unlock:
	spin_unlock_irqrestore(&fake->lock, flags);
	fake_wake_case(fake);
}

static u8 fake_get_status(struct virtio_device *vdev)
{
	struct fake_balloon *fake = to_fake(vdev);
	unsigned long flags;
	u8 status;

	spin_lock_irqsave(&fake->lock, flags);
	fake->status_reads++;
	status = fake->status;
	/*
	 * When the driver has removed its queues, the bus warns of any status but 0. No driver can
	 * prevent that for a device that is gone, so it is not to fail the case.
	 */
	if (fake->vanished)
		status = list_empty(&vdev->vqs) ? 0 : 0xff;
	spin_unlock_irqrestore(&fake->lock, flags);
	return status;
}

static void fake_set_status(struct virtio_device *vdev, u8 status)
{
	struct fake_balloon *fake = to_fake(vdev);
	unsigned long flags;

	spin_lock_irqsave(&fake->lock, flags);
	if (status & VIRTIO_CONFIG_S_FAILED)
		fake->failed = true;
	if (!fake->vanished)
		fake->status = status;
	spin_unlock_irqrestore(&fake->lock, flags);
	if (fake->hardened && status & VIRTIO_CONFIG_S_DRIVER_OK)
		__virtio_unbreak_device(vdev);
	/* The driver may have put buffers on the queues before. */
	if (status & VIRTIO_CONFIG_S_DRIVER_OK)
		queue_work(fake->wq, &fake->work);
	fake_wake_case(fake);
}

/**
 * fake_lose_state - lose what a device loses in a reset
 * @fake: the device; with fake->lock held
 */
void fake_lose_state(struct fake_balloon *fake)
{
	fake->status = 0;
	fake->config.poison_val = 0;
	fake_pages_lose(fake);
}

static void fake_reset(struct virtio_device *vdev)
{
	struct fake_balloon *fake = to_fake(vdev);
	unsigned long flags;
	unsigned int role;

	/* A device may interrupt until it is reset, also where the driver has stopped its work. */
	for (role = 0; role < FAKE_QUEUES; role++)
		fake_balloon_queue_irq(fake, role);
	spin_lock_irqsave(&fake->lock, flags);
	fake_lose_state(fake);
	fake->forgot = false;
	fake->resets++;
	spin_unlock_irqrestore(&fake->lock, flags);
	/* As virtio_reset_device() promises, no interrupt is running when this returns. */
	flush_work(&fake->work);
	irq_work_sync(&fake->irq);
	fake_wake_case(fake);
}

static u64 fake_get_features(struct virtio_device *vdev)
{
	return to_fake(vdev)->features;
}

static int fake_finalize_features(struct virtio_device *vdev)
{
	struct fake_balloon *fake = to_fake(vdev);

	vring_transport_features(vdev);
	if (vdev->features & ~fake->features)
		fake_breach(fake, "features 0x%llx accepted, of 0x%llx that were offered",
			    (u64)vdev->features, fake->features);
	return fake->fail == FAKE_FAIL_FEATURES ? -EINVAL : 0;
}

static void fake_del_vqs(struct virtio_device *vdev)
{
	fake_queues_delete(to_fake(vdev));
}

/* The arguments of find_vqs() differ between kernels. */
#ifdef BALLOON_HAVE_VIRTQUEUE_INFO
#define FAKE_FIND_VQS_ARGS	struct virtqueue_info info[], struct irq_affinity *desc
#define FAKE_NAME(i)		(info[i].name)
#define FAKE_CALLBACK(i)	(info[i].callback)
#else
#define FAKE_FIND_VQS_ARGS	vq_callback_t *callbacks[], const char * const names[], \
				const bool *ctx, struct irq_affinity *desc
#define FAKE_NAME(i)		(names[i])
#define FAKE_CALLBACK(i)	(callbacks[i])
#endif

/* Counts a breach if the queues are not those that were negotiated. */
static int fake_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
			 FAKE_FIND_VQS_ARGS)
{
	struct fake_balloon *fake = to_fake(vdev);
	unsigned int i, index = 0;

	if (fake->fail == FAKE_FAIL_QUEUES)
		return -ENOENT;
	for (i = 0; i < nvqs; i++) {
		vqs[i] = NULL;
		/* The driver leaves out the queues that it does not want. */
		if (!FAKE_NAME(i))
			continue;
		vqs[i] = fake_queue_create(fake, index++, FAKE_CALLBACK(i), FAKE_NAME(i));
		if (!vqs[i]) {
			fake_queues_delete(fake);
			return -ENOMEM;
		}
	}
	if (fake_queue_role(fake, index) != FAKE_QUEUES)
		fake_breach(fake, "%u queues, fewer than negotiated", index);
	return 0;
}

static const char *fake_bus_name(struct virtio_device *vdev)
{
	return "fake";
}

#define FAKE_CONFIG_OPS						\
	.set = fake_set,					\
	.get_status = fake_get_status,				\
	.set_status = fake_set_status,				\
	.reset = fake_reset,					\
	.find_vqs = fake_find_vqs,				\
	.del_vqs = fake_del_vqs,				\
	.get_features = fake_get_features,			\
	.finalize_features = fake_finalize_features,		\
	.bus_name = fake_bus_name

const struct virtio_config_ops fake_config_ops = {
	.get = fake_get,
	FAKE_CONFIG_OPS,
};

/* Of a transport through which the configuration cannot be read. */
const struct virtio_config_ops fake_config_ops_no_config = {
	FAKE_CONFIG_OPS,
};

/**
 * fake_balloon_target - set the size that the host wants the balloon to have
 * @fake: the device
 * @pfns: pages of 4 KiB
 *
 * Any context. Interrupts the driver if the device is on the bus.
 */
void fake_balloon_target(struct fake_balloon *fake, u32 pfns)
{
	WRITE_ONCE(fake->config.num_pages, cpu_to_le32(pfns));
	if (fake->plugged)
		fake_balloon_config_irq(fake);
}

/**
 * fake_balloon_command - set the hinting command
 * @fake: the device
 * @id: id of a round, or VIRTIO_BALLOON_CMD_ID_*
 *
 * Any context. Interrupts the driver if the device is on the bus.
 */
void fake_balloon_command(struct fake_balloon *fake, u32 id)
{
	WRITE_ONCE(fake->config.free_page_hint_cmd_id, cpu_to_le32(id));
	if (fake->plugged)
		fake_balloon_config_irq(fake);
}

/**
 * fake_balloon_actual - get the size of the balloon that the driver has written
 * @fake: the device
 *
 * Any context.
 *
 * Return: pages of 4 KiB.
 */
u32 fake_balloon_actual(struct fake_balloon *fake)
{
	return le32_to_cpu(READ_ONCE(fake->config.actual));
}

/**
 * fake_balloon_reached - get whether the balloon has some size
 * @fake: the device
 * @pfns: pages of 4 KiB
 *
 * Any context.
 *
 * Return: whether the driver has written this size, and the host owns as many pages.
 */
bool fake_balloon_reached(struct fake_balloon *fake, u32 pfns)
{
	return fake_balloon_actual(fake) == pfns && READ_ONCE(fake->nr_owned) == pfns;
}
