// SPDX-License-Identifier: GPL-2.0-only
/* A table of guests, the worst first, with what was scanned drawn in time. */
#include <langinfo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curses.h>

#include "view.h"
#include "units.h"

#define NAME_WIDTH	16
#define STATE_WIDTH	12
#define MIN_HISTORY	8
#define MAX_HISTORY	60
/* Below the table: why, and what to do. */
#define DETAIL_LINES	5

/* From a ten-thousandth of the memory in a second to all of it. */
#define LEVELS		8
#define LOWEST		-4.0

static const char *const blocks[LEVELS + 1] = {
	" ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588",
};

static const char *const plain[LEVELS + 1] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };

static const struct guest *chosen;
static bool by_user;		/* else it is always the first */
static bool by_name, unicode;
static size_t first;		/* line of the table on top */

enum { COLOUR_BAD = 1, COLOUR_WARN, COLOUR_GOOD };

static int live_begin(struct loop *loop)
{
	(void)loop;
	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
		fputs("balloonstat: --live needs a terminal; without it: balloonstat SOURCE INTERVAL\n",
		      stderr);
		return EXIT_USAGE;
	}
	if (!newterm(NULL, stdout, stdin)) {
		fprintf(stderr, "balloonstat: the terminal \"%s\" is not known; set TERM, such as TERM=vt100\n",
			getenv("TERM") ? getenv("TERM") : "");
		return EXIT_USAGE;
	}
	unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	if (has_colors()) {
		start_color();
		use_default_colors();
		init_pair(COLOUR_BAD, COLOR_RED, -1);
		init_pair(COLOUR_WARN, COLOR_YELLOW, -1);
		init_pair(COLOUR_GOOD, COLOR_GREEN, -1);
	}
	return -1;
}

/* More is worse. Who cannot be asked stands behind who is known to be in trouble. */
static int badness(const struct guest *g)
{
	if (!guest_reached(g))
		return 2;
	switch (g->diagnosis.regime) {
	case REGIME_NO_DATA:
		return 1;
	case REGIME_HEALTHY:
		return 0;
	default:
		return 10 + (int)g->diagnosis.regime;
	}
}

static double scanned(const struct guest *g)
{
	return g->rates.rate[VIRTIO_BALLOON_S_DIRECT_SCAN] +
	       g->rates.rate[VIRTIO_BALLOON_S_ASYNC_SCAN];
}

static int compare(const void *pa, const void *pb)
{
	const struct guest *a = *(const struct guest *const *)pa;
	const struct guest *b = *(const struct guest *const *)pb;

	if (!by_name && badness(a) != badness(b))
		return badness(b) - badness(a);
	if (!by_name && badness(a) >= 10 && scanned(a) != scanned(b))
		return scanned(a) < scanned(b) ? 1 : -1;
	return strcmp(a->name, b->name);
}

/* Without colours what is bad is bold, and what is worst is reversed. */
static attr_t attribute(const struct guest *g)
{
	enum severity severity = !guest_reached(g) ? SEVERITY_UNKNOWN :
				 regime_severity(g->diagnosis.regime);

	if (!has_colors())
		return severity == SEVERITY_CRITICAL ? A_REVERSE :
		       severity == SEVERITY_WARNING ? A_BOLD : A_NORMAL;
	switch (severity) {
	case SEVERITY_CRITICAL:
		return COLOR_PAIR(COLOUR_BAD) | A_BOLD;
	case SEVERITY_WARNING:
		return COLOR_PAIR(COLOUR_WARN);
	case SEVERITY_OK:
		return COLOR_PAIR(COLOUR_GOOD);
	default:
		return A_BOLD;
	}
}

static int level(double share)
{
	double l;

	if (share <= 0)
		return 0;
	l = 1 + (log10(share) - LOWEST) / -LOWEST * (LEVELS - 1);
	return l < 1 ? 1 : l > LEVELS ? LEVELS : (int)l;
}

static void draw_history(const struct guest *g, int y, int x, int width)
{
	int have = g->shown.history_nr < GUEST_HISTORY ? (int)g->shown.history_nr : GUEST_HISTORY;

	if (have > width)
		have = width;
	move(y, x + width - have);
	for (int i = have; i > 0; i--) {
		int l = level(g->shown.history[(g->shown.history_nr - i) % GUEST_HISTORY]);

		addstr(unicode ? blocks[l] : plain[l]);
	}
}

