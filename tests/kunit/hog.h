/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What uses up the guest's memory: all of it, until it is out of memory, without anybody to
 * be killed for it; or what is free, for a moment.
 */
#ifndef BALLOON_TEST_HOG_H
#define BALLOON_TEST_HOG_H

unsigned long hog_run_out(void);
void hog_use_free(void);

#endif /* BALLOON_TEST_HOG_H */
