// SPDX-License-Identifier: GPL-2.0-only
/*
 * hog MIB - take memory and keep it
 *
 * Fills MIB mebibytes with a pattern, says "filled", then waits. On SIGUSR1 it
 * reads all of it back and says "intact", or "corrupt" and exits with 1. A page
 * that was lost or is used twice is found this way. On SIGUSR2 it writes to all
 * of it over and over, until the next SIGUSR1. If it has more than there is
 * memory, the guest then thrashes.
 *
 * The OOM killer chooses this process before any other.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS_PER_PAGE (4096 / sizeof(uint64_t))

static uint64_t *mem;
static size_t nr_words;
static uint64_t salt;

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
			((volatile uint64_t *)mem)[i] = pattern(i);
}

int main(int argc, char **argv)
{
	size_t size = argc == 2 ? strtoul(argv[1], NULL, 0) << 20 : 0;
	FILE *adj = fopen("/proc/self/oom_score_adj", "w");
	sigset_t sigs;
	int sig;

	if (!size) {
		fputs("usage: hog MIB\n", stderr);
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
	nr_words = size / sizeof(*mem);
	/* The pages of two hogs have different patterns. */
	salt = (uint64_t)getpid() << 32;
	fill();
	say("filled");

	while (!sigwait(&sigs, &sig)) {
		if (sig == SIGUSR2)
			churn(&sigs);
		verify();
	}
	return 1;
}
