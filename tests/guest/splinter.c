// SPDX-License-Identifier: GPL-2.0-only
/*
 * splinter MIB - take memory, and keep every other page of it
 *
 * Touches MIB mebibytes and gives back each page whose number is odd. So half of
 * the memory is free again, in single pages: the neighbour of each that could be
 * merged with it is held. Says "filled" when this is so.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
/* Of an entry of /proc/self/pagemap. The other bits are no part of the page's number. */
#define PRESENT 0x8000000000000000ULL
#define PFN 0x007fffffffffffffULL

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	size_t size = argc == 2 ? strtoul(argv[1], NULL, 0) << 20 : 0;
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	char *mem;

	if (!size) {
		fputs("usage: splinter MIB\n", stderr);
		return 2;
	}
	if (pagemap < 0)
		return fail("pagemap");
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* A part of a huge page would not be free when it is given back. */
	if (mem == MAP_FAILED || madvise(mem, size, MADV_NOHUGEPAGE))
		return fail("mmap");
	memset(mem, 1, size);
	for (size_t i = 0; i < size; i += PAGE) {
		off_t entry = (uintptr_t)(mem + i) / PAGE * sizeof(uint64_t);
		uint64_t found;

		if (pread(pagemap, &found, sizeof(found), entry) != sizeof(found))
			return fail("pagemap");
		if (!(found & PRESENT) || !(found & PFN)) {
			fputs("a page has no number: is this root?\n", stderr);
			return 1;
		}
		if (found & 1 && madvise(mem + i, PAGE, MADV_DONTNEED))
			return fail("madvise");
	}
	puts("filled");
	fflush(stdout);
	for (;;)
		pause();
}
