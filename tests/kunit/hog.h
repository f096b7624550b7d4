/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Uses up the guest's memory: all of it, until the guest is out of memory, or for a moment the
 * memory that is free; or every other page or block, so that the free memory is in such pieces; or
 * all but the lowest. No process is killed for it.
 */
#ifndef BALLOON_TEST_HOG_H
#define BALLOON_TEST_HOG_H

unsigned long hog_run_out(void);
void hog_use_free(void);
void hog_splinter(void);
void hog_divide(void);
void hog_leave_lowest(unsigned long nr);
void hog_mend(void);

#endif /* BALLOON_TEST_HOG_H */
