/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets on 0-2 become pipes, the bytes pass both ways, and the sockets end when the pipes do. Needs root. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/stdio_relay.h"
#include "cli/user.h"

static const struct cli_user user = { .uid = 1, .gid = 1 };

struct ends {
	int in[2], out[2];
	pid_t pid;
};

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* The child has sockets on 0-2 (1 and 2 the same one), relays, and runs fn. */
static struct ends start(int (*fn)(void))
{
	struct ends e;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, e.in), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, e.out), 0);
	e.pid = fork();
	if (e.pid == 0) {
		if (dup2(e.in[1], 0) < 0 || dup2(e.out[1], 1) < 0 || dup2(e.out[1], 2) < 0)
			_exit(99);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		if (stdio_relay_start(&user) < 0 || !is_pipe(0) || !is_pipe(1) || !is_pipe(2))
			_exit(98);
		_exit(fn());
	}
	close(e.in[1]);
	close(e.out[1]);
	return e;
}

static size_t read_to_end(int fd)
{
	char bytes[4096];
	size_t total = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&p, 1, 5000), 1);
		n = read(fd, bytes, sizeof(bytes));
		if (n <= 0)
			return total;
		total += (size_t)n;
	}
}

static int status_of(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int copy_all(void)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(0, bytes, sizeof(bytes))) > 0)
		if (write(1, bytes, (size_t)n) != n)
			return 1;
	return write(2, "end", 3) == 3 ? 0 : 2;
}

static void test_copies(void **state)
{
	static char bytes[300000];
	struct ends e;
	pid_t writer;

	(void)state;
	if (geteuid() != 0)
		skip();
	e = start(copy_all);
	writer = fork();
	if (writer == 0) {
		_exit(write(e.in[0], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) ? 0 : 1);
	}
	close(e.in[0]);
	assert_int_equal(read_to_end(e.out[0]), sizeof(bytes) + 3);
	assert_int_equal(status_of(writer), 0);
	assert_int_equal(status_of(e.pid), 0);
	close(e.out[0]);
}

static int leave(void)
{
	return write(1, "x", 1) == 1 ? 5 : 6;
}

/* Standard input stays open outside; the relay ends all the same. */
static void test_ends_with_the_command(void **state)
{
	struct pollfd p;
	struct ends e;

	(void)state;
	if (geteuid() != 0)
		skip();
	e = start(leave);
	assert_int_equal(read_to_end(e.out[0]), 1);
	p = (struct pollfd){ .fd = e.in[0], .events = POLLIN };
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(p.revents & POLLHUP);
	assert_int_equal(status_of(e.pid), 5);
	close(e.in[0]);
	close(e.out[0]);
}

static int no_sockets(void)
{
	int fds[2], before, after;

	if (pipe(fds) < 0 || dup2(fds[0], 0) < 0 || dup2(fds[1], 1) < 0)
		return 1;
	before = dup(0);
	close(before);
	if (stdio_relay_start(&user) < 0)
		return 2;
	after = dup(0);
	return before == after && waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 3;
}

static int inet_stays(void)
{
	struct stat st;
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (s < 0 || dup2(s, 1) < 0 || stdio_relay_start(&user) < 0)
		return 1;
	return fstat(1, &st) == 0 && S_ISSOCK(st.st_mode) ? 0 : 2;
}

static void test_others_stay(void **state)
{
	int (*const cases[])(void) = { no_sockets, inet_stays };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(cases[i]());
		assert_int_equal(status_of(pid), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_ends_with_the_command),
		cmocka_unit_test(test_others_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
