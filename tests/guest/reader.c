// SPDX-License-Identifier: GPL-2.0-only
/*
 * reader MIB FILE - read a file over and over through a mapping of it
 *
 * All of its pages are then in use, as those of a program that runs: kswapd
 * scans them and finds none to reclaim. Says "filled" after the first round.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
	size_t size = argc == 3 ? strtoul(argv[1], NULL, 0) << 20 : 0;
	int fd = size ? open(argv[2], O_RDONLY) : -1;
	const volatile char *mem;

	if (!size) {
		fputs("usage: reader MIB FILE\n", stderr);
		return 2;
	}
	mem = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED) {
		perror(argv[2]);
		return 1;
	}
	for (int round = 0; ; round++) {
		for (size_t i = 0; i < size; i += 4096)
			(void)mem[i];
		if (!round) {
			puts("filled");
			fflush(stdout);
		}
	}
}
