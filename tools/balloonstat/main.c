// SPDX-License-Identifier: GPL-2.0-only
/*
 * balloonstat - what the memory statistics of virtual machines say
 *
 * The flow: sources.c finds guests, loop.c lets all of them work at once, guest.c
 * asks one for a sample (over stream.c; reply.c reads the answers), rate.c compares
 * it with the one before, diagnose.c says what is the matter, and a view shows it.
 */
#include <locale.h>

#include "descriptors.h"
#include "view.h"

static const struct view *const views[] = {
	[MODE_TEXT] = &text_view,
	[MODE_LIVE] = &live_view,
	[MODE_JSON] = &json_view,
	[MODE_PROMETHEUS] = &prometheus_view,
	[MODE_CHECK] = &check_view,
	[MODE_DOCTOR] = &doctor_view,
};

int main(int argc, char **argv)
{
	struct options o;
	struct view view;
	int status;

	descriptors_prepare();
	/* For the live view's drawing; numbers are written as everywhere. */
	setlocale(LC_CTYPE, "");
	status = options_parse(&o, argc, argv);
	if (status < 0) {
		view = *views[o.mode];
		if (o.interval <= 0 && o.mode != MODE_DOCTOR)
			view.settle = true;
		status = loop_run(&o, &view);
	}
	options_free(&o);
	return status;
}