/* In the order in which they are given up where the terminal is narrow. */
static const struct column {
	const char *title;
	int tag;
	int width;
} columns[] = {
	{ "avail", VIRTIO_BALLOON_S_AVAIL, 6 },
	{ "stall", VIRTIO_BALLOON_S_ALLOC_STALL, 6 },
	{ "dscan", VIRTIO_BALLOON_S_DIRECT_SCAN, 6 },
	{ "kscan", VIRTIO_BALLOON_S_ASYNC_SCAN, 6 },
	{ "swin", VIRTIO_BALLOON_S_SWAP_IN, 6 },
	{ "age", -1, 4 },
	{ "drecl", VIRTIO_BALLOON_S_DIRECT_RECLAIM, 6 },
	{ "krecl", VIRTIO_BALLOON_S_ASYNC_RECLAIM, 6 },
	{ "swout", VIRTIO_BALLOON_S_SWAP_OUT, 6 },
	{ "majfl", VIRTIO_BALLOON_S_MAJFLT, 6 },
};

#define COLUMNS		(sizeof(columns) / sizeof(*columns))

static const char *cell(const struct guest *g, const struct column *c, char *buf)
{
	if (!guest_reached(g))
		return "-";
	if (c->tag < 0)
		return units_age(buf, g->age);
	if (TAGS_GAUGES & TAG_BIT(c->tag))
		return sample_has(&g->sample, c->tag) ?
		       units_short(buf, (double)g->sample.value[c->tag], true) : "-";
	return rate_has(&g->rates, c->tag) ?
	       units_short(buf, g->rates.rate[c->tag], TAGS_BYTES & TAG_BIT(c->tag)) : "-";
}

/* How many columns there is room for; what is left is the history's. */
static size_t fit(int *history)
{
	int left = COLS - NAME_WIDTH - 1 - STATE_WIDTH - 1 - MIN_HISTORY;
	size_t n;

	for (n = 0; n < COLUMNS && columns[n].width <= left; n++)
		left -= columns[n].width;
	if (left < 0)
		left = -MIN_HISTORY;
	*history = left + MIN_HISTORY > MAX_HISTORY ? MAX_HISTORY : left + MIN_HISTORY;
	return n;
}

static void draw_row(const struct guest *g, int y, size_t n, int history)
{
	char buf[UNITS_LEN];
	int x = NAME_WIDTH + 1 + STATE_WIDTH + 1;

	mvprintw(y, 0, "%c%-*.*s ", g == chosen ? '>' : ' ', NAME_WIDTH - 1, NAME_WIDTH - 1,
		 g->name);
	attron(attribute(g));
	mvprintw(y, NAME_WIDTH + 1, "%-*.*s", STATE_WIDTH, STATE_WIDTH, view_state(g));
	attroff(attribute(g));
	draw_history(g, y, x, history);
	x += history;
	for (size_t i = 0; i < n; i++) {
		mvprintw(y, x, "%*s", columns[i].width, cell(g, &columns[i], buf));
		x += columns[i].width;
	}
}

static void draw_header(const struct loop *loop, size_t n, int history)
{
	time_t now = time(NULL);
	struct tm tm;
	char clock[16];
	int x = NAME_WIDTH + 1 + STATE_WIDTH + 1;

	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	mvprintw(0, 0, "%.*s", COLS, "");
	printw("balloonstat  %zu guest%s, every %g s  %s", loop->sources.nr,
	       loop->sources.nr == 1 ? "" : "s", loop->options->interval, clock);
	if (COLS >= 78)
		mvaddstr(0, COLS - 30, "q quit  s sort  up/down choose");
	attron(A_REVERSE);
	mvprintw(1, 0, "%*s", COLS, "");
	mvprintw(1, 0, " %-*s %-*s%-.*s", NAME_WIDTH - 1, "guest", STATE_WIDTH + 1, "diagnosis",
		 history, "scanned");
	x += history;
	for (size_t i = 0; i < n; i++) {
		mvprintw(1, x, "%*s", columns[i].width, columns[i].title);
		x += columns[i].width;
	}
	attroff(A_REVERSE);
}

/* In words, wrapped at the window's edge, at most to its end. */
static int draw_words(int y, const char *text)
{
	while (*text && y < LINES) {
		int n = (int)strlen(text);

		if (n > COLS - 1) {
			for (n = COLS - 1; n > 0 && text[n] != ' '; n--)
				;
			if (!n)
				n = COLS - 1;
		}
		mvprintw(y++, 0, "%.*s", n, text);
		text += n;
		while (*text == ' ')
			text++;
	}
	return y;
}

