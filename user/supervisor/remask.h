/* SPDX-License-Identifier: Apache-2.0 */
/* Hides a secret's directory again when the path names another one. */
#ifndef BRIDLE_SUPERVISOR_REMASK_H
#define BRIDLE_SUPERVISOR_REMASK_H

#include <sys/types.h>

/* A mask over path in the mount namespace of the sandbox's init; warns when that fails. */
void remask_directory(pid_t init, const char *path);

#endif
