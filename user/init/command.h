/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the command itself, as whoever init is by now. */
#ifndef BRIDLE_INIT_COMMAND_H
#define BRIDLE_INIT_COMMAND_H

#include <sys/types.h>

struct failure;
struct init_spec;

/*
 * Forks, goes to spec->cwd, restores the caller's signals, looks argv[0] up in the PATH of spec->envp and executes.
 * Returns when that worked: 0 and the pid; else -1 and *reterr (125, 126 not executable, 127 not found).
 */
int command_start(const struct init_spec *spec, pid_t *ret_pid, struct failure *reterr);

#endif
