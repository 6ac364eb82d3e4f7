/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines of the roles: each writes into a pipe, the supervisor shows them on standard error. What a role writes is
 * not trusted: control bytes are escaped, lines are cut, and more than LOGS_LINES_MAX in a second are counted only.
 */
#ifndef BRIDLE_SUPERVISOR_LOGS_H
#define BRIDLE_SUPERVISOR_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/loop.h"

#define LOGS_LINES_MAX 50 /* shown in one second, of one role */

struct log_pipe {
	struct loop *loop; /* borrowed */
	struct io io;
	int read_fd, write_fd; /* owned; the write end is for the role */
	const char *role;
	size_t n;
	char line[LOG_LINE_MAX];
	uint64_t second;
	unsigned shown, dropped;
};

void log_pipe_init(struct log_pipe *p);

/* 0 or -errno. role is "keeper": borrowed. */
int log_pipe_open(struct log_pipe *p, struct loop *loop, const char *role);

/* Shows what is left and closes. */
void log_pipe_done(struct log_pipe *p);

#endif
