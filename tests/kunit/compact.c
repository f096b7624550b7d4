// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "compact.h"
#include "file.h"

/**
 * compact_all - have mm compact all memory
 *
 * Sleeps until mm has done so.
 *
 * Return: 0, or the error of the file of /proc.
 */
int compact_all(void)
{
	return file_write(FILE_COMPACT, "1");
}

/**
 * compact_moved - count the pages of balloons that mm has migrated since the guest was booted
 *
 * Sleeps.
 *
 * Return: how many.
 */
unsigned long compact_moved(void)
{
	unsigned long events[NR_VM_EVENT_ITEMS];

	all_vm_events(events);
	return events[BALLOON_MIGRATE];
}
