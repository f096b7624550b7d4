// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks: memory of 2 MiB, or 1 MiB on s390, that is taken from the guest as a whole, and that
 * the host discards as a whole where it can. In each case the fake device checks besides that no
 * page is used while it is the host's.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/vmstat.h>

#include "balloon.h"
#include "compact.h"
#include "fake.h"
#include "file.h"
#include "hog.h"
#include "suites.h"

/* Sizes of the balloon in page numbers. A block is one buffer or two. */
#define BLOCK_ORDER	(PAGE_SHIFT + MAX_PAGE_ORDER < 21 ? MAX_PAGE_ORDER : 21 - PAGE_SHIFT)
#define BLOCK_BYTES	((u32)(PAGE_SIZE << BLOCK_ORDER))
#define BLOCK		(BLOCK_BYTES >> FAKE_PFN_SHIFT)
#define BOTH		(BLOCK + 192)	/* a block, and some pages */
#define SIZE		(6 * BLOCK)
#define ODD		(5 * BLOCK + 192)
#define MANY		(20 * BLOCK)

/* So often that what is lost is more than the guest's free memory varies by. */
#define ROUNDS		8

/* More than the driver has allocations to reach BOTH. */
#define MAX_ALLOCATIONS	100U

/* With these the driver reports: free pages of the test kernel have a value. */
#define REPORTS		(FAKE_F(PAGE_POISON) | FAKE_F(REPORTING))

static void block_first(struct kunit *test, const char *what)
{
	KUNIT_EXPECT_EQ(test, file_write(FILE_FIRST, what), 0);
}

static int block_init(struct kunit *test)
{
	block_first(test, "blocks");
	return fake_balloon_init(test, FAKE_MODERN | FAKE_F(MUST_TELL_HOST));
}

static void block_exit(struct kunit *test)
{
	fake_balloon_exit(test);
	hog_mend();
	block_first(test, "larger");
}

static void block_plug(struct kunit *test, u64 features)
{
	struct fake_balloon *fake = test->priv;

	fake->features |= features;
	KUNIT_ASSERT_EQ(test, fake_balloon_plug(fake), 0);
	KUNIT_ASSERT_TRUE(test, fake_balloon_bound(fake));
}

/* Whether the buffer that was popped is full, and has the pages from @first on, in order. */
static bool block_names(struct fake_balloon *fake, struct page *first)
{
	unsigned int i;

	if (fake_balloon_popped_pfns(fake) != FAKE_BATCH)
		return false;
	for (i = 0; i < FAKE_BATCH; i++)
		if (fake_balloon_popped_page(fake, i) != first + i / FAKE_PER_PAGE)
			return false;
	return true;
}

/*
 * Pops a buffer with pages that join the balloon. mm may migrate a page of the balloon meanwhile:
 * a buffer with this page alone is answered.
 */
static bool block_pop_inflate(struct fake_balloon *fake)
{
	while (fake_balloon_pop(fake, FAKE_INFLATE)) {
		if (fake_balloon_popped_pfns(fake) > FAKE_PER_PAGE)
			return true;
		fake_balloon_answer(fake);
	}
	return false;
}

/* The rest of a block is named in full buffers, in ascending order. The first one was popped. */
static void block_expect_all(struct kunit *test, struct page *first)
{
	struct fake_balloon *fake = test->priv;
	unsigned int done = 0;

	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(page_to_pfn(first), BIT(BLOCK_ORDER)));
	for (;;) {
		KUNIT_EXPECT_TRUE(test, block_names(fake, first + done / FAKE_PER_PAGE));
		fake_balloon_answer(fake);
		done += FAKE_BATCH;
		if (done >= BLOCK)
			break;
		FAKE_ASSERT_SOON(test, fake, block_pop_inflate(fake));
	}
}

/* A block is named in full buffers, in ascending order. */
static void block_order(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned int i;

	block_plug(test, 0);
	fake_balloon_hold(fake, FAKE_INFLATE);
	fake_balloon_target(fake, 2 * BLOCK);
	for (i = 0; i < 2; i++) {
		FAKE_ASSERT_SOON(test, fake, block_pop_inflate(fake));
		block_expect_all(test, fake_balloon_popped_page(fake, 0));
	}
	fake_balloon_serve(fake, FAKE_INFLATE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, 2 * BLOCK));
}

/* O1: the size is exact, also where it is no multiple of a block; a legacy device as well. */
static void block_sizes(struct kunit *test)
{
	static const u32 targets[] = {
		ODD, BLOCK - FAKE_PER_PAGE, BLOCK, BLOCK + FAKE_PER_PAGE,
		2 * BLOCK - FAKE_PER_PAGE, ODD, 0
	};
	struct fake_balloon *fake = test->priv;
	unsigned int modern, i;

	for (modern = 0; modern < 2; modern++) {
		unsigned long total = fake_guest_total();

		fake->features = FAKE_F(MUST_TELL_HOST) | (modern ? FAKE_MODERN : 0);
		block_plug(test, 0);
		for (i = 0; i < ARRAY_SIZE(targets); i++) {
			fake_balloon_target(fake, targets[i]);
			FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, targets[i]));
			KUNIT_EXPECT_EQ(test, fake_guest_total(), total - targets[i]);
		}
		fake_balloon_unplug(fake);
		KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
	}
}

