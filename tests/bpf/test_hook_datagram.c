/* SPDX-License-Identifier: Apache-2.0 */
/*
 * br_sendmsg4/6, br_recvmsg4/6, br_peer4/6 and connected datagrams: DNS goes to our responder whatever resolver was
 * asked, and the answer comes from that resolver; no other datagram leaves.
 */
#include "stage.h"

#include <errno.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/util.h"

static struct {
	const char *to, *bind_to;
	uint16_t port;
	int family;
	bool connected;
} plan;

static int plan_socket(void)
{
	struct timeval patience = { .tv_sec = 3 };
	struct sockaddr_storage at;
	int fd = socket(plan.family, SOCK_DGRAM, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (plan.bind_to)
		(void)bind(fd, (struct sockaddr *)&at, address_make(&at, plan.bind_to, 0));
	return fd;
}

static int program_ask(void)
{
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, plan.to, plan.port);
	int fd = plan_socket();

	if (fd < 0)
		return errno;
	if (plan.connected && connect(fd, (struct sockaddr *)&to, n) < 0)
		return errno;
	for (int i = 0; i < 2; i++) { /* twice: the second finds the stamp as the first left it */
		ssize_t sent = plan.connected ? send(fd, "ask", 3, 0)
					      : sendto(fd, "ask", 3, 0, (struct sockaddr *)&to, n);
		socklen_t from_n = sizeof(stage.note->from);

		if (sent != 3)
			return errno;
		if (recvfrom(fd, stage.note->text, sizeof(stage.note->text), 0, (struct sockaddr *)&stage.note->from,
			     &from_n) != 6)
			return errno ? errno : EBADMSG;
	}
	n = sizeof(stage.note->peer);
	if (plan.connected && getpeername(fd, (struct sockaddr *)&stage.note->peer, &n) < 0)
		return errno;
	return 0;
}

/* Answers n questions on a responder's socket; how many came. */
static int responder_answer(int fd, int n)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct sockaddr_storage from;
	char text[16];
	int answered = 0;

	while (answered < n && poll(&p, 1, 3000) == 1) {
		socklen_t from_n = sizeof(from);

		if (recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &from_n) == 3 &&
		    sendto(fd, "answer", 6, 0, (struct sockaddr *)&from, from_n) == 6)
			answered++;
	}
	return answered;
}

struct ask {
	const char *name, *to, *shown;
	int family;
	bool connected;
	const char *bind_to;
	enum stage_socket responder;
};

/* clang-format off */
static const struct ask asks[] = {
	{ "ipv4", STAGE_SERVER4, "10.77.9.9 53", AF_INET, false, NULL, STAGE_DNS4 },
	{ "ipv4_connected", STAGE_SERVER4, "10.77.9.9 53", AF_INET, true, NULL, STAGE_DNS4 },
	{ "ipv4_bound", STAGE_SERVER4, "10.77.9.9 53", AF_INET, false, STAGE_NEAR4, STAGE_DNS4 },
	{ "ipv6", STAGE_SERVER6, "fd77:9::9 53", AF_INET6, false, NULL, STAGE_DNS6 },
	{ "ipv6_connected", STAGE_SERVER6, "fd77:9::9 53", AF_INET6, true, NULL, STAGE_DNS6 },
	{ "v4_mapped", "::ffff:10.77.9.9", "::ffff:10.77.9.9 53", AF_INET6, false, NULL, STAGE_DNS4 },
	{ "v4_mapped_connected", "::ffff:10.77.9.9", "::ffff:10.77.9.9 53", AF_INET6, true, NULL, STAGE_DNS4 },
	{ "ipv4_address_on_ipv6_socket", STAGE_SERVER4, "::ffff:10.77.9.9 53", AF_INET6, false, NULL, STAGE_DNS4 },
	{ "loopback_resolver", "127.0.0.53", "127.0.0.53 53", AF_INET, false, NULL, STAGE_DNS4 },
	{ "loopback_resolver_connected", "127.0.0.53", "127.0.0.53 53", AF_INET, true, NULL, STAGE_DNS4 },
};
/* clang-format on */

