// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which of the kernel's counters are read, how long reading them may take, and whether a point in
 * time has passed. Without a device.
 */
/* The clock is read after each CPU. By default it is never read in a guest of two CPUs. */
#define BALLOON_SAMPLE_LOOK	1
#include "../../src/sample.c"

#include <linux/ktime.h>

#include "suites.h"
#include "time.h"

/* The first counter that a case raises rises by this amount, the next by twice as many. */
#define COUNTED	0x10000UL

/* Reading that takes too long for an interrupt is given up. */
static void sample_in_time(struct kunit *test)
{
	struct balloon_sample sample;

	KUNIT_EXPECT_TRUE(test, balloon_sample_try(&sample, NSEC_PER_SEC));
	KUNIT_EXPECT_EQ(test, sample.value[VIRTIO_BALLOON_S_MEMTOT], (u64)totalram_pages());
	KUNIT_EXPECT_FALSE(test, balloon_sample_try(&sample, 0));
}

/* Reading without a time limit always succeeds. */
static void sample_untimed(struct kunit *test)
{
	struct balloon_sample sample;

	balloon_sample(&sample);
	KUNIT_EXPECT_EQ(test, sample.value[VIRTIO_BALLOON_S_MEMTOT], (u64)totalram_pages());
}

#define HALF	(1UL << (BITS_PER_LONG - 1))

/*
 * A point in time that has passed stays in the past, also when jiffies are half of their range
 * later: on 32 bits that is some weeks later.
 */
static void time_passes(struct kunit *test)
{
	static const struct {
		unsigned long now, left;
	} cases[] = {
		{ 900, 100 }, { 999, 1 }, { 1000, 0 }, { 1001, 0 }, { 999 + HALF, 0 },
		{ 1000 + HALF, 0 }, { 1001 + HALF, 0 }, { 899, 0 }, { ULONG_MAX, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ(test, balloon_time_left(1000, 100, cases[i].now), cases[i].left);
	/* The time ends after jiffies have wrapped to 0. */
	KUNIT_EXPECT_EQ(test, balloon_time_left(50, 100, ULONG_MAX - 9), 60UL);
}

/* A time that begins now has not passed, whatever jiffies are now. */
static void time_begins(struct kunit *test)
{
	static const unsigned long nows[] = {
		0, 1, 999, 1000, ULONG_MAX - 101, ULONG_MAX - 100, ULONG_MAX - 99, ULONG_MAX - 98,
		ULONG_MAX,
	};
	unsigned long until, left;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nows); i++) {
		until = balloon_time_ahead(nows[i], 100);
		left = balloon_time_left(until, 100, nows[i]);
		KUNIT_EXPECT_NE_MSG(test, until, 0UL, "now %lu", nows[i]);
		KUNIT_EXPECT_GE_MSG(test, left, 99UL, "now %lu", nows[i]);
		KUNIT_EXPECT_LE_MSG(test, left, 100UL, "now %lu", nows[i]);
	}
}

/*
 * Each statistic reads the kernel's counters that it is named after, and no others: each of them
 * rises by an amount of its own.
 */
static void sample_right_counters(struct kunit *test)
{
#define EVENT(tag, event)	{ VIRTIO_BALLOON_S_##tag, event }
	static const struct {
		unsigned int tag;
		unsigned int counter;
	} events[] = {
		EVENT(SWAP_IN, PSWPIN),
		EVENT(SWAP_OUT, PSWPOUT),
		EVENT(MAJFLT, PGMAJFAULT),
		EVENT(MINFLT, PGFAULT),
#ifdef CONFIG_HUGETLB_PAGE
		EVENT(HTLB_PGALLOC, HTLB_BUDDY_PGALLOC),
		EVENT(HTLB_PGFAIL, HTLB_BUDDY_PGALLOC_FAIL),
#endif
		EVENT(OOM_KILL, OOM_KILL),
		EVENT(ALLOC_STALL, ALLOCSTALL_NORMAL),
		EVENT(ALLOC_STALL, ALLOCSTALL_MOVABLE),
	}, reclaim[] = {
		EVENT(ASYNC_SCAN, PGSCAN_KSWAPD),
		EVENT(DIRECT_SCAN, PGSCAN_DIRECT),
		EVENT(ASYNC_RECLAIM, PGSTEAL_KSWAPD),
		EVENT(DIRECT_RECLAIM, PGSTEAL_DIRECT),
	};
#undef EVENT
	u64 rise[VIRTIO_BALLOON_S_NR] = {};
	struct balloon_sample before, after;
	unsigned long amount = COUNTED;
	unsigned int i;

	balloon_sample(&before);
	for (i = 0; i < ARRAY_SIZE(events); i++, amount *= 2) {
		count_vm_events(events[i].counter, amount);
		rise[events[i].tag] += amount;
	}
	for (i = 0; i < ARRAY_SIZE(reclaim); i++, amount *= 2) {
#ifdef BALLOON_HAVE_RECLAIM_NODE_STATE
		mod_node_page_state(NODE_DATA(numa_node_id()), reclaim[i].counter, amount);
#else
		count_vm_events(reclaim[i].counter, amount);
#endif
		rise[reclaim[i].tag] += amount;
	}
	balloon_sample(&after);
	for (i = 0; i < VIRTIO_BALLOON_S_NR; i++) {
		if (!rise[i])
			continue;
		/* The kernel itself counts some events meanwhile, but not so many. */
		KUNIT_EXPECT_GE_MSG(test, after.value[i], before.value[i] + rise[i], "tag %u", i);
		KUNIT_EXPECT_LT_MSG(test, after.value[i], before.value[i] + rise[i] + COUNTED,
				    "tag %u", i);
	}
}

static struct kunit_case sample_cases[] = {
	KUNIT_CASE(sample_in_time),
	KUNIT_CASE(sample_untimed),
	KUNIT_CASE(sample_right_counters),
	KUNIT_CASE(time_passes),
	KUNIT_CASE(time_begins),
	{}
};

struct kunit_suite balloon_sample_suite = {
	.name = "balloon_sample",
	.test_cases = sample_cases,
};
