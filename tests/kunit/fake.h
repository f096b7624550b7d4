/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A balloon device that does as a test says: on the real virtio bus, with real
 * vrings, so that the driver's own probe, work and remove run against it.
 *
 * Left alone it is a good host. It answers from a work item of its own and
 * interrupts in hard interrupt context. It keeps account of what it has been
 * given and fills it, so that a page which the guest uses while it is the host's
 * is noticed; and it notes every breach of the specification that a device can
 * see, which fake_balloon_unplug() and the suites' exit then complain of.
 */
#ifndef FAKE_BALLOON_H
#define FAKE_BALLOON_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/irq_work.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

/* The queues' roles; their numbers follow from the features. */
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

/* Entries of the longest chain that the driver makes. */
#define FAKE_MAX_SG	64

/**
 * struct fake_buffer - what the driver has put on a queue
 * @head: its id
 * @nents: entries
 * @len: bytes of all of them
 * @writable: the device may write
 * @indirect: the entries came in a table of their own
 * @sg: where, in the guest's memory
 */
struct fake_buffer {
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
 * @size: entries; a power of two; 0 for 128; set before plugging in
 * @hold: the test takes the buffers and returns them, not the device
 * @vq: NULL while the driver has no such queue
 * @next: where in the ring the next buffer will be
 * @kicks: notifications
 * @buffers: buffers that were taken
 */
struct fake_queue {
	unsigned int size;
	bool hold;
	struct virtqueue *vq;
	u16 next;
	unsigned int kicks;
	unsigned int buffers;
};

/* Where the device may be made to fail, once or for ever. */
enum fake_step {
	FAKE_FAIL_NOTHING,
	FAKE_FAIL_FEATURES,	/* refuses the driver's selection */
	FAKE_FAIL_QUEUES,	/* has no queues to give */
	FAKE_FAIL_STATS,	/* the statistics queue is broken from the start */
};

/**
 * struct fake_act - something that is done in a thread of its own, since it may not end
 * @fake: the device
 * @act: what is done
 * @ended: completed at the end of it
 */
struct fake_act {
	struct fake_balloon *fake;
	void (*act)(struct fake_balloon *fake);
	struct completion ended;
};

/* As many at a time. */
#define FAKE_ACTS	2

/**
 * struct fake_balloon - the device
 * @vdev: on the bus
 * @root: parent of @vdev
 * @features: what it offers
 * @fail: where it fails
 * @config_len: bytes of the configuration that exist
 * @no_access: the transport cannot read the configuration
 * @hardened: the core takes every queue for broken until the device runs, as with
 *	      CONFIG_VIRTIO_HARDEN_NOTIFICATION
 * @hasty: the guest may use pages before they are acknowledged, without MUST_TELL_HOST
 * @lock: protects all below, and the queues
 * @config: its content, little-endian
 * @status: device status
 * @resets: how often it was reset by the driver's side
 * @looks: how often the driver's side has read @status
 * @vanished: unplugged: everything reads as ones
 * @forgot: reset behind the driver's back
 * @failed: the driver's side has set FAILED
 * @writes_actual: how often `actual` was written
 * @least_actual: the least that it was, since the test has last set this
 * @queues: by role
 * @owned: page numbers that are the host's
 * @nr_owned: how many
 * @lost: how many there still were at the last reset
 * @stats: the numbers of the last report, by tag
 * @stats_tags: which there were, a bit per tag
 * @stats_head: id of the buffer that waits to be asked for
 * @command: the last hinting message from the driver
 * @commands: how many there were
 * @hinted: bytes of hints in all
 * @reported: bytes of reports in all
 * @breaches: violations of the specification
 * @work: answers the driver
 * @wq: for @work
 * @taken: what @work has in its hands
 * @irq: interrupts the driver
 * @irq_queues: roles whose callback is due, a bit each
 * @irq_config: the configuration has changed
 * @changed: woken by everything the driver does
 * @released: nobody refers to @vdev any more
 * @plugged: it is on the bus
 * @leaked: it was taken off the bus, and somebody still refers to it
 * @acts: what fake_balloon_start() has begun
 * @nr_acts: how many of them
 * @test: whose device it is
 * @calling: what the test has called of the driver, that is to end
 * @overdue: what happens if that does not end
 */
struct fake_balloon {
	struct virtio_device vdev;
	struct device *root;
	u64 features;
	enum fake_step fail;
	unsigned int config_len;
	bool no_access;
	bool hardened;
	bool hasty;

