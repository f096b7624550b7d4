// SPDX-License-Identifier: GPL-2.0-only
/*
 * fault MIB huge|small - touch memory, and say how many microseconds it took
 *
 * The memory is in huge pages as far as the guest has them, or in pages of 4 KiB.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE 4096
#define HUGE (2UL << 20)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	size_t size = argc == 3 ? strtoul(argv[1], NULL, 0) << 20 : 0;
	int huge = size && !strcmp(argv[2], "huge");
	double began;
	char *mem;

	if (!size || (!huge && strcmp(argv[2], "small"))) {
		fputs("usage: fault MIB huge|small\n", stderr);
		return 2;
	}
	mem = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	mem += -(uintptr_t)mem % HUGE;
	if (madvise(mem, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)) {
		perror("madvise");
		return 1;
	}
	began = now();
	for (size_t i = 0; i < size; i += PAGE)
		((volatile char *)mem)[i] = 1;
	printf("%.0f\n", now() - began);
	return 0;
}
