/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_REPORTING_H
#define BALLOON_REPORTING_H

#include <linux/mutex.h>
#include <linux/page_reporting.h>

#include "host.h"

/**
 * struct balloon_reporting - free page reporting
 * @lock: protects the fields up to @pm_asleep
 * @device_runs: the device runs
 * @registered: @info is registered
 * @info: mm's handle of this balloon
 * @pm_asleep: the guest goes to sleep, sleeps or wakes up; the callback reads it
 *	       without @lock
 * @callback_lock: held while mm's callback runs; protects the queue
 * @buffer: token of the pages that are being reported
 */
struct balloon_reporting {
	struct mutex lock;	/* see above */
	bool device_runs;
	bool registered;
	struct page_reporting_dev_info info;
	bool pm_asleep;

	struct mutex callback_lock;	/* see above */
	struct balloon_buffer buffer;
};

extern const struct balloon_feature balloon_reporting_feature;

#endif /* BALLOON_REPORTING_H */
