/* SPDX-License-Identifier: Apache-2.0 */
/* What is left after the drop: nothing. Needs root to have something to drop. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/init_spec.h"
#include "init/failure.h"
#include "init/privileges.h"

static uint32_t groups[] = { 23456, 23457 };

static int in_child(int (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int drop(void)
{
	const struct init_spec spec = { .uid = 12345, .gid = 12346, .groups = groups, .n_groups = 2 };
	struct failure f;

	return privileges_drop(&spec, &f);
}

/* Opened before the drop: afterwards /proc/self is root's, which is the point of not being dumpable. */
static int dropped_status(char *text, size_t size)
{
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n;

	if (fd < 0 || drop() < 0)
		return -1;
	n = read(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? 0 : -1;
}

static int status_is_empty(void)
{
	static const char *const wanted[] = {
		"CapInh:\t0000000000000000",	    "CapPrm:\t0000000000000000",	"CapEff:\t0000000000000000",
		"CapBnd:\t0000000000000000",	    "CapAmb:\t0000000000000000",	"NoNewPrivs:\t1",
		"Uid:\t12345\t12345\t12345\t12345", "Gid:\t12346\t12346\t12346\t12346", "Groups:\t23456 23457",
	};
	char text[8192];

	if (dropped_status(text, sizeof(text)) < 0)
		return 100;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!strstr(text, wanted[i]))
			return 1 + (int)i;
	return 0;
}

static int no_way_back(void)
{
	struct rlimit core;

	if (drop() < 0)
		return 100;
	if (setuid(0) == 0 || seteuid(0) == 0 || setgroups(0, NULL) == 0 || setgid(0) == 0)
		return 1;
	if (prctl(PR_GET_DUMPABLE) != 0 || getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 1)
		return 2;
	return open("/proc/self/environ", O_RDONLY) < 0 ? 0 : 3;
}

static int as_root(void)
{
	const struct init_spec uid0 = { .uid = 0, .gid = 1 }, gid0 = { .uid = 1, .gid = 0 };
	struct failure f;

	return privileges_drop(&uid0, &f) == -1 && privileges_drop(&gid0, &f) == -1 && f.exit_code == 125 ? 0 : 1;
}

static void needs_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void test_nothing_left(void **state)
{
	(void)state;
	needs_root();
	assert_int_equal(in_child(status_is_empty), 0);
}

static void test_no_way_back(void **state)
{
	(void)state;
	needs_root();
	assert_int_equal(in_child(no_way_back), 0);
}

static void test_never_root(void **state)
{
	(void)state;
	assert_int_equal(in_child(as_root), 0);
}

static void test_fails_without_rights(void **state)
{
	(void)state;
	needs_root();
	if (fork() == 0) {
		(void)!setuid(12345);
		_exit(drop() == -1 ? 0 : 1);
	} else {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_left),
		cmocka_unit_test(test_no_way_back),
		cmocka_unit_test(test_never_root),
		cmocka_unit_test(test_fails_without_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
