// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt.h"
#include "options.h"

static const char help[] =
"Usage: balloonstat SOURCE... [OPTION...] [INTERVAL [COUNT]]\n"
"What the memory statistics of virtual machines say, and what is wrong.\n"
"\n"
"Sources (each may be given several times)\n"
"  -q, --qmp PATH         a QMP socket, tcp:HOST:PORT, or a quoted pattern\n"
"  -c, --connect [URI]    the domains of libvirt, by default of its default URI\n"
"  -d, --domain NAME      of the domains of this --connect only this one\n"
"Views (without one: a line a sample, as vmstat has it)\n"
"  -l, --live             a table of guests, the worst first\n"
"  -j, --json             an object a sample, one a line\n"
"      --prometheus FILE  write FILE for node_exporter's textfile collector\n"
"      --check            one line; exits with 0, 1, 2, 3 as monitor plugins do\n"
"      --doctor           why a guest sends no numbers, or not all\n"
"Options\n"
"  -p, --poll SECONDS     have the hosts ask every so often; put back at the end\n"
"  -t, --timeout SECONDS  that a guest has to answer (3)\n"
"      --hold             keep monitors between samples; others have to wait\n"
"  -e, --explain          say why, and what to do, when the diagnosis changes\n"
"      --set NAME=VALUE   change a limit of the diagnosis; see balloonstat(1)\n"
"  -h, --help             this\n"
"  -V, --version          which version this is\n"
"\n"
"Without INTERVAL: once, as soon as there are rates.\n";

enum {
	OPT_PROMETHEUS = 256,
	OPT_CHECK,
	OPT_DOCTOR,
	OPT_SET,
	OPT_HOLD,
};

static const struct option long_options[] = {
	{ "qmp", required_argument, NULL, 'q' },
	{ "connect", optional_argument, NULL, 'c' },
	{ "domain", required_argument, NULL, 'd' },
	{ "live", no_argument, NULL, 'l' },
	{ "json", no_argument, NULL, 'j' },
	{ "prometheus", required_argument, NULL, OPT_PROMETHEUS },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "doctor", no_argument, NULL, OPT_DOCTOR },
	{ "poll", required_argument, NULL, 'p' },
	{ "timeout", required_argument, NULL, 't' },
	{ "explain", no_argument, NULL, 'e' },
	{ "set", required_argument, NULL, OPT_SET },
	{ "hold", no_argument, NULL, OPT_HOLD },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ }
};

/* A monitoring system takes 2 for critical, which a wrong option is not. */
static int __attribute__((format(printf, 2, 3)))
usage(const struct options *o, const char *format, ...)
{
	va_list args;

	fputs("balloonstat: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; see balloonstat --help\n", stderr);
	return o->mode == MODE_CHECK ? SEVERITY_UNKNOWN : EXIT_USAGE;
}

static bool number(const char *text, double min, double max, double *out)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v) || v < min || v > max)
		return false;
	*out = v;
	return true;
}

static bool whole(const char *text, long min, long max, long *out)
{
	double v;

	if (!number(text, (double)min, (double)max, &v) || v != floor(v))
		return false;
	*out = (long)v;
	return true;
}

static void *longer(void *list, size_t nr, size_t size)
{
	void *new = realloc(list, (nr + 1) * size);

	if (!new) {
		perror("balloonstat");
		exit(EXIT_TROUBLE);
	}
	return new;
}

static void append(char ***list, size_t *nr, char *item)
{
	*list = longer(*list, *nr, sizeof(**list));
	(*list)[(*nr)++] = item;
}

static struct connection *add_connection(struct options *o)
{
	o->connections = longer(o->connections, o->connections_nr, sizeof(*o->connections));
	o->connections[o->connections_nr] = (struct connection){ };
	return &o->connections[o->connections_nr++];
}

/* The domains that were named before the first --connect are of that, too. */
static void connect_to(struct options *o, const char *uri)
{
	if (o->connected || !o->connections_nr)
		add_connection(o);
	o->connections[o->connections_nr - 1].uri = uri;
	o->connected = true;
}

static void add_domain(struct options *o, char *name)
{
	struct connection *c = o->connections_nr ? &o->connections[o->connections_nr - 1] :
			       add_connection(o);

	append(&c->domains, &c->domains_nr, name);
}

