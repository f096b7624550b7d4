/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_SIZE_H
#define BALLOON_SIZE_H

#include <linux/workqueue.h>

/**
 * struct balloon_size - the way to the size that the host wants
 * @work: moves the balloon towards the target; the other fields but @look are its own
 * @look: the host may want another size; set by any context, cleared by @work
 * @target: pages of the guest that the host wanted last
 * @backoff: jiffies between attempts to inflate; 0 while they succeed
 * @retry_at: no attempt to inflate before this time, in jiffies
 * @interval: jiffies between two batches that inflate; 0 unless there was an OOM,
 *	      after which it shrinks to 0
 * @free_at_failure: free pages of the guest when the last attempt failed
 * @exhausted: the last attempt to inflate got nothing from the guest
 * @shortage_logged: the log says that the target cannot be reached for now
 */
struct balloon_size {
	struct delayed_work work;
	int look;
	unsigned long target;
	unsigned long backoff;
	unsigned long retry_at;
	unsigned long interval;
	unsigned long free_at_failure;
	bool exhausted;
	bool shortage_logged;
};

extern const struct balloon_feature balloon_size_feature;

#endif /* BALLOON_SIZE_H */
