/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every suite; suites.c registers them.
 */
#ifndef BALLOON_TEST_SUITES_H
#define BALLOON_TEST_SUITES_H

#include <kunit/test.h>

extern struct kunit_suite balloon_pack_suite;
extern struct kunit_suite balloon_sample_suite;
extern struct kunit_suite balloon_life_suite;
extern struct kunit_suite balloon_size_suite;
extern struct kunit_suite balloon_stats_suite;
extern struct kunit_suite balloon_free_suite;
extern struct kunit_suite balloon_dead_suite;
extern struct kunit_suite balloon_end_suite;

/* The one case with a device that is to run; empty for all. */
extern const char suites_only[];

#endif /* BALLOON_TEST_SUITES_H */
