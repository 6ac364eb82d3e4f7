/* SPDX-License-Identifier: Apache-2.0 */
/*
 * br_sock_create: what may exist at all. Every protocol that no connect or sendmsg hook sees is refused at birth, for
 * root too; where this kernel has the protocol, the control shows that its packets reach the wire without us.
 */
#include "stage.h"

#include <errno.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef IPPROTO_SMC
#define IPPROTO_SMC 256
#endif
#define IPPROTO_L2TP_ 115

struct socket_row {
	const char *name;
	int family, type, protocol;
	enum who who;
	frame_fn frame;
};

/* clang-format off */
static const struct socket_row rows[] = {
	{ "udp_lite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, NOBODY, frame_is_payload },
	{ "udp_lite_ipv6", AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, NOBODY, frame_is_payload },
	{ "sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP, NOBODY, frame_is_payload },
	{ "mptcp", AF_INET, SOCK_STREAM, IPPROTO_MPTCP, NOBODY, frame_is_payload },
	{ "mptcp_ipv6", AF_INET6, SOCK_STREAM, IPPROTO_MPTCP, NOBODY, frame_is_payload },
	{ "smc", AF_INET, SOCK_STREAM, IPPROTO_SMC, NOBODY, frame_is_payload },
	{ "l2tp", AF_INET, SOCK_DGRAM, IPPROTO_L2TP_, NOBODY, frame_is_payload },
	{ "ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, ROOT, frame_is_icmp },
	{ "raw", AF_INET, SOCK_RAW, IPPROTO_RAW, ROOT, frame_is_payload },
	{ "raw_icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP, ROOT, frame_is_icmp },
	{ "raw_udp_ipv6", AF_INET6, SOCK_RAW, IPPROTO_UDP, ROOT, frame_is_payload },
	{ "dccp", AF_INET, 6 /* SOCK_DCCP */, 33, NOBODY, frame_is_payload },
};
/* clang-format on */

static const struct socket_row *row;

/* A packet that every one of these protocols takes: an ICMP echo, or an IP header with nothing behind. */
static ssize_t datagram_send(int fd, const struct sockaddr_storage *to, socklen_t n)
{
	struct icmphdr echo = { .type = ICMP_ECHO };
	uint8_t packet[28] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 77, 1, 2, 10, 77, 9, 9 };

	if (row->protocol == IPPROTO_ICMP)
		return sendto(fd, &echo, sizeof(echo), 0, (const struct sockaddr *)to, n);
	return sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)to, n);
}

static int program_open(void)
{
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, row->family == AF_INET ? STAGE_SERVER4 : STAGE_SERVER6,
				   row->type == SOCK_RAW ? 0 : 443);
	int fd = socket(row->family, row->type | SOCK_NONBLOCK, row->protocol);

	if (fd < 0)
		return errno;
	if (row->type == SOCK_STREAM || row->type == 6)
		return connect(fd, (struct sockaddr *)&to, n) < 0 && errno != EINPROGRESS ? errno : 0;
	return datagram_send(fd, &to, n) < 0 ? errno : 0;
}

static int program_ping(void)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ping_group_range", "w");

	if (!f || fputs("0 0", f) < 0 || fclose(f) != 0)
		return errno;
	return program_open();
}

/* Not every kernel has every protocol, and what it lacks cannot be let out: such a row is named and left out. */
static bool row_exists(const struct socket_row *r)
{
	int fd = socket(r->family, r->type, r->protocol);

	if (fd < 0 && errno != EACCES) { /* ping: allowed by program_ping() later */
		(void)fprintf(stderr, "note: this kernel has no %s: %s\n", r->name, strerror(errno));
		return false;
	}
	if (fd >= 0)
		(void)close(fd);
	return true;
}

static void test_protocol(void **state)
{
	const struct denial *d;
	program_fn program;

	row = *state;
	program = strcmp(row->name, "ping") == 0 ? program_ping : program_open;
	(void)stage_count_frames(row->frame, 0);
	assert_int_equal(stage_run(OUTSIDE, row->who, program), 0);
	assert_true(stage_count_frames(row->frame, 1000) > 0);
	stage_forget_events();
	assert_int_equal(stage_run(INSIDE, row->who, program), EPROTONOSUPPORT);
	assert_int_equal(stage_count_frames(row->frame, 50), 0);
	d = stage_find_event(HOOK_SOCK_CREATE, WHY_socket_protocol);
	assert_non_null(d);
	assert_int_equal(d->pid, stage.note->pid);
	assert_int_equal(d->family, row->family);
	assert_string_equal(d->exe, "test_hook_sock_create");
}

/* What remains. */
static int program_tcp_and_udp(void)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (socket(families[i], SOCK_STREAM, 0) < 0 || socket(families[i], SOCK_STREAM, IPPROTO_TCP) < 0 ||
		    socket(families[i], SOCK_DGRAM, 0) < 0 || socket(families[i], SOCK_DGRAM, IPPROTO_UDP) < 0)
			return errno;
	}
	return 0;
}

static void test_tcp_and_udp(void **state)
{
	(void)state;
	assert_int_equal(stage_run(INSIDE, NOBODY, program_tcp_and_udp), 0);
}

static int program_foreign_netns(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return errno;
	return program_tcp_and_udp();
}

static void test_foreign_netns(void **state)
{
	(void)state;
	assert_int_equal(stage_run(OUTSIDE, ROOT, program_foreign_netns), 0);
	stage_forget_events();
	assert_int_equal(stage_run(INSIDE, ROOT, program_foreign_netns), EPERM);
	assert_non_null(stage_find_event(HOOK_SOCK_CREATE, WHY_netns_foreign));
}

/* Attached but not activated: nothing. */
static void test_inactive(void **state)
{
	(void)state;
	stage_detach();
	stage_attach();
	assert_int_equal(stage_run(OUTSIDE, NOBODY, program_tcp_and_udp), 0);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_tcp_and_udp), EPERM);
	assert_non_null(stage_find_event(HOOK_SOCK_CREATE, WHY_no_sandbox));
	stage_activate();
	assert_int_equal(stage_run(INSIDE, NOBODY, program_tcp_and_udp), 0);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 3] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (row_exists(&rows[i]))
			tests[n++] = (struct CMUnitTest){ rows[i].name, test_protocol, NULL, NULL,
							  (void *)(uintptr_t)&rows[i] };
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_tcp_and_udp);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_foreign_netns);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_inactive);
	return _cmocka_run_group_tests("tests", tests, n, stage_setup, stage_teardown);
}
