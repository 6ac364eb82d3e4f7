/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talks to init. What it says decides only the exit status of bridle; that the command stays confined rests on what
 * was put in place before INIT_GO, and was seen to work before INIT_RUN.
 */
#include "supervisor/command_link.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/util.h"
#include "supervisor/paths.h"

#define EXIT_OURS_FIRST 125
#define EXIT_OURS_LAST	127

union init_message {
	struct msg_header header;
	struct init_tested tested;
	struct init_signal signal;
	struct init_exited exited;
	struct init_failed failed;
};

void command_link_init(struct command_link *c)
{
	*c = (struct command_link){ .role.channel = -1 };
}

static void end(struct command_link *c, int exit_code, const char *text)
{
	if (c->ended)
		return;
	c->ended = true;
	c->on_end(c->arg, exit_code, text);
}

static void end_by_status(struct command_link *c, int status)
{
	if (WIFEXITED(status))
		end(c, WEXITSTATUS(status), NULL);
	else if (WIFSIGNALED(status))
		end(c, 128 + WTERMSIG(status), NULL);
	else
		end(c, EXIT_OURS_FIRST,
		    "the command ended in a way that bridle does not know; report this as a defect");
}

static void end_by_failure(struct command_link *c, struct init_failed *m)
{
	const bool ours = m->exit_code >= EXIT_OURS_FIRST && m->exit_code <= EXIT_OURS_LAST;

	m->text[sizeof(m->text) - 1] = '\0';
	end(c, ours ? m->exit_code : EXIT_OURS_FIRST, m->text);
}

/* init ended without a word: killed from outside, or out of memory. */
static void end_by_silence(struct command_link *c)
{
	char text[192];
	int status = 0;

	loop_remove(c->loop, &c->io);
	if (role_reap(&c->role, &status) == 0 && WIFSIGNALED(status))
		(void)snprintf(text, sizeof(text),
			       "the sandbox's init was killed by signal %d, and the command with it; start it "
			       "again",
			       WTERMSIG(status));
	else
		(void)snprintf(text, sizeof(text),
			       "the sandbox's init ended without telling why, and the command with it; start "
			       "it again");
	end(c, EXIT_OURS_FIRST, text);
}

static void on_channel(struct io *io, uint32_t revents)
{
	struct command_link *c = container_of(io, struct command_link, io);
	union init_message m;
	size_t n_fds = 0;
	const long n = msg_recv(c->role.channel, &m, sizeof(m), NULL, &n_fds);

	(void)revents;
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0)
		end_by_silence(c);
	else if (m.header.type == INIT_TESTED && n == (long)sizeof(m.tested))
		c->on_tested(c->arg, m.tested.refusals);
	else if (m.header.type == INIT_STARTED && n == (long)sizeof(m.header))
		c->on_started(c->arg);
	else if (m.header.type == INIT_STOPPED && n == (long)sizeof(m.signal))
		c->on_stopped(c->arg, m.signal.signal);
	else if (m.header.type == INIT_EXITED && n == (long)sizeof(m.exited))
		end_by_status(c, m.exited.status);
	else if (m.header.type == INIT_FAILED && n == (long)sizeof(m.failed))
		end_by_failure(c, &m.failed);
	else
		end(c, EXIT_OURS_FIRST,
		    "the sandbox's init sent a malformed message; report this as a defect of bridle");
}

int command_link_start(struct command_link *c, const struct init_spec *spec, int cgroup_fd, int netns_fd, char *reason)
{
	auto_fd int spec_fd = init_spec_write(spec);
	const struct spawn_options options = {
		.name = "bridle-init",
		.namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC,
		.cgroup_fd = cgroup_fd,
		.netns_fd = netns_fd,
		.log_fd = -1,
		.extra_fd = spec_fd,
	};
	int r;

	if (spec_fd < 0)
		return reason_set(reason, spec_fd, "cannot hand the command over: %s; %s", strerror(-spec_fd),
				  spec_fd == -E2BIG ? "shorten its arguments or its environment"
						    : "end other processes");
	r = spawn_role(&options, &c->role, reason);
	if (r < 0)
		return r;
	c->io = (struct io){ .fd = c->role.channel, .events = EPOLLIN, .ready = on_channel };
	r = loop_add(c->loop, &c->io);
	return r < 0 ? reason_set(reason, r, "cannot watch the sandbox's init: %s; raise the limit of open files",
				  strerror(-r))
		     : 0;
}

static int order(struct command_link *c, const void *m, size_t size, char *reason)
{
	int r = msg_send(c->role.channel, m, size, NULL, 0);

	/* init may have ended with a reason: it is in the channel, and the loop will hear it */
	if (r == -EPIPE)
		return 0;
	return r < 0 ? reason_set(reason, r, "cannot start the command: %s; try again", strerror(-r)) : 0;
}

int command_link_test(struct command_link *c, const char *nonce, char *reason)
{
	const struct msg_header go = { .type = INIT_GO, .size = sizeof(go) };
	struct init_test test = { .header = { .type = INIT_TEST, .size = sizeof(test) } };
	int r = order(c, &go, sizeof(go), reason);

	(void)snprintf(test.nonce, sizeof(test.nonce), "%s", nonce);
	return r < 0 ? r : order(c, &test, sizeof(test), reason);
}

int command_link_run(struct command_link *c, char *reason)
{
	const struct msg_header m = { .type = INIT_RUN, .size = sizeof(m) };

	return order(c, &m, sizeof(m), reason);
}

void command_link_give_up(struct command_link *c, const char *text)
{
	end(c, EXIT_OURS_FIRST, text);
}

void command_link_signal(struct command_link *c, int signal)
{
	const struct init_signal m = { .header = { .type = INIT_SIGNAL, .size = sizeof(m) }, .signal = signal };

	if (c->role.channel >= 0 && !c->ended)
		(void)msg_send(c->role.channel, &m, sizeof(m), NULL, 0);
}

void command_link_done(struct command_link *c)
{
	if (c->loop)
		loop_remove(c->loop, &c->io);
	role_end(&c->role, 0);
}
