/* SPDX-License-Identifier: Apache-2.0 */
/* What refuses without any map; the entries themselves are tested with the hooks that write them. */
#include "tests/lib/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/original_dst.h"

static void what_cannot_be_named_is_refused(void **state)
{
	struct original_dst dst = { .port = 7 };
	int pair[2];

	(void)state;
	assert_int_equal(original_dst_find(-1, 0, -1, &dst), -EBADF);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(original_dst_find(-1, 0, pair[0], &dst), -EAFNOSUPPORT);
	(void)close(pair[0]);
	(void)close(pair[1]);
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(original_dst_find(-1, 0, pair[0], &dst), -ENOTCONN);
	(void)close(pair[0]);
	assert_int_equal(dst.port, 7);
}

static void without_its_map_every_connection_is_refused(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(at);
	struct original_dst dst;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, size), 0);
	assert_true(original_dst_find(-1, 0, fd, &dst) < 0);
	(void)close(fd);
	(void)close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_named_is_refused),
		cmocka_unit_test(without_its_map_every_connection_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
