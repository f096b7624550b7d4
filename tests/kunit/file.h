/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an administrator does: writes to files of /proc and /sys.
 */
#ifndef BALLOON_TEST_FILE_H
#define BALLOON_TEST_FILE_H

#define FILE_COMPACT	"/proc/sys/vm/compact_memory"
#define FILE_FLOOR	"/sys/module/virtio_balloon/parameters/min_guest_free"

int file_write(const char *path, const char *text);

#endif /* BALLOON_TEST_FILE_H */