/* O1: where there is no block, pages are taken in its place. */
static void block_none(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();

	block_plug(test, REPORTS);
	hog_splinter();
	fake_balloon_target(fake, ODD);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, ODD));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total - ODD);
	hog_mend();
	fake_balloon_target(fake, 0);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, 0));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
}

/*
 * Has the driver's work item run once in this thread, where the allocation number @n fails. Returns
 * whether there were so many.
 */
static bool block_run_failing(struct fake_balloon *fake, unsigned int n, u32 pfns)
{
	struct balloon *b = fake->vdev.priv;
	bool failed;

	/* The driver has nothing to do, and then no interrupt tells it of the new target. */
	flush_delayed_work(&b->size.work);
	fake->config.num_pages = cpu_to_le32(pfns);
	current->fail_nth = n;
	b->size.work.work.func(&b->size.work.work);
	failed = !current->fail_nth;
	current->fail_nth = 0;
	return failed;
}

/* O1: whichever allocation fails, the balloon reaches its size, and no page is lost. */
static void block_without_memory(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	unsigned int n;
	bool failed;

	block_plug(test, REPORTS);
	for (n = 1; n < MAX_ALLOCATIONS; n++) {
		FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, 0));
		failed = block_run_failing(fake, n, BOTH);
		FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, BOTH));
		KUNIT_EXPECT_EQ(test, fake_guest_total(), total - BOTH);
		fake_balloon_target(fake, 0);
		FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, 0));
		KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
		if (!failed)
			break;
	}
	kunit_info(test, "%u allocations failed\n", n - 1);
	/* That of the block, and that of the pages after it. */
	KUNIT_EXPECT_GT(test, n, 2U);
	KUNIT_EXPECT_LT(test, n, MAX_ALLOCATIONS);
}

/* O5: a block of which mm has migrated some pages is pages like others. None is lost. */
static void block_half_migrated(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	unsigned long moved;

	compact_needs_blocks(test);
	block_plug(test, 0);
	/* With some blocks that the guest may use meanwhile. */
	hog_leave_lowest(SIZE);
	fake_balloon_target(fake, 2 * BLOCK);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, 2 * BLOCK));
	hog_mend();
	hog_splinter();
	moved = compact_moved();
	FAKE_EXPECT_SOON(test, fake, !compact_all() && compact_moved() > moved);
	hog_mend();
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total - 2 * BLOCK);
	fake_balloon_target(fake, 0);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, 0));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
	KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
}

/*
 * Compaction and others take a reference to a page while they look at it. Such a page is not freed
 * together with the others, whichever of them it is.
 */
static void block_looked_at(struct kunit *test)
{
	static const unsigned int at[] = { 0, FAKE_PER_PAGE, 112, FAKE_BATCH - 1 };
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	struct page *page;
	unsigned int i;

	block_plug(test, 0);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		fake_balloon_target(fake, 2 * BLOCK);
		FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, 2 * BLOCK));
		fake_balloon_hold(fake, FAKE_DEFLATE);
		fake_balloon_target(fake, 0);
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_DEFLATE));
		KUNIT_ASSERT_EQ(test, fake_balloon_popped_pfns(fake), FAKE_BATCH);
		page = fake_balloon_popped_page(fake, at[i]);
		get_page(page);
		fake_balloon_serve(fake, FAKE_DEFLATE);
		fake_balloon_answer(fake);
		FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, 0));
		KUNIT_EXPECT_EQ(test, page_count(page), 1);
		put_page(page);
		KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
	}
}

/*
 * R1 R2: a block is reported first, alone and as a whole. Until the host has answered, no page of
 * it is inflated.
 */
static void block_reported(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct page *block;
	unsigned int i;

	hog_divide();
	fake_balloon_hold(fake, FAKE_REPORT);
	fake_balloon_hold(fake, FAKE_INFLATE);
	block_plug(test, REPORTS);
	fake_balloon_target(fake, 2 * BLOCK);
	for (i = 0; i < 2; i++) {
		FAKE_ASSERT_SOON(test, fake, fake_balloon_pop_block(fake));
		KUNIT_EXPECT_EQ(test, fake->popped.nents, 1U);
		KUNIT_EXPECT_EQ(test, fake->popped.len, BLOCK_BYTES);
		block = virt_to_page(fake->popped.sg[0].data);
		fake_balloon_outlast_poll();
		KUNIT_EXPECT_EQ(test, fake->nr_owned, (unsigned long)i * BLOCK);
		fake_balloon_answer(fake);
		FAKE_ASSERT_SOON(test, fake, block_pop_inflate(fake));
		block_expect_all(test, block);
	}
	fake_balloon_serve(fake, FAKE_INFLATE);
	fake_balloon_serve(fake, FAKE_REPORT);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, 2 * BLOCK));
}

