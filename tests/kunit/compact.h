/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Has mm compact the guest's memory, and counts the balloon's pages that it has moved.
 */
#ifndef BALLOON_TEST_COMPACT_H
#define BALLOON_TEST_COMPACT_H

struct kunit;

void compact_needs_blocks(struct kunit *test);
int compact_all(void);
unsigned long compact_moved(void);

#endif /* BALLOON_TEST_COMPACT_H */
