/* SPDX-License-Identifier: GPL-2.0-only */
/* Pure: what QEMU's answers mean. Whatever comes is survived. */
#ifndef BALLOONSTAT_REPLY_H
#define BALLOONSTAT_REPLY_H

#include <jansson.h>
#include <stdbool.h>

#include "sample.h"

/* Room for the path of a balloon in QEMU's object tree. */
#define REPLY_PATH_MAX	160
#define REPLY_NAME_MAX	64

enum reply_kind {
	REPLY_GREETING,
	REPLY_RETURN,
	REPLY_ERROR,
	REPLY_EVENT,
	REPLY_OTHER,		/* JSON, but not of QMP */
};

/**
 * reply_parse() - read one line
 * @line: may hold anything
 * @len: its length in bytes
 *
 * Integers become reals, as 2^64-1 has no place in jansson's: exact to 2^53, and
 * beyond for multiples of a page.
 *
 * Return: an object to be released with json_decref(), or NULL if it is none.
 */
json_t *reply_parse(const char *line, size_t len);

/**
 * reply_kind() - what sort of message it is
 * @message: of reply_parse()
 */
enum reply_kind reply_kind(const json_t *message);

/**
 * reply_id() - which command it answers
 * @message: of reply_parse()
 *
 * Return: the id that went with the command, or -1.
 */
int64_t reply_id(const json_t *message);

/**
 * reply_text() - a member that is text, in printable characters
 * @object: what has the member
 * @key: its name
 * @buf: where to write; empty if there is no such text
 * @len: size of @buf; longer text is cut
 *
 * Return: whether there is any.
 */
bool reply_text(const json_t *object, const char *key, char *buf, size_t len);

/**
 * reply_integer() - a whole number
 * @value: as JSON has it, or NULL
 * @max: a larger one, or one below 0, is none
 * @out: set on success
 *
 * Return: 0, or -1.
 */
int reply_integer(const json_t *value, int64_t max, int64_t *out);

/**
 * reply_stats() - the property guest-stats
 * @result: what the command returned
 * @s: known, set, absurd, value and last_update are filled in
 *
 * Return: 0, or -1 if it is not what QEMU answers; @s is then without any.
 */
int reply_stats(const json_t *result, struct sample *s);

/**
 * reply_balloon() - find the balloon in a list of objects
 * @result: what qom-list returned
 * @parent: the path that was listed
 * @path: REPLY_PATH_MAX bytes, set on success
 * @backend: the same for the virtio device behind it, which may be the same
 *
 * Return: 0, or -1 if there is no balloon, or no such list.
 */
int reply_balloon(const json_t *result, const char *parent, char *path, char *backend);

/**
 * reply_memory() - the machine's memory
 * @result: what query-memory-size-summary returned
 *
 * Return: bytes; 0: not known.
 */
uint64_t reply_memory(const json_t *result);

/**
 * reply_no_balloon() - memory of the machine that the balloon has nothing to do with
 * @result: what query-memory-devices returned
 *
 * QEMU reckons the balloon's size from the boot memory and the DIMMs, and leaves out
 * what other devices have, such as virtio-mem.
 *
 * Return: bytes that reply_memory() has and query-balloon leaves out.
 */
uint64_t reply_no_balloon(const json_t *result);

/**
 * reply_driver() - whether a driver runs the device
 * @result: what x-query-virtio-status returned
 * @stats: set to whether it has taken the statistics queue
 *
 * Return: 1: one does, 0: none, -1: the answer does not tell.
 */
int reply_driver(const json_t *result, bool *stats);

#endif
