/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A balloon device under the control of a test. It is on the real virtio bus and has real vrings,
 * so the driver's own probe, work items and remove run against it.
 *
 * Unless the test says otherwise, the device is a good host. It answers from a work item of its
 * own, and interrupts in hard interrupt context. It counts every breach of the specification that
 * a device can see; fake_balloon_exit() fails the test if there was one.
 *
 * README.md beside this file has an example of a case, from its name to running.
 */
#ifndef FAKE_BALLOON_H
#define FAKE_BALLOON_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct fake_balloon;

/* --- the device ------------------------------------------------------------- */

/* What each queue is for. Its number on the device depends on the features. */
enum fake_role {
	FAKE_INFLATE,
	FAKE_DEFLATE,
	FAKE_STATS,
	FAKE_HINT,
	FAKE_REPORT,
	FAKE_QUEUES
};

/* Feature bits as a mask. */
#define FAKE_F(name)	BIT_ULL(VIRTIO_BALLOON_F_##name)
#define FAKE_MODERN	BIT_ULL(VIRTIO_F_VERSION_1)

/*
 * The device counts memory in page numbers, one for each 4 KiB, whatever the size of the guest's
 * pages. Where a case says how large the balloon is to be, that is in page numbers, too. It is
 * always a whole number of pages of 64 KiB, which have 16 page numbers each.
 */
#define FAKE_PFN_SHIFT	12
#define FAKE_PFN_SIZE	BIT(FAKE_PFN_SHIFT)

/* Page numbers of one page of the guest. */
#define FAKE_PER_PAGE	((unsigned int)(PAGE_SIZE >> FAKE_PFN_SHIFT))

/* Page numbers that a buffer has at most: hosts skip a buffer that has more. */
#define FAKE_BATCH	256U

/* Descriptors of the longest chain that the driver makes. */
#define FAKE_MAX_SG	64

/* Calls of the driver that may run at the same time. */
#define FAKE_CALLS	2

/**
 * struct fake_buffer - a buffer that was taken from a queue
 * @role: role of the queue
 * @head: number of the first descriptor, by which the buffer is returned
 * @nents: number of descriptors
 * @len: bytes of all descriptors together
 * @writable: the device may write to the buffer
 * @indirect: the descriptors are in a table of their own
 * @sg: where the buffer is in the guest's memory
 */
struct fake_buffer {
	enum fake_role role;
	u16 head;
	unsigned int nents;
	u32 len;
	bool writable;
	bool indirect;
	struct {
		void *data;
		u32 len;
	} sg[FAKE_MAX_SG];
};

/**
 * struct fake_queue - a virtqueue, as the device sees it
 * @size: number of descriptors, a power of two; 0 for 128; read when the driver creates the queue
 * @hold: the test takes buffers from the queue and returns them; the device does not
 * @vq: the queue; NULL while there is none
 * @next: index in the available ring of the buffer to take next
 * @kicks: how often the driver has notified the device
 * @buffers: how many buffers were taken
 */
struct fake_queue {
	unsigned int size;
	bool hold;
	struct virtqueue *vq;
	u16 next;
	unsigned int kicks;
	unsigned int buffers;
};

/* What the device refuses to the driver. */
enum fake_failure {
	FAKE_FAIL_NOTHING,
	FAKE_FAIL_FEATURES,	/* the features that the driver has selected */
	FAKE_FAIL_QUEUES,	/* to create queues */
	FAKE_FAIL_STATS,	/* the statistics queue: it is broken from the start */
};

/**
 * struct fake_call - a call of the driver, which has to end
 * @name: what is called, for the message if it does not end
 * @call: makes the call; an error of the driver is returned
 */
struct fake_call {
	const char *name;
	int (*call)(struct fake_balloon *fake);
};

/**
 * struct fake_thread - a call that was started
 * @fake: the device
 * @call: what is called
 * @task: the thread that makes the call; NULL if the call was made without a thread
 * @ended: completed when the call has returned
 * @result: what the call has returned
 */
struct fake_thread {
	struct fake_balloon *fake;
	const struct fake_call *call;
	struct task_struct *task;
	struct completion ended;
	int result;
};

