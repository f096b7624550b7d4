// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long reading the kernel's counters may take, and whether a point in time has passed. Without
 * a device.
 */
/* The clock is read after each CPU. By default it is never read in a guest of two CPUs. */
#define BALLOON_SAMPLE_LOOK	1
#include "../../src/sample.c"

#include <linux/ktime.h>

#include "suites.h"
#include "time.h"

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

static struct kunit_case sample_cases[] = {
	KUNIT_CASE(sample_in_time),
	KUNIT_CASE(sample_untimed),
	KUNIT_CASE(time_passes),
	{}
};

struct kunit_suite balloon_sample_suite = {
	.name = "balloon_sample",
	.test_cases = sample_cases,
};
