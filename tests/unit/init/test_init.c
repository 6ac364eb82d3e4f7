/* SPDX-License-Identifier: Apache-2.0 */
/* The role as a whole, over its channel: GO, started, stopped, signals, exit status, and the end of the supervisor. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/init_spec.h"
#include "init/init.h"
#include "tests/unit/init/sandbox.h"

#define UID 12345

struct role {
	pid_t pid;
	int channel;
};

static struct role start(const char *script)
{
	char *argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, strdup(script), NULL };
	char *envp[] = { (char[]){ "PATH=/usr/bin:/bin" }, NULL };
	struct init_spec spec = { .argv = argv, .envp = envp, .cwd = (char[]){ "/" }, .uid = UID, .gid = UID };
	int fd = init_spec_write(&spec), fds[2];
	struct role r;

	free(argv[2]);
	assert_true(fd >= 0);
	assert_int_equal(msg_pair(fds, 0), 0);
	r.pid = fork_namespaces();
	assert_true(r.pid >= 0);
	if (r.pid == 0) {
		int channel = fcntl(fds[1], F_DUPFD, 20), memory = fcntl(fd, F_DUPFD, 20);

		close(fds[0]);
		if (dup2(channel, INIT_CHANNEL_FD) < 0 || dup2(memory, INIT_SPEC_FD) < 0)
			_exit(99);
		_exit(init_main());
	}
	close(fd);
	close(fds[1]);
	r.channel = fds[0];
	return r;
}

static void say(const struct role *r, uint32_t type, int signal)
{
	struct init_signal m = { .header = { type, sizeof(m) }, .signal = signal };

	if (type == INIT_GO || type == INIT_RUN)
		m.header.size = sizeof(m.header);
	assert_int_equal(msg_send(r->channel, &m, m.header.size, NULL, 0), 0);
}

static void let_go(const struct role *r)
{
	say(r, INIT_GO, 0);
	say(r, INIT_RUN, 0);
}

/* The next message's type; its number in *ret. 0 when nothing comes within the time. */
static uint32_t hear(const struct role *r, int *ret, int timeout_ms)
{
	union {
		struct msg_header header;
		struct init_signal signal;
		struct init_exited exited;
		struct init_failed failed;
	} m;
	struct pollfd p = { .fd = r->channel, .events = POLLIN };
	size_t n_fds = 0;

	if (poll(&p, 1, timeout_ms) != 1 || msg_recv(r->channel, &m, sizeof(m), NULL, &n_fds) <= 0)
		return 0;
	*ret = m.header.type == INIT_EXITED   ? m.exited.status
	       : m.header.type == INIT_FAILED ? m.failed.exit_code
					      : m.signal.signal;
	return m.header.type;
}

