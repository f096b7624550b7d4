/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio memory balloon: what its rooms share.
 *
 * A feature of the device is a room: a file that keeps its state and its work
 * and offers main.c the verbs of struct balloon_room. main.c opens the rooms in
 * order and closes them in reverse; probe's error path, remove, freeze, restore
 * and shutdown are walks over the same table.
 *
 *	main.c		the device's life
 *	queues.c	which virtqueues there are
 *	host.c		the one door to the host: gives it a buffer, waits for it
 *	size.c		moves the balloon towards the target; deflates on OOM
 *	pages.c		the pages in it: inflate, deflate, migrate, account
 *	poison.c	the value of the guest's free pages
 *	stats.c		the statistics queue; asks sample.c, which pack.c writes out
 *	hint.c		free page hinting
 *	report.c	free page reporting
 *
 * Who owns a page
 * ---------------
 * A page joins the balloon's list only when the host has acknowledged it, and
 * leaves the list before the host is told that it goes. So nothing on the list
 * is in flight, and only pages on the list are migrated. A device that is found
 * dead is reset there and then, before any wait for it ends: so whoever is told
 * -ENODEV knows that the host owns nothing any more.
 *
 * Locks, outermost first
 * ----------------------
 *	life_lock	mutex; the device is being started or stopped
 *	report.lock	mutex; whether mm reports free pages
 *	report.busy	mutex; a report is under way; held while the host answers
 *	size.lock	mutex; the balloon's pages and the inflate and deflate
 *			queues; held while the host answers
 *	account_lock	mutex, of all balloons; the zones' totals, pages.c
 *	gone_lock	mutex; the device is being looked at, or reset
 *	stats.lock	spinlock, irq-safe; the statistics queue
 *	hint.lock	spinlock; the free blocks
 *	state_lock	spinlock, irq-safe; whether work may be queued
 *
 * The hinting and the reporting queue are each used by one work item alone, and
 * by the closing path once that is stopped.
 */
#ifndef BALLOON_H
#define BALLOON_H

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/page_reporting.h>
#include <linux/ratelimit.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat/balloon.h"
#include "compat/virtio.h"

/* Page numbers of 4 KiB that make one page of the guest. */
#define BALLOON_PFNS_PER_PAGE	(PAGE_SIZE >> VIRTIO_BALLOON_PFN_SHIFT)

struct balloon;
struct balloon_batch;

/* In the order of their numbers on the device, see balloon_queues_find(). */
enum balloon_queue {
	BALLOON_QUEUE_INFLATE,
	BALLOON_QUEUE_DEFLATE,
	BALLOON_QUEUE_STATS,
	BALLOON_QUEUE_HINT,
	BALLOON_QUEUE_REPORT,
	BALLOON_QUEUES
};

/**
 * struct balloon_room - the verbs of a feature, all optional
 * @feature: bit without which the room is never entered, or BALLOON_ALWAYS
 * @setup: once, at probe: memory; sleeps; undone by @teardown
 * @arm: queues exist, the device does not run yet: config fields and first
 *	 buffers, without notifying; sleeps; needs no undo but the reset
 * @start: the device runs: everything that makes it work; sleeps
 * @quiesce: no more work begins and what ran has ended; sleeps; the device may
 *	     be dead; harmless when repeated
 * @changed: the configuration changed, or may have; any context
 * @asleep: the guest goes to sleep; the device may not be told of it; sleeps; an error
 *	    keeps the guest awake
 * @awake: it woke up, or did not go after all; the device may not run, and what
 *	   the host said meanwhile may have been lost; sleeps
 * @empty: quiesced: give the guest back the memory that the feature holds, as
 *	   the specification wants it done while the device works; sleeps
 * @released: the device has been reset: nothing is the host's any more; sleeps
 * @teardown: undoes @setup, also one that failed or was not reached
 */
struct balloon_room {
	int feature;
	int (*setup)(struct balloon *b);
	int (*arm)(struct balloon *b);
	void (*start)(struct balloon *b);
	void (*changed)(struct balloon *b);
	int (*asleep)(struct balloon *b);
	void (*awake)(struct balloon *b);
	void (*quiesce)(struct balloon *b);
	void (*empty)(struct balloon *b);
	void (*released)(struct balloon *b);
	void (*teardown)(struct balloon *b);
};

#define BALLOON_ALWAYS	-1

extern const struct balloon_room balloon_size_room;
extern const struct balloon_room balloon_oom_room;
extern const struct balloon_room balloon_poison_room;
extern const struct balloon_room balloon_stats_room;
extern const struct balloon_room balloon_hint_room;
extern const struct balloon_room balloon_report_room;

/**
 * struct balloon_buffer - something handed to the host, the token on a queue
 * @in_flight: the host has it and may read or write it; protected by whatever
 *	       serialises the queue it is on
 */
struct balloon_buffer {
	bool in_flight;
};

/*
 * From here on, in jiffies, a host that is silent is worth a message, and whoever stops the
 * device or goes to sleep waits no longer.
 */
