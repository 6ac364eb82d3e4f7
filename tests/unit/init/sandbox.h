/* SPDX-License-Identifier: Apache-2.0 */
/* A child as PID 1 of its own PID, mount and IPC namespaces, and a throw-away tree. Needs root. */
#ifndef BRIDLE_TESTS_INIT_SANDBOX_H
#define BRIDLE_TESTS_INIT_SANDBOX_H

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Like fork(), but the child is PID 1. */
static inline pid_t fork_namespaces(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | SIGCHLD, NULL, NULL, NULL, 0);
}

static inline void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
	if (chmod(path, 0644) < 0)
		abort();
}

#endif