static int end(const struct role *r)
{
	int status = -1;

	close(r->channel);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void needs_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void test_status(void **state)
{
	struct role r;
	int n;

	(void)state;
	needs_root();
	r = start("exit 7");
	assert_int_equal(hear(&r, &n, 100), 0); /* nothing before GO */
	let_go(&r);
	assert_int_equal(hear(&r, &n, 5000), INIT_STARTED);
	assert_int_equal(hear(&r, &n, 5000), INIT_EXITED);
	assert_true(WIFEXITED(n) && WEXITSTATUS(n) == 7);
	assert_int_equal(end(&r), 7);
}

static void test_confined(void **state)
{
	struct role r;
	int n;

	(void)state;
	needs_root();
	/* who it is, alone in /proc, without capability, and init out of its reach */
	r = start("test $(id -u) = 12345 && grep -q 'CapBnd:.0000000000000000' /proc/self/status && "
		  "grep -q 'NoNewPrivs:.1' /proc/self/status && grep -q 'Seccomp:.2' /proc/self/status && "
		  "! cat /proc/1/environ 2>/dev/null && ! ls /proc/1/fd 2>/dev/null && "
		  "kill -KILL 1 2>/dev/null; test -d /proc/1 && test -z \"$(ls /proc/self/fd | grep -v '^[0-3]$')\"");
	let_go(&r);
	assert_int_equal(hear(&r, &n, 5000), INIT_STARTED);
	assert_int_equal(hear(&r, &n, 5000), INIT_EXITED);
	assert_int_equal(WEXITSTATUS(n), 0);
	(void)end(&r);
}

static void test_signals_and_stops(void **state)
{
	struct role r;
	int n;

	(void)state;
	needs_root();
	r = start("trap 'exit 42' USR1; kill -STOP $$; while :; do sleep 0.05; done");
	let_go(&r);
	assert_int_equal(hear(&r, &n, 5000), INIT_STARTED);
	assert_int_equal(hear(&r, &n, 5000), INIT_STOPPED);
	assert_int_equal(n, SIGSTOP);
	say(&r, INIT_SIGNAL, SIGCONT);
	say(&r, INIT_SIGNAL, SIGUSR1);
	assert_int_equal(hear(&r, &n, 5000), INIT_EXITED);
	assert_true(WIFEXITED(n) && WEXITSTATUS(n) == 42);
	(void)end(&r);
}

static void test_killed(void **state)
{
	struct role r;
	int n;

	(void)state;
	needs_root();
	r = start("kill -KILL $$");
	let_go(&r);
	assert_int_equal(hear(&r, &n, 5000), INIT_STARTED);
	assert_int_equal(hear(&r, &n, 5000), INIT_EXITED);
	assert_true(WIFSIGNALED(n) && WTERMSIG(n) == SIGKILL);
	(void)end(&r);
}

/* The command leaves a process behind that holds a pipe: the pipe ends only when that process is gone. */
static void wait_for_end_of_pipe(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(read(fd, &byte, 1), 0);
}

static void test_supervisor_gone(void **state)
{
	int fds[2], saved = dup(1), n;
	struct role r;

	(void)state;
	needs_root();
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], 1);
	r = start("trap '' HUP TERM; sleep 1000 & sleep 1000");
	dup2(saved, 1);
	close(saved);
	close(fds[1]);
	let_go(&r);
	assert_int_equal(hear(&r, &n, 5000), INIT_STARTED);
	assert_int_equal(end(&r), 125);
	wait_for_end_of_pipe(fds[0]);
	close(fds[0]);
}

static void test_gone_before_go(void **state)
{
	struct role r;

	(void)state;
	needs_root();
	r = start("touch /tmp/bridle-test-must-not-be");
	assert_int_equal(end(&r), 125);
	assert_true(access("/tmp/bridle-test-must-not-be", F_OK) < 0);
}

/* GO alone starts nothing, and a self-test that fails (no programs are attached here) ends init. */
static void test_nothing_runs_before_the_self_test(void **state)
{
	const struct init_test test = { .header = { INIT_TEST, sizeof(test) },
					.nonce = "0123456789abcdef0123456789abcdef" };
	struct role r;
	int n;

	(void)state;
	needs_root();
	r = start("touch /tmp/bridle-test-must-not-be");
	say(&r, INIT_GO, 0);
	assert_int_equal(hear(&r, &n, 300), 0);
	assert_int_equal(msg_send(r.channel, &test, sizeof(test), NULL, 0), 0);
	assert_int_equal(hear(&r, &n, 15000), INIT_FAILED);
	assert_int_equal(n, 125);
	assert_int_equal(end(&r), 125);
	assert_true(access("/tmp/bridle-test-must-not-be", F_OK) < 0);
}

static void test_not_found(void **state)
{
	char *argv[] = { (char[]){ "bridle-no-such-command" }, NULL };
	struct init_spec spec = { .argv = argv, .uid = UID, .gid = UID };
	struct role r;
	int fd = init_spec_write(&spec), fds[2], n;

	(void)state;
	needs_root();
	assert_int_equal(msg_pair(fds, 0), 0);
	r.pid = fork_namespaces();
	if (r.pid == 0) {
		int channel = fcntl(fds[1], F_DUPFD, 20), memory = fcntl(fd, F_DUPFD, 20);

		close(fds[0]);
		_exit(dup2(channel, INIT_CHANNEL_FD) < 0 || dup2(memory, INIT_SPEC_FD) < 0 ? 99 : init_main());
	}
	close(fd);
	close(fds[1]);
	r.channel = fds[0];
	let_go(&r);
	assert_int_equal(hear(&r, &n, 5000), INIT_FAILED);
	assert_int_equal(n, 127);
	assert_int_equal(end(&r), 127);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_confined),
		cmocka_unit_test(test_signals_and_stops),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_supervisor_gone),
		cmocka_unit_test(test_gone_before_go),
		cmocka_unit_test(test_nothing_runs_before_the_self_test),
		cmocka_unit_test(test_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
