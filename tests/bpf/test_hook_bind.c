/* SPDX-License-Identifier: Apache-2.0 */
/* br_bind4/6: the four ports of ours cannot be taken, on no address and with no option; all others can. */
#include "stage.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

static struct {
	const char *at;
	uint16_t port;
	int type;
} plan;

static int program_bind(void)
{
	struct sockaddr_storage at;
	socklen_t n = address_make(&at, plan.at, plan.port);
	int fd = socket(at.ss_family, plan.type, 0), one = 1;

	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	return bind(fd, (struct sockaddr *)&at, n) < 0 ? errno : 0;
}

static const char *const addresses[] = { "127.0.0.1", "0.0.0.0", "127.0.0.9",	     STAGE_NEAR4,
					 "::1",	      "::",	 "::ffff:127.0.0.1", STAGE_NEAR6 };
static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

static void test_our_ports(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses) * ARRAY_SIZE(types) * STAGE_SOCKETS; i++) {
		const struct denial *d;

		plan.at = addresses[i % ARRAY_SIZE(addresses)];
		plan.type = types[i / ARRAY_SIZE(addresses) % ARRAY_SIZE(types)];
		plan.port = stage.ports[i / ARRAY_SIZE(addresses) / ARRAY_SIZE(types)];
		stage_forget_events();
		assert_int_equal(stage_run(INSIDE, NOBODY, program_bind), EADDRINUSE);
		d = stage_find_event(HOOK_BIND, WHY_bind_refused);
		assert_non_null(d);
		assert_int_equal(d->port, plan.port);
	}
}

/* An address of ours that nobody holds: without the programs it is free, so that only they can be what refuses. */
static void test_control(void **state)
{
	(void)state;
	plan.at = "127.0.0.9";
	plan.type = SOCK_STREAM;
	plan.port = stage.ports[STAGE_TCP4];
	assert_int_equal(stage_run(OUTSIDE, NOBODY, program_bind), 0);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_bind), EADDRINUSE);
}

static void test_other_ports(void **state)
{
	static const uint16_t ports[] = { 0, 8000, STAGE_PROXY_PORT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses) * ARRAY_SIZE(types) * ARRAY_SIZE(ports); i++) {
		plan.at = addresses[i % ARRAY_SIZE(addresses)];
		plan.type = types[i / ARRAY_SIZE(addresses) % ARRAY_SIZE(types)];
		plan.port = ports[i / ARRAY_SIZE(addresses) / ARRAY_SIZE(types)];
		assert_int_equal(stage_run(INSIDE, NOBODY, program_bind), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_our_ports),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_other_ports),
	};

	return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
