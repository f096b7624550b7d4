/* SPDX-License-Identifier: GPL-2.0-only */
/* The process's file descriptors. */
#ifndef BALLOONSTAT_DESCRIPTORS_H
#define BALLOONSTAT_DESCRIPTORS_H

/**
 * descriptors_prepare() - take care of descriptors before any is opened
 *
 * A standard stream that is closed is opened, so that no socket gets its number and
 * what is meant for the stream. What is written there fails. As many descriptors as
 * the system allows may be opened, since each guest takes one while it is asked.
 */
void descriptors_prepare(void);

/**
 * descriptors_limit() - how many this process may have open
 */
unsigned long long descriptors_limit(void);

#endif
