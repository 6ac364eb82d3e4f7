/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket keeps the cgroup that it was made in, so one that comes from outside would carry bytes past every program.
 * Stream sockets of the unix family (Node gives its children those) were put behind pipes by `bridle run` already;
 * whatever socket is still here is refused, and so is any anonymous object (an io_uring instance is a descriptor too).
 * A directory belongs to the mounts outside: openat() and fchdir() on it walk past every mask, and through the /proc
 * outside. Handles of processes and namespaces look like regular files and are none.
 */
#include "init/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "init/failure.h"

#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC 0x50494446 /* Linux 6.9 and newer */
#endif

static const char *const names[] = { "standard input", "standard output", "standard error" };

/* refuse: what cannot be asked */
static bool is_bytes(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type != PID_FS_MAGIC && fs.f_type != NSFS_MAGIC;
}

static int check_one(int fd, struct failure *reterr)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		if (errno != EBADF || open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
			return failure_set(reterr, EXIT_BRIDLE, "cannot open /dev/null as %s: %s", names[fd],
					   strerror(errno));
		return 0;
	}
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		if (is_bytes(fd))
			return 0;
		break;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
		return 0;
	case S_IFDIR:
		return failure_set(reterr, EXIT_BRIDLE,
				   "%s is a directory from outside of the sandbox, through which hidden files could be "
				   "reached; use a file or a pipe",
				   names[fd]);
	case S_IFSOCK:
		return failure_set(reterr, EXIT_BRIDLE,
				   "%s is a socket from outside of the sandbox, which would pass by the policy; use a "
				   "file or a pipe "
				   "(\"| cat\")",
				   names[fd]);
	default:
		break;
	}
	return failure_set(reterr, EXIT_BRIDLE, "%s is neither a file nor a device nor a pipe; use one of these",
			   names[fd]);
}

int stdio_check(int last, struct failure *reterr)
{
	if (syscall(SYS_close_range, (unsigned)last + 1, ~0U, 0) < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot close the caller's descriptors: %s", strerror(errno));
	for (int fd = 0; fd <= 2; fd++)
		if (check_one(fd, reterr) < 0)
			return -1;
	return 0;
}
