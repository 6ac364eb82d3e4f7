/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's end of the sandbox's init: starts it in the namespaces and the cgroup, lets it go, hears its end. */
#ifndef BRIDLE_SUPERVISOR_COMMAND_LINK_H
#define BRIDLE_SUPERVISOR_COMMAND_LINK_H

#include <stdbool.h>

#include "base/init_spec.h"
#include "base/loop.h"
#include "supervisor/spawn.h"

struct command_link {
	struct loop *loop;				 /* borrowed */
	void (*on_tested)(void *arg, uint32_t refusals); /* the self-test went as it must, and saw so many refusals */
	void (*on_started)(void *arg);
	void (*on_stopped)(void *arg, int signal);
	void (*on_end)(void *arg, int exit_code, const char *text); /* text NULL: the command's own status. Once */
	void *arg;
	struct role role; /* owned */
	struct io io;
	bool ended;
};

void command_link_init(struct command_link *c);

/* Fields up to arg are set. init waits for command_link_test(). 0 or -errno and reason. */
int command_link_start(struct command_link *c, const struct init_spec *spec, int cgroup_fd, int netns_fd, char *reason);
/* init mounts, drops its rights and makes the self-test: on_tested, or on_end with what went wrong. */
int command_link_test(struct command_link *c, const char *nonce, char *reason);
/* After on_tested: the command starts. */
int command_link_run(struct command_link *c, char *reason);
/* The command is not to start: on_end with 125 and text, unless it was told before. */
void command_link_give_up(struct command_link *c, const char *text);
/* After command_link_run(): init delivers it when the command has been started. */
void command_link_signal(struct command_link *c, int signal);

/* Kills the PID namespace with its init. Fine when nothing was started. */
void command_link_done(struct command_link *c);

#endif