#define BALLOON_HOST_PATIENCE	(10 * HZ)

/* The specification has no limit, but hosts skip a buffer with more. */
#define BALLOON_BATCH_PFNS	256
#define BALLOON_BATCH_PAGES	(BALLOON_BATCH_PFNS / BALLOON_PFNS_PER_PAGE)

/**
 * struct balloon_batch - pages that travel together, pages.c
 * @buffer: token of @pfns on the inflate or the deflate queue
 * @nr: number of @pages
 * @pages: the pages of the guest, strung together by their lru
 * @nr_pfns: number of @pfns
 * @pfns: what the host reads; not written while @buffer is in flight
 */
struct balloon_batch {
	struct balloon_buffer buffer;
	unsigned int nr;
	struct list_head pages;
	unsigned int nr_pfns;
	__virtio32 pfns[BALLOON_BATCH_PFNS];
};

/**
 * struct balloon_size - inflate, deflate and migrate, size.c and pages.c
 * @lock: protects the batches, @nr_pages and the inflate and deflate queues
 * @fresh: pages as @work got them from the guest, without the lock; otherwise empty
 * @filling: pages that @work has taken from the guest, without the lock
 * @inflating: pages on their way to the host; only while @work runs
 * @taking: pages that leave the balloon, and of which the host has not been told
 * @deflating: pages on their way back; only while @work runs
 * @relief: as @deflating, for the OOM path, which may not wait for the host; in turn
 * @moving: the page that migration gives, then the one that it takes back
 * @info: the balloon's pages, shared with mm, which has a lock of its own
 * @nr_pages: pages of the guest that are the host's: those on @info's list, those
 *	      that mm has isolated from it, and @taking
 * @on_node: pages of each node that are not in the guest's hands
 * @work: moves the balloon towards the target; the fields below are its own,
 *	  except @hold_until
 * @target: pages of the guest that the host wanted last
 * @backoff: jiffies between attempts to inflate; 0 while they succeed
 * @retry: not before this time in jiffies
 * @pace: jiffies between batches to inflate; shrinks to 0, at once but for an OOM
 * @free_then: free pages of the guest when the last attempt failed
 * @stuck: the last attempt to inflate got nothing from the guest
 * @short_of: the log says that the target cannot be reached
 * @hold_until: after an OOM, inflation pauses until this time in jiffies; 0 for
 *		no pause; written without @lock
 * @oom_nb: tells us that the guest is out of memory
 */
struct balloon_size {
	struct mutex lock;	/* see above */
	struct page *fresh[BALLOON_BATCH_PAGES];
	struct balloon_batch *filling;
	struct balloon_batch *inflating;
	struct balloon_batch *taking;
	struct balloon_batch *deflating;
	struct balloon_batch *relief[2];
	struct balloon_batch *moving;
	struct balloon_dev_info info;
	unsigned long nr_pages;
	atomic_long_t *on_node;

	struct delayed_work work;
	unsigned long target;
	unsigned long backoff;
	unsigned long retry;
	unsigned long pace;
	unsigned long free_then;
	bool stuck;
	bool short_of;
	unsigned long hold_until;

	struct notifier_block oom_nb;
};

/**
 * struct balloon_stats - the statistics queue, stats.c
 * @lock: protects all below and the statistics queue
 * @open: the host may be answered
 * @owed: the host has asked and @work is to answer
 * @tags: bit per tag in every report; constant
 * @work: answers where an interrupt cannot
 * @report: the one buffer; the host's until the queue returns it
 */
struct balloon_stats {
	spinlock_t lock;	/* see above */
	bool open;
	bool owed;
	u32 tags;
	struct delayed_work work;
	struct virtio_balloon_stat report[VIRTIO_BALLOON_S_NR];
};

/**
 * struct balloon_hint - free page hinting, hint.c
 * @work: alone uses the queue and all below @changed
 * @lock: protects @blocks and @nr_blocks
 * @blocks: free blocks taken from the guest for the host to skip
 * @nr_blocks: their number
 * @shrinker: gives @blocks back when the guest needs memory
 * @changed: the configuration changed since @work read it; any context. Not a bool,
 *	since not every architecture can exchange a byte.
 * @command: the command id that the host showed then
 * @round: the command id that was taken up last
 * @sending: @round goes on
 * @waiting: @work has nothing to do until the host returns a buffer
 * @block: token of every block on the queue
 * @id: buffer that says a round begins, with @id_value
 * @id_value: the round's command id in the device's byte order
 * @stop: buffer that says a round ended, with @stop_value
 * @stop_value: VIRTIO_BALLOON_CMD_ID_STOP
 */
struct balloon_hint {
	struct delayed_work work;
	spinlock_t lock;	/* see above */
	struct list_head blocks;
	unsigned long nr_blocks;
	struct shrinker *shrinker;
	u32 changed;
	u32 command;
	u32 round;
	bool sending;
	bool waiting;
	struct balloon_buffer block;
	struct balloon_buffer id;
	__virtio32 id_value;
	struct balloon_buffer stop;
	__virtio32 stop_value;
};

