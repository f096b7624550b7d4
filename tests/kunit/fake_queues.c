// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtqueues as the device sees them, and its interrupts.
 */
#include "fake_internal.h"

/* Entries of a queue for which the case has not asked for another size. */
#define FAKE_QUEUE_SIZE	128

/* --- created and deleted --------------------------------------------------- */

/* The driver notifies the device. */
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
 * fake_queue_role - get what a queue is for
 * @fake: the device
 * @index: number of the queue: one whose feature is not negotiated has no number
 *
 * Any context.
 *
 * Return: the role; FAKE_QUEUES if there is no queue of that number.
 */
enum fake_role fake_queue_role(struct fake_balloon *fake, unsigned int index)
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

/**
 * fake_queue_create - create a queue
 * @fake: the device
 * @index: number of the queue
 * @callback: called by the interrupt of the queue
 * @name: what the driver calls the queue
 *
 * Sleeps. Counts a breach if there is no queue of that number.
 *
 * Return: the queue, or NULL.
 */
struct virtqueue *fake_queue_create(struct fake_balloon *fake, unsigned int index,
				    vq_callback_t *callback, const char *name)
{
	enum fake_role role = fake_queue_role(fake, index);
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

/**
 * fake_queues_delete - delete all queues
 * @fake: the device
 *
 * Sleeps. Afterwards neither the device's work item nor an interrupt uses a queue.
 */
void fake_queues_delete(struct fake_balloon *fake)
{
	struct virtqueue *vq, *next;
	unsigned long flags;
	unsigned int role;

	spin_lock_irqsave(&fake->lock, flags);
	for (role = 0; role < FAKE_QUEUES; role++)
		fake->queues[role].vq = NULL;
	spin_unlock_irqrestore(&fake->lock, flags);
	flush_work(&fake->work);
	irq_work_sync(&fake->irq);
	list_for_each_entry_safe(vq, next, &fake->vdev.vqs, list)
		vring_del_virtqueue(vq);
}

/* --- buffers --------------------------------------------------------------- */

/* Whether the device may touch the queue; with fake->lock held. */
static bool fake_queue_runs(struct fake_balloon *fake, const struct fake_queue *queue)
{
	return queue->vq && fake->status & VIRTIO_CONFIG_S_DRIVER_OK && !fake->vanished;
}

/* Reads the chain of descriptors that begins with number @head; with fake->lock held. */
static void fake_read_chain(struct fake_balloon *fake, const struct vring *vring, u16 head,
			    struct fake_buffer *buffer)
{
	struct virtio_device *vdev = &fake->vdev;
	const struct vring_desc *desc = &vring->desc[head];
	const struct vring_desc *table = vring->desc;
	u16 flags = virtio16_to_cpu(vdev, desc->flags);

	memset(buffer, 0, sizeof(*buffer));
	buffer->head = head;
	if (flags & VRING_DESC_F_INDIRECT) {
		buffer->indirect = true;
		table = phys_to_virt(virtio64_to_cpu(vdev, desc->addr));
		desc = table;
	}
	for (;;) {
		if (buffer->nents == FAKE_MAX_SG) {
			fake_breach(fake, "a chain of more than %u descriptors", FAKE_MAX_SG);
			return;
		}
		flags = virtio16_to_cpu(vdev, desc->flags);
		buffer->sg[buffer->nents].data = phys_to_virt(virtio64_to_cpu(vdev, desc->addr));
		buffer->sg[buffer->nents].len = virtio32_to_cpu(vdev, desc->len);
		buffer->len += buffer->sg[buffer->nents].len;
		buffer->writable = flags & VRING_DESC_F_WRITE;
		buffer->nents++;
		if (!(flags & VRING_DESC_F_NEXT))
			return;
		desc = &table[virtio16_to_cpu(vdev, desc->next)];
	}
}

/**
 * fake_pop - take the next buffer from a queue
 * @fake: the device
 * @role: role of the queue
 * @buffer: set to the buffer; not changed if there is none
 *
 * Any context; takes fake->lock.
 *
 * Return: whether the driver has offered a buffer.
 */
bool fake_pop(struct fake_balloon *fake, enum fake_role role, struct fake_buffer *buffer)
{
	struct virtio_device *vdev = &fake->vdev;
	struct fake_queue *queue = &fake->queues[role];
	const struct vring *vring;
	unsigned long flags;
	bool found = false;

	spin_lock_irqsave(&fake->lock, flags);
	if (!fake_queue_runs(fake, queue))
		goto out_unlock;
	vring = virtqueue_get_vring(queue->vq);
	if (queue->next == virtio16_to_cpu(vdev, READ_ONCE(vring->avail->idx)))
		goto out_unlock;
	/* Pairs with the barrier in virtqueue_add(), before the driver raises the index. */
	virt_rmb();
	found = true;
	fake_read_chain(fake, vring,
			virtio16_to_cpu(vdev, vring->avail->ring[queue->next % vring->num]),
			buffer);
	buffer->role = role;
	queue->next++;
	queue->buffers++;

out_unlock:
	spin_unlock_irqrestore(&fake->lock, flags);
	return found;
}

/**
 * fake_balloon_push - return a buffer to the driver, without an interrupt
 * @fake: the device
 * @role: role of the queue
 * @id: the buffer's head; another number is a fault of the device
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
	if (fake_queue_runs(fake, queue)) {
		vring = virtqueue_get_vring(queue->vq);
		idx = virtio16_to_cpu(vdev, vring->used->idx);
		vring->used->ring[idx % vring->num].id = cpu_to_virtio32(vdev, id);
		vring->used->ring[idx % vring->num].len = cpu_to_virtio32(vdev, len);
		/* The driver reads the element after it has seen the new index. */
		virt_wmb();
		WRITE_ONCE(vring->used->idx, cpu_to_virtio16(vdev, idx + 1));
	}
	spin_unlock_irqrestore(&fake->lock, flags);
}

