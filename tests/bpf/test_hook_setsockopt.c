/* SPDX-License-Identifier: Apache-2.0 */
/*
 * br_setsockopt: every row of bpf/sockopts.def is refused and reported, on both families, for root too; where the
 * option alone sends packets (group joins) or moves them (devices, routing headers), the control shows them.
 */
#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

struct option {
	int level, name;
	const char *text;
};

static const struct option options[] = {
#define SOCKOPT(level, number, name) { level, number, #name },
#include "bpf/sockopts.def"
#undef SOCKOPT
};

static const struct option *option;

static int program_set(void)
{
	static const char zero[64];
	int fd = socket(option->level == IPPROTO_IPV6 ? AF_INET6 : AF_INET,
			option->level == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM, 0);

	if (fd < 0)
		return 999;
	return setsockopt(fd, option->level, option->name, zero, sizeof(zero)) < 0 ? errno : 0;
}

static void test_every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct denial *d;

		option = &options[i];
		stage_forget_events();
		assert_int_equal(stage_run(INSIDE, ROOT, program_set), EPERM);
		d = stage_find_event(HOOK_SETSOCKOPT, WHY_sockopt_refused);
		assert_non_null(d);
		assert_int_equal(d->protocol, option->level << 8 | option->name);
		assert_int_equal(d->sandbox, STAGE_SANDBOX);
	}
}

/* What programs set all day. */
static int program_set_usual(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0), fd6 = socket(AF_INET6, SOCK_STREAM, 0), pair[2];
	char big[8192] = { 1 };

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_TOS, &one, sizeof(one)) < 0 ||
	    setsockopt(fd6, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		return errno;
	/* longer than what programs are shown: passes through, as without them */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, big, sizeof(big)) < 0)
		return errno;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
		return errno;
	return 0;
}

static void test_usual(void **state)
{
	(void)state;
	assert_int_equal(stage_run(OUTSIDE, NOBODY, program_set_usual), 0);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_set_usual), 0);
}

/* A refused option does not pass by being long. */
static int program_set_long(void)
{
	char big[8192] = STAGE_DEVICE;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, big, sizeof(big)) < 0 ? errno : 0;
}

static void test_long_value(void **state)
{
	(void)state;
	assert_int_equal(stage_run(OUTSIDE, NOBODY, program_set_long), 0);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_set_long), EPERM);
}

static int program_join4(void)
{
	struct ip_mreqn join = { .imr_ifindex = (int)if_nametoindex(STAGE_DEVICE) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)inet_pton(AF_INET, STAGE_GROUP4, &join.imr_multiaddr);
	if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)) < 0)
		return errno;
	stage_hold(); /* the report is sent a little later, while the socket lives */
	return 0;
}

static int program_join6(void)
{
	struct ipv6_mreq join = { .ipv6mr_interface = if_nametoindex(STAGE_DEVICE) };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	(void)inet_pton(AF_INET6, STAGE_GROUP6, &join.ipv6mr_multiaddr);
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &join, sizeof(join)) < 0)
		return errno;
	stage_hold();
	return 0;
}

static int join(enum place place, program_fn fn, frame_fn frame, int wait_ms, int *ret_frames)
{
	int pid = stage_start(place, NOBODY, fn);

	stage_wait_ready(pid);
	*ret_frames = stage_count_frames(frame, wait_ms);
	stage_release(pid);
	return stage.note->result;
}

static void test_group_joins(void **state)
{
	static const struct {
		program_fn fn;
		frame_fn frame;
	} rows[] = { { program_join4, frame_is_group4 }, { program_join6, frame_is_group6 } };
	int frames = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)stage_count_frames(rows[i].frame, 0);
		assert_int_equal(join(INSIDE, rows[i].fn, rows[i].frame, 1500, &frames), EPERM);
		assert_int_equal(frames, 0);
		assert_int_equal(join(OUTSIDE, rows[i].fn, rows[i].frame, 3000, &frames), 0);
		assert_true(frames > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_usual),
		cmocka_unit_test(test_long_value),
		cmocka_unit_test(test_group_joins),
	};

	return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
