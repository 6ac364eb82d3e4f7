/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a number that no passwd or group entry, no dynamic user of systemd and no other bridle uses. The lock is
 * flock() on /run/bridle/uid/UID, so the death of its holder gives the number back.
 */
#include "supervisor/uid.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "supervisor/paths.h"

void uid_init(struct uid_lock *u)
{
	*u = (struct uid_lock){ .fd = -1 };
}

static bool uid_is_known(uint32_t uid)
{
	char dynamic[64];

	(void)snprintf(dynamic, sizeof(dynamic), "/run/systemd/dynamic-uid/%u", uid);
	return getpwuid(uid) || getgrgid(uid) || access(dynamic, F_OK) == 0;
}

/* 1 taken, 0 used by somebody, -errno. */
static int uid_try(uint32_t uid, int *ret_fd)
{
	char path[64];
	struct stat by_fd, by_path;
	auto_fd int fd = -1;

	(void)snprintf(path, sizeof(path), PATHS_UID "/%u", uid);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : -errno;
	/* its last holder may have removed the file between our open and our lock */
	if (fstat(fd, &by_fd) < 0 || stat(path, &by_path) < 0 || by_fd.st_ino != by_path.st_ino)
		return 0;
	*ret_fd = TAKE_FD(fd);
	return 1;
}

int uid_take(struct uid_lock *ret, char *reason)
{
	/* different processes begin at different places, so that they seldom meet */
	const uint32_t span = UID_LAST - UID_FIRST + 1, start = (uint32_t)getpid() * 7 % span;
	int r = paths_make_dir(PATHS_RUN, 0700, reason), fd = -1;

	if (r == 0)
		r = paths_make_dir(PATHS_UID, 0700, reason);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < span; i++) {
		uint32_t uid = UID_FIRST + (start + i) % span;

		if (uid_is_known(uid))
			continue;
		r = uid_try(uid, &fd);
		if (r < 0)
			return reason_set(reason, r, "cannot lock a uid in " PATHS_UID ": %s; make room below /run",
					  strerror(-r));
		if (r == 0)
			continue;
		*ret = (struct uid_lock){ .uid = uid, .fd = fd };
		return 0;
	}
	return reason_set(reason, -EUSERS, "no uid from %d to %d is free for bridle's roles; end other sandboxes",
			  UID_FIRST, UID_LAST);
}

void uid_release(struct uid_lock *u)
{
	char path[64];

	if (u->fd >= 0) {
		(void)snprintf(path, sizeof(path), PATHS_UID "/%u", u->uid);
		(void)unlink(path);
	}
	(void)fd_close(u->fd);
	uid_init(u);
}
