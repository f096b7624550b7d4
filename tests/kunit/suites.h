/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The suites, a line each: suites.c registers them, and tests/kunit/run counts these lines.
 */
#ifndef BALLOON_TEST_SUITES_H
#define BALLOON_TEST_SUITES_H

#include <kunit/test.h>

extern struct kunit_suite balloon_pack_suite;
extern struct kunit_suite balloon_sample_suite;
extern struct kunit_suite balloon_life_suite;
extern struct kunit_suite balloon_size_suite;
extern struct kunit_suite balloon_block_suite;
extern struct kunit_suite balloon_stats_suite;
extern struct kunit_suite balloon_free_suite;
extern struct kunit_suite balloon_dead_suite;
extern struct kunit_suite balloon_end_suite;

/* Of the cases that have a device, the name of the one to run; empty for all. */
extern const char suites_only[];

#endif /* BALLOON_TEST_SUITES_H */
