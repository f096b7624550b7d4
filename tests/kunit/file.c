// SPDX-License-Identifier: GPL-2.0-only
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/string.h>

#include "file.h"

/* Later kernels' own threads, which run the cases, see no files but for this. */
#ifndef scoped_with_init_fs
#define scoped_with_init_fs()
#endif

/**
 * file_write - write some text to a file
 * @path: path of the file
 * @text: what to write, in one piece
 *
 * Sleeps, for as long as the kernel takes to do what the file is for.
 *
 * Return: 0, or the error of opening or writing.
 */
int file_write(const char *path, const char *text)
{
	struct file *file;
	loff_t at = 0;
	ssize_t written;

	scoped_with_init_fs()
		file = filp_open(path, O_WRONLY, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);
	written = kernel_write(file, text, strlen(text), &at);
	filp_close(file, NULL);
	return written < 0 ? written : 0;
}
