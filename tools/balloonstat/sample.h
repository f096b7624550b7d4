/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BALLOONSTAT_SAMPLE_H
#define BALLOONSTAT_SAMPLE_H

#include "tags.h"

/**
 * struct sample - what the host said about one guest at one moment
 * @mono: when, in seconds of CLOCK_MONOTONIC
 * @wall: the same moment, in seconds since 1970
 * @from: the guest's report came at this moment or later, seconds of CLOCK_MONOTONIC
 * @until: it came at this moment or earlier
 * @last_seen: the last look that showed this report
 * @asked_since: since when @polling has been what it is; 0: since before the first look
 * @last_update: when the guest's last report came, in whole seconds of the
 *	host's clock; 0: there was none
 * @polling: the host asks the guest every so many seconds; 0: not at all
 * @known: bit per tag that this host has a name for
 * @set: bit per tag that the guest has sent a sensible value for
 * @absurd: bit per tag whose value no guest can mean
 * @value: by tag, in bytes or events; only where @set has the bit
 * @actual: bytes the guest has, balloon subtracted; 0: not known
 * @max: bytes the guest has with an empty balloon; 0: not known
 * @running: the virtual CPUs are not stopped
 * @restarted: the machine was reset since the sample before
 */
struct sample {
	double mono;
	double wall;
	double from;
	double until;
	double last_seen;
	double asked_since;
	int64_t last_update;
	int64_t polling;
	uint32_t known;
	uint32_t set;
	uint32_t absurd;
	uint64_t value[TAG_NR];
	uint64_t actual;
	uint64_t max;
	bool running;
	bool restarted;
};

static inline bool sample_has(const struct sample *s, unsigned int tag)
{
	return s->set & TAG_BIT(tag);
}

#endif
