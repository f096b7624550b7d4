/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_OOM_H
#define BALLOON_OOM_H

#include <linux/notifier.h>
#include <linux/types.h>

struct balloon;
struct balloon_batch;

/* Number of buffers that an OOM fills in turn. */
#define BALLOON_OOM_BATCHES	2

/**
 * struct balloon_oom - deflate on OOM
 * @nb: called when the guest is out of memory
 * @pause_until: inflation pauses until this time in jiffies; 0 for no pause; the
 *		 notifier and the size work item write it without a lock
 * @memory: the memory of two batches; NULL if the feature was not negotiated
 * @batches: pages that leave the balloon; protected by pages.lock
 */
struct balloon_oom {
	struct notifier_block nb;
	unsigned long pause_until;
	struct balloon_batch *memory;
	struct balloon_batch *batches[BALLOON_OOM_BATCHES];
};

extern const struct balloon_feature balloon_oom_feature;

unsigned long balloon_oom_pause(struct balloon *b);
bool balloon_oom_settle(struct balloon *b, bool reset);

#endif /* BALLOON_OOM_H */
