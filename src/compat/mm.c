// SPDX-License-Identifier: GPL-2.0-only
/*
 * What older kernels do not have, where it is too long for a header.
 */
#include <linux/slab.h>

#include "mm.h"

/**
 * balloon_compat_pages_owned - whether page owner (page_owner=on) keeps records of all pages
 *
 * The kernel's flag for it is not exported. But while it is set, a bulk allocation returns one
 * page only. A guest that is short of memory may be taken for one with page owner. Sleeps.
 *
 * Return: whether it does.
 */
bool balloon_compat_pages_owned(void)
{
#ifdef CONFIG_PAGE_OWNER
	struct page *pages[2] = {};
	unsigned long i, nr;

	nr = alloc_pages_bulk_node(GFP_KERNEL, numa_mem_id(), ARRAY_SIZE(pages), pages);
	for (i = 0; i < nr; i++)
		__free_page(pages[i]);
	return nr < ARRAY_SIZE(pages);
#else
	return false;
#endif
}

#if defined(BALLOON_COMPAT_MIGRATION) && defined(BALLOON_HAVE_BALLOON_INODE)
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#define BALLOON_COMPAT_MAGIC	0x76626c6e

static int balloon_compat_fs_context(struct fs_context *context)
{
	return init_pseudo(context, BALLOON_COMPAT_MAGIC) ? 0 : -ENOMEM;
}

/* Has no owner. With one, the driver's own mount would keep the module from being unloaded. */
static struct file_system_type balloon_compat_fs = {
	.name = "virtio-balloon",
	.init_fs_context = balloon_compat_fs_context,
	.kill_sb = kill_anon_super,
};

/**
 * balloon_compat_info_init - prepare mm's list of the balloon's pages, and their migration
 * @info: mm's list
 *
 * May sleep. Each balloon has its own mount: a guest has only one balloon.
 *
 * Return: 0, or the error of mounting, -ENOMEM among them.
 */
int balloon_compat_info_init(struct balloon_dev_info *info)
{
	struct vfsmount *mount;
	struct inode *inode;

	balloon_devinfo_init(info);
	mount = kern_mount(&balloon_compat_fs);
	if (IS_ERR(mount))
		return PTR_ERR(mount);
	inode = alloc_anon_inode(mount->mnt_sb);
	if (IS_ERR(inode)) {
		kern_unmount(mount);
		return PTR_ERR(inode);
	}
	inode->i_private = mount;
	inode->i_mapping->a_ops = &balloon_aops;
	info->inode = inode;
	return 0;
}

/**
 * balloon_compat_info_exit - undo balloon_compat_info_init()
 * @info: mm's list, which is empty
 *
 * May sleep. May be called twice, and after balloon_compat_info_init() has failed.
 */
void balloon_compat_info_exit(struct balloon_dev_info *info)
{
	struct vfsmount *mount;

	synchronize_rcu();
	if (!info->inode)
		return;
	mount = info->inode->i_private;
	iput(info->inode);
	info->inode = NULL;
	kern_unmount(mount);
}
#endif

#ifndef BALLOON_HAVE_SHRINKER_ALLOC
/* Before 6.7 the driver allocates the structure, which has no field for its data. */
struct balloon_compat_shrinker {
	struct shrinker shrinker;
	void *data;
};
#endif

/**
 * balloon_compat_shrinker_register - register a shrinker with default settings
 * @name: its name in debugfs
 * @data: returned by balloon_compat_shrinker_data()
 * @count: counts the objects that could be freed
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
#ifdef BALLOON_HAVE_SHRINKER_ALLOC
	struct shrinker *shrinker = shrinker_alloc(0, "%s", name);

	if (!shrinker)
		return NULL;
	shrinker->private_data = data;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker_register(shrinker);
	return shrinker;
#else
	struct balloon_compat_shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return NULL;
	s->data = data;
	s->shrinker.count_objects = count;
	s->shrinker.scan_objects = scan;
	s->shrinker.seeks = DEFAULT_SEEKS;
#ifdef BALLOON_HAVE_SHRINKER_NAME
	err = register_shrinker(&s->shrinker, "%s", name);
#else
	err = register_shrinker(&s->shrinker);
#endif
	if (err) {
		kfree(s);
		return NULL;
	}
	return &s->shrinker;
#endif
}

/**
 * balloon_compat_shrinker_free - unregister and free
 * @shrinker: what balloon_compat_shrinker_register() returned
 *
 * Sleeps until no callback runs.
 */
void balloon_compat_shrinker_free(struct shrinker *shrinker)
{
#ifdef BALLOON_HAVE_SHRINKER_ALLOC
	shrinker_free(shrinker);
#else
	unregister_shrinker(shrinker);
	kfree(container_of(shrinker, struct balloon_compat_shrinker, shrinker));
#endif
}

/**
 * balloon_compat_shrinker_data - the data that a shrinker was registered with
 * @shrinker: the argument of the callback
 *
 * Any context.
 *
 * Return: the data.
 */
void *balloon_compat_shrinker_data(struct shrinker *shrinker)
{
#ifdef BALLOON_HAVE_SHRINKER_ALLOC
	return shrinker->private_data;
#else
	return container_of(shrinker, struct balloon_compat_shrinker, shrinker)->data;
#endif
}
