// SPDX-License-Identifier: GPL-2.0-only
/*
 * hog MIB [EVERY [PERCENT]] - take memory and keep it, or some pages of it
 *
 * Fills MIB mebibytes with a pattern, says "filled", then waits. On SIGUSR1 it
 * reads all of it back and says "intact", or "corrupt" and exits with 1. A page
 * that was lost or is used twice is found this way. On SIGUSR2 it writes to all
 * of it over and over, until the next SIGUSR1. If it has more than there is
 * memory, the guest then thrashes.
 *
 * With EVERY, the process leaves the guest's memory in pieces. Before it says "filled" it
 * gives pages back, and keeps only the last of each EVERY page frames of the guest. With
 * PERCENT it keeps none of the lowest page frames either, as many as that of all that it has.
 * What it keeps is locked in memory.
 *
 * The OOM killer chooses this process before any other.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS_PER_PAGE	(page_bytes / sizeof(uint64_t))
#define PAGEMAP_FRAME	((1ULL << 55) - 1)

static size_t page_bytes;
static uint64_t *mem;
static size_t nr_words;
static uint64_t salt;
static bool *given;		/* the pages that were given back; NULL: none */

static uint64_t pattern(size_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15ULL ^ salt;
}

static void say(const char *what)
{
	puts(what);
	fflush(stdout);
}

static void fill(void)
{
	for (size_t i = 0; i < nr_words; i++)
		mem[i] = pattern(i);
}

static void verify(void)
{
	for (size_t i = 0; i < nr_words; i++) {
		if (given && given[i / WORDS_PER_PAGE]) {
			i += WORDS_PER_PAGE - 1;
			continue;
		}
		if (mem[i] == pattern(i))
			continue;
		printf("corrupt: page %zu word %zu: %016llx, not %016llx\n",
		       i / WORDS_PER_PAGE, i % WORDS_PER_PAGE,
		       (unsigned long long)mem[i],
		       (unsigned long long)pattern(i));
		exit(1);
	}
	say("intact");
}

/* Write one word to each page. It is the one that is there, so the pattern stays. */
static void churn(const sigset_t *sigs)
{
	const struct timespec now = { 0, 0 };

	while (sigtimedwait(sigs, NULL, &now) != SIGUSR1)
		for (size_t i = 0; i < nr_words; i += WORDS_PER_PAGE)
			if (!given || !given[i / WORDS_PER_PAGE])
				((volatile uint64_t *)mem)[i] = pattern(i);
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int give_back(unsigned long every, unsigned long percent)
{
	size_t nr = nr_words / WORDS_PER_PAGE, size = nr * sizeof(uint64_t);
	uint64_t *frames = malloc(size), *sorted = malloc(size);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t lowest_kept;

	given = calloc(nr, sizeof(*given));
	if (!frames || !sorted || !given || fd < 0 ||
	    pread(fd, frames, size, (uintptr_t)mem / page_bytes * sizeof(*frames)) != (ssize_t)size)
		return -1;
	close(fd);
	for (size_t i = 0; i < nr; i++)
		sorted[i] = frames[i] &= PAGEMAP_FRAME;
	qsort(sorted, nr, sizeof(*sorted), compare);
	lowest_kept = percent ? sorted[(nr - 1) * percent / 100] : 0;
	for (size_t i = 0; i < nr; i++) {
		given[i] = frames[i] < lowest_kept || (frames[i] + 1) % every;
		if (given[i] && madvise((char *)mem + i * page_bytes, page_bytes, MADV_DONTNEED))
			return -1;
	}
	free(frames);
	free(sorted);
	return mlock2(mem, nr * page_bytes, MLOCK_ONFAULT);
}

int main(int argc, char **argv)
{
	size_t size = argc >= 2 && argc <= 4 ? strtoul(argv[1], NULL, 0) << 20 : 0;
	unsigned long every = argc >= 3 ? strtoul(argv[2], NULL, 0) : 0;
	unsigned long percent = argc >= 4 ? strtoul(argv[3], NULL, 0) : 0;
	FILE *adj = fopen("/proc/self/oom_score_adj", "w");
	sigset_t sigs;
	int sig;

	page_bytes = sysconf(_SC_PAGESIZE);
	if (!size || percent > 100) {
		fputs("usage: hog MIB [EVERY [PERCENT]]\n", stderr);
		return 2;
	}
	if (!adj || fputs("1000", adj) < 0 || fclose(adj)) {
		perror("oom_score_adj");
		return 1;
	}
	sigemptyset(&sigs);
	sigaddset(&sigs, SIGUSR1);
	sigaddset(&sigs, SIGUSR2);
	sigprocmask(SIG_BLOCK, &sigs, NULL);

	/* Without MAP_NORESERVE, a hog that is larger than the guest is refused. */
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	/* A huge page that gives back a part of itself is split later, if at all. */
	if (every && madvise(mem, size, MADV_NOHUGEPAGE)) {
		perror("MADV_NOHUGEPAGE");
		return 1;
	}
	nr_words = size / sizeof(*mem);
	/* The pages of two hogs have different patterns. */
	salt = (uint64_t)getpid() << 32;
	fill();
	if (every && give_back(every, percent)) {
		perror("cannot give pages back");
		return 1;
	}
	say("filled");

	while (!sigwait(&sigs, &sig)) {
		if (sig == SIGUSR2)
			churn(&sigs);
		verify();
	}
	return 1;
}
