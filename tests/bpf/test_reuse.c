/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that are used again: what one permitted use left behind permits nothing else. Disconnected and connected anew,
 * one port after the other, datagrams in batches, a listener that has gone, another network namespace.
 */
#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/util.h"

static int connect_to(int fd, const char *text, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, text, port);

	return connect(fd, (struct sockaddr *)&to, n) < 0 ? errno : 0;
}

static int disconnect(int fd)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(fd, &none, sizeof(none)) < 0 ? errno : 0;
}

static int send_to(int fd, const char *text, uint16_t port, int flags)
{
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, text, port);

	return sendto(fd, "payload", 7, flags, (struct sockaddr *)&to, n) == 7 ? 0 : errno;
}

/* The destination that a worker would find for the connection that it accepts; empty: none. */
static const char *worker_finds(void)
{
	static char text[64];
	struct pollfd p = { .fd = stage.sockets[STAGE_TCP4], .events = POLLIN };
	struct flow_key key = { .netns_cookie = stage.cookie, .family = AF_INET };
	int flows = kernel_flows_fd(stage.kernel), fd;
	char ip[INET6_ADDRSTRLEN] = "";
	struct sockaddr_in from;
	socklen_t n = sizeof(from);
	struct flow flow = { 0 };

	text[0] = '\0';
	if (poll(&p, 1, 3000) == 1) {
		fd = accept4(p.fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC);
		memcpy(key.address, &from.sin_addr, 4);
		key.port = ntohs(from.sin_port);
		if (bpf_map_lookup_elem(flows, &key, &flow) == 0 &&
		    inet_ntop(flow.family, flow.address, ip, sizeof(ip)))
			(void)snprintf(text, sizeof(text), "%s %u", ip, flow.port);
		(void)close(fd);
	}
	(void)close(flows);
	return text;
}

/* The first step that goes another way is told by its line. */
#define STEP(call, wanted)                                                                                         \
	do {                                                                                                       \
		int got_ = (call);                                                                                 \
		if (got_ != (wanted)) {                                                                            \
			(void)snprintf(stage.note->text, sizeof(stage.note->text), "line %d: %d", __LINE__, got_); \
			return 999;                                                                                \
		}                                                                                                  \
	} while (0)

/* Waits for the test, and can wait again. */
static void hold_once(void)
{
	stage_hold();
	stage.note->ready = 0;
	stage.note->released = 0;
}

static void run_steps(enum who who, program_fn fn)
{
	(void)stage_count_frames(frame_is_payload, 0);
	if (stage_run(INSIDE, who, fn) != 0)
		fail_msg("%s", stage.note->text);
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0);
}

static int program_tcp_again(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	STEP(connect_to(fd, STAGE_SERVER4, 443), 0);
	STEP(disconnect(fd), 0);
	STEP(connect_to(fd, STAGE_SERVER4, 22), ECONNREFUSED);
	STEP(connect_to(fd, "127.0.0.1", stage.ports[STAGE_TCP4]), ECONNREFUSED);
	STEP(disconnect(fd), 0);
	hold_once();
	STEP(connect_to(fd, "10.77.9.8", 8443), 0);
	stage_hold();
	return 0;
}

/* A socket that was turned round once: its first flow is gone, its second names the second destination. */
static void test_tcp_again(void **state)
{
	int pid = stage_start(INSIDE, NOBODY, program_tcp_again);

	(void)state;
	stage_wait_ready(pid);
	assert_string_equal(worker_finds(), "");
	stage.note->released = 1;
	assert_string_equal(worker_finds(), "10.77.9.8 8443");
	stage_release(pid);
	if (stage.note->result != 0)
		fail_msg("%s", stage.note->text);
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0);
}

#define PORT_AGAIN 40777

static int program_port_again(void)
{
	const struct linger reset = { .l_onoff = 1 }; /* no TIME-WAIT, so that the port is free at once */
	static const char *const to[] = { "10.77.9.1", "10.77.9.2", "10.77.9.3" };

	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
		struct sockaddr_storage at;
		socklen_t n = address_make(&at, "127.0.0.1", PORT_AGAIN);

		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		STEP(bind(fd, (struct sockaddr *)&at, n), 0);
		STEP(connect_to(fd, to[i], 443), 0);
		hold_once();
		(void)close(fd);
	}
	return 0;
}

static void test_port_again(void **state)
{
	int pid = stage_start(INSIDE, NOBODY, program_port_again);

	(void)state;
	assert_string_equal(worker_finds(), "10.77.9.1 443");
	stage.note->released = 1;
	assert_string_equal(worker_finds(), "10.77.9.2 443");
	stage.note->released = 1;
	assert_string_equal(worker_finds(), "10.77.9.3 443");
	stage_release(pid);
	if (stage.note->result != 0)
		fail_msg("%s", stage.note->text);
}

static int program_udp_again(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	STEP(connect_to(fd, STAGE_SERVER4, 53), 0);
	STEP(send_to(fd, STAGE_SERVER4, 443, 0), ECONNREFUSED);
	STEP(connect_to(fd, STAGE_SERVER4, 443), ECONNREFUSED);
	STEP(disconnect(fd), 0);
	STEP(send(fd, "payload", 7, 0) < 0 ? errno : 0, EDESTADDRREQ);
	STEP(send_to(fd, STAGE_SERVER4, 443, 0), ECONNREFUSED);
	STEP(send_to(fd, "127.0.0.1", 5353, 0), ECONNREFUSED);
	return 0;
}

