/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of this namespace as /proc/self/mountinfo tells them (proc_pid_mountinfo(5)). */
#ifndef BRIDLE_INIT_MOUNT_TABLE_H
#define BRIDLE_INIT_MOUNT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOUNT_TABLE_MAX	     16384U	       /* mounts */
#define MOUNT_TABLE_TEXT_MAX ((size_t)8 << 20) /* bytes of the file */

struct mount_entry {
	uint64_t id;
	const char *device; /* "major:minor" */
	const char *root;   /* the directory of the file system that is mounted */
	const char *target; /* where */
	const char *type;   /* "proc", "cgroup2", … */
};

struct mount_table {
	struct mount_entry *entries; /* owned */
	size_t n;
	char *text; /* owned; the strings point into it */
};

/* 0 or -errno: -EBADMSG when a line is not as expected, -E2BIG beyond the limits. */
int mount_table_read(const char *file, struct mount_table *ret);
void mount_table_done(struct mount_table *t);

/* Whether the entry is what one reaches by its target now, and not something mounted over it. */
bool mount_entry_is_visible(const struct mount_entry *e);

/* Whether path is dir or lies below it, by whole components. Both absolute, without a final slash but for "/". */
bool path_is_within(const char *path, const char *dir);

/* What of path lies below dir ("" when they are equal), for a path that is within it. */
const char *path_below(const char *path, const char *dir);

#endif
