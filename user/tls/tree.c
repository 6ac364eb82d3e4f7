/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies a directory of certificates into a sandbox's view. The copy is readable by everybody, so nothing is copied
 * that everybody could not read before: a private key that somebody left in /etc/ssl/certs stays there.
 */
#include "tls/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/util.h"

struct copy {
	size_t entries, bytes;
	const char *const *skip;
};

static int copy_file(struct copy *c, int from_dir, int to_dir, const char *name)
{
	auto_fd int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	auto_fd int to = -1;
	struct stat st;
	size_t left;

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !(st.st_mode & S_IROTH))
		return 0; /* refuse: not for everybody */
	if (st.st_size < 0 || (size_t)st.st_size > TREE_BYTES_MAX - c->bytes)
		return -E2BIG;
	left = (size_t)st.st_size;
	c->bytes += left;
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (to < 0 || fchmod(to, 0644) < 0)
		return -errno;
	while (left > 0) {
		ssize_t n = sendfile(to, from, NULL, left);

		if (n < 0)
			return -errno;
		if (n == 0)
			break; /* it shrank meanwhile */
		left -= (size_t)n;
	}
	return 0;
}

static int copy_link(int from_dir, int to_dir, const char *name)
{
	char target[4096];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target));

	if (n < 0)
		return -errno;
	if ((size_t)n >= sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	return symlinkat(target, to_dir, name) < 0 ? -errno : 0;
}

static int copy_level(struct copy *c, int from_fd, int to_fd, unsigned depth);

static int copy_directory(struct copy *c, int from_dir, int to_dir, const char *name, unsigned depth)
{
	auto_fd int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	auto_fd int to = -1;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	if ((st.st_mode & (S_IROTH | S_IXOTH)) != (S_IROTH | S_IXOTH))
		return 0; /* refuse: not for everybody */
	if (mkdirat(to_dir, name, 0755) < 0)
		return -errno;
	to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (to < 0 || fchmod(to, 0755) < 0)
		return -errno;
	return copy_level(c, from, to, depth + 1);
}

static bool is_skipped(const struct copy *c, const char *name, unsigned depth)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	for (const char *const *s = c->skip; depth == 0 && s && *s; s++)
		if (strcmp(*s, name) == 0)
			return true;
	return false;
}

static int copy_entry(struct copy *c, int from_fd, int to_fd, const char *name, unsigned depth)
{
	struct stat st;

	if (++c->entries > TREE_ENTRIES_MAX)
		return -E2BIG;
	if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno; /* gone meanwhile */
	if (S_ISLNK(st.st_mode))
		return copy_link(from_fd, to_fd, name);
	if (S_ISDIR(st.st_mode))
		return copy_directory(c, from_fd, to_fd, name, depth);
	return S_ISREG(st.st_mode) ? copy_file(c, from_fd, to_fd, name) : 0;
}

/* Opens a directory stream that does not own fd. */
static DIR *open_stream(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own < 0 ? NULL : fdopendir(own);

	if (!d)
		(void)fd_close(own);
	return d;
}

static int copy_level(struct copy *c, int from_fd, int to_fd, unsigned depth)
{
	DIR *d = depth >= TREE_DEPTH_MAX ? NULL : open_stream(from_fd);
	struct dirent *e;
	int r = 0;

	if (!d)
		return depth >= TREE_DEPTH_MAX ? -ELOOP : -errno;
	while (r == 0 && (e = readdir(d)))
		if (!is_skipped(c, e->d_name, depth))
			r = copy_entry(c, from_fd, to_fd, e->d_name, depth);
	(void)closedir(d);
	return r;
}

int tree_copy(int from_fd, int to_fd, const char *const *skip)
{
	struct copy c = { .skip = skip };

	return copy_level(&c, from_fd, to_fd, 0);
}

static int empty_level(int fd, unsigned depth)
{
	DIR *d = depth >= TREE_DEPTH_MAX ? NULL : open_stream(fd);
	struct dirent *e;
	int r = 0;

	if (!d)
		return depth >= TREE_DEPTH_MAX ? -ELOOP : -errno;
	while (r == 0 && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) == 0)
			continue;
		if (errno == EISDIR || errno == EPERM) {
			auto_fd int sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

			r = sub < 0 ? -errno : empty_level(sub, depth + 1);
			if (r == 0 && unlinkat(fd, e->d_name, AT_REMOVEDIR) < 0)
				r = -errno;
		} else {
			r = -errno;
		}
	}
	(void)closedir(d);
	return r;
}

int tree_empty(int fd)
{
	return empty_level(fd, 0);
}
