/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe where it must fail: in namespaces without the kernel programs. That it passes in a sandbox is what every
 * flow test rests on. Root.
 */
#include "tests/lib/test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/self_test.h"
#include "init/failure.h"
#include "init/self_test.h"

#define NONCE "0123456789abcdef0123456789abcdef"

/* Runs `prepare` and then the probe in a network namespace of its own; the failure's text. */
static void probe(const char *prepare, char *text, size_t size)
{
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct failure f = { 0 };
		uint32_t refusals = 77;

		/* a shell's own child processes are not what is tested */
		if (unshare(CLONE_NEWNET) < 0 || (*prepare && system(prepare) != 0))
			_exit(3);
		if (self_test_run(NONCE, &refusals, &f) == 0 || refusals != 77 || f.exit_code != EXIT_BRIDLE)
			_exit(4);
		_exit(write(fds[1], f.text, strlen(f.text)) > 0 ? 0 : 5);
	}
	(void)close(fds[1]);
	n = read(fds[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* No route is no refusal: the errno is another one. */
static void test_no_route(void **state)
{
	char text[FAILURE_TEXT_MAX];

	(void)state;
	if (geteuid() != 0)
		skip();
	probe("", text, sizeof(text));
	assert_non_null(strstr(text, "a datagram to 192.0.2.1 must be refused: Network is unreachable"));
}

/* A namespace where the datagram could go out, as with a device and a default route. */
static void test_open_network(void **state)
{
	char text[FAILURE_TEXT_MAX];

	(void)state;
	if (geteuid() != 0)
		skip();
	probe("ip link set lo up && ip route add default dev lo", text, sizeof(text));
	assert_non_null(strstr(text, "a datagram to 192.0.2.1 must be refused: it was not"));
	assert_non_null(strstr(text, "the command was not started"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_route),
		cmocka_unit_test(test_open_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