/* Without the feature nothing is reported. */
static void block_unreported(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	block_plug(test, 0);
	fake_balloon_target(fake, SIZE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
	KUNIT_EXPECT_EQ(test, fake->reported, 0ULL);
}

/*
 * R1: the reporting queue has one report at a time. A block waits until that of mm is answered.
 * Then both go on.
 */
static void block_shares_queue(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	hog_use_free();
	hog_divide();
	fake_balloon_hold(fake, FAKE_REPORT);
	block_plug(test, REPORTS);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop(fake, FAKE_REPORT));
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(fake->popped.sg[0].data)), 0);
	fake_balloon_target(fake, SIZE);
	fake_balloon_outlast_poll();
	KUNIT_EXPECT_EQ(test, fake->queues[FAKE_REPORT].buffers, 1U);
	KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
	fake_balloon_answer(fake);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop_block(fake));
	fake_balloon_answer(fake);
	fake_balloon_serve(fake, FAKE_REPORT);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
	fake->reported = 0;
	hog_use_free();
	FAKE_EXPECT_SOON(test, fake, fake->reported);
}

/* Changes the target to @pfns while the first block of the balloon is being reported. */
static void block_retarget(struct kunit *test, u32 pfns)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();

	fake_balloon_hold(fake, FAKE_REPORT);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop_block(fake));
	fake_balloon_target(fake, pfns);
	fake_balloon_answer(fake);
	fake_balloon_serve(fake, FAKE_REPORT);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, pfns));
	FAKE_EXPECT_SOON(test, fake, fake_guest_total() == total - pfns);
	fake_balloon_target(fake, 0);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, 0));
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
}

/* O1: the host wants a part of the block only, or nothing after all. The guest keeps the rest. */
static void block_begun(struct kunit *test)
{
	static const u32 targets[] = {
		BLOCK / 2 + 48, BLOCK / 2, 0, FAKE_PER_PAGE, BLOCK, BLOCK + FAKE_PER_PAGE
	};
	unsigned long before;
	unsigned int round, i;

	block_plug(test, REPORTS);
	before = global_zone_page_state(NR_FREE_PAGES);
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < ARRAY_SIZE(targets); i++)
			block_retarget(test, targets[i]);
	/* If the rests were lost, a block would be missing for each round at the least. */
	KUNIT_EXPECT_GT(test, global_zone_page_state(NR_FREE_PAGES) +
			(ROUNDS << BLOCK_ORDER), before);
}

/* R3: a host that is slow to answer a report gets no page before it has answered. */
static void block_slow_report(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_hold(fake, FAKE_REPORT);
	block_plug(test, REPORTS);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop_block(fake));
	msleep(12000);
	KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
	KUNIT_EXPECT_TRUE(test, fake->status & VIRTIO_CONFIG_S_DRIVER_OK);
	fake_balloon_answer(fake);
	fake_balloon_serve(fake, FAKE_REPORT);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
}

/* Makes @call while a report of a block is not answered. The device is reset: no page is lost. */
static void block_ends(struct kunit *test, const struct fake_call *call)
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();
	unsigned int resets;

	fake_balloon_hold(fake, FAKE_REPORT);
	block_plug(test, REPORTS);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_pop_block(fake));
	resets = fake->resets;
	fake_balloon_call(fake, call);
	KUNIT_EXPECT_GT(test, fake->resets, resets);
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
	KUNIT_EXPECT_EQ(test, fake->nr_owned, 0UL);
	fake_balloon_serve(fake, FAKE_REPORT);
}

static void block_unplugged(struct kunit *test)
{
	block_ends(test, &fake_unplug);
}

/* P2 I7: after that the device works as before. */
static void block_frozen(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	fake_balloon_needs_sleep(test);
	block_ends(test, &fake_freeze);
	KUNIT_EXPECT_EQ(test, fake_balloon_restore(fake), 0);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
}

