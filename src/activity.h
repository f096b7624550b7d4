/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_ACTIVITY_H
#define BALLOON_ACTIVITY_H

#include <linux/bits.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct balloon;

/* Reasons to keep awake a guest that is about to suspend. */
#define BALLOON_STAY_AWAKE_SIZE		BIT(0)
#define BALLOON_STAY_AWAKE_STATS	BIT(1)

/**
 * struct balloon_activity - whether work may run and the guest must stay awake
 * @wq: runs the work items of all features
 * @lock: protects the fields below
 * @running: work may be queued
 * @stay_awake: BALLOON_STAY_AWAKE_* of those that keep the guest awake
 */
struct balloon_activity {
	struct workqueue_struct *wq;

	spinlock_t lock;	/* see above */
	bool running;
	unsigned long stay_awake;
};

int balloon_activity_setup(struct balloon *b);
void balloon_activity_teardown(struct balloon *b);
void balloon_set_running(struct balloon *b, bool running);
bool balloon_running(struct balloon *b);
void balloon_queue_work(struct balloon *b, struct delayed_work *work, unsigned long delay);
void balloon_stay_awake(struct balloon *b, unsigned long reason);
void balloon_relax(struct balloon *b, unsigned long reason);

#endif /* BALLOON_ACTIVITY_H */
