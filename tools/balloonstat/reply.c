// SPDX-License-Identifier: GPL-2.0-only
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reply.h"
#include "text.h"

/* More bytes than any machine has. */
#define MAX_MEMORY	((double)(1ULL << 56))
/* A statistic that the guest has not sent is 2^64-1, which as a real is 2^64. */
#define UNSET		18446744073709551616.0
/* Far enough in the future for a time stamp. */
#define MAX_TIME	(1LL << 40)

json_t *reply_parse(const char *line, size_t len)
{
	json_t *message = json_loadb(line, len, JSON_DECODE_INT_AS_REAL, NULL);

	if (message && !json_is_object(message)) {
		json_decref(message);
		return NULL;
	}
	return message;
}

enum reply_kind reply_kind(const json_t *message)
{
	if (json_object_get(message, "return"))
		return REPLY_RETURN;
	if (json_object_get(message, "error"))
		return REPLY_ERROR;
	if (json_object_get(message, "event"))
		return REPLY_EVENT;
	if (json_object_get(message, "QMP"))
		return REPLY_GREETING;
	return REPLY_OTHER;
}

int reply_integer(const json_t *value, int64_t max, int64_t *out)
{
	double v;

	if (!json_is_number(value))
		return -1;
	v = json_number_value(value);
	if (!(v >= 0 && v <= (double)max) || v != floor(v))
		return -1;
	*out = (int64_t)v;
	return 0;
}

int64_t reply_id(const json_t *message)
{
	int64_t id;

	return reply_integer(json_object_get(message, "id"), INT32_MAX, &id) ? -1 : id;
}

bool reply_text(const json_t *object, const char *key, char *buf, size_t len)
{
	const char *text = json_string_value(json_object_get(object, key));

	buf[0] = '\0';
	if (!text)
		return false;
	text_copy(buf, len, text);
	return true;
}

static void take_stat(struct sample *s, int tag, const json_t *value)
{
	double v = json_number_value(value);

	s->known |= TAG_BIT(tag);
	if (json_is_number(value) && v == UNSET)
		return;
	if (!json_is_number(value) || !(v >= 0 && v < UNSET) ||
	    (TAGS_GAUGES & TAG_BIT(tag) && v > MAX_MEMORY)) {
		s->absurd |= TAG_BIT(tag);
		return;
	}
	s->value[tag] = (uint64_t)v;
	s->set |= TAG_BIT(tag);
}

int reply_stats(const json_t *result, struct sample *s)
{
	json_t *stats = json_object_get(result, "stats");
	const char *name;
	json_t *value;

	s->known = 0;
	s->set = 0;
	s->absurd = 0;
	s->last_update = 0;
	if (!json_is_object(stats) ||
	    reply_integer(json_object_get(result, "last-update"), MAX_TIME, &s->last_update))
		return -1;
	json_object_foreach(stats, name, value) {
		int tag = tag_of_qemu(name);

		if (tag >= 0)
			take_stat(s, tag, value);
	}
	return 0;
}

int reply_balloon(const json_t *result, const char *parent, char *path, char *backend)
{
	static const char prefix[] = "child<virtio-balloon";
	json_t *object;
	size_t i;

	json_array_foreach(result, i, object) {
		const char *name = json_string_value(json_object_get(object, "name"));
		const char *type = json_string_value(json_object_get(object, "type"));
		int n;

		if (!name || !type || strncmp(type, prefix, strlen(prefix)))
			continue;
		n = snprintf(path, REPLY_PATH_MAX, "%s/%s", parent, name);
		if (n >= REPLY_PATH_MAX - (int)sizeof("/virtio-backend"))
			continue;
		snprintf(backend, REPLY_PATH_MAX, "%s%s", path,
			 strcmp(type, "child<virtio-balloon-device>") ? "/virtio-backend" : "");
		return 0;
	}
	path[0] = '\0';
	backend[0] = '\0';
	return -1;
}

uint64_t reply_memory(const json_t *result)
{
	int64_t base, plugged = 0;

	if (reply_integer(json_object_get(result, "base-memory"), 1LL << 55, &base))
		return 0;
	if (reply_integer(json_object_get(result, "plugged-memory"), 1LL << 55, &plugged))
		plugged = 0;
	return (uint64_t)base + (uint64_t)plugged;
}

uint64_t reply_no_balloon(const json_t *result)
{
	uint64_t sum = 0;
	json_t *device;
	size_t i;

	json_array_foreach(result, i, device) {
		const char *type = json_string_value(json_object_get(device, "type"));
		json_t *data = json_object_get(device, "data");
		int64_t size;

		if (type && strcmp(type, "dimm") &&
		    !reply_integer(json_object_get(data, "size"), 1LL << 55, &size) &&
		    sum + (uint64_t)size <= 1ULL << 56)
			sum += (uint64_t)size;
	}
	return sum;
}

/* Each is a name, a colon and an explanation. */
static bool lists(const json_t *array, const char *name)
{
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item) {
		const char *text = json_string_value(item);

		if (text && !strncmp(text, name, strlen(name)))
			return true;
	}
	return false;
}

int reply_driver(const json_t *result, bool *stats)
{
	json_t *status = json_object_get(result, "status");
	json_t *features = json_object_get(result, "guest-features");

	*stats = lists(json_object_get(features, "dev-features"), "VIRTIO_BALLOON_F_STATS_VQ");
	if (!json_is_object(status))
		return -1;
	return lists(json_object_get(status, "statuses"), "VIRTIO_CONFIG_S_DRIVER_OK");
}
