// SPDX-License-Identifier: GPL-2.0-only
#include <linux/console.h>
#include <linux/string.h>

#include "log.h"

static const char *log_text;
static unsigned int log_times;

static void log_write(struct console *console, const char *line, unsigned int len)
{
	const char *text = READ_ONCE(log_text);

	if (strnstr(line, text, len))
		WRITE_ONCE(log_times, READ_ONCE(log_times) + 1);
}

static struct console log_console = {
	.name = "kunit",
	.write = log_write,
};

/**
 * log_watch - begin to count the kernel's messages with some text
 * @text: lives until log_unwatch()
 *
 * Sleeps; takes the console's lock. One text at a time.
 */
void log_watch(const char *text)
{
	log_text = text;
	log_times = 0;
	/* The last unregistration has cleared the former. */
	log_console.flags = CON_ENABLED | CON_ANYTIME;
	log_console.index = -1;
	register_console(&log_console);
}

/**
 * log_count - messages so far
 *
 * Any context. A message may count a moment after it was written.
 *
 * Return: lines with the text.
 */
unsigned int log_count(void)
{
	return READ_ONCE(log_times);
}

/**
 * log_unwatch - undo log_watch()
 *
 * Sleeps; takes the console's lock.
 */
void log_unwatch(void)
{
	unregister_console(&log_console);
}
