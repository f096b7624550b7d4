/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOON_DISCARD_H
#define BALLOON_DISCARD_H

#include <linux/mutex.h>
#include <linux/scatterlist.h>

#include "host.h"

struct balloon;

/**
 * struct balloon_discard - the reporting queue
 * @paused: the guest goes to sleep, sleeps or wakes up; written without @lock
 * @lock: held while the host works on a report; protects the queue
 * @buffer: token of the pages that are being reported
 */
struct balloon_discard {
	bool paused;

	struct mutex lock;	/* see above */
	struct balloon_buffer buffer;
};

extern const struct balloon_feature balloon_discard_feature;

bool balloon_discard_offered(struct balloon *b);
int balloon_discard(struct balloon *b, struct scatterlist *sg, unsigned int nents);

#endif /* BALLOON_DISCARD_H */
