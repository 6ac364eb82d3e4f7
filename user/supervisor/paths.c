/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories and small files of the supervisor. Trusts root only: a directory that is there already must belong to
 * root and be writable by nobody else.
 */
#include "supervisor/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "supervisor/sandbox.h"

#define TREE_FDS_MAX 16

int reason_set(char *reason, int error, const char *format, ...)
{
	va_list args;

	if (!reason)
		return error;
	va_start(args, format);
	(void)vsnprintf(reason, SANDBOX_REASON_MAX, format, args);
	va_end(args);
	return error;
}

int paths_make_dir(const char *path, mode_t mode, char *reason)
{
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return reason_set(reason, -errno,
				  "cannot make the directory %s: %s; run bridle as root on a writable file system",
				  path, strerror(errno));
	if (lstat(path, &st) < 0)
		return reason_set(reason, -errno, "cannot read the directory %s: %s; look at it", path,
				  strerror(errno));
	/* refuse: somebody else could put links there */
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return reason_set(
			reason, -EPERM,
			"%s is not a directory that only root can write, so bridle keeps nothing there; remove it",
			path);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

int paths_remove_tree(const char *path)
{
	int r = nftw(path, remove_one, TREE_FDS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

	if (r == -1 && errno == ENOENT)
		return 0;
	return r;
}

int paths_join(char *out, size_t size, const char *dir, const char *name)
{
	int n = snprintf(out, size, "%s/%s", dir, name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int paths_read_file(const char *path, size_t max, char **ret, size_t *ret_n)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	auto_free char *text = NULL;
	size_t n = 0;

	if (fd < 0)
		return -errno;
	text = malloc(max + 1);
	if (!text)
		return -ENOMEM;
	for (;;) {
		ssize_t r = read(fd, text + n, max + 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
		if (n > max)
			return -EFBIG;
	}
	text[n] = '\0';
	*ret = TAKE(text);
	*ret_n = n;
	return 0;
}
