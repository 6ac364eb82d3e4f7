/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where bridle keeps what it makes, and the sentence that a failure ends in. Everything below these directories
 * belongs to root; a directory that somebody else may write is refused, not repaired.
 */
#ifndef BRIDLE_SUPERVISOR_PATHS_H
#define BRIDLE_SUPERVISOR_PATHS_H

#include <stddef.h>
#include <sys/types.h>

#define PATHS_RUN	"/run/bridle"
#define PATHS_STATE	PATHS_RUN "/run"
#define PATHS_UID	PATHS_RUN "/uid"
#define PATHS_PINS	"/sys/fs/bpf/bridle/v1/run"
#define PATHS_AUDIT	"/var/log/bridle"
#define PATHS_MAX_BYTES 1024

/*
 * Writes a sentence into reason (SANDBOX_REASON_MAX bytes, cut; NULL is fine) and returns error, so that callers may
 * `return reason_set(…)`.
 */
int reason_set(char *reason, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Makes one directory; one that is there must be root's and writable by nobody else. 0 or -errno and reason. */
int paths_make_dir(const char *path, mode_t mode, char *reason);

/* Removes a tree below one of the directories above; crosses no mount. 0 or -errno of the first failure. */
int paths_remove_tree(const char *path);

/* "a/b" into out; 0 or -ENAMETOOLONG. */
int paths_join(char *out, size_t size, const char *dir, const char *name);

/* Reads a whole file of at most max bytes, NUL-terminated. Owned by the caller. 0 or -errno (-EFBIG). */
int paths_read_file(const char *path, size_t max, char **ret, size_t *ret_n);

#endif