static void test_udp_again(void **state)
{
	(void)state;
	run_steps(NOBODY, program_udp_again);
}

/* The destination of a datagram that is put together by parts is the first part's. */
static int program_udp_parts(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	STEP(send_to(fd, STAGE_SERVER4, 443, MSG_MORE), ECONNREFUSED);
	STEP(send_to(fd, STAGE_SERVER4, 53, MSG_MORE), 0);
	(void)send_to(fd, STAGE_SERVER4, 443, MSG_MORE);
	(void)send_to(fd, STAGE_SERVER4, 443, 0);
	return 0;
}

/* The responder gets what was sent, and nothing more than that. */
static int responder_count(size_t size)
{
	struct pollfd p = { .fd = stage.sockets[STAGE_DNS4], .events = POLLIN };
	char data[256];
	int n = 0;

	while (poll(&p, 1, 100) == 1)
		n += recv(p.fd, data, sizeof(data), 0) == (ssize_t)size;
	return n;
}

static void test_udp_parts(void **state)
{
	(void)state;
	run_steps(NOBODY, program_udp_parts);
	assert_int_equal(responder_count(21), 1);
}

/* Many datagrams in one call: each is judged, and the first refusal ends it. */
static int program_udp_batch(void)
{
	static const uint16_t ports[] = { 53, 443, 53 };
	struct iovec data = { .iov_base = (void *)(uintptr_t) "payload", .iov_len = 7 };
	struct sockaddr_storage to[ARRAY_SIZE(ports)];
	struct mmsghdr batch[ARRAY_SIZE(ports)] = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		batch[i].msg_hdr = (struct msghdr){ .msg_name = &to[i],
						    .msg_namelen = address_make(&to[i], STAGE_SERVER4, ports[i]),
						    .msg_iov = &data,
						    .msg_iovlen = 1 };
	STEP(sendmmsg(fd, batch, ARRAY_SIZE(ports), 0), 1);
	STEP(sendmmsg(fd, batch + 1, 1, 0) < 0 ? errno : 0, ECONNREFUSED);
	return 0;
}

static void test_udp_batch(void **state)
{
	(void)state;
	run_steps(NOBODY, program_udp_batch);
	assert_int_equal(responder_count(7), 1);
}

/* IPv4 takes an address without a family for its own; the hook must not take it for none. */
static int program_no_family(void)
{
	int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, STAGE_SERVER4, 443);

	to.ss_family = AF_UNSPEC;
	STEP(sendto(udp, "payload", 7, 0, (struct sockaddr *)&to, n) < 0 ? errno : 0, ECONNREFUSED);
	STEP(sendto(tcp, "payload", 7, MSG_FASTOPEN, (struct sockaddr *)&to, n) < 0 ? errno : 0, EOPNOTSUPP);
	return 0;
}

static void test_no_family(void **state)
{
	(void)state;
	run_steps(NOBODY, program_no_family);
}

/* A server of the sandbox's own that goes: from then on its port is nobody's. 8443 is a port that the policy names. */
static int program_listener_closed(void)
{
	struct sockaddr_storage at;
	socklen_t n = address_make(&at, "127.0.0.1", 8443);
	int server = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	(void)setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	STEP(bind(server, (struct sockaddr *)&at, n), 0);
	STEP(connect_to(socket(AF_INET, SOCK_STREAM, 0), "127.0.0.1", 8443), ECONNREFUSED); /* bound, not listening */
	STEP(listen(server, 4), 0);
	STEP(connect_to(socket(AF_INET, SOCK_STREAM, 0), "127.0.0.1", 8443), 0);
	STEP(close(server), 0);
	STEP(connect_to(socket(AF_INET, SOCK_STREAM, 0), "127.0.0.1", 8443), ECONNREFUSED);
	return 0;
}

static void test_listener_closed(void **state)
{
	(void)state;
	stage_forget_events();
	run_steps(NOBODY, program_listener_closed);
	assert_non_null(stage_find_event(HOOK_CONNECT, WHY_loopback_nobody));
}

/*
 * A socket keeps the namespace that it was made in, not its user's: one from ours still arrives at our listener from
 * the other namespace, and one from there is refused here (test_foreign_netns of br_sock_create).
 */
static int program_other_namespace(void)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);

	STEP(setns(stage.far, CLONE_NEWNET), 0);
	STEP(connect_to(tcp, STAGE_SERVER4, 443), 0);
	STEP(send_to(udp, STAGE_NEAR4, 443, 0), ECONNREFUSED);
	STEP(socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0, EPERM);
	stage_hold();
	return 0;
}

static void test_other_namespace(void **state)
{
	int pid = stage_start(INSIDE, ROOT, program_other_namespace);

	(void)state;
	assert_string_equal(worker_finds(), "10.77.9.9 443");
	stage_wait_ready(pid);
	stage_release(pid);
	if (stage.note->result != 0)
		fail_msg("%s", stage.note->text);
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp_again),	cmocka_unit_test(test_port_again),
		cmocka_unit_test(test_udp_again),	cmocka_unit_test(test_udp_parts),
		cmocka_unit_test(test_udp_batch),	cmocka_unit_test(test_no_family),
		cmocka_unit_test(test_listener_closed), cmocka_unit_test(test_other_namespace),
	};

	return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
