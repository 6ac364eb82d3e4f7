/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a command: PATH of its own environment, exit statuses 125-127, working directory and signals. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/init_spec.h"
#include "init/command.h"
#include "init/failure.h"

static char dir[] = "/tmp/bridle-test-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "tool", "plain", "broken" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

static char *make_file(const char *name, const char *text, mode_t mode)
{
	static char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

/* The command's status, or minus the exit status of the failure. */
static int run(struct init_spec *spec, struct failure *f)
{
	int status = -1;
	pid_t pid;

	if (command_start(spec, &pid, f) < 0)
		return -f->exit_code;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void test_path_of_its_own(void **state)
{
	char path[160];
	char *argv[] = { (char[]){ "tool" }, NULL };
	char *envp[] = { path, NULL };
	struct init_spec spec = { .argv = argv, .envp = envp, .uid = 1, .gid = 1 };
	struct failure f = { 0 };

	(void)state;
	(void)make_file("tool", "#!/bin/sh\nexit 7\n", 0755);
	(void)snprintf(path, sizeof(path), "PATH=/nonexistent:%s", dir);
	assert_int_equal(run(&spec, &f), 7);
	(void)snprintf(path, sizeof(path), "PATH=/nonexistent");
	assert_int_equal(run(&spec, &f), -127);
	assert_non_null(strstr(f.text, "tool: command not found"));
	(void)make_file("tool", "#!/bin/sh\nexit 7\n", 0644);
	(void)snprintf(path, sizeof(path), "PATH=/nonexistent::%s", dir);
	assert_int_equal(run(&spec, &f), -126); /* it is there, and no program */
}

/* A directory of PATH that the user may not search (root's own) hides nothing and makes nothing forbidden. */
static void test_path_through_a_closed_directory(void **state)
{
	char path[160], closed[] = "/tmp/bridle-closed-XXXXXX";
	char *argv[] = { NULL, NULL };
	char *envp[] = { path, NULL };
	struct init_spec spec = { .argv = argv, .envp = envp, .uid = 1, .gid = 1 };
	struct failure f = { 0 };
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(closed)); /* 0700 */
	assert_int_equal(chmod(dir, 0755), 0);
	(void)make_file("plain", "#!/bin/sh\nexit 0\n", 0644);
	(void)snprintf(path, sizeof(path), "PATH=%s:%s", closed, dir);
	pid_t pid = fork();
	if (pid == 0) {
		if (setresuid(1, 1, 1) < 0)
			_exit(1);
		argv[0] = (char[]){ "nowhere" };
		if (run(&spec, &f) != -127 || !strstr(f.text, "nowhere: command not found in PATH; install it"))
			_exit(2);
		argv[0] = (char[]){ "plain" };
		_exit(run(&spec, &f) == -126 && strstr(f.text, "plain: cannot be executed as uid 1: Permission") ? 0
														 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(rmdir(closed), 0);
}

static void test_statuses(void **state)
{
	char *argv[] = { NULL, NULL };
	struct init_spec spec = { .argv = argv, .uid = 1, .gid = 1 };
	struct failure f = { 0 };

	(void)state;
	argv[0] = (char[]){ "/nonexistent/x" };
	assert_int_equal(run(&spec, &f), -127);
	assert_string_equal(f.text, "/nonexistent/x: no such file; name a program that exists");
	argv[0] = make_file("plain", "#!/bin/sh\nexit 0\n", 0644);
	assert_int_equal(run(&spec, &f), -126);
	argv[0] = dir;
	assert_int_equal(run(&spec, &f), -126);
	argv[0] = make_file("broken", "#!/nonexistent/interpreter\n", 0755);
	assert_int_equal(run(&spec, &f), -126);
	assert_non_null(strstr(f.text, "interpreter"));
	argv[0] = (char[]){ "/bin/true" };
	spec.cwd = (char[]){ "/nonexistent/dir" };
	assert_int_equal(run(&spec, &f), -125);
	assert_non_null(strstr(f.text, "/nonexistent/dir"));
}

static void test_cwd_and_environment(void **state)
{
	char want[160];
	char *argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" },
			 (char[]){ "test \"$PWD\" = \"$WANT\" && test -z \"$HOME\"" }, NULL };
	char *envp[] = { want, NULL };
	struct init_spec spec = { .argv = argv, .envp = envp, .cwd = dir, .uid = 1, .gid = 1 };
	struct failure f = { 0 };

	(void)state;
	(void)snprintf(want, sizeof(want), "WANT=%s", dir);
	assert_int_equal(run(&spec, &f), 0);
}

static void test_signals(void **state)
{
	char *argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, NULL, NULL };
	struct init_spec spec = { .argv = argv, .uid = 1, .gid = 1 };
	struct failure f = { 0 };
	sigset_t set, before;

	(void)state;
	argv[2] = (char[]){ "kill -TERM $$; exit 9" };
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, &before), 0);
	assert_int_equal(run(&spec, &f), 1000 + SIGTERM); /* our mask is not the command's */
	spec.ignored_signals = 1ULL << (SIGTERM - 1);
	assert_int_equal(run(&spec, &f), 9);
	spec.ignored_signals = 0;
	spec.blocked_signals = 1ULL << (SIGTERM - 1);
	assert_int_equal(run(&spec, &f), 9);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path_of_its_own), cmocka_unit_test(test_path_through_a_closed_directory),
		cmocka_unit_test(test_statuses),	cmocka_unit_test(test_cwd_and_environment),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
