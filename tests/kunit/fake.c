// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/virtio_ids.h>

#include "compat/facts.h"
#include "fake.h"
#include "hog.h"
#include "suites.h"

#define FAKE_QUEUE_SIZE	128

/* The driver's, with more than this hosts skip a buffer. */
#define FAKE_MAX_PFNS	256

/* In jiffies: how long a test waits for what should happen. */
#define FAKE_PATIENCE	(60 * HZ)

/* Of a test that has failed, and just has to end: what works takes no longer. */
#define FAKE_IMPATIENCE	(5 * HZ)

/* What the host leaves in a page that is its own. */
#define FAKE_PATTERN	0x5a5a5a5a

/* Words at both ends of a page that are filled and looked at. */
#define FAKE_WORDS	8

static struct fake_balloon *to_fake(struct virtio_device *vdev)
{
	return container_of(vdev, struct fake_balloon, vdev);
}

static bool fake_negotiated(struct fake_balloon *fake, unsigned int bit)
{
	return fake->vdev.features & BIT_ULL(bit);
}

#define fake_breach(fake, format, ...)						\
do {										\
	(fake)->breaches++;							\
	pr_err("fake balloon: breach: " format "\n", ##__VA_ARGS__);		\
} while (0)

/*
 * The memory of a page, also of one that is free: hosts do not ask KASAN.
 */
static __no_sanitize_address void fake_fill(void *data, u32 value)
{
	u32 *words = data;
	unsigned int i, last = PAGE_SIZE / sizeof(*words) - 1;

	for (i = 0; i < FAKE_WORDS; i++) {
		WRITE_ONCE(words[i], value);
		WRITE_ONCE(words[last - i], value);
	}
}

static bool fake_untouched(void *data)
{
	u32 *words = data;
	unsigned int i, last = PAGE_SIZE / sizeof(*words) - 1;

	for (i = 0; i < FAKE_WORDS; i++)
		if (words[i] != FAKE_PATTERN || words[last - i] != FAKE_PATTERN)
			return false;
	return true;
}

/* --- what the host does with what it gets; with fake->lock held ---------- */

static void fake_accept_pfns(struct fake_balloon *fake, bool inflate,
			     const struct fake_buffer *buffer)
{
	const __virtio32 *pfns = buffer->sg[0].data;
	unsigned int i, nr = buffer->len / sizeof(*pfns);

	if (buffer->nents != 1 || !nr || nr > FAKE_MAX_PFNS || buffer->len % sizeof(*pfns))
		fake_breach(fake, "%u bytes of page numbers in %u entries",
			    buffer->len, buffer->nents);
	for (i = 0; i < nr; i++) {
		u32 pfn = virtio32_to_cpu(&fake->vdev, pfns[i]);
		void *data;

		if (!pfn_valid(pfn)) {
			fake_breach(fake, "page number %u is none", pfn);
			continue;
		}
		data = page_address(pfn_to_page(pfn));
		if (inflate && xa_load(&fake->owned, pfn)) {
			fake_breach(fake, "page %u inflated twice", pfn);
		} else if (inflate) {
			xa_store(&fake->owned, pfn, xa_mk_value(1), GFP_ATOMIC);
			fake->nr_owned++;
			fake_fill(data, FAKE_PATTERN);
		} else if (!xa_load(&fake->owned, pfn)) {
			fake_breach(fake, "page %u deflated that is not the host's", pfn);
		} else {
			if (!fake->hasty && !fake_untouched(data))
				fake_breach(fake, "page %u was used while it was the host's", pfn);
			xa_erase(&fake->owned, pfn);
			fake->nr_owned--;
		}
	}
}

static void fake_accept_stats(struct fake_balloon *fake, const struct fake_buffer *buffer)
{
	const struct virtio_balloon_stat *stat = buffer->sg[0].data;
	unsigned int i;

	if (buffer->len % sizeof(*stat))
		fake_breach(fake, "a report of %u bytes", buffer->len);
	fake->stats_tags = 0;
	for (i = 0; i < buffer->len / sizeof(*stat); i++) {
		u16 tag = virtio16_to_cpu(&fake->vdev, stat[i].tag);

		if (tag >= VIRTIO_BALLOON_S_NR || fake->stats_tags & BIT(tag)) {
			fake_breach(fake, "tag %u", tag);
			continue;
		}
		fake->stats_tags |= BIT(tag);
		fake->stats[tag] = virtio64_to_cpu(&fake->vdev, stat[i].val);
	}
}

static void fake_accept_hint(struct fake_balloon *fake, const struct fake_buffer *buffer)
{
	if (buffer->writable) {
		fake->hinted += buffer->len;
		return;
	}
	if (buffer->nents != 1 || buffer->len != sizeof(__virtio32)) {
		fake_breach(fake, "a hinting message of %u bytes", buffer->len);
		return;
	}
	fake->command = virtio32_to_cpu(&fake->vdev, *(__virtio32 *)buffer->sg[0].data);
	fake->commands++;
}

/* A host may discard what is reported, and knows only one value for it. */
static void fake_accept_report(struct fake_balloon *fake, const struct fake_buffer *buffer)
{
	u32 value = FAKE_PATTERN;
	unsigned int i, at;

	if (fake_negotiated(fake, VIRTIO_BALLOON_F_PAGE_POISON))
		value = le32_to_cpu(fake->config.poison_val);
	for (i = 0; i < buffer->nents; i++)
		for (at = 0; at < buffer->sg[i].len; at += PAGE_SIZE)
			fake_fill(buffer->sg[i].data + at, value);
	fake->reported += buffer->len;
}

/**
 * fake_balloon_accept - do as a host does with a buffer, short of returning it
 * @fake: the device
 * @role: of the queue
 * @buffer: that was taken from it
 *
 * Any context; takes fake->lock.
 */
void fake_balloon_accept(struct fake_balloon *fake, enum fake_role role,
			 const struct fake_buffer *buffer)
{
	unsigned long flags;
	bool expected;

	spin_lock_irqsave(&fake->lock, flags);
	if (buffer->indirect && !fake_negotiated(fake, VIRTIO_RING_F_INDIRECT_DESC))
		fake_breach(fake, "indirect descriptors that were not negotiated");
	expected = role == FAKE_REPORT;
	if (role != FAKE_HINT && buffer->writable != expected)
		fake_breach(fake, "queue %u: a buffer that the device %s write", role,
			    buffer->writable ? "may" : "may not");
	switch (role) {
	case FAKE_INFLATE:
	case FAKE_DEFLATE:
		fake_accept_pfns(fake, role == FAKE_INFLATE, buffer);
		break;
	case FAKE_STATS:
		fake_accept_stats(fake, buffer);
		break;
	case FAKE_HINT:
		fake_accept_hint(fake, buffer);
		break;
	case FAKE_REPORT:
		fake_accept_report(fake, buffer);
		break;
	case FAKE_QUEUES:
		break;
	}
	spin_unlock_irqrestore(&fake->lock, flags);
	wake_up_all(&fake->changed);
}

/* --- virtqueues ----------------------------------------------------------- */

/**
 * fake_balloon_wants_irq - whether the driver wants to hear of the next buffer
 * @fake: the device, with a driver
 * @role: of a queue that it has
 *
 * Any context.
 *
 * Return: whether a device that is spared what it can be would interrupt.
 */
bool fake_balloon_wants_irq(struct fake_balloon *fake, enum fake_role role)
{
	const struct vring *vring = virtqueue_get_vring(fake->queues[role].vq);
	u16 used = virtio16_to_cpu(&fake->vdev, vring->used->idx);

	if (virtio_has_feature(&fake->vdev, VIRTIO_RING_F_EVENT_IDX))
		return vring_need_event(virtio16_to_cpu(&fake->vdev, vring_used_event(vring)),
					used + 1, used);
	return !(virtio16_to_cpu(&fake->vdev, vring->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

/**
 * fake_balloon_pop - take the next buffer from a queue, as the device
 * @fake: the device
 * @role: of the queue
 * @buffer: set to what the driver offers
 *
 * Any context; takes fake->lock.
 *
 * Return: whether there was one.
 */
bool fake_balloon_pop(struct fake_balloon *fake, enum fake_role role, struct fake_buffer *buffer)
{
	struct virtio_device *vdev = &fake->vdev;
	struct fake_queue *queue = &fake->queues[role];
	const struct vring_desc *desc;
	const struct vring *vring;
	unsigned long flags;
	bool found = false;
	u16 i;

	spin_lock_irqsave(&fake->lock, flags);
	if (!queue->vq || !(fake->status & VIRTIO_CONFIG_S_DRIVER_OK) || fake->vanished)
		goto out_unlock;
	vring = virtqueue_get_vring(queue->vq);
	if (queue->next == virtio16_to_cpu(vdev, READ_ONCE(vring->avail->idx)))
		goto out_unlock;
	/* Pairs with the driver's barrier before it raises the index. */
	virt_rmb();
	found = true;

	memset(buffer, 0, sizeof(*buffer));
	i = virtio16_to_cpu(vdev, vring->avail->ring[queue->next % vring->num]);
	buffer->head = i;
	queue->next++;
	queue->buffers++;
	desc = vring->desc;
	if (virtio16_to_cpu(vdev, desc[i].flags) & VRING_DESC_F_INDIRECT) {
		buffer->indirect = true;
		desc = phys_to_virt(virtio64_to_cpu(vdev, desc[i].addr));
		i = 0;
	}
	for (;;) {
		if (buffer->nents == FAKE_MAX_SG) {
			fake_breach(fake, "queue %u: a chain without end", role);
			break;
		}
		buffer->sg[buffer->nents].data =
			phys_to_virt(virtio64_to_cpu(vdev, desc[i].addr));
		buffer->sg[buffer->nents].len = virtio32_to_cpu(vdev, desc[i].len);
		buffer->len += buffer->sg[buffer->nents].len;
		buffer->writable = virtio16_to_cpu(vdev, desc[i].flags) & VRING_DESC_F_WRITE;
		buffer->nents++;
		if (!(virtio16_to_cpu(vdev, desc[i].flags) & VRING_DESC_F_NEXT))
			break;
		i = virtio16_to_cpu(vdev, desc[i].next);
	}

out_unlock:
	spin_unlock_irqrestore(&fake->lock, flags);
	return found;
}

/**
 * fake_balloon_push - return a buffer to the driver, without an interrupt
 * @fake: the device
 * @role: of the queue
 * @id: the buffer's head, or something else
 * @len: bytes that the device claims to have written
 *
 * Any context; takes fake->lock.
 */
void fake_balloon_push(struct fake_balloon *fake, enum fake_role role, u32 id, u32 len)
{
	struct virtio_device *vdev = &fake->vdev;
	struct fake_queue *queue = &fake->queues[role];
	const struct vring *vring;
	unsigned long flags;
	u16 idx;

	spin_lock_irqsave(&fake->lock, flags);
	if (queue->vq && !fake->vanished && fake->status & VIRTIO_CONFIG_S_DRIVER_OK) {
		vring = virtqueue_get_vring(queue->vq);
		idx = virtio16_to_cpu(vdev, vring->used->idx);
		vring->used->ring[idx % vring->num].id = cpu_to_virtio32(vdev, id);
		vring->used->ring[idx % vring->num].len = cpu_to_virtio32(vdev, len);
		/* The driver looks at the element once it has seen the index. */
		virt_wmb();
		WRITE_ONCE(vring->used->idx, cpu_to_virtio16(vdev, idx + 1));
	}
	spin_unlock_irqrestore(&fake->lock, flags);
}

/**
 * fake_balloon_answer - do with a buffer as a host does, and return it
 * @fake: the device
 * @role: of the queue
 * @buffer: that was taken from it
 * @len: bytes that the device claims to have written
 *
 * Any context; takes fake->lock.
 */
void fake_balloon_answer(struct fake_balloon *fake, enum fake_role role,
			 const struct fake_buffer *buffer, u32 len)
{
	fake_balloon_accept(fake, role, buffer);
	fake_balloon_push(fake, role, buffer->head, len);
	fake_balloon_queue_irq(fake, role);
}

/**
 * fake_balloon_queue_irq - interrupt the driver for a queue
 * @fake: the device
 * @role: of the queue
 *
 * Any context. The driver's callback runs in a hard interrupt of its own.
 */
void fake_balloon_queue_irq(struct fake_balloon *fake, enum fake_role role)
{
	set_bit(role, &fake->irq_queues);
	irq_work_queue(&fake->irq);
}

/**
 * fake_balloon_config_irq - interrupt the driver for the configuration
 * @fake: the device
 *
 * Any context.
 */
void fake_balloon_config_irq(struct fake_balloon *fake)
{
	WRITE_ONCE(fake->irq_config, true);
	irq_work_queue(&fake->irq);
}

static void fake_irq(struct irq_work *work)
{
	struct fake_balloon *fake = container_of(work, struct fake_balloon, irq);
	struct virtqueue *vq;
	unsigned int role;

	for (role = 0; role < FAKE_QUEUES; role++) {
		vq = READ_ONCE(fake->queues[role].vq);
		/* Without looking whether there is something: it may be spurious. */
		if (test_and_clear_bit(role, &fake->irq_queues) && vq && vq->callback)
			vq->callback(vq);
	}
	if (xchg(&fake->irq_config, false))
		virtio_config_changed(&fake->vdev);
}

/* A good host. The statistics buffer stays until they are asked for. */
static void fake_work(struct work_struct *work)
{
	struct fake_balloon *fake = container_of(work, struct fake_balloon, work);
	struct fake_buffer *buffer = &fake->taken;
	unsigned int role;

	for (role = 0; role < FAKE_QUEUES; role++) {
		bool returned = false;

		while (!READ_ONCE(fake->queues[role].hold) &&
		       fake_balloon_pop(fake, role, buffer)) {
			fake_balloon_accept(fake, role, buffer);
			if (role == FAKE_STATS) {
				fake->stats_head = buffer->head;
				continue;
			}
			fake_balloon_push(fake, role, buffer->head, 0);
			returned = true;
		}
		if (returned)
			fake_balloon_queue_irq(fake, role);
	}
	wake_up_all(&fake->changed);
}

static bool fake_notify(struct virtqueue *vq)
{
	struct fake_balloon *fake = to_fake(vq->vdev);
	struct fake_queue *queue = vq->priv;
	unsigned long flags;
	bool alive;

	spin_lock_irqsave(&fake->lock, flags);
	queue->kicks++;
	alive = !fake->vanished;
	if (alive && !fake->forgot && !(fake->status & VIRTIO_CONFIG_S_DRIVER_OK))
		fake_breach(fake, "queue %s notified before DRIVER_OK", vq->name);
	spin_unlock_irqrestore(&fake->lock, flags);

	queue_work(fake->wq, &fake->work);
	return alive;
}

/**
 * fake_balloon_hold - have the test answer a queue, or the device again
 * @fake: the device
 * @role: of the queue
 * @hold: whether the device leaves it alone
 *
 * Sleeps.
 */
void fake_balloon_hold(struct fake_balloon *fake, enum fake_role role, bool hold)
{
	WRITE_ONCE(fake->queues[role].hold, hold);
	flush_work(&fake->work);
	if (!hold)
		queue_work(fake->wq, &fake->work);
}

/**
 * fake_balloon_ask - ask for statistics, as hosts do: return the buffer
 * @fake: the device; its statistics queue is not held, and has a buffer
 *
 * Any context.
 */
void fake_balloon_ask(struct fake_balloon *fake)
{
	fake_balloon_push(fake, FAKE_STATS, fake->stats_head, 0);
	fake_balloon_queue_irq(fake, FAKE_STATS);
}

/* --- configuration and status ---------------------------------------------- */

/* Whether the driver may touch that much of the configuration. */
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
	if (fake->vanished || fake->forgot) {
		/* Goes nowhere. */
	} else if (!(fake->status & ready)) {
		fake_breach(fake, "configuration written with status 0x%02x", fake->status);
	} else if (!fake_config_allowed(fake, offset, len, true)) {
		fake_breach(fake, "%u bytes written at %u of the configuration", len, offset);
	} else {
		memcpy((u8 *)&fake->config + offset, buf, len);
		if (offset == offsetof(struct virtio_balloon_config, actual)) {
			fake->writes_actual++;
			fake->least_actual = min(fake->least_actual,
						 le32_to_cpu(fake->config.actual));
		}
	}
	spin_unlock_irqrestore(&fake->lock, flags);
	wake_up_all(&fake->changed);
}

static u8 fake_get_status(struct virtio_device *vdev)
{
	struct fake_balloon *fake = to_fake(vdev);
	unsigned long flags;
	u8 status;

	spin_lock_irqsave(&fake->lock, flags);
	fake->looks++;
	status = fake->status;
	/* In the end the bus warns of any status, which no driver could help. */
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
	/* Buffers may be there before the device runs. */
	if (status & VIRTIO_CONFIG_S_DRIVER_OK)
		queue_work(fake->wq, &fake->work);
	wake_up_all(&fake->changed);
}

/* With fake->lock held: what a device loses in a reset. */
static void fake_lose(struct fake_balloon *fake)
{
	fake->status = 0;
	fake->lost = fake->nr_owned;
	xa_destroy(&fake->owned);
	fake->nr_owned = 0;
	fake->config.poison_val = 0;
}

static void fake_reset(struct virtio_device *vdev)
{
	struct fake_balloon *fake = to_fake(vdev);
	unsigned long flags;
	unsigned int role;

	/* Whatever the driver has stopped by now, the device may still have something to say. */
	for (role = 0; role < FAKE_QUEUES; role++)
		fake_balloon_queue_irq(fake, role);
	spin_lock_irqsave(&fake->lock, flags);
	fake_lose(fake);
	fake->forgot = false;
	fake->resets++;
	spin_unlock_irqrestore(&fake->lock, flags);
	/* No interrupt is under way afterwards. */
	flush_work(&fake->work);
	irq_work_sync(&fake->irq);
	wake_up_all(&fake->changed);
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
		fake_breach(fake, "features 0x%llx accepted of 0x%llx",
			    (u64)vdev->features, fake->features);
	return fake->fail == FAKE_FAIL_FEATURES ? -EINVAL : 0;
}

static void fake_del_vqs(struct virtio_device *vdev)
{
	struct fake_balloon *fake = to_fake(vdev);
	struct virtqueue *vq, *next;
	unsigned long flags;
	unsigned int role;

	spin_lock_irqsave(&fake->lock, flags);
	for (role = 0; role < FAKE_QUEUES; role++)
		fake->queues[role].vq = NULL;
	spin_unlock_irqrestore(&fake->lock, flags);
	flush_work(&fake->work);
	irq_work_sync(&fake->irq);
	list_for_each_entry_safe(vq, next, &vdev->vqs, list)
		vring_del_virtqueue(vq);
}

/* What queue number @index is for: those without a feature are not there. */
static enum fake_role fake_role(struct fake_balloon *fake, unsigned int index)
{
	static const int features[FAKE_QUEUES] = {
		-1, -1, VIRTIO_BALLOON_F_STATS_VQ, VIRTIO_BALLOON_F_FREE_PAGE_HINT,
		VIRTIO_BALLOON_F_REPORTING,
	};
	unsigned int role;

	for (role = 0; role < FAKE_QUEUES; role++) {
		if (features[role] >= 0 && !fake_negotiated(fake, features[role]))
			continue;
		if (!index--)
			break;
	}
	return role;
}

static struct virtqueue *fake_find_vq(struct fake_balloon *fake, unsigned int index,
				      vq_callback_t *callback, const char *name)
{
	enum fake_role role = fake_role(fake, index);
	struct fake_queue *queue;
	struct virtqueue *vq;

	if (role == FAKE_QUEUES) {
		fake_breach(fake, "queue %u (%s) has no feature", index, name);
		return NULL;
	}
	queue = &fake->queues[role];
	vq = vring_create_virtqueue(index, queue->size ?: FAKE_QUEUE_SIZE, PAGE_SIZE, &fake->vdev,
				    true, false, false, fake_notify, callback, name);
	if (!vq)
		return NULL;
	vq->priv = queue;
	vq->num_max = virtqueue_get_vring_size(vq);
	queue->next = 0;
	queue->vq = vq;
	if (fake->hardened || (role == FAKE_STATS && fake->fail == FAKE_FAIL_STATS))
		__virtqueue_break(vq);
	return vq;
}

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

static int fake_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
			 FAKE_FIND_VQS_ARGS)
{
	struct fake_balloon *fake = to_fake(vdev);
	unsigned int i, index = 0;

	if (fake->fail == FAKE_FAIL_QUEUES)
		return -ENOENT;
	for (i = 0; i < nvqs; i++) {
		vqs[i] = NULL;
		if (!FAKE_NAME(i))
			continue;
		vqs[i] = fake_find_vq(fake, index++, FAKE_CALLBACK(i), FAKE_NAME(i));
		if (!vqs[i]) {
			fake_del_vqs(vdev);
			return -ENOMEM;
		}
	}
	if (fake_role(fake, index) != FAKE_QUEUES)
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

static const struct virtio_config_ops fake_config_ops = {
	.get = fake_get,
	FAKE_CONFIG_OPS,
};

static const struct virtio_config_ops fake_config_ops_no_access = {
	FAKE_CONFIG_OPS,
};

/**
 * fake_balloon_target - want the balloon to have another size
 * @fake: the device
 * @pfns: pages of 4 KiB
 *
 * Any context.
 */
void fake_balloon_target(struct fake_balloon *fake, u32 pfns)
{
	WRITE_ONCE(fake->config.num_pages, cpu_to_le32(pfns));
	if (fake->plugged)
		fake_balloon_config_irq(fake);
}

/**
 * fake_balloon_command - show another hinting command
 * @fake: the device
 * @id: a round's id, or VIRTIO_BALLOON_CMD_ID_*
 *
 * Any context.
 */
void fake_balloon_command(struct fake_balloon *fake, u32 id)
{
	WRITE_ONCE(fake->config.free_page_hint_cmd_id, cpu_to_le32(id));
	if (fake->plugged)
		fake_balloon_config_irq(fake);
}

/**
 * fake_balloon_actual - what the driver says it has given
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

/* --- how it dies ------------------------------------------------------------ */

/**
 * fake_balloon_forget - be reset behind the driver's back
 * @fake: the device
 *
 * Any context. It answers nothing any more and says nothing.
 */
void fake_balloon_forget(struct fake_balloon *fake)
{
	unsigned long flags;

	spin_lock_irqsave(&fake->lock, flags);
	fake_lose(fake);
	fake->forgot = true;
	spin_unlock_irqrestore(&fake->lock, flags);
}

/**
 * fake_balloon_need_reset - fail, and say so
 * @fake: the device
 *
 * Any context. It answers nothing any more.
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
 * fake_balloon_vanish - be pulled out
 * @fake: the device
 *
 * Any context. Everything reads as ones, and nothing can be written.
 */
void fake_balloon_vanish(struct fake_balloon *fake)
{
	unsigned long flags;

	spin_lock_irqsave(&fake->lock, flags);
	fake_lose(fake);
	fake->vanished = true;
	spin_unlock_irqrestore(&fake->lock, flags);
}

/* --- what has to end ---------------------------------------------------------- */

static bool fake_failed(struct fake_balloon *fake)
{
	return READ_ONCE(fake->test->status) == KUNIT_FAILURE;
}

/**
 * fake_balloon_patience - how long a test waits for what should happen
 * @fake: the device
 *
 * Any context.
 *
 * Return: in jiffies; less once the test has failed.
 */
unsigned long fake_balloon_patience(struct fake_balloon *fake)
{
	return fake_failed(fake) ? FAKE_IMPATIENCE : FAKE_PATIENCE;
}

/* Dies in each way at once: there is hardly a driver that waits for it all the same. */
static void fake_give_up(struct fake_balloon *fake)
{
	fake_balloon_vanish(fake);
	if (fake->plugged)
		virtio_break_device(&fake->vdev);
	fake_balloon_config_irq(fake);
}

/*
 * The driver waits for something that does not come. A test that did so too could not say
 * what is wrong, nor could those after it.
 */
static void fake_overdue(struct work_struct *work)
{
	struct fake_balloon *fake = container_of(to_delayed_work(work), struct fake_balloon,
						 overdue);

	KUNIT_FAIL(fake->test, "%s does not end: the device vanishes", fake->calling);
	fake_give_up(fake);
}

static void fake_call_begin(struct fake_balloon *fake, const char *what)
{
	fake->calling = what;
	schedule_delayed_work(&fake->overdue, fake_balloon_patience(fake));
}

static void fake_call_end(struct fake_balloon *fake)
{
	cancel_delayed_work_sync(&fake->overdue);
}

/**
 * fake_balloon_freeze - have the driver go to sleep
 * @fake: the device, with a driver
 *
 * Sleeps. Fails the test if it does not end.
 *
 * Return: 0, or the driver's error.
 */
int fake_balloon_freeze(struct fake_balloon *fake)
{
	int err;

	fake_call_begin(fake, "freeze");
	err = virtio_device_freeze(&fake->vdev);
	fake_call_end(fake);
	return err;
}

/**
 * fake_balloon_restore - have the driver wake up
 * @fake: the device, frozen
 *
 * Sleeps. Fails the test if it does not end.
 *
 * Return: 0, or the driver's error.
 */
int fake_balloon_restore(struct fake_balloon *fake)
{
	int err;

	fake_call_begin(fake, "restore");
	err = virtio_device_restore(&fake->vdev);
	fake_call_end(fake);
	return err;
}

/**
 * fake_balloon_run_out - hog_run_out(), with a driver that may help
 * @fake: the device
 *
 * Sleeps. Fails the test if it does not end.
 *
 * Return: pages that the driver had given back when mm asked for the first time.
 */
unsigned long fake_balloon_run_out(struct fake_balloon *fake)
{
	unsigned long pages;

	fake_call_begin(fake, "the guest's being out of memory");
	pages = hog_run_out();
	fake_call_end(fake);
	return pages;
}

/* --- its life ----------------------------------------------------------------- */

static void fake_release(struct device *dev)
{
	complete(&to_fake(dev_to_virtio(dev))->released);
}

/**
 * fake_balloon_init - the init of a suite: a device that is not plugged in
 * @test: whose test->priv it becomes; undone by fake_balloon_exit()
 * @features: that it offers, bits as a mask
 *
 * Sleeps. What the test wants of it is set before fake_balloon_plug().
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
	/* A host goes on where the guest has no memory left. */
	fake->wq = alloc_workqueue("fake-balloon", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	if (!fake->wq)
		goto err_free;
	/* Without the owner: some kernels run suites before a module is in sysfs. */
	fake->root = __root_device_register("fake-balloon", NULL);
	if (IS_ERR(fake->root))
		goto err_wq;
	fake->features = features;
	fake->config_len = sizeof(fake->config);
	spin_lock_init(&fake->lock);
	xa_init_flags(&fake->owned, XA_FLAGS_LOCK_IRQ);
	INIT_WORK(&fake->work, fake_work);
	init_irq_work(&fake->irq, fake_irq);
	init_waitqueue_head(&fake->changed);
	init_completion(&fake->released);
	INIT_DELAYED_WORK(&fake->overdue, fake_overdue);
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
 * Sleeps. Whether the driver took it is for fake_balloon_bound() to say.
 *
 * Return: 0, or the bus's error.
 */
int fake_balloon_plug(struct fake_balloon *fake)
{
	struct virtio_device *vdev = &fake->vdev;

	memset(vdev, 0, sizeof(*vdev));
	vdev->id.device = VIRTIO_ID_BALLOON;
	vdev->id.vendor = VIRTIO_DEV_ANY_ID - 1;
	vdev->config = fake->no_access ? &fake_config_ops_no_access : &fake_config_ops;
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
 * fake_balloon_bound - whether a driver has the device
 * @fake: the device, plugged in
 *
 * Sleeps; takes the device's lock.
 */
bool fake_balloon_bound(struct fake_balloon *fake)
{
	bool bound;

	device_lock(&fake->vdev.dev);
	bound = fake->vdev.dev.driver;
	device_unlock(&fake->vdev.dev);
	return bound;
}

/**
 * fake_balloon_unplug - take the device off the bus
 * @fake: the device
 *
 * Sleeps, until the driver has let go of it. Nobody may refer to it afterwards. Fails the
 * test if the driver does not let go.
 */
void fake_balloon_unplug(struct fake_balloon *fake)
{
	if (!fake->plugged)
		return;
	/* As virtio-pci does. */
	if (fake->vanished)
		virtio_break_device(&fake->vdev);
	fake_call_begin(fake, "unplug");
	unregister_virtio_device(&fake->vdev);
	fake_call_end(fake);
	fake->plugged = false;
	if (wait_for_completion_timeout(&fake->released, fake_balloon_patience(fake))) {
		reinit_completion(&fake->released);
		return;
	}
	fake->leaked = true;
	fake_breach(fake, "the device was taken off the bus, and is still referred to");
}

static int fake_act(void *data)
{
	struct fake_act *act = data;

	act->act(act->fake);
	complete(&act->ended);
	return 0;
}

/**
 * fake_balloon_start - begin something that might never end
 * @fake: the device; FAKE_ACTS at a time
 * @act: what to do, in a thread of its own
 *
 * Sleeps. To be followed by fake_balloon_ended().
 */
void fake_balloon_start(struct fake_balloon *fake, void (*act)(struct fake_balloon *fake))
{
	struct fake_act *new = &fake->acts[fake->nr_acts++];

	new->fake = fake;
	new->act = act;
	init_completion(&new->ended);
	/* Without a thread it is done here, and a watchdog has to notice if it does not end. */
	if (IS_ERR(kthread_run(fake_act, new, "fake-balloon")))
		fake_act(new);
}

/**
 * fake_balloon_ended - wait until all that was started has ended
 * @fake: the device; if it takes too long, it vanishes, so that the suite can go on
 *
 * Sleeps.
 *
 * Return: whether it ended in time by itself.
 */
bool fake_balloon_ended(struct fake_balloon *fake)
{
	unsigned int i, late = 0;

	for (i = 0; i < fake->nr_acts; i++) {
		if (wait_for_completion_timeout(&fake->acts[i].ended, fake_balloon_patience(fake)))
			continue;
		late++;
		fake_give_up(fake);
		wait_for_completion(&fake->acts[i].ended);
	}
	fake->nr_acts = 0;
	return !late;
}

/* Returns how many breaches of the specification it saw; the log says which. */
static unsigned int fake_destroy(struct fake_balloon *fake)
{
	unsigned int breaches;

	fake_balloon_unplug(fake);
	destroy_workqueue(fake->wq);
	irq_work_sync(&fake->irq);
	cancel_delayed_work_sync(&fake->overdue);
	breaches = fake->breaches;
	if (fake->leaked)
		return breaches;
	xa_destroy(&fake->owned);
	root_device_unregister(fake->root);
	kfree(fake);
	return breaches;
}

/**
 * fake_balloon_exit - the exit of a suite whose test->priv is a device
 * @test: that ends
 *
 * Sleeps. Fails the test if the driver broke the specification.
 */
void fake_balloon_exit(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	if (!fake)
		return;
	/* The test may have ended with buffers that nobody returns any more. */
	if (fake_failed(fake))
		fake_give_up(fake);
	KUNIT_EXPECT_EQ(test, fake_destroy(fake), 0U);
}
