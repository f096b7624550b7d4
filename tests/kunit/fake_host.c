// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host does with the buffers that it gets, and when it answers.
 */
#include <linux/mm.h>

#include "fake_internal.h"

/* The following functions are called with fake->lock held. */

static void fake_note_pause(struct fake_balloon *fake, bool inflate, unsigned int nr)
{
	/* Migration inflates one page and deflates another, at any time. */
	if (nr == FAKE_PER_PAGE)
		return;
	if (!inflate)
		fake->deflated_at = jiffies;
	else if (fake->deflated)
		fake->pause = jiffies - fake->deflated_at;
	fake->deflated = !inflate;
}

/* Hosts with large pages of their own can discard one only if it is named as a whole. */
static void fake_check_whole(struct fake_balloon *fake, const __virtio32 *pfns, unsigned int nr)
{
	unsigned int i;
	u32 first;

	for (i = 0; i < nr; i++) {
		first = virtio32_to_cpu(&fake->vdev, pfns[round_down(i, FAKE_PER_PAGE)]);
		if (first % FAKE_PER_PAGE || round_up(i + 1, FAKE_PER_PAGE) > nr ||
		    virtio32_to_cpu(&fake->vdev, pfns[i]) != first + i % FAKE_PER_PAGE) {
			fake_breach(fake, "a page is not named by all its numbers in order");
			return;
		}
	}
}

static void fake_accept_pfns(struct fake_balloon *fake, bool inflate,
			     const struct fake_buffer *buffer)
{
	const __virtio32 *pfns = buffer->sg[0].data;
	unsigned int i, nr = buffer->len / sizeof(*pfns);

	if (buffer->nents != 1 || !nr || nr > FAKE_BATCH || buffer->len % sizeof(*pfns))
		fake_breach(fake, "%u bytes of page numbers in %u entries",
			    buffer->len, buffer->nents);
	fake_check_whole(fake, pfns, nr);
	fake_note_pause(fake, inflate, nr);
	for (i = 0; i < nr; i++) {
		u32 pfn = virtio32_to_cpu(&fake->vdev, pfns[i]);

		if (inflate)
			fake_pages_inflate(fake, pfn);
		else
			fake_pages_deflate(fake, pfn);
	}
}