/**
 * struct fake_balloon - the device
 * @vdev: what the virtio bus knows of it
 * @root: parent of @vdev
 * @features: what the device offers, as a mask
 * @fail: what the device refuses
 * @config_len: bytes of the configuration that exist
 * @no_config: the transport cannot read the configuration
 * @hardened: every queue is broken until DRIVER_OK, as with CONFIG_VIRTIO_HARDEN_NOTIFICATION
 * @early_use: pages may be used before the device has acknowledged them; for cases without
 *	       MUST_TELL_HOST
 * @lock: protects all below up to @breaches, and the queues
 * @config: content of the configuration, little-endian
 * @status: device status
 * @resets: how often the driver's side has reset the device
 * @status_reads: how often the driver's side has read @status
 * @vanished: unplugged: everything reads as ones
 * @forgot: reset without the driver
 * @failed: the driver's side has set FAILED
 * @queues: the queues, by role
 * @owned: the page numbers that are the host's
 * @nr_owned: how many there are
 * @lost: how many there were at the last reset: the driver has not given them back
 * @deflated: the last buffer with several pages was one to deflate
 * @deflated_at: when that was, in jiffies
 * @pause: time in jiffies from the last deflate buffer to the inflate buffer that came after it;
 *	   buffers with one page do not count, since migration sends these at any time
 * @stats: the last statistics, by tag
 * @stats_tags: the tags that they had, a bit each
 * @stats_head: the statistics buffer, which the device keeps until the test asks for statistics
 * @command: the last hinting message of the driver
 * @commands: how many hinting messages there were
 * @hinted: bytes of all hints so far
 * @reported: bytes of all reports of free pages so far
 * @breaches: breaches of the specification so far
 * @work: answers the queues that the test does not hold
 * @wq: workqueue of @work
 * @taken: the buffer that @work has taken last
 * @popped: the buffer that the test has taken last; kept until the test takes another
 * @irq: runs the driver's callbacks
 * @irq_queues: roles of the queues to interrupt for, a bit each
 * @irq_config: whether to interrupt for the configuration
 * @changed: woken by everything that the driver does
 * @events: how often @changed was woken
 * @released: completed when nobody refers to @vdev any more
 * @plugged: the device is on the bus
 * @leaked: the device was taken off the bus, and somebody still refers to it
 * @abandoned: a call does not end, so nothing may be freed
 * @threads: calls that were started, and have not been waited for
 * @nr_threads: how many there are
 * @test: the test
 */
struct fake_balloon {
	struct virtio_device vdev;
	struct device *root;
	u64 features;
	enum fake_failure fail;
	unsigned int config_len;
	bool no_config;
	bool hardened;
	bool early_use;

	spinlock_t lock;	/* see above */
	struct virtio_balloon_config config;
	u8 status;
	unsigned int resets;
	unsigned int status_reads;
	bool vanished;
	bool forgot;
	bool failed;
	struct fake_queue queues[FAKE_QUEUES];
	struct xarray owned;
	unsigned long nr_owned;
	unsigned long lost;
	bool deflated;
	unsigned long deflated_at;
	unsigned long pause;
	u64 stats[VIRTIO_BALLOON_S_NR];
	u32 stats_tags;
	u16 stats_head;
	u32 command;
	unsigned int commands;
	u64 hinted;
	u64 reported;
	unsigned int breaches;

	struct work_struct work;
	struct workqueue_struct *wq;
	struct fake_buffer taken;
	struct fake_buffer popped;
	struct irq_work irq;
	unsigned long irq_queues;
	bool irq_config;
	wait_queue_head_t changed;
	atomic_t events;

	struct completion released;
	bool plugged;
	bool leaked;
	bool abandoned;
	struct fake_thread threads[FAKE_CALLS];
	unsigned int nr_threads;
	struct kunit *test;
};

/* --- life: init and exit of a suite, on the bus or not ---------------------- */

int fake_balloon_init(struct kunit *test, u64 features);
void fake_balloon_exit(struct kunit *test);
int fake_balloon_plug(struct fake_balloon *fake);
bool fake_balloon_bound(struct fake_balloon *fake);

/* --- calls of the driver, which have to end --------------------------------- */

extern const struct fake_call fake_unplug;
extern const struct fake_call fake_freeze;
extern const struct fake_call fake_restore;
extern const struct fake_call fake_run_out;

int fake_balloon_call(struct fake_balloon *fake, const struct fake_call *call);
void fake_balloon_start(struct fake_balloon *fake, const struct fake_call *call);
int fake_balloon_finish(struct fake_balloon *fake);
unsigned int fake_balloon_run_out_held(struct fake_balloon *fake);

/* Takes the device off the bus, if it is there. Nobody may refer to it afterwards. */
static inline void fake_balloon_unplug(struct fake_balloon *fake)
{
	fake_balloon_call(fake, &fake_unplug);
}