static void test_ask(void **state)
{
	const struct ask *t = *state;
	int pid;

	plan.to = t->to;
	plan.port = 53;
	plan.family = t->family;
	plan.connected = t->connected;
	plan.bind_to = t->bind_to;
	pid = stage_start(INSIDE, NOBODY, program_ask);
	assert_int_equal(responder_answer(stage.sockets[t->responder], 2), 2);
	stage_release(pid);
	assert_int_equal(stage.note->result, 0);
	assert_string_equal(stage.note->text, "answer");
	assert_string_equal(address_text(&stage.note->from), t->shown);
	if (t->connected)
		assert_string_equal(address_text(&stage.note->peer), t->shown);
	assert_int_equal(stage_count_frames(frame_is_payload, 0), 0);
}

struct refused {
	const char *name, *to;
	uint16_t port;
	int family;
	bool on_wire;
};

/* clang-format off */
static const struct refused refused[] = {
	{ "port_443", STAGE_SERVER4, 443, AF_INET, true },
	{ "port_443_ipv6", STAGE_SERVER6, 443, AF_INET6, true },
	{ "port_443_v4_mapped", "::ffff:10.77.9.9", 443, AF_INET6, true },
	{ "port_443_ipv4_on_ipv6_socket", STAGE_SERVER4, 443, AF_INET6, true },
	{ "neighbour", STAGE_FAR4, 123, AF_INET, true },
	{ "multicast", "239.77.1.1", 5353, AF_INET, true },
	{ "multicast_ipv6", "ff05::77:1", 5353, AF_INET6, true },
	{ "loopback", "127.0.0.1", 5353, AF_INET, false },
};
/* clang-format on */

static int program_send(void)
{
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, plan.to, plan.port);
	int fd = socket(plan.family, SOCK_DGRAM, 0);

	return sendto(fd, "payload", 7, 0, (struct sockaddr *)&to, n) == 7 ? 0 : errno;
}

static void test_refused(void **state)
{
	const struct refused *t = *state;
	const struct denial *d;

	plan.to = t->to;
	plan.port = t->port;
	plan.family = t->family;
	(void)stage_count_frames(frame_is_payload, 0);
	assert_int_equal(stage_run(OUTSIDE, NOBODY, program_send), 0);
	if (t->on_wire)
		assert_true(stage_count_frames(frame_is_payload, 1000) > 0);
	stage_forget_events();
	assert_int_equal(stage_run(INSIDE, NOBODY, program_send), ECONNREFUSED);
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0);
	d = stage_find_event(HOOK_SENDMSG, WHY_datagram_refused);
	assert_non_null(d);
	assert_int_equal(d->port, t->port);
	assert_int_equal(d->pid, stage.note->pid);
}

/* Straight to our responder's port: not an address that a program may know. */
static void test_own_port(void **state)
{
	(void)state;
	plan.to = "127.0.0.1";
	plan.port = stage.ports[STAGE_DNS4];
	plan.family = AF_INET;
	assert_int_equal(stage_run(INSIDE, NOBODY, program_send), ECONNREFUSED);
	plan.to = "::1";
	plan.port = stage.ports[STAGE_DNS6];
	plan.family = AF_INET6;
	assert_int_equal(stage_run(INSIDE, NOBODY, program_send), ECONNREFUSED);
}

/* A connected socket that sends IP options as control data: the hook gets no address, and must not guess one. */
static int program_send_options(void)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(4)];
	} control = { .head = { .cmsg_len = CMSG_LEN(4), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_RETOPTS } };
	struct iovec data = { .iov_base = (void *)(uintptr_t) "payload", .iov_len = 7 };
	struct msghdr m = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, STAGE_SERVER4, 53);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memset(CMSG_DATA(&control.head), IPOPT_NOP, 4);
	if (connect(fd, (struct sockaddr *)&to, n) < 0)
		return 999;
	return sendmsg(fd, &m, 0) == 7 ? 0 : errno;
}

static void test_options(void **state)
{
	(void)state;
	assert_int_equal(stage_run(OUTSIDE, NOBODY, program_send_options), 0);
	assert_true(stage_count_frames(frame_is_payload, 1000) > 0);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_send_options), ECONNREFUSED);
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(asks) + ARRAY_SIZE(refused) + 2] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(asks); i++)
		tests[n++] = (struct CMUnitTest){ asks[i].name, test_ask, NULL, NULL, (void *)(uintptr_t)&asks[i] };
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		tests[n++] = (struct CMUnitTest){ refused[i].name, test_refused, NULL, NULL,
						  (void *)(uintptr_t)&refused[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_own_port);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_options);
	return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
