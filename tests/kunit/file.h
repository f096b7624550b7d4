/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes to files of /proc and /sys, as an administrator does.
 */
#ifndef BALLOON_TEST_FILE_H
#define BALLOON_TEST_FILE_H

/* Whatever is written, the kernel compacts its memory before the write returns. */
#define FILE_COMPACT	"/proc/sys/vm/compact_memory"

/* The driver's parameter: MiB of available memory below which the balloon does not grow. */
#define FILE_FLOOR	"/sys/module/virtio_balloon/parameters/min_guest_free"

/* The driver's parameter: whether blocks or single pages are taken first. */
#define FILE_FIRST	"/sys/module/virtio_balloon/parameters/take_first"

int file_write(const char *path, const char *text);

#endif /* BALLOON_TEST_FILE_H */
