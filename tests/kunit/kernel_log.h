/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts the lines of the kernel log that have some text.
 */
#ifndef BALLOON_TEST_KERNEL_LOG_H
#define BALLOON_TEST_KERNEL_LOG_H

void kernel_log_watch(const char *text);
unsigned int kernel_log_count(void);
void kernel_log_unwatch(void);

#endif /* BALLOON_TEST_KERNEL_LOG_H */
