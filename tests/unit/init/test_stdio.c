/* SPDX-License-Identifier: Apache-2.0 */
/* Which descriptors a command may inherit. Each case runs in a child, whose descriptors it breaks. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/failure.h"
#include "init/stdio.h"

static int in_child(int (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* 0 accepted, 1 refused with 125 and a sentence that holds the words, 2 otherwise. */
static int check(const char *words)
{
	struct failure f = { 0 };

	if (stdio_check(4, &f) == 0)
		return 0;
	return f.exit_code == 125 && strstr(f.text, words) ? 1 : 2;
}

static int with_socket(int fd, int domain, int type)
{
	int s = socket(domain, type, 0);

	return s < 0 || dup2(s, fd) < 0 ? 3 : check("is a socket");
}

static int inet_in(void)
{
	return with_socket(0, AF_INET, SOCK_STREAM);
}

static int udp_err(void)
{
	return with_socket(2, AF_INET6, SOCK_DGRAM);
}

static int unix_out(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || dup2(fds[0], 1) < 0
		       ? 3
		       : check("standard output is a socket");
}

static int event_in(void)
{
	return dup2(eventfd(0, 0), 0) < 0 ? 3 : check("neither");
}

static int directory_in(void)
{
	return dup2(open("/", O_RDONLY | O_DIRECTORY), 0) < 0 ? 3 : check("standard input is a directory");
}

static int directory_path_err(void)
{
	return dup2(open("/", O_PATH), 2) < 0 ? 3 : check("standard error is a directory");
}

static int process_in(void)
{
	return dup2((int)syscall(SYS_pidfd_open, getppid(), 0), 0) < 0 ? 3 : check("neither");
}

static int namespace_in(void)
{
	return dup2(open("/proc/self/ns/net", O_RDONLY), 0) < 0 ? 3 : check("neither");
}

static int file_out(void)
{
	return dup2(open("/proc/self/status", O_RDONLY), 0) < 0 || dup2(memfd_create("out", 0), 1) < 0 ? 3 : check("");
}

static int pipe_in(void)
{
	int fds[2];

	return pipe(fds) < 0 || dup2(fds[0], 0) < 0 || dup2(fds[1], 1) < 0 ? 3 : check("");
}

static int closed(void)
{
	struct stat st;

	close(0);
	close(2);
	if (check("") != 0)
		return 3;
	return fstat(0, &st) == 0 && S_ISCHR(st.st_mode) && fstat(2, &st) == 0 && S_ISCHR(st.st_mode) &&
			       write(2, "x", 1) == 1
		       ? 0
		       : 4;
}

static int above(void)
{
	if (dup2(1, 5) < 0 || dup2(1, 200) < 0 || dup2(1, 4) < 0 || check("") != 0)
		return 3;
	return fcntl(4, F_GETFD) >= 0 && fcntl(5, F_GETFD) < 0 && fcntl(200, F_GETFD) < 0 ? 0 : 4;
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(in_child(inet_in), 1);
	assert_int_equal(in_child(udp_err), 1);
	assert_int_equal(in_child(unix_out), 1);
	assert_int_equal(in_child(event_in), 1);
	assert_int_equal(in_child(directory_in), 1);
	assert_int_equal(in_child(directory_path_err), 1);
	assert_int_equal(in_child(process_in), 1);
	assert_int_equal(in_child(namespace_in), 1);
}

static void test_accepted(void **state)
{
	(void)state;
	assert_int_equal(in_child(pipe_in), 0);
	assert_int_equal(in_child(file_out), 0);
	assert_int_equal(in_child(closed), 0);
	assert_int_equal(in_child(above), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