static void fake_accept_stats(struct fake_balloon *fake, const struct fake_buffer *buffer)
{
	const struct virtio_balloon_stat *stat = buffer->sg[0].data;
	unsigned int i;

	if (buffer->len % sizeof(*stat))
		fake_breach(fake, "%u bytes of statistics", buffer->len);
	fake->stats_tags = 0;
	for (i = 0; i < buffer->len / sizeof(*stat); i++) {
		u16 tag = virtio16_to_cpu(&fake->vdev, stat[i].tag);

		if (tag >= VIRTIO_BALLOON_S_NR) {
			fake_breach(fake, "statistics have an unknown tag %u", tag);
			continue;
		}
		if (fake->stats_tags & BIT(tag))
			fake_breach(fake, "statistics have tag %u twice", tag);
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

static void fake_accept_report(struct fake_balloon *fake, const struct fake_buffer *buffer)
{
	unsigned int i;

	for (i = 0; i < buffer->nents; i++)
		fake_pages_report(fake, buffer->sg[i].data, buffer->sg[i].len);
	fake->reported += buffer->len;
}

/* Does with a buffer what a host does, but does not return it. */
static void fake_accept(struct fake_balloon *fake, const struct fake_buffer *buffer)
{
	enum fake_role role = buffer->role;
	bool to_write = role == FAKE_REPORT;
	unsigned long flags;

	spin_lock_irqsave(&fake->lock, flags);
	if (buffer->indirect && !fake_negotiated(fake, VIRTIO_RING_F_INDIRECT_DESC))
		fake_breach(fake, "indirect descriptors, which were not negotiated");
	/* The hinting queue has both: messages that the host reads, pages that it may write. */
	if (role != FAKE_HINT && buffer->writable != to_write)
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
	fake_wake_case(fake);
}

/**
 * fake_host_work - answer all queues that the test does not hold
 * @work: the device's work item
 *
 * Sleeps. A statistics buffer is kept until the test asks for statistics.
 */
void fake_host_work(struct work_struct *work)
{
	struct fake_balloon *fake = container_of(work, struct fake_balloon, work);
	struct fake_buffer *buffer = &fake->taken;
	unsigned int role;

	for (role = 0; role < FAKE_QUEUES; role++) {
		bool returned = false;

		while (!READ_ONCE(fake->queues[role].hold) && fake_pop(fake, role, buffer)) {
			fake_accept(fake, buffer);
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
	fake_wake_case(fake);
}

/**
 * fake_balloon_ask - ask for statistics: return the buffer that the driver has offered
 * @fake: the device; it serves its statistics queue, and has a buffer from there
 *
 * Any context.
 */
void fake_balloon_ask(struct fake_balloon *fake)
{
	fake_balloon_push(fake, FAKE_STATS, fake->stats_head, 0);
	fake_balloon_queue_irq(fake, FAKE_STATS);
}

/* --- queues that the test answers itself ------------------------------------ */

/**
 * fake_balloon_hold - have the device leave a queue to the test
 * @fake: the device, on the bus or not
 * @role: role of the queue
 *
 * Sleeps. When this returns the device takes no more buffers from the queue.
 */
void fake_balloon_hold(struct fake_balloon *fake, enum fake_role role)
{
	WRITE_ONCE(fake->queues[role].hold, true);
	flush_work(&fake->work);
}

/**
 * fake_balloon_serve - have the device answer a queue again
 * @fake: the device, on the bus or not
 * @role: role of the queue
 *
 * Any context. A buffer that the test has popped is still for the test to answer.
 */
void fake_balloon_serve(struct fake_balloon *fake, enum fake_role role)
{
	WRITE_ONCE(fake->queues[role].hold, false);
	queue_work(fake->wq, &fake->work);
}

/**
 * fake_balloon_pop - take the next buffer from a queue; it becomes fake->popped
 * @fake: the device
 * @role: role of the queue, which the test holds
 *
 * Any context; takes fake->lock.
 *
 * Return: whether the driver has offered a buffer; if not, fake->popped is still the last one.
 */
bool fake_balloon_pop(struct fake_balloon *fake, enum fake_role role)
{
	return fake_pop(fake, role, &fake->popped);
}

/**
 * fake_balloon_pop_block - take the report of a block that is on its way into the balloon
 * @fake: the device; the test holds its reporting queue
 *
 * Answers the reports that mm has sent before. Their pages have no reference, and a block has that
 * of the driver. Any context.
 *
 * Return: whether there is such a report, which is in fake->popped then.
 */
bool fake_balloon_pop_block(struct fake_balloon *fake)
{
	while (fake_balloon_pop(fake, FAKE_REPORT)) {
		if (page_count(virt_to_page(fake->popped.sg[0].data)))
			return true;
		fake_balloon_answer(fake);
	}
	return false;
}

/**
 * fake_balloon_popped_pfns - count the page numbers in the buffer that was popped
 * @fake: the device; the buffer is from the inflate or the deflate queue
 *
 * Any context.
 *
 * Return: how many there are.
 */
unsigned int fake_balloon_popped_pfns(struct fake_balloon *fake)
{
	return fake->popped.len / sizeof(__virtio32);
}

/**
 * fake_balloon_popped_page - get the page of a page number in the buffer that was popped
 * @fake: the device; the buffer is from the inflate or the deflate queue
 * @i: which number, from 0
 *
 * Any context.
 *
 * Return: the page.
 */
struct page *fake_balloon_popped_page(struct fake_balloon *fake, unsigned int i)
{
	const __virtio32 *pfns = fake->popped.sg[0].data;

	return pfn_to_page(virtio32_to_cpu(&fake->vdev, pfns[i]) / FAKE_PER_PAGE);
}

/**
 * fake_balloon_accept - do with the buffer that was popped what a host does, but do not return it
 * @fake: the device
 *
 * Any context; takes fake->lock.
 */
void fake_balloon_accept(struct fake_balloon *fake)
{
	fake_accept(fake, &fake->popped);
}

/**
 * fake_balloon_answer_len - accept the buffer that was popped, return it, and interrupt
 * @fake: the device
 * @len: bytes that the device claims to have written
 *
 * Any context; takes fake->lock.
 */
void fake_balloon_answer_len(struct fake_balloon *fake, u32 len)
{
	fake_accept(fake, &fake->popped);
	fake_balloon_push(fake, fake->popped.role, fake->popped.head, len);
	fake_balloon_queue_irq(fake, fake->popped.role);
}

/**
 * fake_balloon_answer - accept the buffer that was popped, return it, and interrupt
 * @fake: the device
 *
 * Any context; takes fake->lock.
 */
void fake_balloon_answer(struct fake_balloon *fake)
{
	fake_balloon_answer_len(fake, 0);
}
