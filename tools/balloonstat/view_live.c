// SPDX-License-Identifier: GPL-2.0-only
/* A table of guests, the worst first, with what was scanned drawn in time. */
#include <langinfo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curses.h>

#include "text.h"
#include "view.h"
#include "units.h"

#define NAME_MIN	16
#define NAME_MAX	40
#define STATE_WIDTH	12
#define MIN_HISTORY	8
#define MAX_HISTORY	60
/* Below the table: why, and what to do, and the guest's name. */
#define DETAIL_MIN	5

/* From a ten-thousandth of the memory in a second to all of it. */
#define LEVELS		8
#define LOWEST		-4.0

static const char *const blocks[LEVELS + 1] = {
	" ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588",
};

static const char *const plain[LEVELS + 1] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };

static const struct guest *chosen;
static bool by_user;		/* else it is always the first */
static bool unicode, helped;
static size_t first;		/* line of the table on top */
static int name_width = NAME_MIN;	/* with the mark of the one that is chosen */
static int page = 1;		/* guests on the screen */

static enum {
	BY_TROUBLE,
	BY_NAME,
	BY_SCANS,
	BY_AVAILABLE,
	BY_NR,
} sorted_by;

static const char *const sorts[BY_NR] = { "trouble", "name", "scanned", "available" };

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
	/* What cannot move its cursor would show nothing. */
	if (!tigetstr("cup") || tigetstr("cup") == (char *)-1) {
		endwin();
		fprintf(stderr, "balloonstat: the terminal \"%s\" cannot move its cursor; set TERM, such as TERM=vt100, or leave out --live\n",
			getenv("TERM"));
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

static double available(const struct guest *g)
{
	return guest_reached(g) && sample_has(&g->sample, VIRTIO_BALLOON_S_AVAIL) ?
	       (double)g->sample.value[VIRTIO_BALLOON_S_AVAIL] : 1e300;
}

static int compare(const void *pa, const void *pb)
{
	const struct guest *a = *(const struct guest *const *)pa;
	const struct guest *b = *(const struct guest *const *)pb;

	if (sorted_by == BY_TROUBLE && badness(a) != badness(b))
		return badness(b) - badness(a);
	if ((sorted_by == BY_SCANS || (sorted_by == BY_TROUBLE && badness(a) >= 10)) &&
	    scanned(a) != scanned(b))
		return scanned(a) < scanned(b) ? 1 : -1;
	if (sorted_by == BY_AVAILABLE && available(a) != available(b))
		return available(a) > available(b) ? 1 : -1;
	return strverscmp(a->name, b->name);
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
	int left = COLS - name_width - 1 - STATE_WIDTH - 1 - MIN_HISTORY;
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
	int x = name_width + 1 + STATE_WIDTH + 1;

	mvprintw(y, 0, "%c%.*s", g == chosen ? '>' : ' ', text_fit(g->name, name_width - 1),
		 g->name);
	attron(attribute(g));
	mvprintw(y, name_width + 1, "%-*.*s", STATE_WIDTH, STATE_WIDTH, view_state(g));
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
	int x = name_width + 1 + STATE_WIDTH + 1;

	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	mvprintw(0, 0, "%.*s", COLS, "");
	printw("balloonstat  %zu guest%s, every %g s  %s", loop->sources.nr,
	       loop->sources.nr == 1 ? "" : "s", loop->options->interval, clock);
	printw("  by %s", sorts[sorted_by]);
	if (COLS - getcurx(stdscr) > 16)
		mvaddstr(0, COLS - 15, "q quit  h help ");
	attron(A_REVERSE);
	mvprintw(1, 0, "%*s", COLS, "");
	mvprintw(1, 0, " %-*s %-*s%-.*s", name_width - 1, "guest", STATE_WIDTH + 1, "diagnosis",
		 history, "scanned");
	x += history;
	for (size_t i = 0; i < n; i++) {
		mvprintw(1, x, "%*s", columns[i].width, columns[i].title);
		x += columns[i].width;
	}
	attroff(A_REVERSE);
}

/* In words, wrapped at the window's edge, at most to its end; y < 0: only counted. */
static int put_words(int y, const char *text, bool draw)
{
	while (*text && (!draw || y < LINES)) {
		int n = text_fit(text, COLS - 1), space = n;

		/* The end of a word, if there is one. */
		while (text[n] && space > 0 && text[space] != ' ')
			space--;
		if (text[n] && space > 0)
			n = space;
		if (draw)
			mvprintw(y, 0, "%.*s", n, text);
		y++;
		text += n;
		while (*text == ' ')
			text++;
	}
	return y;
}

static int put_detail(const struct loop *loop, int y, bool draw)
{
	const struct guest *g = chosen;
	char line[2 * VIEW_SENTENCE], words[VIEW_SENTENCE];

	if (!g)
		return y;
	attron(A_BOLD);
	if (draw)
		mvprintw(y, 0, "%.*s", text_fit(g->name, COLS - 1), g->name);
	attroff(A_BOLD);
	y++;
	if (!guest_reached(g))
		return put_words(y, g->error, draw);
	snprintf(line, sizeof(line), "%s: %s", view_state(g),
		 diagnosis_reason(&g->diagnosis, words, sizeof(words)));
	y = put_words(y, line, draw);
	snprintf(line, sizeof(line), "-> %s",
		 diagnosis_advice(&g->diagnosis, &loop->options->wants.limits, g->setmem,
				  words, sizeof(words)));
	return words[0] ? put_words(y, line, draw) : y;
}

static void draw_help(void)
{
	static const char *const lines[] = {
		"up, down, k, j       choose a guest, which is explained below the table",
		"page up, page down   a screen up or down",
		"home, end            the first or the last guest",
		"s                    sort by trouble, name, scanned, available",
		"Ctrl-L               draw all anew",
		"h, ?                 this help; any key ends it",
		"q                    quit",
	};

	for (int i = 0; i < (int)(sizeof(lines) / sizeof(*lines)) && i < LINES; i++)
		mvprintw(i, 0, "%.*s", COLS - 1, lines[i]);
}

/* As wide as the names are, if the other columns that matter still fit. */
static int width_of_names(const struct sources *s)
{
	int width = NAME_MIN, most = COLS / 3;

	if (most > NAME_MAX)
		most = NAME_MAX;
	for (size_t i = 0; i < s->nr; i++)
		if (text_columns(s->guests[i]->name) + 1 > width)
			width = text_columns(s->guests[i]->name) + 1;
	return width > most && most > NAME_MIN ? most : width > most ? NAME_MIN : width;
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
	int room, history, detail = DETAIL_MIN;
	struct guest **sorted = malloc((s->nr + 1) * sizeof(*sorted));
	size_t n, place;

	erase();
	name_width = width_of_names(s);
	if (helped) {
		draw_help();
		goto out;
	}
	if (LINES < 4 || COLS < name_width + STATE_WIDTH + 2) {
		mvprintw(0, 0, "%.*s", COLS, "too small");
		goto out;
	}
	if (!sorted)
		goto out;
	memcpy(sorted, s->guests, s->nr * sizeof(*sorted));
	qsort(sorted, s->nr, sizeof(*sorted), compare);
	place = place_of_chosen(sorted, s->nr);
	/* As many lines as the words take, and at least half of the screen for the table. */
	if (put_detail(loop, 0, false) > detail)
		detail = put_detail(loop, 0, false);
	if (detail > LINES / 2)
		detail = LINES / 2;
	room = LINES - 2 - detail - 1;
	if (room < 1)
		room = LINES - 2;
	page = room;
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
		put_words(2, s->error[0] ? s->error : "no guests found", true);
	if (LINES >= 2 + DETAIL_MIN + 2)
		put_detail(loop, LINES - detail, true);
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
	long place;

	sorted = malloc((s->nr + 1) * sizeof(*sorted));
	if (!sorted || !s->nr)
		goto out;
	memcpy(sorted, s->guests, s->nr * sizeof(*sorted));
	qsort(sorted, s->nr, sizeof(*sorted), compare);
	place = (long)place_of_chosen(sorted, s->nr) + by;
	if (place >= (long)s->nr)
		place = (long)s->nr - 1;
	if (place < 0)
		place = 0;
	chosen = sorted[place];
	by_user = true;
out:
	free(sorted);
}

static bool live_input(struct loop *loop)
{
	int key;

	while ((key = getch()) != ERR) {
		if (helped) {
			helped = false;
			continue;
		}
		switch (key) {
		case 'q':
		case 'Q':
			return false;
		case 's':
			sorted_by = (sorted_by + 1) % BY_NR;
			break;
		case 'h':
		case '?':
			helped = true;
			break;
		case KEY_PPAGE:
			choose(loop, -page);
			break;
		case KEY_NPAGE:
			choose(loop, page);
			break;
		case KEY_HOME:
			choose(loop, -(int)loop->sources.nr);
			break;
		case KEY_END:
			choose(loop, (int)loop->sources.nr);
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
