/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroups of a sandbox: MOUNT/bridle/NAME/sandbox holds the command, MOUNT/bridle/NAME/worker its worker. They
 * belong to root, so the command can leave neither.
 */
#ifndef BRIDLE_SUPERVISOR_CGROUP_H
#define BRIDLE_SUPERVISOR_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "supervisor/paths.h"

struct cgroup {
	char path[PATHS_MAX_BYTES]; /* of NAME; empty: not made */
	int sandbox_fd;		    /* owned; directories, or -1 */
	int worker_fd;
	int lock_fd;	     /* owned; the lock is gone when the last process that holds it is */
	uint64_t sandbox_id; /* inode: what the kernel calls the cgroup's id */
};

/* In place, holds nothing. */
void cgroup_init(struct cgroup *c);

/*
 * The mount point of cgroup v2 from the text of /proc/PID/mountinfo; one that shows the whole hierarchy wins.
 * 0, -ENOENT when there is none, -ENAMETOOLONG.
 */
int cgroup_find_mount(struct str mountinfo, char *out, size_t size);

/* Where the cgroup of a name is (or would be) on this machine. 0 or -errno and reason. */
int cgroup_path(const char *name, char *out, size_t size, char *reason);

/* Makes the three; -EEXIST when NAME is there. All or nothing. 0 or -errno and reason. */
int cgroup_make(const char *name, struct cgroup *ret, char *reason);

/* Whether the one who made the cgroup of NAME at this path lives, in whichever container. */
bool cgroup_is_held(const char *path);

/* SIGKILL for everything below the directory, and waits until it is empty. 0, -ETIMEDOUT or -errno. */
int cgroup_kill(const char *path);

/*
 * Ends what runs in the worker's cgroup and makes that cgroup anew: Linux 6.18 kills everything that is cloned into a
 * cgroup whose cgroup.kill was written once. 0 or -errno.
 */
int cgroup_renew_worker(struct cgroup *c);

/* Kills and removes a sandbox's cgroups by path, with retries. 0 (also when they are not there) or -errno. */
int cgroup_remove(const char *path);

/* Closes the descriptors; removes nothing. */
void cgroup_done(struct cgroup *c);

#endif
