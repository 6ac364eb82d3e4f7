/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a role: this very program, executed again under the role's name, with a channel on descriptor 3, no
 * descriptor besides those named here, and no more rights than it needs. It dies with the supervisor.
 */
#ifndef BRIDLE_SUPERVISOR_SPAWN_H
#define BRIDLE_SUPERVISOR_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_CHANNEL_FD 3
#define SPAWN_EXTRA_FD	 4

struct role {
	pid_t pid;   /* our child; 0: none */
	int channel; /* owned; -1: none. Blocking, sends give up after SPAWN_SEND_TIMEOUT_MS */
};
#define SPAWN_SEND_TIMEOUT_MS 3000

struct spawn_options {
	const char *name;      /* argv[0]: "bridle-keeper" */
	uint64_t namespaces;   /* CLONE_NEW* made for it */
	int cgroup_fd;	       /* it starts in this cgroup; -1: ours */
	int netns_fd;	       /* it starts in this network namespace; -1: ours */
	int log_fd;	       /* 1 and 2; -1: 0-2 stay the caller's, and the session too (init) */
	int extra_fd;	       /* descriptor 4; -1: none */
	bool confine;	       /* uid, capabilities and no_new_privs as below; otherwise it stays as we are */
	uint32_t uid;	       /* also the gid */
	uint64_t capabilities; /* all it ever may have, by bit */
};

void role_init(struct role *r);

/* 0 or -errno and reason. When it returns 0 the program has been executed. */
int spawn_role(const struct spawn_options *options, struct role *ret, char *reason);

/* Closes the channel, waits up to timeout_ms for the role to end by itself, then SIGKILL. Reaps. Fine when none. */
void role_end(struct role *r, unsigned timeout_ms);

/* "was ended by signal 9 (Killed)", "ended with status 1" into out (cut); returns out. */
const char *role_describe_end(int status, char *out, size_t size);

/* waitpid status of a role whose channel closed: kills it if it still runs; -ECHILD when somebody else reaped it. */
int role_reap(struct role *r, int *ret_status);

#endif
