// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free page reporting: mm names free pages, the driver has the host discard their contents, see
 * discard.c, and then mm takes them back. Serves "Free Page Reporting" of the specification.
 */
#include <linux/page_reporting.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include "balloon.h"

/*
 * mm's callback, called by its own work item; the pages are isolated meanwhile. Sleeps. After
 * an error mm counts the pages as not reported.
 */
static int balloon_reporting_callback(struct page_reporting_dev_info *info,
				      struct scatterlist *sg, unsigned int nents)
{
	return balloon_discard(container_of(info, struct balloon, reporting.info), sg, nents);
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
	bool wanted = reporting->device_runs && !reporting->pm_asleep;
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

static void balloon_reporting_set_asleep(struct balloon *b, bool asleep)
{
	mutex_lock(&b->reporting.lock);
	b->reporting.pm_asleep = asleep;
	balloon_reporting_adjust(b);
	mutex_unlock(&b->reporting.lock);
}

/* discard.c has made sure that no report is with the host, and refuses further ones. */
static int balloon_reporting_pm_sleep(struct balloon *b)
{
	balloon_reporting_set_asleep(b, true);
	return 0;
}

static void balloon_reporting_pm_wake(struct balloon *b)
{
	balloon_reporting_set_asleep(b, false);
}

static int balloon_reporting_setup(struct balloon *b)
{
	mutex_init(&b->reporting.lock);
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
