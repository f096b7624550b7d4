/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOONSTAT_OPTIONS_H
#define BALLOONSTAT_OPTIONS_H

#include "guest.h"

/* Exit codes; --check has those of monitoring plugins, see enum severity. */
#define EXIT_OK		0
#define EXIT_TROUBLE	1	/* no guest could be read, or --doctor found something */
#define EXIT_USAGE	2

enum mode {
	MODE_TEXT,
	MODE_LIVE,
	MODE_JSON,
	MODE_PROMETHEUS,
	MODE_CHECK,
	MODE_DOCTOR,
};

/**
 * struct connection - a libvirt, and which of its domains are asked for
 * @uri: NULL: its default
 * @domains: only these; all that run if there are none
 * @domains_nr: number of them
 */
struct connection {
	const char *uri;
	char **domains;
	size_t domains_nr;
};

/**
 * struct options - what the user asked for
 * @mode: which view
 * @qmp: paths and patterns of sockets
 * @qmp_nr: number of them
 * @connections: to libvirt
 * @connections_nr: number of them
 * @connected: --connect was said
 * @interval: seconds between samples; 0: once
 * @count: end after so many; 0: never
 * @timeout: seconds that a guest has to answer
 * @prometheus: the file to write
 * @explain: say why whenever the diagnosis changes
 * @wants: what is asked of the guests
 */
struct options {
	enum mode mode;
	char **qmp;
	size_t qmp_nr;
	struct connection *connections;
	size_t connections_nr;
	bool connected;
	double interval;
	long count;
	double timeout;
	const char *prometheus;
	bool explain;
	struct guest_wants wants;
};

/**
 * options_parse() - read the command line
 * @o: filled in
 * @argc: as main() has it
 * @argv: as main() has it; stays referred to
 *
 * Return: -1 to go on, else the exit code: help was asked for, or the command
 * line is wrong and that was said.
 */
int options_parse(struct options *o, int argc, char **argv);

/**
 * options_free() - forget the command line
 * @o: of options_parse()
 */
void options_free(struct options *o);

#endif
