/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio memory balloon driver. Start reading here.
 *
 * Each feature of the device is one file. It keeps its own state and, if it needs one, its
 * own work item. It offers main.c the functions of struct balloon_feature. main.c has a
 * table of all features: it starts them in the order of the table and stops them
 * in reverse order. Probe, its error path, remove, freeze, restore and shutdown
 * are loops over this table.
 *
 *	main.c		the device's life; the table of features
 *	takeover.c	where another driver is built into the kernel: takes the devices from it,
 *			and hands them back
 *	negotiate.c	features and virtqueues that are negotiated with the device
 *
 *	size.c		moves the balloon towards the size that the host wants
 *	oom.c		gives memory back when the guest is out of memory
 *	stats.c		the statistics queue; sample.c reads the kernel's counters,
 *			pack.c writes them in the device's format
 *	hint.c		free page hinting
 *	reporting.c	free page reporting
 *	poison.c	the value of the guest's free pages
 *
 *	pages.c		the pages in the balloon: inflate, deflate, migrate; pack.c writes
 *			their numbers too
 *	guest.c		takes memory from the guest, in blocks or pages, and frees it
 *	discard.c	the reporting queue: has the host discard free memory
 *	host.c		gives buffers to the host, takes them back, waits for them
 *	activity.c	whether work may run, and whether the guest must stay awake
 *	log.c		messages that a host can cause
 *
 * A file calls only files that stand below it in this list. The features of the
 * middle group do not call each other, except that size.c calls oom.c, and oom.c queues
 * the work item of size.c.
 *
 * Who owns a page
 * ---------------
 * A page joins mm's list of balloon pages only when the host has acknowledged it.
 * It leaves this list before the host is told that it goes. So no page on the list
 * is in flight, and only pages on the list are migrated. A device that is found
 * dead is reset at once, before any wait for it ends. So whoever gets -ENODEV knows
 * that the host no longer owns anything.
 *
 * Locks, outermost first
 * ----------------------
 *	life_lock		mutex: the device is being started or stopped
 *	reporting.lock		mutex: whether mm reports free pages to us
 *	discard.lock		mutex: the reporting queue; held while the host answers
 *	pages.lock		mutex: the balloon's pages, the inflate queue and the
 *				deflate queue; held while the host answers
 *	balloon_account_lock	mutex, one for all balloons: the zones' totals, in
 *				guest.c
 *	host.gone_lock		mutex: the device is being examined or reset
 *	stats.lock		spinlock, irq-safe: the statistics queue
 *	hint.lock		spinlock: the list of free blocks
 *	activity.lock		spinlock, irq-safe: whether work may be queued
 *
 * The hinting queue is used by its work item only.
 */
#ifndef BALLOON_H
#define BALLOON_H

#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/ratelimit.h>
#include <linux/virtio.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>

#include "activity.h"
#include "discard.h"
#include "guest.h"
#include "hint.h"
#include "host.h"
#include "log.h"
#include "negotiate.h"
#include "oom.h"
#include "pages.h"
#include "poison.h"
#include "reporting.h"
#include "size.h"
#include "stats.h"

/**
 * struct balloon_feature - the functions of a feature, in the order of a device's life
 * @bit: the feature's bit; without it no function is called; or BALLOON_ALWAYS
 * @setup: called once, at probe, to allocate memory; may sleep; undone by @teardown
 * @before_ready: the queues exist and the device does not run yet: writes the
 *		  configuration and queues the first buffers, but does not notify;
 *		  may sleep; undone by the reset
 * @start: the device runs: starts everything else; may sleep
 * @config_changed: the configuration changed, or may have changed; any context
 * @pm_sleep: the guest begins to go to sleep; perhaps the device is not told; may
 *	      sleep; an error keeps the guest from going to sleep
 * @pm_wake: the guest has woken up, or did not go to sleep after all; perhaps the
 *	     device does not run, or its interrupts were lost meanwhile; may sleep
 * @quiesce: no work begins from here on; returns when all work has ended; may
 *	     sleep; the device may be dead; may be called twice
 * @give_back: after @quiesce: gives the memory that the feature holds back to the guest, and
 *	       tells the host where the specification demands it; may sleep
 * @after_reset: the device has been reset, and the host owns nothing; may sleep
 * @teardown: undoes @setup, also if @setup failed or was not called
 */
struct balloon_feature {
	int bit;
	int (*setup)(struct balloon *b);
	int (*before_ready)(struct balloon *b);
	void (*start)(struct balloon *b);
	void (*config_changed)(struct balloon *b);
	int (*pm_sleep)(struct balloon *b);
	void (*pm_wake)(struct balloon *b);
	void (*quiesce)(struct balloon *b);
	void (*give_back)(struct balloon *b);
	void (*after_reset)(struct balloon *b);
	void (*teardown)(struct balloon *b);
};

/**
 * struct balloon - one balloon device
 * @vdev: the device
 * @capture_kernel: this kernel saves the memory of one that crashed; it has little
 *		    memory itself and gives none to the host
 * @log_limit: limits the messages that a host can cause, see balloon_log()
 * @life_lock: one caller at a time starts or stops the device
 * @queues_exist: the virtqueues exist; protected by @life_lock
 * @reboot_nb: called when the machine goes down
 * @pm_nb: called when the guest goes to sleep and when it wakes up
 * @activity: whether work may run
 * @host: the queues, and whether the device is alive
 * @discard: the reporting queue
 * @guest: what is taken from the guest
 * @pages: the pages in the balloon
 * @size: the way to the size that the host wants
 * @oom: deflate on OOM
 * @stats: the statistics queue
 * @hint: free page hinting
 * @reporting: free page reporting
 */
struct balloon {
	struct virtio_device *vdev;
	bool capture_kernel;
	struct ratelimit_state log_limit;

	struct mutex life_lock;	/* see above */
	bool queues_exist;
	struct notifier_block reboot_nb;
	struct notifier_block pm_nb;

	struct balloon_activity activity;
	struct balloon_host host;
	struct balloon_discard discard;
	struct balloon_guest guest;
	struct balloon_pages pages;
	struct balloon_size size;
	struct balloon_oom oom;
	struct balloon_stats stats;
	struct balloon_hint hint;
	struct balloon_reporting reporting;
};

#endif /* BALLOON_H */