static int set_mode(struct options *o, bool *chosen, enum mode mode)
{
	if (*chosen && o->mode != mode) {
		/* The exit code is to be that of --check if it is one of the two. */
		if (mode == MODE_CHECK)
			o->mode = mode;
		return usage(o, "only one view at a time");
	}
	*chosen = true;
	o->mode = mode;
	return -1;
}

static int option(struct options *o, int c, bool *chosen)
{
	char why[160];
	long n;

	switch (c) {
	case 'q':
		append(&o->qmp, &o->qmp_nr, optarg);
		return -1;
	case 'c':
		connect_to(o, optarg);
		return -1;
	case 'd':
		add_domain(o, optarg);
		return -1;
	case 'l':
		return set_mode(o, chosen, MODE_LIVE);
	case 'j':
		return set_mode(o, chosen, MODE_JSON);
	case OPT_PROMETHEUS:
		o->prometheus = optarg;
		return set_mode(o, chosen, MODE_PROMETHEUS);
	case OPT_CHECK:
		return set_mode(o, chosen, MODE_CHECK);
	case OPT_DOCTOR:
		o->wants.driver = true;
		return set_mode(o, chosen, MODE_DOCTOR);
	case 'p':
		if (!whole(optarg, 1, 86400, &n))
			return usage(o, "--poll %s: whole seconds, from 1 to 86400", optarg);
		o->wants.poll = n;
		return -1;
	case 't':
		if (!number(optarg, 0.1, 3600, &o->timeout))
			return usage(o, "--timeout %s: seconds, from 0.1 to 3600", optarg);
		return -1;
	case 'e':
		o->explain = true;
		return -1;
	case OPT_SET:
		if (limits_set(&o->wants.limits, optarg, why, sizeof(why)))
			return usage(o, "--set %s: %s", optarg, why);
		return -1;
	case OPT_HOLD:
		o->wants.hold = true;
		return -1;
	case 'h':
		fputs(help, stdout);
		return EXIT_OK;
	case 'V':
		puts("balloonstat " VERSION);
		return EXIT_OK;
	default:
		return usage(o, "there is something wrong with the options");
	}
}

/* After the options: INTERVAL and COUNT. */
static int operands(struct options *o, int n, char **operand)
{
	if (n > 2)
		return usage(o, "too many words after the options: \"%s\"", operand[2]);
	if (n > 0 && !number(operand[0], 0.1, 86400, &o->interval))
		return usage(o, "\"%s\": INTERVAL is in seconds, from 0.1 to 86400", operand[0]);
	if (n > 1 && !whole(operand[1], 1, 1000000000, &o->count))
		return usage(o, "\"%s\": COUNT is a number from 1 on", operand[1]);
	return -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
	bool chosen = false;
	int c, status;

	memset(o, 0, sizeof(*o));
	o->timeout = 3;
	limits_default(&o->wants.limits);
	while ((c = getopt_long(argc, argv, "q:c::d:ljp:t:ehV", long_options, NULL)) != -1) {
		/* As virsh has it: the URI may be a word of its own. No operand has a colon. */
		if (c == 'c' && !optarg && optind < argc && argv[optind][0] != '-' &&
		    strchr(argv[optind], ':'))
			optarg = argv[optind++];
		status = option(o, c, &chosen);
		if (status >= 0)
			return status;
	}
	status = operands(o, argc - optind, argv + optind);
	if (status >= 0)
		return status;
	if (!o->connections_nr && !o->qmp_nr)
		return usage(o, "which guests? Say --qmp PATH or --connect");
	if (o->connections_nr && !libvirt_built())
		return usage(o, "built without libvirt: install libvirt-dev and build it anew, or use --qmp");
	if (o->mode == MODE_CHECK && o->count)
		return usage(o, "--check takes an INTERVAL but no COUNT");
	if (o->mode == MODE_DOCTOR && o->interval > 0)
		return usage(o, "--doctor looks once: no INTERVAL");
	if (o->mode == MODE_LIVE && o->interval == 0)
		o->interval = 1;
	return -1;
}

void options_free(struct options *o)
{
	for (size_t i = 0; i < o->connections_nr; i++)
		free(o->connections[i].domains);
	free(o->connections);
	free(o->qmp);
	memset(o, 0, sizeof(*o));
}
