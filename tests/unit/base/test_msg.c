/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between the roles: lengths that lie and descriptors that nobody asked for are refused, and nothing leaks. */
#include "base/msg.c"

#include "tests/lib/test.h"

#include <fcntl.h>
#include <unistd.h>

struct message {
	struct msg_header header;
	char text[24];
};

static int ends[2];

static int set_up(void **state)
{
	(void)state;
	return msg_pair(ends, 1);
}

static int tear_down(void **state)
{
	(void)state;
	(void)close(ends[0]);
	if (ends[1] >= 0)
		(void)close(ends[1]);
	return 0;
}

/* The number that the next descriptor gets: the same before and after when none was kept. */
static int next_fd(void)
{
	int fd = dup(ends[0]);

	assert_true(fd >= 0);
	(void)close(fd);
	return fd;
}

static void send_message(uint32_t size_said, size_t n_fds)
{
	const struct message m = { .header = { .type = 1, .size = size_said }, .text = "text" };
	int fds[MSG_FDS_MAX];

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = ends[0];
	assert_int_equal(msg_send(ends[1], &m, sizeof(m), fds, n_fds), 0);
}

static void a_message_comes_whole_with_its_descriptors(void **state)
{
	struct message m;
	int fds[4] = { -1, -1, -1, -1 };
	size_t n = 4;

	(void)state;
	send_message(sizeof(m), 2);
	assert_int_equal(msg_recv(ends[0], &m, sizeof(m), fds, &n), (long)sizeof(m));
	assert_string_equal(m.text, "text");
	assert_int_equal(n, 2);
	assert_int_equal(fds[2], -1);
	for (int i = 0; i < 2; i++) {
		assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
		(void)close(fds[i]);
	}
	assert_int_equal(msg_recv(ends[0], &m, sizeof(m), NULL, NULL), -EAGAIN);
}

static void a_length_that_lies_is_refused(void **state)
{
	static const long wrong[] = { -1, 1, -(long)sizeof(struct message) };
	const int before = next_fd();
	struct message m;
	int fds[1];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		size_t n = 1;

		send_message((uint32_t)((long)sizeof(m) + wrong[i]), 1);
		assert_int_equal(msg_recv(ends[0], &m, sizeof(m), fds, &n), -EBADMSG);
		assert_int_equal(next_fd(), before);
	}
	m = (struct message){ 0 };
	assert_int_equal(send(ends[1], "\1\0\0\0\7\0\0", 7, 0), 7); /* no whole header, though what is there agrees */
	assert_int_equal(msg_recv(ends[0], &m, sizeof(m), NULL, NULL), -EBADMSG);
}

static void a_message_that_does_not_fit_is_refused(void **state)
{
	const int before = next_fd();
	struct message m;
	size_t n = 1;
	int fds[1];

	(void)state;
	send_message(sizeof(m), 1);
	assert_int_equal(msg_recv(ends[0], &m, sizeof(m) - 1, fds, &n), -EMSGSIZE);
	assert_int_equal(next_fd(), before);
}

static void descriptors_that_nobody_asked_for_are_closed(void **state)
{
	const int before = next_fd();
	struct message m;
	int fds[2];
	size_t n = 2;

	(void)state;
	send_message(sizeof(m), 3);
	assert_int_equal(msg_recv(ends[0], &m, sizeof(m), fds, &n), -EBADMSG);
	assert_int_equal(next_fd(), before);
	send_message(sizeof(m), 1);
	assert_int_equal(msg_recv(ends[0], &m, sizeof(m), NULL, NULL), -EBADMSG);
	assert_int_equal(next_fd(), before);
	n = 2;
	send_message(sizeof(m), MSG_FDS_MAX);
	assert_int_equal(msg_recv(ends[0], &m, sizeof(m), fds, &n), -EBADMSG);
	assert_int_equal(next_fd(), before);
}

static void what_is_too_much_is_not_sent(void **state)
{
	static char much[MSG_SIZE_MAX + 1];
	int fds[MSG_FDS_MAX + 1] = { 0 };

	(void)state;
	assert_int_equal(msg_send(ends[1], much, sizeof(much), NULL, 0), -EINVAL);
	assert_int_equal(msg_send(ends[1], much, 8, fds, MSG_FDS_MAX + 1), -EINVAL);
	assert_int_equal(msg_recv(ends[0], much, sizeof(much), NULL, NULL), -EAGAIN);
}

static void a_peer_that_is_gone_is_said(void **state)
{
	struct message m;

	(void)state;
	(void)close(ends[1]);
	ends[1] = -1;
	assert_int_equal(msg_recv(ends[0], &m, sizeof(m), NULL, NULL), 0);
	assert_int_equal(msg_send(ends[0], &m, sizeof(m), NULL, 0), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_comes_whole_with_its_descriptors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_length_that_lies_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_message_that_does_not_fit_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(descriptors_that_nobody_asked_for_are_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_too_much_is_not_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_peer_that_is_gone_is_said, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
