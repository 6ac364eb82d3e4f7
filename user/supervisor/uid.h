/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A uid of its own for a role, on a machine where no package made one: a free number in 61184-65519 (the range that
 * systemd keeps for such use), locked by a file while it is used. Never `nobody`.
 */
#ifndef BRIDLE_SUPERVISOR_UID_H
#define BRIDLE_SUPERVISOR_UID_H

#include <stdint.h>

#define UID_FIRST 61184
#define UID_LAST  65519

struct uid_lock {
	uint32_t uid; /* also the gid; 0: none */
	int fd;	      /* owned: holds the lock */
};

void uid_init(struct uid_lock *u);

/* 0 or -errno and reason. */
int uid_take(struct uid_lock *ret, char *reason);

/* Gives it back. Fine when none is held. */
void uid_release(struct uid_lock *u);

#endif
