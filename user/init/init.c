/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1 of a sandbox: prepares what the command sees, gives up root, starts the command, and then only reaps, passes
 * signals on and tells what became of it. Before INIT_GO nothing of the command's happens, and before INIT_RUN it is not
 * started: in between the supervisor has the self-test made. When the supervisor is gone
 * (its channel, or PDEATHSIG) init ends, and the kernel ends every other process of the PID namespace with it.
 */
#include "init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/init_spec.h"
#include "base/util.h"
#include "init/command.h"
#include "init/failure.h"
#include "init/filter.h"
#include "init/mounts.h"
#include "init/privileges.h"
#include "init/self_test.h"
#include "init/stdio.h"

struct init {
	struct init_spec spec; /* owned */
	pid_t command;
	int signal_fd; /* owned: SIGCHLD */
	bool over;
	int exit_code; /* of init itself */
};

static void tell(const void *message, size_t size)
{
	/* a supervisor that does not take it is gone, and then so are we */
	(void)msg_send(INIT_CHANNEL_FD, message, size, NULL, 0);
}

static int tell_failure(const struct failure *f)
{
	struct init_failed m = { .header = { INIT_FAILED, sizeof(m) }, .exit_code = f->exit_code };

	(void)snprintf(m.text, sizeof(m.text), "%s", f->text);
	tell(&m, sizeof(m));
	return f->exit_code;
}

static void tell_started(void)
{
	const struct msg_header m = { INIT_STARTED, sizeof(m) };

	tell(&m, sizeof(m));
}

union order {
	struct msg_header header;
	struct init_test test;
	struct init_signal signal;
};

static const struct {
	uint32_t type;
	size_t size;
} orders[] = {
	{ INIT_GO, sizeof(struct msg_header) },
	{ INIT_TEST, sizeof(struct init_test) },
	{ INIT_RUN, sizeof(struct msg_header) },
	{ INIT_SIGNAL, sizeof(struct init_signal) },
};

/* One message of the supervisor: its type, or 0 when it is gone or says what it may not. */
static uint32_t hear(union order *ret)
{
	size_t n_fds = 0;
	const long n = msg_recv(INIT_CHANNEL_FD, ret, sizeof(*ret), NULL, &n_fds);

	for (size_t i = 0; n >= (long)sizeof(ret->header) && i < ARRAY_SIZE(orders); i++)
		if (ret->header.type == orders[i].type && n == (long)orders[i].size)
			return orders[i].type;
	return 0;
}

static int supervisor_gone(struct failure *reterr)
{
	return failure_set(reterr, EXIT_BRIDLE, "the supervisor ended before the command started");
}

static int await_go(struct failure *reterr)
{
	union order order;

	return hear(&order) == INIT_GO ? 0 : supervisor_gone(reterr);
}

static int test(union order *order, struct failure *reterr)
{
	struct init_tested m = { .header = { INIT_TESTED, sizeof(m) } };
	int r;

	order->test.nonce[sizeof(order->test.nonce) - 1] = '\0';
	r = self_test_run(order->test.nonce, &m.refusals, reterr);
	explicit_bzero(order, sizeof(*order));
	if (r == 0)
		tell(&m, sizeof(m));
	return r;
}

/* The self-test as often as the supervisor wants it, then its word. */
static int await_run(struct failure *reterr)
{
	union order order;
	uint32_t type;

	while ((type = hear(&order)) == INIT_TEST)
		if (test(&order, reterr) < 0)
			return -1;
	return type == INIT_RUN ? 0 : supervisor_gone(reterr);
}

/* A change of ids disarms the signal, so it is armed again; the parent may have died in between. */
static int tie_to_supervisor(struct failure *reterr)
{
	struct pollfd p = { .fd = INIT_CHANNEL_FD };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot be tied to the supervisor's life: %s", strerror(errno));
	if (poll(&p, 1, 0) < 0 || (p.revents & (POLLHUP | POLLERR)))
		return supervisor_gone(reterr);
	return 0;
}

static int watch_children(struct init *i, struct failure *reterr)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)signal(SIGCHLD, SIG_DFL); /* ignored, it would never come */
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	i->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (i->signal_fd < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot watch the command: %s", strerror(errno));
	return 0;
}

/* Everything up to a running command. The order is the safety: see each file. */
static int start(struct init *i, struct failure *reterr)
{
	int r;

	if (stdio_check(INIT_SPEC_FD, reterr) < 0)
		return -1;
	if (fcntl(INIT_CHANNEL_FD, F_SETFD, FD_CLOEXEC) < 0)
		return failure_set(reterr, EXIT_BRIDLE, "bridle-init is started by bridle run, not by hand");
	r = init_spec_read(INIT_SPEC_FD, &i->spec);
	(void)close(INIT_SPEC_FD);
	if (r < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot read the command's specification: %s", strerror(-r));
	if (await_go(reterr) < 0 || mounts_prepare(&i->spec, reterr) < 0 || privileges_drop(&i->spec, reterr) < 0)
		return -1;
	if (tie_to_supervisor(reterr) < 0 || filter_load(reterr) < 0 || watch_children(i, reterr) < 0 ||
	    await_run(reterr) < 0)
		return -1;
	return command_start(&i->spec, &i->command, reterr);
}

static void command_ended(struct init *i, int status)
{
	const struct init_exited m = { .header = { INIT_EXITED, sizeof(m) }, .status = status };

	tell(&m, sizeof(m));
	i->over = true;
	i->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void command_stopped(int signal_number)
{
	const struct init_signal m = { .header = { INIT_STOPPED, sizeof(m) }, .signal = signal_number };

	tell(&m, sizeof(m));
}

static void reap(struct init *i)
{
	struct signalfd_siginfo unused;
	pid_t pid;
	int status;

	while (read(i->signal_fd, &unused, sizeof(unused)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != i->command)
			continue; /* an orphan that became ours */
		if (WIFSTOPPED(status))
			command_stopped(WSTOPSIG(status));
		else
			command_ended(i, status);
	}
}

static void obey(struct init *i)
{
	union order m;

	if (hear(&m) != INIT_SIGNAL) {
		i->over = true; /* the supervisor is gone: take everything along */
		i->exit_code = EXIT_BRIDLE;
		return;
	}
	if (m.signal.signal > 0 && m.signal.signal < NSIG)
		(void)kill(i->command, m.signal.signal);
}

static void serve(struct init *i)
{
	while (!i->over) {
		struct pollfd p[] = { { .fd = i->signal_fd, .events = POLLIN },
				      { .fd = INIT_CHANNEL_FD, .events = POLLIN } };

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR) {
			i->exit_code = EXIT_BRIDLE;
			return;
		}
		if (p[0].revents)
			reap(i);
		if (!i->over && p[1].revents)
			obey(i);
	}
}

int init_main(void)
{
	struct init i = { .signal_fd = -1 };
	struct failure f = { .exit_code = EXIT_BRIDLE };

	if (start(&i, &f) < 0) {
		i.exit_code = tell_failure(&f);
	} else {
		tell_started();
		serve(&i);
	}
	(void)fd_close(i.signal_fd);
	init_spec_done(&i.spec);
	return i.exit_code;
}
