/* SPDX-License-Identifier: Apache-2.0 */
/* A private namespace has lo, one more address of each family, and our sockets; another's is used as it is. Root. */
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/netns.h"
#include "supervisor/sandbox.h"

static ino_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static ino_t own_namespace(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	return st.st_ino;
}

/* Exit status of fn run in the namespace, in a process of its own. */
static int run_in(int fd, int (*fn)(const struct netns *n), const struct netns *n)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(setns(fd, CLONE_NEWNET) < 0 ? 99 : fn(n));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Bits: 1 our IPv4, 2 our IPv6, 4 127.0.0.1, 8 ::1, 16 lo is up, 32 anything else is there */
static int look(const struct netns *n)
{
	struct ifaddrs *list, *a;
	char text[INET6_ADDRSTRLEN];
	int bits = 0;

	(void)n;
	if (getifaddrs(&list) < 0)
		return 98;
	for (a = list; a; a = a->ifa_next) {
		if (strcmp(a->ifa_name, "lo") != 0)
			bits |= 32;
		if (a->ifa_flags & IFF_UP)
			bits |= 16;
		if (!a->ifa_addr || (a->ifa_addr->sa_family != AF_INET && a->ifa_addr->sa_family != AF_INET6))
			continue;
		(void)inet_ntop(a->ifa_addr->sa_family,
				a->ifa_addr->sa_family == AF_INET
					? (void *)&((struct sockaddr_in *)(void *)a->ifa_addr)->sin_addr
					: (void *)&((struct sockaddr_in6 *)(void *)a->ifa_addr)->sin6_addr,
				text, sizeof(text));
		bits |= strcmp(text, NETNS_IPV4) == 0	 ? 1
			: strcmp(text, NETNS_IPV6) == 0	 ? 2
			: strcmp(text, "127.0.0.1") == 0 ? 4
			: strcmp(text, "::1") == 0	 ? 8
							 : 32;
	}
	freeifaddrs(list);
	return bits;
}

static int connect_to_both(const struct netns *n)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET,
				   .sin_port = htons(n->ports[NETNS_TCP4]),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(n->ports[NETNS_TCP6]),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int a = socket(AF_INET, SOCK_STREAM, 0), b = socket(AF_INET6, SOCK_STREAM, 0);

	if (connect(a, (struct sockaddr *)&in4, sizeof(in4)) < 0)
		return errno == ECONNREFUSED ? 1 : 3;
	return connect(b, (struct sockaddr *)&in6, sizeof(in6)) < 0 ? 2 : 0;
}

static void test_private_namespace(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "";
	const ino_t before = own_namespace();
	struct netns n;

	(void)state;
	if (geteuid() != 0)
		skip();
	netns_init(&n);
	if (netns_open(-1, &n, reason) < 0)
		fail_msg("%s", reason);
	/* we stayed where we were */
	assert_true(own_namespace() == before);
	assert_true(inode_of(n.fd) != before);
	assert_true(n.cookie != 0);
	assert_int_equal(run_in(n.fd, look, &n), 1 | 2 | 4 | 8 | 16);
	for (int i = 0; i < NETNS_SOCKETS; i++) {
		int reuse = 0;
		socklen_t size = sizeof(reuse);

		assert_true(n.sockets[i] >= 0);
		assert_int_not_equal(n.ports[i], 0);
		assert_true(fcntl(n.sockets[i], F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(n.sockets[i], F_GETFD) & FD_CLOEXEC);
		assert_int_equal(getsockopt(n.sockets[i], SOL_SOCKET, SO_REUSEPORT, &reuse, &size), 0);
		assert_int_equal(reuse, 0);
	}
	assert_int_equal(run_in(n.fd, connect_to_both, &n), 0);
	netns_close_sockets(&n);
	assert_int_equal(run_in(n.fd, connect_to_both, &n), 1);
	netns_done(&n);
	netns_done(&n);
}

static void test_given_namespace_is_left_as_it_is(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "";
	struct netns first, second;

	(void)state;
	if (geteuid() != 0)
		skip();
	netns_init(&second);
	assert_int_equal(netns_open(-1, &first, reason), 0);
	assert_int_equal(netns_open(first.fd, &second, reason), 0);
	assert_true(inode_of(first.fd) == inode_of(second.fd));
	assert_true(first.cookie == second.cookie);
	assert_int_not_equal(first.ports[NETNS_TCP4], second.ports[NETNS_TCP4]);
	netns_done(&first);
	/* the sockets and the descriptor keep it alive */
	assert_int_equal(run_in(second.fd, connect_to_both, &second), 0);
	netns_done(&second);
}

static void test_no_namespace_is_an_error(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "";
	int null = open("/dev/null", O_RDONLY);
	struct netns n;

	(void)state;
	if (geteuid() != 0)
		skip();
	netns_init(&n);
	assert_int_equal(netns_open(null, &n, reason), -EINVAL);
	assert_non_null(strstr(reason, "enter the network namespace"));
	assert_int_equal(n.fd, -1);
	(void)close(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_private_namespace),
		cmocka_unit_test(test_given_namespace_is_left_as_it_is),
		cmocka_unit_test(test_no_namespace_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
