// SPDX-License-Identifier: GPL-2.0-only
#include <linux/console.h>
#include <linux/string.h>

#include "kernel_log.h"

static const char *kernel_log_text;
static unsigned int kernel_log_lines;

static void kernel_log_write(struct console *console, const char *line, unsigned int len)
{
	const char *text = READ_ONCE(kernel_log_text);

	if (strnstr(line, text, len))
		WRITE_ONCE(kernel_log_lines, READ_ONCE(kernel_log_lines) + 1);
}

static struct console kernel_log_console = {
	.name = "kunit",
	.write = kernel_log_write,
};

/**
 * kernel_log_watch - start counting the lines of the kernel log that have some text
 * @text: has to stay valid until kernel_log_unwatch()
 *
 * Sleeps; takes the console lock. Only one text can be watched at a time. Up to
 * kernel_log_unwatch() use expectations and no assertions, which may end the case.
 */
void kernel_log_watch(const char *text)
{
	kernel_log_text = text;
	kernel_log_lines = 0;
	/* unregister_console() has changed the flags of an earlier registration. */
	kernel_log_console.flags = CON_ENABLED | CON_ANYTIME;
	kernel_log_console.index = -1;
	register_console(&kernel_log_console);
}

/**
 * kernel_log_count - get the number of lines since kernel_log_watch()
 *
 * Any context. The console may get a line a little later than it was logged.
 *
 * Return: lines that have the text.
 */
unsigned int kernel_log_count(void)
{
	return READ_ONCE(kernel_log_lines);
}

/**
 * kernel_log_unwatch - stop counting; kernel_log_count() still returns the last count
 *
 * Sleeps; takes the console lock.
 */
void kernel_log_unwatch(void)
{
	unregister_console(&kernel_log_console);
}
