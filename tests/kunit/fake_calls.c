// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a case calls of the driver. Each call has a thread of its own and a time limit, so a driver
 * that waits for ever fails the case in words, and the cases after it still run.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/task.h>

#include "fake_internal.h"
#include "hog.h"

/* In jiffies; what a call may still take after the device has vanished. */
#define FAKE_LAST_PATIENCE	(30 * HZ)

static int fake_thread(void *data)
{
	struct fake_thread *thread = data;

	thread->result = thread->call->call(thread->fake);
	complete(&thread->ended);
	return 0;
}

/**
 * fake_balloon_start - start a call of the driver, and do not wait until it ends
 * @fake: the device; at most FAKE_CALLS calls at a time
 * @call: what to call
 *
 * Sleeps. The case has to call fake_balloon_finish() afterwards.
 */
void fake_balloon_start(struct fake_balloon *fake, const struct fake_call *call)
{
	struct fake_thread *thread = &fake->threads[fake->nr_threads];
	struct task_struct *task;

	if (WARN_ON(fake->nr_threads == FAKE_CALLS))
		return;
	fake->nr_threads++;
	thread->fake = fake;
	thread->call = call;
	init_completion(&thread->ended);
	task = kthread_create(fake_thread, thread, "fake-balloon");
	thread->task = IS_ERR(task) ? NULL : get_task_struct(task);
	if (thread->task)
		wake_up_process(task);
	else
		fake_thread(thread);
}

/* Returns whether the call has ended; if it is late, the device vanishes. */
static bool fake_thread_end(struct fake_thread *thread)
{
	struct fake_balloon *fake = thread->fake;
	const char *name = thread->call->name;

	if (!wait_for_completion_timeout(&thread->ended, fake_balloon_patience(fake))) {
		KUNIT_FAIL(fake->test, "%s does not end: the device vanishes", name);
		fake_give_up(fake);
		if (!wait_for_completion_timeout(&thread->ended, FAKE_LAST_PATIENCE)) {
			KUNIT_FAIL(fake->test, "%s does not end, even without the device", name);
			return false;
		}
	}
	if (thread->task) {
		/* When this returns the thread has left the code of this module. */
		kthread_stop(thread->task);
		put_task_struct(thread->task);
	}
	return true;
}

/**
 * fake_calls_end - wait until all calls have ended, and fail the test if that takes too long
 * @fake: the device
 *
 * Sleeps. If a call does not end at all, the device and this module stay in memory.
 *
 * Return: whether all have ended; if not, nothing may be done with the device any more.
 */
bool fake_calls_end(struct fake_balloon *fake)
{
	unsigned int i;

	for (i = 0; i < fake->nr_threads && !fake->abandoned; i++) {
		if (fake_thread_end(&fake->threads[i]))
			continue;
		__module_get(THIS_MODULE);
		fake->abandoned = true;
	}
	fake->nr_threads = 0;
	return !fake->abandoned;
}

/**
 * fake_balloon_finish - wait until the calls that were started have ended
 * @fake: the device
 *
 * Sleeps. Fails the test if a call takes too long; ends the test if a call does not end at all.
 *
 * Return: what the last of them has returned.
 */
int fake_balloon_finish(struct fake_balloon *fake)
{
	unsigned int nr = fake->nr_threads;

	KUNIT_ASSERT_TRUE_MSG(fake->test, fake_calls_end(fake), "the case cannot go on");
	return nr ? fake->threads[nr - 1].result : 0;
}

/**
 * fake_balloon_call - call the driver, and wait until the call has ended
 * @fake: the device
 * @call: what to call
 *
 * Sleeps. Fails the test as fake_balloon_finish() does.
 *
 * Return: what the call has returned.
 */
int fake_balloon_call(struct fake_balloon *fake, const struct fake_call *call)
{
	fake_balloon_start(fake, call);
	return fake_balloon_finish(fake);
}

/**
 * fake_balloon_run_out_held - have the guest run out of memory, and answer no deflate buffer
 * @fake: the device; the test holds its deflate queue, which is empty
 *
 * If mm is just migrating a page, the driver waits for the answer to the buffer of that page and
 * cannot help. Then that buffer is answered, and the guest runs out again. Sleeps.
 *
 * Return: how much the driver has given back at once, in page numbers; if 0, its first buffer was
 * popped.
 */
unsigned int fake_balloon_run_out_held(struct fake_balloon *fake)
{
	unsigned int freed;

	for (;;) {
		freed = fake_balloon_run_out(fake);
		/* On a busy machine this and what a failing case then waits for take long. */
		kunit_info(fake->test, "out of memory: %u page numbers came back at once\n", freed);
		if (freed || !fake_balloon_pop(fake, FAKE_DEFLATE) ||
		    fake_balloon_popped_pfns(fake) > FAKE_PER_PAGE)
			return freed;
		fake_balloon_answer(fake);
	}
}

#ifdef CONFIG_PM_SLEEP
static int fake_do_freeze(struct fake_balloon *fake)
{
	return virtio_device_freeze(&fake->vdev);
}

static int fake_do_restore(struct fake_balloon *fake)
{
	return virtio_device_restore(&fake->vdev);
}
#else
/* Not called: a case that would has been skipped by fake_balloon_needs_sleep(). */
static int fake_do_freeze(struct fake_balloon *fake)
{
	return -EOPNOTSUPP;
}

static int fake_do_restore(struct fake_balloon *fake)
{
	return -EOPNOTSUPP;
}
#endif

/* The driver is called by the OOM notifiers and the shrinkers. */
static int fake_do_run_out(struct fake_balloon *fake)
{
	return hog_run_out() * FAKE_PER_PAGE;
}

const struct fake_call fake_freeze = { "freeze", fake_do_freeze };
const struct fake_call fake_restore = { "restore", fake_do_restore };
const struct fake_call fake_run_out = { "running out of memory", fake_do_run_out };