static void draw_detail(const struct loop *loop, int y)
{
	const struct guest *g = chosen;
	char line[2 * VIEW_SENTENCE], words[VIEW_SENTENCE];

	if (!g)
		return;
	attron(A_BOLD);
	mvprintw(y++, 0, "%.*s", COLS - 1, g->name);
	attroff(A_BOLD);
	if (!guest_reached(g)) {
		draw_words(y, g->error);
		return;
	}
	snprintf(line, sizeof(line), "%s: %s", view_state(g),
		 diagnosis_reason(&g->diagnosis, words, sizeof(words)));
	y = draw_words(y, line);
	snprintf(line, sizeof(line), "-> %s",
		 diagnosis_advice(&g->diagnosis, &loop->options->wants.limits, guest_domain(g), words,
				  sizeof(words)));
	if (words[0])
		draw_words(y, line);
}

/* The guest that was chosen may have gone; where it stands is known after. */
static size_t place_of_chosen(struct guest *const *sorted, size_t nr)
{
	for (size_t i = 0; i < nr && by_user; i++)
		if (sorted[i] == chosen)
			return i;
	by_user = false;
	chosen = nr ? sorted[0] : NULL;
	return 0;
}

static void draw(const struct loop *loop)
{
	const struct sources *s = &loop->sources;
	int room = LINES - 2 - DETAIL_LINES - 1, history;
	struct guest **sorted = malloc((s->nr + 1) * sizeof(*sorted));
	size_t n, place;

	erase();
	if (LINES < 4 || COLS < NAME_WIDTH + STATE_WIDTH + 2) {
		mvprintw(0, 0, "%.*s", COLS, "too small");
		goto out;
	}
	if (!sorted)
		goto out;
	memcpy(sorted, s->guests, s->nr * sizeof(*sorted));
	qsort(sorted, s->nr, sizeof(*sorted), compare);
	if (room < 1)
		room = LINES - 2;
	place = place_of_chosen(sorted, s->nr);
	if (place < first)
		first = place;
	if (place >= first + room)
		first = place - room + 1;
	if (s->nr <= (size_t)room)
		first = 0;
	n = fit(&history);
	draw_header(loop, n, history);
	for (size_t i = first; i < s->nr && (int)(i - first) < room; i++)
		draw_row(sorted[i], 2 + (int)(i - first), n, history);
	if (!s->nr)
		draw_words(2, s->error[0] ? s->error : "no guests found");
	if (LINES >= 2 + DETAIL_LINES + 2)
		draw_detail(loop, LINES - DETAIL_LINES);
out:
	free(sorted);
	refresh();
}

/* A step of the drawing for each report. */
static void remember(struct guest *g)
{
	const struct rates *r = &g->rates;
	double memory = (double)g->sample.value[VIRTIO_BALLOON_S_MEMTOT];	/* 0 if unset */
	double scanned = r->rate[VIRTIO_BALLOON_S_ASYNC_SCAN] +
			 r->rate[VIRTIO_BALLOON_S_DIRECT_SCAN];

	if (!g->fresh || !rate_is_new(r))
		return;
	g->shown.history[g->shown.history_nr++ % GUEST_HISTORY] = memory > 0 ? scanned / memory : 0;
}

static bool live_round(struct loop *loop)
{
	for (size_t i = 0; i < loop->sources.nr; i++)
		remember(loop->sources.guests[i]);
	draw(loop);
	return true;
}

static void choose(const struct loop *loop, int by)
{
	const struct sources *s = &loop->sources;
	struct guest **sorted;
	size_t place;

	sorted = malloc((s->nr + 1) * sizeof(*sorted));
	if (!sorted || !s->nr)
		goto out;
	memcpy(sorted, s->guests, s->nr * sizeof(*sorted));
	qsort(sorted, s->nr, sizeof(*sorted), compare);
	place = place_of_chosen(sorted, s->nr);
	if (by < 0 && place > 0)
		place--;
	if (by > 0 && place + 1 < s->nr)
		place++;
	chosen = sorted[place];
	by_user = true;
out:
	free(sorted);
}

static bool live_input(struct loop *loop)
{
	bool any = false;
	int key;

	while ((key = getch()) != ERR) {
		any = true;
		switch (key) {
		case 'q':
		case 'Q':
			return false;
		case 's':
			by_name = !by_name;
			break;
		case KEY_UP:
		case 'k':
			choose(loop, -1);
			break;
		case KEY_DOWN:
		case 'j':
			choose(loop, 1);
			break;
		case '\f':
			clearok(stdscr, TRUE);
			break;
		}
	}
	/* Ready, and nothing to read: the terminal is gone. */
	if (!any && (loop->fds[loop->sources.nr + 1].revents & (POLLHUP | POLLERR)))
		return false;
	draw(loop);
	return true;
}

static int live_end(struct loop *loop)
{
	(void)loop;
	endwin();
	return EXIT_OK;
}

const struct view live_view = {
	.begin = live_begin, .round = live_round, .input = live_input, .end = live_end,
};
