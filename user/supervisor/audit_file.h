/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit file of a sandbox: where it is, who must not be able to write it, how each writer gets it.
 */
#ifndef BRIDLE_SUPERVISOR_AUDIT_FILE_H
#define BRIDLE_SUPERVISOR_AUDIT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct init_spec;

/* By owner, group, mode bits, and an ACL when there is one (has_acl: its mask is the group bits). Owners count as writers. */
bool audit_user_can_write(const struct stat *st, bool has_acl, const struct init_spec *user);

/*
 * Refuses a path that the command's user can write or replace: the file, its directory, or a directory above (sticky
 * ones above are fine as long as the next one is not the user's). 0 and *ret_real (owned by the caller): the path without
 * links, which is to be opened; or -EPERM or -errno, and reason.
 */
int audit_path_check(const char *path, const struct init_spec *user, char **ret_real, char *reason);

/*
 * Opens (makes, 0600) the file for appending; path NULL: the default, whose directory is made 0700. *ret_end is its
 * size before. The descriptor and *ret_path are owned by the caller. 0 or -errno and reason.
 */
int audit_file_open(const char *path, const char *name, const struct init_spec *user, int *ret_fd, uint64_t *ret_end,
		    char **ret_path, char *reason);

/* The same file again, an open file description of its own. flags: O_RDONLY, or O_WRONLY | O_APPEND. fd or -errno. */
int audit_file_reopen(int fd, int flags);

#endif
