/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper gives up before it holds anything worth taking. */
#ifndef BRIDLE_KEEPER_LOCKDOWN_H
#define BRIDLE_KEEPER_LOCKDOWN_H

/*
 * Checks that this process is not root and may do nothing but CAP_DAC_READ_SEARCH, then makes it undumpable and
 * unable to gain anything. 0, or -errno with a static sentence.
 */
int lockdown_rights(const char **ret_reason);

/* The seccomp filter: from here on no socket, no program, no process, no file but beneath a descriptor. 0 or -errno. */
int lockdown_calls(void);

#endif
