/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_REPORTING_H
#define BALLOON_REPORTING_H

#include <linux/mutex.h>
#include <linux/page_reporting.h>

#include "host.h"

/**
 * struct balloon_reporting - free page reporting
 * @lock: protects whether mm reports, with the two fields below
 * @device_runs: the device runs
 * @registered: @info is registered
 * @callback_lock: held while mm's callback runs; protects the queue and the fields
 *		   below
 * @pm_asleep: the guest goes to sleep, sleeps or wakes up
 * @buffer: token of the pages that are being reported
 * @info: mm's handle of this balloon
 */
struct balloon_reporting {
	struct mutex lock;	/* see above */
	bool device_runs;
	bool registered;

	struct mutex callback_lock;	/* see above */
	bool pm_asleep;
	struct balloon_buffer buffer;
	struct page_reporting_dev_info info;
};

extern const struct balloon_feature balloon_reporting_feature;

#endif /* BALLOON_REPORTING_H */
