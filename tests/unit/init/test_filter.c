/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp filter, loaded in a child each time: what it refuses, how, and what still works. */
#include <errno.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/failure.h"
#include "init/filter.h"

/* Runs fn in a child behind the filter; its waitpid status. fn returns the errno that it saw, 0 for success. */
static int confined(int (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct failure f;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_load(&f) < 0)
			_exit(250);
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_errno(int (*fn)(void), int expected)
{
	const int status = confined(fn);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
}

#define CALL(name, ...)                                      \
	static int name(void)                                \
	{                                                    \
		return syscall(__VA_ARGS__) < 0 ? errno : 0; \
	}

CALL(do_unix, SYS_socket, AF_UNIX, SOCK_STREAM, 0)
CALL(do_unix_high, SYS_socket, 0x100000001L, SOCK_STREAM, 0)
CALL(do_inet_high, SYS_socket, 0x100000002L, SOCK_STREAM, 0)
CALL(do_inet, SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
CALL(do_inet6, SYS_socket, AF_INET6, SOCK_DGRAM, 0)
CALL(do_packet, SYS_socket, AF_PACKET, SOCK_RAW, 0)
CALL(do_vsock, SYS_socket, AF_VSOCK, SOCK_STREAM, 0)
CALL(do_alg, SYS_socket, AF_ALG, SOCK_SEQPACKET, 0)
CALL(do_unspec, SYS_socket, AF_UNSPEC, SOCK_STREAM, 0)
CALL(do_route, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
CALL(do_netfilter, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)
CALL(do_generic, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
CALL(do_netlink_high, SYS_socket, AF_NETLINK, SOCK_RAW, 0x100000000L)
CALL(do_uring, SYS_io_uring_setup, 8, NULL)
CALL(do_keyctl, SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 0)
CALL(do_add_key, SYS_add_key, "user", "x", "y", 1, -3)
CALL(do_request_key, SYS_request_key, "user", "x", NULL, -3)
CALL(do_bpf, SYS_bpf, 0, NULL, 0)
CALL(do_perf, SYS_perf_event_open, NULL, 0, -1, -1, 0)
CALL(do_uffd, SYS_userfaultfd, 0)
CALL(do_handle, SYS_open_by_handle_at, -1, NULL, 0)
CALL(do_clone3, SYS_clone3, NULL, 0)
CALL(do_newuser, SYS_unshare, CLONE_NEWUSER)
CALL(do_newuser_among, SYS_unshare, CLONE_NEWUSER | CLONE_NEWNET)
CALL(do_clone_newuser, SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0)
CALL(do_tiocsti, SYS_ioctl, 0, TIOCSTI, "x")
CALL(do_tiocsti_high, SYS_ioctl, 0, 0x700000000L | TIOCSTI, "x")
CALL(do_tioclinux, SYS_ioctl, 0, TIOCLINUX, "\x02")
CALL(do_x32, 0x40000000L | SYS_getpid)

static int pair_of(int family, int type)
{
	int fds[2];

	return socketpair(family, type, 0, fds) < 0 ? errno : 0;
}

static int do_pair(void)
{
	return pair_of(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
}

static int do_pair_seqpacket(void)
{
	return pair_of(AF_UNIX, SOCK_SEQPACKET);
}

static int do_pair_datagram(void)
{
	return pair_of(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK);
}

static int do_pair_raw(void)
{
	return pair_of(AF_UNIX, SOCK_RAW);
}

static int do_pair_tipc(void)
{
	return pair_of(AF_TIPC, SOCK_STREAM);
}

static void test_families(void **state)
{
	(void)state;
	assert_errno(do_inet, 0);
	assert_errno(do_inet6, 0);
	assert_errno(do_route, 0);
	assert_errno(do_unix, EAFNOSUPPORT);
	assert_errno(do_unix_high, EAFNOSUPPORT);
	assert_errno(do_inet_high, EAFNOSUPPORT);
	assert_errno(do_packet, EAFNOSUPPORT);
	assert_errno(do_vsock, EAFNOSUPPORT);
	assert_errno(do_alg, EAFNOSUPPORT);
	assert_errno(do_unspec, EAFNOSUPPORT);
	assert_errno(do_netfilter, EAFNOSUPPORT);
	assert_errno(do_generic, EAFNOSUPPORT);
	assert_errno(do_netlink_high, EAFNOSUPPORT);
}

static int send_from_pair(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0bridle-test-pair" };
	int server = socket(AF_UNIX, SOCK_DGRAM, 0), fds[2];
	char byte;

	if (bind(server, (struct sockaddr *)&a, sizeof(a)) < 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0)
		return -1;
	if (sendto(fds[0], "x", 1, 0, (struct sockaddr *)&a, sizeof(a)) != 1)
		return -1;
	return recv(server, &byte, 1, MSG_DONTWAIT) == 1 ? 0 : -1;
}

static void test_pairs(void **state)
{
	(void)state;
	/* why datagram pairs are refused: without the filter one reaches a named socket of somebody else */
	assert_int_equal(send_from_pair(), 0);
	assert_errno(do_pair, 0);
	assert_errno(do_pair_seqpacket, 0);
	assert_errno(do_pair_datagram, EPROTONOSUPPORT);
	assert_errno(do_pair_raw, EPROTONOSUPPORT);
	assert_errno(do_pair_tipc, EAFNOSUPPORT);
}

static void test_refused_calls(void **state)
{
	(void)state;
	assert_errno(do_uring, ENOSYS);
	assert_errno(do_clone3, ENOSYS);
	assert_errno(do_keyctl, EPERM);
	assert_errno(do_add_key, EPERM);
	assert_errno(do_request_key, EPERM);
	assert_errno(do_bpf, EPERM);
	assert_errno(do_perf, EPERM);
	assert_errno(do_uffd, EPERM);
	assert_errno(do_handle, EPERM);
	assert_errno(do_newuser, EPERM);
	assert_errno(do_newuser_among, EPERM);
	assert_errno(do_clone_newuser, EPERM);
}

static void test_terminal(void **state)
{
	(void)state;
	assert_errno(do_tiocsti, EPERM);
	assert_errno(do_tiocsti_high, EPERM);
	assert_errno(do_tioclinux, EPERM);
}

static void test_other_architectures(void **state)
{
	int status = confined(do_x32);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

#ifdef __x86_64__
static int do_i386(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory"); /* getpid of i386 */
	return r > 0 ? 0 : 1;
}

static void test_i386(void **state)
{
	const int status = confined(do_i386);

	(void)state;
	/* SIGSEGV where the kernel has no 32-bit entry at all */
	assert_true(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV));
}
#endif

static int do_core_limit(void)
{
	const struct rlimit zero = { 0, 0 };
	struct rlimit before, after;

	if (getrlimit(RLIMIT_CORE, &before) < 0 || setrlimit(RLIMIT_CORE, &zero) < 0)
		return errno;
	if (syscall(SYS_setrlimit, RLIMIT_CORE, &zero) < 0 || getrlimit(RLIMIT_CORE, &after) < 0)
		return errno;
	return before.rlim_cur == after.rlim_cur && before.rlim_max == after.rlim_max ? 0 : 1;
}

static void *thread_main(void *arg)
{
	return arg;
}

static int do_thread_and_fork(void)
{
	pthread_t thread;
	int status;
	pid_t pid;

	if (pthread_create(&thread, NULL, thread_main, NULL) != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	pid = fork();
	if (pid == 0)
		_exit(3);
	return waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3 ? 0 : 2;
}

static void test_what_works(void **state)
{
	struct rlimit one = { 1, 1 };

	(void)state;
	assert_errno(do_thread_and_fork, 0);
	assert_int_equal(setrlimit(RLIMIT_CORE, &one), 0);
	assert_errno(do_core_limit, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_refused_calls),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_other_architectures),
#ifdef __x86_64__
		cmocka_unit_test(test_i386),
#endif
		cmocka_unit_test(test_what_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
