/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories the keeper may read beneath: descriptors that the supervisor opened, found by the path it opened
 * them by. A directory is watched, not its files: rotation replaces files, and a watch on one that was replaced is
 * dead. When a directory cannot be watched it is polled like every other.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/util.h"
#include "keeper/private.h"

#define WATCH_MASK (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_ATTRIB | IN_ONLYDIR)

struct directory *directory_find(struct keeper *k, const char *path, size_t n)
{
	for (size_t i = 0; i < k->n_directories; i++)
		if (str_eq(str_of(k->directories[i].path), str_make(path, n)))
			return &k->directories[i];
	return NULL;
}

int directory_split(const char *path, size_t *ret_directory_size, const char **ret_file)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash ? slash + 1 : "";

	if (path[0] != '/' || !*file || strlen(file) >= KEEPER_FILE_MAX || strcmp(file, ".") == 0 ||
	    strcmp(file, "..") == 0)
		return -EINVAL; /* refuse: names no file beneath a directory */
	*ret_directory_size = slash == path ? 1 : (size_t)(slash - path);
	*ret_file = file;
	return 0;
}

/* Two paths may be one directory; the kernel gives both the same watch. */
static bool watch_is_shared(const struct keeper *k, const struct directory *d)
{
	for (size_t i = 0; i < k->n_directories; i++)
		if (&k->directories[i] != d && k->directories[i].watch == d->watch)
			return true;
	return false;
}

static void watch(struct keeper *k, struct directory *d)
{
	char path[32];

	if (d->watch >= 0 && !watch_is_shared(k, d))
		(void)inotify_rm_watch(k->inotify, d->watch);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", d->fd);
	d->watch = k->inotify < 0 ? -1 : inotify_add_watch(k->inotify, path, WATCH_MASK);
}

int directory_put(struct keeper *k, const char *path, int *fd)
{
	struct directory *d = directory_find(k, path, strlen(path));
	struct stat st;

	if (fstat(*fd, &st) < 0 || !S_ISDIR(st.st_mode) || path[0] != '/')
		return -EBADMSG;
	if (!d) {
		if (k->n_directories == KEEPER_DIRECTORIES_MAX)
			return -E2BIG;
		d = &k->directories[k->n_directories++];
		*d = (struct directory){ .fd = -1, .watch = -1 };
		memcpy(d->path, path, strlen(path) + 1);
	}
	(void)fd_close(d->fd);
	d->fd = TAKE_FD(*fd);
	watch(k, d);
	credential_directory_changed(k, d);
	return 0;
}
