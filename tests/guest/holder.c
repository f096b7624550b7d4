// SPDX-License-Identifier: GPL-2.0-only
/*
 * holder MIB FILE - read the beginning of a file into pipes, and leave it there
 *
 * The pipes hold references to the page cache, like those of a server that sends
 * files to a slow client. kswapd scans these pages again and again and can
 * reclaim none. Says "filled" when all are held.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MIB 1048576

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	unsigned long mib = argc == 3 ? strtoul(argv[1], NULL, 0) : 0;
	int fd = mib ? open(argv[2], O_RDONLY) : -1;

	if (!mib) {
		fputs("usage: holder MIB FILE\n", stderr);
		return 2;
	}
	if (fd < 0)
		return fail(argv[2]);
	while (mib--) {
		size_t left = MIB;
		int p[2];

		if (pipe(p) || fcntl(p[1], F_SETPIPE_SZ, MIB) < 0)
			return fail("pipe");
		while (left) {
			ssize_t n = splice(fd, NULL, p[1], NULL, left, SPLICE_F_NONBLOCK);

			if (n <= 0)
				return fail(n ? "splice" : "the file is too short");
			left -= n;
		}
	}
	puts("filled");
	fflush(stdout);
	for (;;)
		pause();
}