/**
 * struct balloon_report - free page reporting, report.c
 * @lock: protects whether mm reports, and the two fields below
 * @open: the device runs
 * @active: @info is registered
 * @busy: protects the queue, @buffer and @asleep
 * @asleep: the guest goes to sleep, sleeps or wakes up
 * @info: mm's handle; its callback alone uses the queue
 * @buffer: the pages that are being reported; the callback's
 */
struct balloon_report {
	struct mutex lock;	/* see above */
	bool open;
	bool active;
	struct mutex busy;	/* see above */
	bool asleep;
	struct page_reporting_dev_info info;
	struct balloon_buffer buffer;
};

/**
 * struct balloon - one balloon device
 * @vdev: the device
 * @vqs: NULL where the queue does not exist
 * @wq: freezable, so that no work is about when the device is frozen
 * @acked: woken when the host returned a buffer or changed the configuration,
 *	   and when a wait is to end; no wait relies on being woken
 * @slow: how often the host was so slow that the log says so
 * @said: bounds what a host can have the driver say, see balloon_say()
 * @capture: this kernel saves the memory of one that crashed, and gives none away
 * @gone_lock: protects the transition of @gone, with the reset that goes with it
 * @gone: the device died and was reset; nothing is offered to it any more
 * @state_lock: protects @running and @awake
 * @running: work may be queued
 * @awake: reasons to keep a guest that is just suspending awake, BALLOON_AWAKE_*
 * @life_lock: the device is started or stopped by one at a time
 * @up: the queues exist; protected by @life_lock
 * @reboot_nb: tells us that the machine goes down
 * @pm_nb: tells us that the guest goes to sleep
 */
struct balloon {
	struct virtio_device *vdev;
	struct virtqueue *vqs[BALLOON_QUEUES];
	struct workqueue_struct *wq;
	wait_queue_head_t acked;
	atomic_long_t slow;
	struct ratelimit_state said;
	bool capture;

	struct mutex gone_lock;	/* see above */
	bool gone;

	spinlock_t state_lock;	/* see above */
	bool running;
	unsigned long awake;

	struct mutex life_lock;	/* see above */
	bool up;
	struct notifier_block reboot_nb;
	struct notifier_block pm_nb;

	struct balloon_size size;
	struct balloon_stats stats;
	struct balloon_hint hint;
	struct balloon_report report;
};

#define BALLOON_AWAKE_SIZE	BIT(0)
#define BALLOON_AWAKE_STATS	BIT(1)

/* main.c */
void balloon_queue_work(struct balloon *b, struct delayed_work *work,
			unsigned long delay);
bool balloon_running(struct balloon *b);
void balloon_stay_awake(struct balloon *b, unsigned long reason);
void balloon_relax(struct balloon *b, unsigned long reason);
__printf(3, 4)
void balloon_say(struct balloon *b, const char *level, const char *format, ...);

/* queues.c */
int balloon_queues_find(struct balloon *b);
void balloon_queues_delete(struct balloon *b);

/* host.c */
void balloon_host_acked(struct virtqueue *vq);
bool balloon_host_gone(struct balloon *b);
void balloon_host_abandon(struct balloon *b, const char *why);
int balloon_host_give(struct balloon *b, enum balloon_queue queue,
		      struct scatterlist *sg, struct balloon_buffer *buffer);
int balloon_host_lend(struct balloon *b, enum balloon_queue queue,
		      struct scatterlist *sg, unsigned int nents,
		      struct balloon_buffer *buffer);
void balloon_host_collect(struct balloon *b, enum balloon_queue queue);
bool balloon_host_room(struct balloon *b, enum balloon_queue queue);
int balloon_host_wait(struct balloon *b, enum balloon_queue queue,
		      const struct balloon_buffer *buffer);
int balloon_host_wait_for(struct balloon *b, enum balloon_queue queue,
			  const struct balloon_buffer *buffer,
			  unsigned long timeout);
void balloon_host_reset(struct balloon *b);

/* pages.c */
int balloon_pages_inflate(struct balloon *b, unsigned long max);
int balloon_pages_complete(struct balloon *b);
int balloon_pages_deflate(struct balloon *b, unsigned long max);
bool balloon_pages_settle(struct balloon *b, bool reset);
unsigned long balloon_pages_relieve(struct balloon *b, unsigned int share,
				    const nodemask_t *nodes);
int balloon_pages_migrate(struct balloon_dev_info *info, struct page *newpage,
			  struct page *page, enum migrate_mode mode);
void balloon_pages_reclaim(struct balloon *b);

/* poison.c */
bool balloon_poison_value(u32 *value);

/* hint.c */
void balloon_hint_returned(struct virtqueue *vq);

/* stats.c */
int balloon_stats_check_param(void);
void balloon_stats_requested(struct virtqueue *vq);

#endif /* BALLOON_H */
