/* SPDX-License-Identifier: Apache-2.0 */
/* What is passed on, what is not, and that the caller's own settings are kept for the command. */
#include "tests/lib/test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/run_signals.h"

static int delivered[8];
static size_t n_delivered;

static void deliver(void *arg, int signal)
{
	if (n_delivered < 8)
		delivered[n_delivered++] = signal;
	if (signal == SIGUSR2 && arg)
		loop_stop(arg, 0);
}

static void test_table(void **state)
{
	const struct run_signals s = { .command_runs = true };

	(void)state;
	assert_true(run_signals_is_delivered(&s, SIGTERM, false));
	assert_true(run_signals_is_delivered(&s, SIGHUP, false));
	assert_true(run_signals_is_delivered(&s, SIGINT, true));
	assert_false(run_signals_is_delivered(&s, SIGINT, false)); /* ^C reaches the command by itself */
	assert_false(run_signals_is_delivered(&s, SIGQUIT, false));
	assert_false(run_signals_is_delivered(&s, SIGTSTP, false));
	assert_true(run_signals_is_delivered(&s, SIGWINCH, true));
	assert_false(run_signals_is_delivered(&s, SIGWINCH, false));
	assert_false(run_signals_is_delivered(&s, SIGXCPU, false));
	assert_false(run_signals_is_delivered(&s, SIGTTOU, true));
	assert_false(run_signals_is_delivered(&s, SIGPIPE, true));
	assert_false(run_signals_is_delivered(&s, SIGSEGV, true));
}

/* What would end bridle is the command's. Faults are our own, two numbers are the C library's, two nobody catches. */
static void test_every_deadly_signal(void **state)
{
	static const int not_ours[] = { SIGKILL, SIGSTOP, SIGILL,  SIGTRAP, SIGBUS, SIGFPE,
					SIGSEGV, SIGSYS,  SIGPIPE, SIGXFSZ, 32,	    33 };
	static const int harmless[] = { SIGCHLD, SIGCONT, SIGTTIN, SIGTTOU };
	const struct run_signals s = { .command_runs = true };

	(void)state;
	for (int n = 1; n <= 64; n++) {
		bool expected = true;

		for (size_t i = 0; i < ARRAY_SIZE(not_ours); i++)
			expected &= n != not_ours[i];
		for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
			expected &= n != harmless[i];
		if (run_signals_is_delivered(&s, n, true) != expected)
			fail_msg("signal %d", n);
	}
}

/* Nothing runs: ^C is for us, a change of the window's size is for nobody, and what the caller ignores stays ignored. */
static void test_before_the_command(void **state)
{
	const struct run_signals s = { .ignored = 1ULL << (SIGHUP - 1) };

	(void)state;
	assert_true(run_signals_is_delivered(&s, SIGINT, false));
	assert_true(run_signals_is_delivered(&s, SIGTERM, true));
	assert_false(run_signals_is_delivered(&s, SIGHUP, true));
	assert_false(run_signals_is_delivered(&s, SIGTSTP, true));
	assert_false(run_signals_is_delivered(&s, SIGWINCH, true));
	assert_false(run_signals_is_delivered(&s, SIGPIPE, false));
}

static void test_delivery(void **state)
{
	struct run_signals s;
	struct loop *loop;
	sigset_t before, after;

	(void)state;
	assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &before), 0);
	(void)signal(SIGALRM, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(run_signals_init(&s, loop, deliver, loop), 0);
	s.command_runs = true;
	assert_true(s.ignored & 1ULL << (SIGALRM - 1));
	assert_true(s.ignored & 1ULL << (SIGCHLD - 1)); /* the command's, not ours: */
	assert_ptr_equal(signal(SIGCHLD, SIG_DFL), SIG_DFL);
	assert_false(s.ignored & 1ULL << (SIGXFSZ - 1));
	assert_ptr_equal(signal(SIGXFSZ, SIG_DFL), SIG_IGN);
	assert_false(s.ignored & 1ULL << (SIGTERM - 1));
	assert_true(s.blocked == 0);
	(void)kill(getpid(), SIGTERM);
	(void)kill(getpid(), SIGINT);
	(void)kill(getpid(), SIGPIPE);
	(void)kill(getpid(), SIGTTIN);
	(void)kill(getpid(), SIGUSR2);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(n_delivered, 3);
	assert_int_equal(delivered[0], SIGINT); /* lower numbers come first */
	run_signals_done(&s);
	assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &after), 0);
	for (int n = 1; n <= 64; n++)
		assert_int_equal(sigismember(&before, n), sigismember(&after, n));
	(void)loop_free(loop);
	(void)signal(SIGALRM, SIG_DFL);
}

/* The child stops as its command did; continued, it passes SIGCONT on. */
static void test_stop(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct run_signals s;
		struct loop *loop;

		n_delivered = 0;
		if (loop_new(&loop) < 0 || run_signals_init(&s, loop, deliver, NULL) < 0)
			_exit(9);
		run_signals_stop(&s);
		_exit(n_delivered == 1 && delivered[0] == SIGCONT ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_every_deadly_signal),
		cmocka_unit_test(test_before_the_command),
		cmocka_unit_test(test_delivery),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
