// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free page reporting: mm hands over free pages, the host discards what they
 * hold, and mm has them back. Serves "Free Page Reporting" of the specification.
 */
#include <linux/page_reporting.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include "balloon.h"

static int balloon_report_some(struct balloon *b, struct scatterlist *sg, unsigned int nents)
{
	struct balloon_buffer *buffer = &b->report.buffer;
	int err;

	err = balloon_host_lend(b, BALLOON_QUEUE_REPORT, sg, nents, buffer);
	if (err)
		return err;
	/* Until the host answers, what the pages hold is undefined. */
	return balloon_host_wait(b, BALLOON_QUEUE_REPORT, buffer);
}

/*
 * mm's callback, from its own work item: sleeps, and has the pages isolated. On
 * an error mm takes them for not reported.
 */
static int balloon_report_pages(struct page_reporting_dev_info *info,
				struct scatterlist *sg, unsigned int nents)
{
	struct balloon *b = container_of(info, struct balloon, report.info);
	unsigned int capacity = virtqueue_get_vring_size(b->vqs[BALLOON_QUEUE_REPORT]);

	/* The queue may be shorter than what mm hands over at once. */
	while (nents) {
		unsigned int some = min(nents, capacity);
		bool last = sg_is_last(&sg[some - 1]);
		int err;

		sg_mark_end(&sg[some - 1]);
		err = balloon_report_some(b, sg, some);
		if (!last)
			sg_unmark_end(&sg[some - 1]);
		if (err)
			return err;
		sg += some;
		nents -= some;
	}
	return 0;
}

/*
 * mm reports blocks of its pageblock size, which with large pages of the guest
 * may be hundreds of MiB that are never free together.
 */
static int balloon_report_order(void)
{
	return pageblock_order > get_order(SZ_2M) ? get_order(SZ_2M) : -1;
}

/* With report->lock held: mm reports while the device runs, unless the guest goes to sleep. */
static void balloon_report_adjust(struct balloon *b)
{
	struct balloon_report *report = &b->report;
	bool wanted = report->open && !report->asleep;
	int err;

	if (wanted == report->active)
		return;
	report->active = wanted;
	if (!wanted) {
		page_reporting_unregister(&report->info);
		return;
	}

	report->info = (struct page_reporting_dev_info) { .report = balloon_report_pages };
	balloon_compat_reporting_order(&report->info, balloon_report_order());
	report->buffer.in_flight = false;

	err = page_reporting_register(&report->info);
	if (!err)
		return;
	dev_warn(&b->vdev->dev, "no free page reporting: %s (%d)\n",
		 err == -EBUSY ? "another device does it" : "registration failed", err);
	report->active = false;
	report->open = false;
}

static void balloon_report_open(struct balloon *b, bool open)
{
	mutex_lock(&b->report.lock);
	b->report.open = open;
	balloon_report_adjust(b);
	mutex_unlock(&b->report.lock);
}

/*
 * mm reports from a worker that is not frozen, and the transport may put a device
 * to sleep without asking its driver: one that keeps its state meanwhile. A report
 * would be lost on it.
 */
static void balloon_report_sleep(struct balloon *b, bool asleep)
{
	mutex_lock(&b->report.lock);
	b->report.asleep = asleep;
	balloon_report_adjust(b);
	mutex_unlock(&b->report.lock);
}

static void balloon_report_asleep(struct balloon *b)
{
	balloon_report_sleep(b, true);
}

static void balloon_report_awake(struct balloon *b)
{
	balloon_report_sleep(b, false);
}

static int balloon_report_setup(struct balloon *b)
{
	mutex_init(&b->report.lock);
	return 0;
}

/* Not before the device runs, since mm reports from here on. */
static void balloon_report_start(struct balloon *b)
{
	balloon_report_open(b, true);
}

static void balloon_report_quiesce(struct balloon *b)
{
	balloon_report_open(b, false);
}

const struct balloon_room balloon_report_room = {
	.feature = VIRTIO_BALLOON_F_REPORTING,
	.setup = balloon_report_setup,
	.start = balloon_report_start,
	.asleep = balloon_report_asleep,
	.awake = balloon_report_awake,
	.quiesce = balloon_report_quiesce,
};
