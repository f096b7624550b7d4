// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers the suites, all in one place: on 5.10 a module can do that only once.
 */
#include <linux/module.h>

#include "suites.h"

const char suites_only[] = SUITES_ONLY;

kunit_test_suites(&balloon_pack_suite, &balloon_sample_suite, &balloon_life_suite,
		  &balloon_size_suite, &balloon_block_suite, &balloon_stats_suite,
		  &balloon_free_suite, &balloon_dead_suite, &balloon_end_suite);

MODULE_DESCRIPTION("Unit tests of the virtio balloon driver");
MODULE_LICENSE("GPL");
