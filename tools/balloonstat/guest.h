/* SPDX-License-Identifier: GPL-2.0-only */
/* One guest: connect, find its balloon, take samples, put back what was changed. */
#ifndef BALLOONSTAT_GUEST_H
#define BALLOONSTAT_GUEST_H

#include "claim.h"
#include "diagnose.h"
#include "reply.h"
#include "stream.h"

#define GUEST_BATCH_MAX		8
#define GUEST_HISTORY		120
#define GUEST_ERROR_MAX		320

enum guest_source {
	SOURCE_QMP,
	SOURCE_LIBVIRT,
};

enum phase {
	PHASE_DOWN,		/* no connection: between samples, or in trouble */
	PHASE_GREETING,		/* connected; QEMU is to speak first */
	PHASE_NEGOTIATE,
	PHASE_LOOK,		/* what machine is this, where is its balloon */
	PHASE_ENABLE,		/* polling is turned on */
	PHASE_READY,
	PHASE_SAMPLE,
	PHASE_RESTORE,		/* polling is put back */
};

/* What is wrong with the conversation; the words are in struct guest. */
enum trouble {
	TROUBLE_NONE,
	TROUBLE_CONNECT,
	TROUBLE_OWNED,
	TROUBLE_BUSY,
	TROUBLE_NOT_QMP,
	TROUBLE_PROTOCOL,
	TROUBLE_LATE,
	TROUBLE_GONE,
	TROUBLE_NO_BALLOON,
	TROUBLE_REFUSED,
	TROUBLE_NR,
};

/* Commands, see guest.c. */
enum ask {
	ASK_CAPABILITIES,
	ASK_VERSION,
	ASK_NAME,
	ASK_PERIPHERAL,
	ASK_ANON,
	ASK_MEMORY,
	ASK_DEVICES,
	ASK_STATUS,
	ASK_DRIVER,
	ASK_INTERVAL,
	ASK_SET_INTERVAL,
	ASK_STATS,
	ASK_ACTUAL,
};

/**
 * struct guest_shown - what the views have said of a guest
 * @complained: the trouble that was last spoken of
 * @why: why there was no diagnosis, as far as that was said
 * @explained: @regime was explained
 * @regime: the one that was last
 * @history: bytes scanned a second as shares of memory, in time; for drawing
 * @history_nr: reports there are, which may be more than fit
 */
struct guest_shown {
	enum trouble complained;
	enum why why;
	bool explained;
	enum regime regime;
	double history[GUEST_HISTORY];
	unsigned int history_nr;
};

/**
 * struct guest - a guest and all that is known of it
 * @source: how it is reached
 * @address: path of the socket, or the domain's name
 * @where: @uri and @address as they can be shown
 * @uri: of libvirt; NULL: its default
 * @setmem: the command that sets the size of libvirt's domain, but for the size
 * @name: for people: what QEMU calls it, or made of @address
 * @trouble: why there is no sample in this round, or why it is not whole
 * @error: the same in words, with what to do; empty without @trouble
 * @version: QEMU's, as 100 * major + minor; 0: not known
 * @driver: 1: a driver runs the balloon, 0: none does, -1: not known
 * @stats_queue: that driver has taken the statistics queue
 * @path: of the balloon in QEMU; empty: there is none
 * @sample: the last one
 * @rates: between it and the one before with another report
 * @diagnosis: of it
 * @age: of its report in seconds; negative: there is none
 * @fresh: @sample was taken in this round
 * @lost: the connection was lost since the last round was shown
 * @shown: belongs to the views; guest.c leaves it alone
 *
 * The rest belongs to guest.c.
 */
struct guest {
	enum guest_source source;
	char *address;
	char *where;
	char *uri;
	char *setmem;
	char name[REPLY_NAME_MAX];
	enum trouble trouble;
	char error[GUEST_ERROR_MAX];
	int version;
	int driver;
	bool stats_queue;
	char path[REPLY_PATH_MAX];
	struct sample sample;
	struct rates rates;
	struct diagnosis diagnosis;
	double age;
	bool fresh;
	bool lost;
	struct guest_shown shown;

