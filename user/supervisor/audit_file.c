/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the audit file where the confined user can neither change nor replace it. Judges the canonical directory and
 * every one above it by owner, mode and ACL; refuses when in doubt.
 */
#include "supervisor/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/init_spec.h"
#include "base/util.h"
#include "supervisor/paths.h"

static bool user_has_group(const struct init_spec *user, gid_t gid)
{
	if (user->gid == gid)
		return true;
	for (uint32_t i = 0; i < user->n_groups; i++)
		if (user->groups[i] == gid)
			return true;
	return false;
}

bool audit_user_can_write(const struct stat *st, bool has_acl, const struct init_spec *user)
{
	/* who owns it may change its mode */
	if (st->st_uid == user->uid)
		return true;
	/* an ACL may name the user; its mask is in the group bits */
	if (has_acl && (st->st_mode & S_IWGRP))
		return true;
	if (user_has_group(user, st->st_gid))
		return (st->st_mode & S_IWGRP) != 0;
	return (st->st_mode & S_IWOTH) != 0;
}

static bool path_has_acl(const char *path)
{
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

/* One directory above `below`, which is the user's own or not. */
static int check_ancestor(const char *dir, const struct init_spec *user, bool below_is_users, bool is_direct,
			  char *reason)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return reason_set(reason, -errno,
				  "cannot read %s, which holds the audit file: %s; choose another --audit", dir,
				  strerror(errno));
	if (!audit_user_can_write(&st, path_has_acl(dir), user))
		return 0;
	/* in a sticky directory of somebody else only an entry's owner moves it */
	if (!is_direct && (st.st_mode & S_ISVTX) && st.st_uid != user->uid && !below_is_users)
		return 0;
	return reason_set(
		reason, -EPERM,
		"the audit would be kept below %s, which the command's user (uid %u) can write, so it could be changed "
		"from inside; choose --audit in a directory that only root can write",
		dir, user->uid);
}

/* The directory's canonical path and the file's name; links are followed here, and nowhere later. */
static int resolve(const char *path, char **ret_dir, char **ret_real, char *reason)
{
	auto_free char *copy = strdup(path);
	auto_free char *dir = NULL;
	char *slash, *base;

	if (!copy)
		return -ENOMEM;
	slash = strrchr(copy, '/');
	base = slash ? slash + 1 : copy;
	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return reason_set(reason, -EISDIR, "--audit %s names no file; name a file", path);
	if (slash)
		*slash = '\0';
	dir = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (!dir)
		return reason_set(reason, -errno,
				  "cannot find the directory of the audit file %s: %s; make it, owned by root, 0700",
				  path, strerror(errno));
	if (asprintf(ret_real, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, base) < 0)
		return -ENOMEM;
	*ret_dir = TAKE(dir);
	return 0;
}

static int check_file(const char *real, const char *path, const struct init_spec *user, char *reason)
{
	struct stat st;

	if (lstat(real, &st) < 0)
		return 0; /* it will be made */
	if (!S_ISREG(st.st_mode))
		return reason_set(reason, -EINVAL, "the audit file %s is not a regular file; choose another --audit",
				  path);
	if (audit_user_can_write(&st, path_has_acl(real), user) || st.st_nlink != 1)
		return reason_set(reason, -EPERM,
				  "the audit file %s can be written by the command's user (uid %u), or has a "
				  "second name; "
				  "choose another --audit",
				  path, user->uid);
	return 0;
}

int audit_path_check(const char *path, const struct init_spec *user, char **ret_real, char *reason)
{
	auto_free char *dir = NULL;
	auto_free char *real = NULL;
	bool below_is_users = false, direct = true;
	int r = resolve(path, &dir, &real, reason);

	if (r == 0)
		r = check_file(real, path, user, reason);
	while (r == 0) {
		struct stat st;
		char *slash;

		r = check_ancestor(dir, user, below_is_users, direct, reason);
		if (r < 0 || strcmp(dir, "/") == 0)
			break;
		below_is_users = stat(dir, &st) < 0 || st.st_uid == user->uid;
		direct = false;
		slash = strrchr(dir, '/');
		slash[slash == dir ? 1 : 0] = '\0';
	}
	if (r == 0)
		*ret_real = TAKE(real);
	return r;
}

static int make_default_path(const char *name, char **ret, char *reason)
{
	char path[PATHS_MAX_BYTES];
	int r;

	if (mkdir("/var/log", 0755) < 0 && errno != EEXIST)
		return reason_set(reason, -errno, "cannot make /var/log: %s; choose --audit elsewhere",
				  strerror(errno));
	r = paths_make_dir(PATHS_AUDIT, 0700, reason);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), PATHS_AUDIT "/%s.jsonl", name);
	*ret = strdup(path);
	return *ret ? 0 : -ENOMEM;
}

int audit_file_open(const char *path, const char *name, const struct init_spec *user, int *ret_fd, uint64_t *ret_end,
		    char **ret_path, char *reason)
{
	auto_free char *made = NULL;
	auto_free char *owned = NULL;
	auto_fd int fd = -1;
	struct stat st;
	int r = path ? 0 : make_default_path(name, &made, reason);

	if (r < 0)
		return r;
	(void)reason_set(reason, -ENOMEM, "no memory for the audit file's path; end other processes");
	r = audit_path_check(path ? path : made, user, &owned, reason);
	if (r < 0)
		return r;
	/* the path that was judged: a link that the user swaps meanwhile leads nowhere */
	fd = open(owned, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return reason_set(reason, -errno,
				  "cannot open the audit file %s: %s; free space there, or choose another --audit",
				  owned, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return reason_set(reason, -EINVAL, "the audit file %s is not a regular file; choose another --audit",
				  owned);
	*ret_end = (uint64_t)st.st_size;
	*ret_fd = TAKE_FD(fd);
	*ret_path = TAKE(owned);
	return 0;
}

int audit_file_reopen(int fd, int flags)
{
	char path[32];
	int again;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}
