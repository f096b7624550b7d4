/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_REPORTING_H
#define BALLOON_REPORTING_H

#include <linux/mutex.h>
#include <linux/page_reporting.h>

/**
 * struct balloon_reporting - free page reporting
 * @lock: protects the fields below
 * @device_runs: the device runs
 * @registered: @info is registered
 * @pm_asleep: the guest goes to sleep, sleeps or wakes up
 * @info: mm's handle of this balloon
 */
struct balloon_reporting {
	struct mutex lock;	/* see above */
	bool device_runs;
	bool registered;
	bool pm_asleep;
	struct page_reporting_dev_info info;
};

extern const struct balloon_feature balloon_reporting_feature;

#endif /* BALLOON_REPORTING_H */