/* Ends a case that has the guest sleep, where the kernel cannot: it is skipped. */
static inline void fake_balloon_needs_sleep(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_PM_SLEEP))
		kunit_skip(test, "this kernel cannot sleep");
}

/* Has the guest go to sleep, as far as the driver sees. Returns 0 or the driver's error. */
static inline int fake_balloon_freeze(struct fake_balloon *fake)
{
	return fake_balloon_call(fake, &fake_freeze);
}

/* Has the guest wake up. Returns 0 or the driver's error. */
static inline int fake_balloon_restore(struct fake_balloon *fake)
{
	return fake_balloon_call(fake, &fake_restore);
}

/*
 * Has the guest run out of memory. Returns how much the driver has given back at once, in page
 * numbers.
 */
static inline unsigned int fake_balloon_run_out(struct fake_balloon *fake)
{
	return fake_balloon_call(fake, &fake_run_out);
}

/* --- the guest's memory ----------------------------------------------------- */

/* All that the guest counts as its memory, in page numbers. */
static inline unsigned long fake_guest_total(void)
{
	return totalram_pages() * FAKE_PER_PAGE;
}

/* --- the configuration ------------------------------------------------------ */

void fake_balloon_target(struct fake_balloon *fake, u32 pfns);
void fake_balloon_command(struct fake_balloon *fake, u32 id);
u32 fake_balloon_actual(struct fake_balloon *fake);
bool fake_balloon_reached(struct fake_balloon *fake, u32 pfns);

/* --- queues that the test answers itself ------------------------------------ */

void fake_balloon_hold(struct fake_balloon *fake, enum fake_role role);
void fake_balloon_serve(struct fake_balloon *fake, enum fake_role role);
bool fake_balloon_pop(struct fake_balloon *fake, enum fake_role role);
bool fake_balloon_pop_block(struct fake_balloon *fake);
unsigned int fake_balloon_popped_pfns(struct fake_balloon *fake);
struct page *fake_balloon_popped_page(struct fake_balloon *fake, unsigned int i);
void fake_balloon_accept(struct fake_balloon *fake);
void fake_balloon_answer(struct fake_balloon *fake);
void fake_balloon_answer_len(struct fake_balloon *fake, u32 len);

/* --- single steps of a device, right or wrong ------------------------------- */

void fake_balloon_push(struct fake_balloon *fake, enum fake_role role, u32 id, u32 len);
void fake_balloon_queue_irq(struct fake_balloon *fake, enum fake_role role);
void fake_balloon_config_irq(struct fake_balloon *fake);
bool fake_balloon_wants_irq(struct fake_balloon *fake, enum fake_role role);
void fake_balloon_ask(struct fake_balloon *fake);

/* --- ways to die ------------------------------------------------------------ */

void fake_balloon_forget(struct fake_balloon *fake);
void fake_balloon_need_reset(struct fake_balloon *fake);
void fake_balloon_vanish(struct fake_balloon *fake);

/* --- waiting ---------------------------------------------------------------- */

void fake_balloon_outlast_poll(void);
unsigned long fake_balloon_patience(struct fake_balloon *fake);
bool fake_balloon_wait_event(struct fake_balloon *fake, int events, unsigned long end);

/*
 * Waits until @condition is true, and returns whether it has become true in time. @condition may
 * sleep. It is not evaluated again once it was true, so it may also take a buffer.
 */
#define fake_balloon_wait(fake, condition)						\
({											\
	struct fake_balloon *fake_ = (fake);						\
	unsigned long end_ = jiffies + fake_balloon_patience(fake_);			\
	int events_;									\
	bool met_;									\
											\
	do {										\
		events_ = atomic_read(&fake_->events);					\
		met_ = (condition);							\
	} while (!met_ && fake_balloon_wait_event(fake_, events_, end_));		\
	met_;										\
})

/* Fails the test if @condition does not become true. */
#define FAKE_EXPECT_SOON(test, fake, condition)						\
do {											\
	bool soon_ = fake_balloon_wait(fake, condition);				\
											\
	KUNIT_EXPECT_TRUE_MSG(test, soon_, "not true in time: %s", #condition);		\
} while (0)

/* Fails and ends the test if @condition does not become true. */
#define FAKE_ASSERT_SOON(test, fake, condition)						\
do {											\
	bool soon_ = fake_balloon_wait(fake, condition);				\
											\
	KUNIT_ASSERT_TRUE_MSG(test, soon_, "not true in time: %s", #condition);		\
} while (0)

#endif /* FAKE_BALLOON_H */