	spinlock_t lock;	/* see above */
	struct virtio_balloon_config config;
	u8 status;
	unsigned int resets;
	unsigned int looks;
	bool vanished;
	bool forgot;
	bool failed;
	unsigned int writes_actual;
	u32 least_actual;
	struct fake_queue queues[FAKE_QUEUES];
	struct xarray owned;
	unsigned long nr_owned;
	unsigned long lost;
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
	struct irq_work irq;
	unsigned long irq_queues;
	bool irq_config;
	wait_queue_head_t changed;
	struct completion released;
	bool plugged;
	bool leaked;
	struct fake_act acts[FAKE_ACTS];
	unsigned int nr_acts;

	struct kunit *test;
	const char *calling;
	struct delayed_work overdue;
};

int fake_balloon_init(struct kunit *test, u64 features);
int fake_balloon_plug(struct fake_balloon *fake);
void fake_balloon_unplug(struct fake_balloon *fake);
void fake_balloon_start(struct fake_balloon *fake, void (*act)(struct fake_balloon *fake));
bool fake_balloon_ended(struct fake_balloon *fake);
void fake_balloon_exit(struct kunit *test);
bool fake_balloon_bound(struct fake_balloon *fake);

void fake_balloon_target(struct fake_balloon *fake, u32 pfns);
void fake_balloon_command(struct fake_balloon *fake, u32 id);
void fake_balloon_config_irq(struct fake_balloon *fake);
u32 fake_balloon_actual(struct fake_balloon *fake);

bool fake_balloon_wants_irq(struct fake_balloon *fake, enum fake_role role);
bool fake_balloon_pop(struct fake_balloon *fake, enum fake_role role, struct fake_buffer *buffer);
void fake_balloon_accept(struct fake_balloon *fake, enum fake_role role,
			 const struct fake_buffer *buffer);
void fake_balloon_push(struct fake_balloon *fake, enum fake_role role, u32 id, u32 len);
void fake_balloon_answer(struct fake_balloon *fake, enum fake_role role,
			 const struct fake_buffer *buffer, u32 len);
void fake_balloon_ask(struct fake_balloon *fake);
void fake_balloon_queue_irq(struct fake_balloon *fake, enum fake_role role);
void fake_balloon_hold(struct fake_balloon *fake, enum fake_role role, bool hold);

void fake_balloon_forget(struct fake_balloon *fake);
void fake_balloon_need_reset(struct fake_balloon *fake);
void fake_balloon_vanish(struct fake_balloon *fake);

int fake_balloon_freeze(struct fake_balloon *fake);
int fake_balloon_restore(struct fake_balloon *fake);
unsigned long fake_balloon_run_out(struct fake_balloon *fake);

unsigned long fake_balloon_patience(struct fake_balloon *fake);

/*
 * Waits until @condition; what it looks at need not wake anybody. Once it is true
 * it is not looked at again, so it may take a buffer.
 */
#define fake_balloon_wait(fake, condition)						\
({											\
	struct fake_balloon *fake_ = (fake);						\
	unsigned long end_ = jiffies + fake_balloon_patience(fake_);			\
	bool met_;									\
											\
	do {										\
		met_ = wait_event_timeout(fake_->changed, condition, HZ / 50 + 1);	\
	} while (!met_ && time_before(jiffies, end_));					\
	met_;										\
})

#define FAKE_EXPECT_SOON(test, fake, condition)						\
do {											\
	bool soon_ = fake_balloon_wait(fake, condition);				\
											\
	KUNIT_EXPECT_TRUE_MSG(test, soon_, "never: %s", #condition);			\
} while (0)

#define FAKE_ASSERT_SOON(test, fake, condition)						\
do {											\
	bool soon_ = fake_balloon_wait(fake, condition);				\
											\
	KUNIT_ASSERT_TRUE_MSG(test, soon_, "never: %s", #condition);			\
} while (0)

#endif /* FAKE_BALLOON_H */
