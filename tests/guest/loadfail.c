// SPDX-License-Identifier: GPL-2.0-only
/*
 * loadfail MODULE N - load a module, whose Nth allocation fails
 *
 * Prints what the kernel said (0 or an error), and how many allocations were left to go: 0 if
 * the fault has happened.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char image[4 << 20];
	char left[16] = "";
	int module, fault, err;
	ssize_t size;

	if (argc != 3) {
		fputs("usage: loadfail MODULE N\n", stderr);
		return 2;
	}
	module = open(argv[1], O_RDONLY);
	fault = open("/proc/self/fail-nth", O_RDWR);
	if (module < 0 || fault < 0) {
		perror(module < 0 ? argv[1] : "/proc/self/fail-nth");
		return 1;
	}
	/* Not finit_module(): the kernel prints a trace if it has no memory to read the file. */
	size = read(module, image, sizeof(image));
	if (size <= 0 || size == sizeof(image)) {
		fprintf(stderr, "%s: cannot be read, or is too large\n", argv[1]);
		return 1;
	}
	if (write(fault, argv[2], strlen(argv[2])) < 0) {
		perror("/proc/self/fail-nth");
		return 1;
	}
	err = syscall(SYS_init_module, image, size, "") ? errno : 0;
	/* This may be what fails. Then all of the load has gone well. */
	if (pread(fault, left, sizeof(left) - 1, 0) < 0)
		strcpy(left, "1");
	pwrite(fault, "0", 1, 0);
	printf("%d %d\n", err, atoi(left));
	return 0;
}