	struct stream stream;
	enum phase phase;
	char backend[REPLY_PATH_MAX];
	struct {
		enum ask ask;
		int64_t id;
	} batch[GUEST_BATCH_MAX];
	int batch_nr;
	int64_t next_id;
	double asked;		/* when what is waited for was asked */
	double retry;		/* not connected to again before */
	struct sample next;	/* being filled in */
	struct sample base;	/* the last with another report */
	bool has_base, restarted, taken;
	double age_then;
	uint64_t not_ballooned;
	double asked_since;
	bool forgotten;		/* by the host: the next report is a first one */
	struct claim claim;	/* a part in having the host poll */
	bool set_tried;		/* in this round */
	bool restoring;
	bool named;
	bool found;		/* @path is that of the QEMU that is there now */
};

/**
 * struct guest_wants - what the user wants of every guest
 * @poll: have the host ask every so many seconds; 0: leave it as it is
 * @hold: keep the connection to a monitor between samples
 * @driver: find out whether a driver runs the balloon
 * @limits: what is high and low
 */
struct guest_wants {
	int64_t poll;
	bool hold;
	bool driver;
	struct limits limits;
};

/**
 * guest_new() - a guest that is not connected yet
 * @source: how to reach it
 * @uri: of libvirt, or NULL
 * @address: path of the socket, or the domain's name
 *
 * Return: a guest to be released with guest_free(); NULL without memory.
 */
struct guest *guest_new(enum guest_source source, const char *uri, const char *address);

/**
 * guest_free() - close the connection and forget the guest
 * @g: may be NULL
 */
void guest_free(struct guest *g);

/**
 * guest_begin() - begin a round: connect if there is no connection, ask for a sample
 * @g: a guest; where an answer is still waited for, nothing is done
 * @wants: what is asked for
 * @now: seconds of CLOCK_MONOTONIC
 *
 * Does not block; guest_events() and guest_work() do the rest. They also close the
 * connection once the sample is there, so that others can have the monitor.
 */
void guest_begin(struct guest *g, const struct guest_wants *wants, double now);

/**
 * guest_events() - what poll() is to look for on @g->stream.fd
 * @g: a guest
 *
 * Return: events; 0 without a connection.
 */
short guest_events(const struct guest *g);

/**
 * guest_work() - take what has come, send what is to go, go on
 * @g: a guest whose descriptor is ready
 * @wants: as in guest_begin()
 * @now: seconds of CLOCK_MONOTONIC
 */
void guest_work(struct guest *g, const struct guest_wants *wants, double now);

/**
 * guest_waits() - whether an answer is outstanding
 * @g: a guest
 */
bool guest_waits(const struct guest *g);

/**
 * guest_late() - a guest has not answered in this round
 * @g: a guest that waits
 * @timeout: seconds that it has to answer; it is in trouble only after that
 * @now: seconds of CLOCK_MONOTONIC
 *
 * It goes on waiting, and comes back when it answers. But a monitor that does not
 * greet is left, since whoever waits for it would take it as soon as it is free.
 */
void guest_late(struct guest *g, double timeout, double now);

/**
 * guest_judge() - make rates and a diagnosis of a sample that is complete
 * @g: a guest, whose @next is what QEMU has answered
 * @l: what is high and low
 * @now: seconds of CLOCK_MONOTONIC
 * @wall: the same moment, in seconds since 1970
 *
 * For the conversation, and for series of samples that were recorded.
 */
void guest_judge(struct guest *g, const struct limits *l, double now, double wall);

/**
 * guest_restore() - begin to put the polling interval back
 * @g: a guest
 * @wants: as in guest_begin()
 * @now: seconds of CLOCK_MONOTONIC
 *
 * An answer that is waited for is waited for first. Nothing is done where
 * nothing was changed, where somebody else has changed it since, or where another
 * balloonstat still has the host poll. May be called
 * again for a guest that is not restored: a busy monitor may be free by then.
 */
void guest_restore(struct guest *g, const struct guest_wants *wants, double now);

/**
 * guest_restored() - whether nothing is left to be put back, or nothing can be
 * @g: a guest that guest_restore() was called for
 */
bool guest_restored(const struct guest *g);

/**
 * guest_reached() - whether the last sample is of this round, or of the last if it is waited for
 * @g: a guest; QEMU may have refused a command that does not matter for that
 */
static inline bool guest_reached(const struct guest *g)
{
	if (g->trouble == TROUBLE_REFUSED)
		return g->fresh || (g->sample.mono > 0 && guest_waits(g));
	return g->trouble == TROUBLE_NONE;
}

/**
 * trouble_name() - the trouble in a word, for output
 * @trouble: of a guest
 */
const char *trouble_name(enum trouble trouble);

#endif
