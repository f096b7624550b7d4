// SPDX-License-Identifier: GPL-2.0-only
/*
 * What older kernels lack and is too long for a header.
 */
#include <linux/slab.h>

#include "balloon.h"

/**
 * balloon_compat_shrinker_register - a shrinker with the defaults
 * @name: shown in debugfs
 * @data: for balloon_compat_shrinker_data()
 * @count: objects that could be freed
 * @scan: frees objects
 *
 * May sleep.
 *
 * Return: the shrinker, or NULL without memory.
 */
struct shrinker *balloon_compat_shrinker_register(const char *name, void *data,
						  unsigned long (*count)(struct shrinker *shrinker,
									 struct shrink_control *sc),
						  unsigned long (*scan)(struct shrinker *shrinker,
									struct shrink_control *sc))
{
	struct balloon_compat_shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->private_data = data;
	s->shrinker.count_objects = count;
	s->shrinker.scan_objects = scan;
	s->shrinker.seeks = DEFAULT_SEEKS;
	if (register_shrinker(&s->shrinker, "%s", name)) {
		kfree(s);
		return NULL;
	}
	return &s->shrinker;
}

/**
 * balloon_compat_shrinker_free - unregister and free
 * @shrinker: what balloon_compat_shrinker_register() returned
 *
 * Sleeps until no callback runs.
 */
void balloon_compat_shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(container_of(shrinker, struct balloon_compat_shrinker, shrinker));
}
