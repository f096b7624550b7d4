/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel says, for a test to wait for.
 */
#ifndef BALLOON_TEST_LOG_H
#define BALLOON_TEST_LOG_H

void log_watch(const char *text);
unsigned int log_count(void);
void log_unwatch(void);

#endif /* BALLOON_TEST_LOG_H */
