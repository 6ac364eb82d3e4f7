/* SPDX-License-Identifier: Apache-2.0 */
/* Whose rights the command runs with. Never root's. */
#ifndef BRIDLE_CLI_USER_H
#define BRIDLE_CLI_USER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define USER_REASON_MAX 512
#define USER_GROUPS_MAX 1024

struct cli_user {
	uint32_t uid, gid;
	uint32_t *groups; /* owned; supplementary, without those that are as good as root */
	uint32_t n_groups;
	char *name, *home, *shell; /* owned, of passwd */
};

/*
 * wanted (a name or a uid of passwd), else the caller of sudo, else refused. 0, or -1 and a sentence in reason.
 */
int cli_user_choose(const char *wanted, struct cli_user *ret, char *reason);
void cli_user_done(struct cli_user *u);

/* open(2) with the user's rights on files, O_CLOEXEC added. The descriptor or -errno. */
int cli_user_open(const struct cli_user *u, const char *path, int flags, mode_t mode);

/* Whether the user could write the file, or put another one (or another directory on its way) in its place. */
bool cli_user_can_replace(const struct cli_user *u, const char *path);

/* Whether the user could write into the directory that holds path. */
bool cli_user_can_write_parent(const struct cli_user *u, const char *path);

#endif