/* --- interrupts ------------------------------------------------------------ */

/**
 * fake_balloon_wants_irq - get whether the driver has enabled the interrupt of a queue
 * @fake: the device, with a driver
 * @role: role of a queue that exists
 *
 * Any context. The fake interrupts in any case; devices that look at this do not.
 *
 * Return: whether such a device would interrupt for the next buffer that it returns.
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
 * fake_balloon_queue_irq - interrupt the driver for a queue
 * @fake: the device
 * @role: role of the queue
 *
 * Any context. The driver's callback runs in hard interrupt context, soon after.
 */
void fake_balloon_queue_irq(struct fake_balloon *fake, enum fake_role role)
{
	set_bit(role, &fake->irq_queues);
	irq_work_queue(&fake->irq);
}

/**
 * fake_balloon_config_irq - interrupt the driver for a change of the configuration
 * @fake: the device
 *
 * Any context.
 */
void fake_balloon_config_irq(struct fake_balloon *fake)
{
	WRITE_ONCE(fake->irq_config, true);
	irq_work_queue(&fake->irq);
}

/**
 * fake_irq - the interrupt
 * @work: the device's irq_work
 *
 * Calls the queue's callback also where the queue has no buffer to return: a driver has to cope
 * with interrupts that mean nothing.
 */
void fake_irq(struct irq_work *work)
{
	struct fake_balloon *fake = container_of(work, struct fake_balloon, irq);
	struct virtqueue *vq;
	unsigned int role;

	for (role = 0; role < FAKE_QUEUES; role++) {
		vq = READ_ONCE(fake->queues[role].vq);
		if (test_and_clear_bit(role, &fake->irq_queues) && vq && vq->callback)
			vq->callback(vq);
	}
	if (xchg(&fake->irq_config, false))
		virtio_config_changed(&fake->vdev);
}
