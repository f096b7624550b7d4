/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that is out of memory, without anybody to be killed for it.
 */
#ifndef BALLOON_TEST_HOG_H
#define BALLOON_TEST_HOG_H

unsigned long hog_run_out(void);

#endif /* BALLOON_TEST_HOG_H */
