// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "compact.h"
#include "file.h"

/**
 * compact_needs_blocks - end a case that compacts memory, where mm cannot: it is skipped
 * @test: the case
 *
 * mm moves pages from one of its page blocks to another. With pages of 64 KiB on arm64 each has
 * 512 MiB.
 */
void compact_needs_blocks(struct kunit *test)
{
	if (totalram_pages() < 4 * pageblock_nr_pages)
		kunit_skip(test, "this guest has too few page blocks");
}

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
