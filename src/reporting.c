// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free page reporting: mm names free pages, the driver passes them to the host, which
 * discards their contents, and then mm takes them back. Serves "Free Page Reporting" of
 * the specification.
 */
#include <linux/delay.h>
#include <linux/page_reporting.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include "balloon.h"

/* Before the guest goes to sleep: how often to look whether a report has ended, in ms. */
#define BALLOON_REPORTING_POLL_MS	20

static int balloon_reporting_send(struct balloon *b, struct scatterlist *sg, unsigned int nents)
{
	struct balloon_buffer *buffer = &b->reporting.buffer;
	int err;

	err = balloon_host_lend(b, BALLOON_QUEUE_REPORTING, sg, nents, buffer);
	if (err)
		return err;
	/* Until the host answers, the contents of the pages are undefined. */
	return balloon_host_wait(b, BALLOON_QUEUE_REPORTING, buffer);
}

/* mm may name more pages at once than the queue has entries. */
static int balloon_reporting_send_all(struct balloon *b, struct scatterlist *sg,
				      unsigned int nents)
{
	unsigned int capacity = balloon_host_queue_size(b, BALLOON_QUEUE_REPORTING);

	while (nents) {
		unsigned int some = min(nents, capacity);
		bool last = sg_is_last(&sg[some - 1]);
		int err;

		sg_mark_end(&sg[some - 1]);
		err = balloon_reporting_send(b, sg, some);
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
 * mm's callback, called by its own work item; the pages are isolated meanwhile. Sleeps. After
 * an error mm counts the pages as not reported.
 */
static int balloon_reporting_callback(struct page_reporting_dev_info *info,
				      struct scatterlist *sg, unsigned int nents)
{
	struct balloon *b = container_of(info, struct balloon, reporting.info);
	int err = -EBUSY;

	mutex_lock(&b->reporting.callback_lock);
	if (!b->reporting.pm_asleep)
		err = balloon_reporting_send_all(b, sg, nents);
	mutex_unlock(&b->reporting.callback_lock);
	return err;
}

/*
 * By default mm reports blocks of its pageblock size. With large pages these have up to
 * hundreds of MiB, and are hardly ever free as a whole. So the driver asks for 2 MiB if this
 * is less.
 */
static int balloon_reporting_order(void)
{
	return get_order(SZ_2M) < BALLOON_COMPAT_PAGEBLOCK_ORDER ? get_order(SZ_2M) : -1;
}

/* mm reports while the device runs, except while the guest goes to sleep or sleeps. */
static void balloon_reporting_adjust(struct balloon *b)
{
	struct balloon_reporting *reporting = &b->reporting;
	bool wanted = reporting->device_runs && !READ_ONCE(reporting->pm_asleep);
	int err;

	lockdep_assert_held(&reporting->lock);
	if (wanted == reporting->registered)
		return;
	reporting->registered = wanted;
	if (!wanted) {
		page_reporting_unregister(&reporting->info);
		return;
	}

	reporting->info = (struct page_reporting_dev_info) { .report = balloon_reporting_callback };
	balloon_compat_reporting_order(&reporting->info, balloon_reporting_order());
	reporting->buffer.in_flight = false;

	err = page_reporting_register(&reporting->info);
	if (!err)
		return;
	balloon_log(b, KERN_WARNING, "no free page reporting: %s (%d)\n",
		    err == -EBUSY ? "another device does it" : "registration failed", err);
	reporting->registered = false;
	reporting->device_runs = false;
}

static void balloon_reporting_set_runs(struct balloon *b, bool runs)
{
	mutex_lock(&b->reporting.lock);
	b->reporting.device_runs = runs;
	balloon_reporting_adjust(b);
	mutex_unlock(&b->reporting.lock);
}

/* Lets no report begin, and waits for one that has begun. Returns false if it did not end. */
static bool balloon_reporting_pause(struct balloon_reporting *reporting)
{
	unsigned long end = jiffies + BALLOON_HOST_PATIENCE;

	WRITE_ONCE(reporting->pm_asleep, true);
	while (!mutex_trylock(&reporting->callback_lock)) {
		if (time_after(jiffies, end))
			return false;
		msleep(BALLOON_REPORTING_POLL_MS);
	}
	mutex_unlock(&reporting->callback_lock);
	return true;
}

/*
 * mm reports from a worker that is not frozen, and a transport does not call the driver's
 * freeze for a device that keeps its state while the guest sleeps. A report would be lost
 * there, so reporting stops before. If the host does not answer a report, the guest stays
 * awake: its pages must not be used until the host has answered.
 */
static int balloon_reporting_pm_sleep(struct balloon *b)
{
	struct balloon_reporting *reporting = &b->reporting;
	int err = 0;

	mutex_lock(&reporting->lock);
	if (reporting->registered && !balloon_reporting_pause(reporting)) {
		balloon_log(b, KERN_WARNING,
			    "the host does not answer a report of free pages: not going to sleep\n");
		err = -EBUSY;
	} else {
		WRITE_ONCE(reporting->pm_asleep, true);
		balloon_reporting_adjust(b);
	}
	mutex_unlock(&reporting->lock);
	return err;
}

static void balloon_reporting_pm_wake(struct balloon *b)
{
	mutex_lock(&b->reporting.lock);
	WRITE_ONCE(b->reporting.pm_asleep, false);
	balloon_reporting_adjust(b);
	mutex_unlock(&b->reporting.lock);
}

static int balloon_reporting_setup(struct balloon *b)
{
	mutex_init(&b->reporting.lock);
	mutex_init(&b->reporting.callback_lock);
	return 0;
}

/* Called when the device runs, since mm may report at once. */
static void balloon_reporting_start(struct balloon *b)
{
	balloon_reporting_set_runs(b, true);
}

static void balloon_reporting_quiesce(struct balloon *b)
{
	balloon_reporting_set_runs(b, false);
}

const struct balloon_feature balloon_reporting_feature = {
	.bit = VIRTIO_BALLOON_F_REPORTING,
	.setup = balloon_reporting_setup,
	.start = balloon_reporting_start,
	.pm_sleep = balloon_reporting_pm_sleep,
	.pm_wake = balloon_reporting_pm_wake,
	.quiesce = balloon_reporting_quiesce,
};
