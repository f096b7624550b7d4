// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free page reporting: mm hands over free pages, the host discards what they
 * hold, and mm has them back. Serves "Free Page Reporting" of the specification.
 */
#include <linux/delay.h>
#include <linux/page_reporting.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include "balloon.h"

/* How often to look whether a report is over, before the guest goes to sleep. */
#define BALLOON_REPORT_POLL_MS	20

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

/* The queue may be shorter than what mm hands over at once. */
static int balloon_report_all(struct balloon *b, struct scatterlist *sg, unsigned int nents)
{
	unsigned int capacity = virtqueue_get_vring_size(b->vqs[BALLOON_QUEUE_REPORT]);

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
 * mm's callback, from its own work item: sleeps, and has the pages isolated. On
 * an error mm takes them for not reported.
 */
static int balloon_report_pages(struct page_reporting_dev_info *info,
				struct scatterlist *sg, unsigned int nents)
{
	struct balloon *b = container_of(info, struct balloon, report.info);
	int err = -EBUSY;

	mutex_lock(&b->report.busy);
	if (!b->report.asleep)
		err = balloon_report_all(b, sg, nents);
	mutex_unlock(&b->report.busy);
	return err;
}

/*
 * mm reports blocks of its pageblock size, which with large pages of the guest
 * may be hundreds of MiB that are never free together.
 */
static int balloon_report_order(void)
{
	return get_order(SZ_2M) < BALLOON_COMPAT_PAGEBLOCK_ORDER ? get_order(SZ_2M) : -1;
}

/* mm reports while the device runs, unless the guest goes to sleep. */
static void balloon_report_adjust(struct balloon *b)
{
	struct balloon_report *report = &b->report;
	bool wanted = report->open && !READ_ONCE(report->asleep);
	int err;

	lockdep_assert_held(&report->lock);
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
	balloon_say(b, KERN_WARNING, "no free page reporting: %s (%d)\n",
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

/* Whether no report is under way any more, and none begins, see balloon_report_pages(). */
static bool balloon_report_pause(struct balloon_report *report)
{
	unsigned long end = jiffies + BALLOON_HOST_PATIENCE;

	WRITE_ONCE(report->asleep, true);
	while (!mutex_trylock(&report->busy)) {
		if (time_after(jiffies, end))
			return false;
		msleep(BALLOON_REPORT_POLL_MS);
	}
	mutex_unlock(&report->busy);
	return true;
}

/*
 * mm reports from a worker that is not frozen, and the transport may put a device
 * to sleep without asking its driver: one that keeps its state meanwhile. A report
 * would be lost on it. One that the host does not answer keeps the guest awake, as
 * inflating does: until then its pages may not be used, and mm has them back when
 * it is told that the report is over.
 */
static int balloon_report_asleep(struct balloon *b)
{
	struct balloon_report *report = &b->report;
	int err = 0;

	mutex_lock(&report->lock);
	if (report->active && !balloon_report_pause(report)) {
		balloon_say(b, KERN_WARNING,
			    "the host does not answer a report of free pages: not going to sleep\n");
		err = -EBUSY;
	} else {
		WRITE_ONCE(report->asleep, true);
		balloon_report_adjust(b);
	}
	mutex_unlock(&report->lock);
	return err;
}

static void balloon_report_awake(struct balloon *b)
{
	mutex_lock(&b->report.lock);
	WRITE_ONCE(b->report.asleep, false);
	balloon_report_adjust(b);
	mutex_unlock(&b->report.lock);
}

static int balloon_report_setup(struct balloon *b)
{
	mutex_init(&b->report.lock);
	mutex_init(&b->report.busy);
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