/* The device dies while it has a report of a block, or a part of the block. No page is lost. */
static void block_dies(struct kunit *test, enum fake_role role,
		       void (*die)(struct fake_balloon *fake))
{
	struct fake_balloon *fake = test->priv;
	unsigned long total = fake_guest_total();

	fake->vanished = false;
	fake_balloon_serve(fake, FAKE_INFLATE);
	fake_balloon_serve(fake, FAKE_DEFLATE);
	fake_balloon_serve(fake, FAKE_REPORT);
	fake_balloon_hold(fake, role);
	block_plug(test, REPORTS);
	fake_balloon_target(fake, SIZE);
	FAKE_ASSERT_SOON(test, fake, role == FAKE_REPORT ? fake_balloon_pop_block(fake) :
			 fake_balloon_pop(fake, role));
	die(fake);
	FAKE_EXPECT_SOON(test, fake, fake_guest_total() == total);
	fake_balloon_unplug(fake);
	KUNIT_EXPECT_EQ(test, fake_guest_total(), total);
}

static void block_dead(struct kunit *test)
{
	static void (* const deaths[])(struct fake_balloon *fake) = {
		fake_balloon_forget, fake_balloon_need_reset, fake_balloon_vanish,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(deaths); i++) {
		block_dies(test, FAKE_REPORT, deaths[i]);
		block_dies(test, FAKE_INFLATE, deaths[i]);
	}
}

/* O6 O7: a balloon of blocks helps a guest that is out of memory, and grows again. */
static void block_oom(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;

	block_plug(test, REPORTS | FAKE_F(DEFLATE_ON_OOM));
	fake_balloon_target(fake, MANY);
	FAKE_ASSERT_SOON(test, fake, fake_balloon_reached(fake, MANY));
	KUNIT_EXPECT_EQ(test, fake_balloon_run_out(fake), MANY / 16);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, MANY));
}

/* Whether a balloon reaches SIZE without a report, that is, without a block. */
static bool block_avoided(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	bool avoided, reported = false;

	fake_balloon_hold(fake, FAKE_REPORT);
	block_plug(test, REPORTS);
	fake_balloon_target(fake, SIZE);
	avoided = fake_balloon_wait(fake, (reported |= fake_balloon_pop_block(fake)) ||
				    fake_balloon_reached(fake, SIZE)) && !reported;
	if (reported)
		fake_balloon_answer(fake);
	fake_balloon_serve(fake, FAKE_REPORT);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, SIZE));
	fake_balloon_unplug(fake);
	return avoided;
}

/* The parameter take_first, and a word that it does not have, which changes nothing. */
static void block_parameter(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, block_avoided(test));
	block_first(test, "pages\n");
	KUNIT_EXPECT_TRUE(test, block_avoided(test));
	KUNIT_EXPECT_EQ(test, file_write(FILE_FIRST, "block"), -EINVAL);
	KUNIT_EXPECT_TRUE(test, block_avoided(test));
	block_first(test, "blocks");
	KUNIT_EXPECT_FALSE(test, block_avoided(test));
}

/* Whether the first thing that the balloon takes is a block. Nothing is reported here. */
static bool block_taken(struct kunit *test)
{
	struct fake_balloon *fake = test->priv;
	struct page *first;
	bool taken;

	fake_balloon_hold(fake, FAKE_INFLATE);
	block_plug(test, 0);
	fake_balloon_target(fake, BLOCK);
	FAKE_ASSERT_SOON(test, fake, block_pop_inflate(fake));
	first = fake_balloon_popped_page(fake, 0);
	taken = IS_ALIGNED(page_to_pfn(first), BIT(BLOCK_ORDER)) && block_names(fake, first);
	fake_balloon_answer(fake);
	fake_balloon_serve(fake, FAKE_INFLATE);
	FAKE_EXPECT_SOON(test, fake, fake_balloon_reached(fake, BLOCK));
	fake_balloon_unplug(fake);
	return taken;
}

/* By default blocks are taken, but single pages if most of the free memory is in single pages. */
static void block_larger(struct kunit *test)
{
	block_first(test, "larger");
	KUNIT_EXPECT_TRUE(test, block_taken(test));
	hog_splinter();
	KUNIT_EXPECT_FALSE(test, block_taken(test));
	hog_mend();
	KUNIT_EXPECT_TRUE(test, block_taken(test));
}

static struct kunit_case block_cases[] = {
	KUNIT_CASE(block_order),
	KUNIT_CASE(block_sizes),
	KUNIT_CASE(block_none),
	KUNIT_CASE(block_without_memory),
	KUNIT_CASE(block_half_migrated),
	KUNIT_CASE(block_looked_at),
	KUNIT_CASE(block_reported),
	KUNIT_CASE(block_unreported),
	KUNIT_CASE(block_shares_queue),
	KUNIT_CASE(block_begun),
	KUNIT_CASE(block_slow_report),
	KUNIT_CASE(block_unplugged),
	KUNIT_CASE(block_frozen),
	KUNIT_CASE(block_dead),
	KUNIT_CASE(block_oom),
	KUNIT_CASE(block_parameter),
	KUNIT_CASE(block_larger),
	{}
};

struct kunit_suite balloon_block_suite = {
	.name = "balloon_block",
	.init = block_init,
	.exit = block_exit,
	.test_cases = block_cases,
};
