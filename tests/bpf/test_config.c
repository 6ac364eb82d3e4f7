/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What user space writes for the programs, row by row: a missing, zeroed or unknown value refuses, and the next call
 * after a change sees it.
 */
#include "stage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/util.h"

static struct {
	const char *to;
	uint16_t port;
	int type;
} plan;

static int program_connect(void)
{
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, plan.to, plan.port);
	int fd = socket(to.ss_family, plan.type | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return errno;
	return connect(fd, (struct sockaddr *)&to, n) < 0 && errno != EINPROGRESS ? errno : 0;
}

static int try(const char *to, uint16_t port, int type)
{
	plan.to = to;
	plan.port = port;
	plan.type = type;
	stage_forget_events();
	return stage_run(INSIDE, NOBODY, program_connect);
}

static int map_get(const char *name)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/maps/%s", stage.pin_dir, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	return fd;
}

static void test_ports(void **state)
{
	static const enum port_state refusing[] = { PORT_REFUSED, PORT_PROXY + 1, 0xffffffff };
	const struct port_key key = { .sandbox = STAGE_SANDBOX, .port = 8443 };
	const struct port_key other = { .sandbox = STAGE_SANDBOX + 1, .port = 8444 };
	struct port_value value = { .state = PORT_NAMED };
	int ports = map_get("ports");

	(void)state;
	assert_int_equal(try(STAGE_SERVER4, 8443, SOCK_STREAM), 0);
	for (size_t i = 0; i < ARRAY_SIZE(refusing); i++) {
		value.state = refusing[i];
		assert_int_equal(bpf_map_update_elem(ports, &key, &value, BPF_ANY), 0);
		assert_int_equal(try(STAGE_SERVER4, 8443, SOCK_STREAM), ECONNREFUSED);
		assert_non_null(stage_find_event(HOOK_CONNECT, WHY_port_not_named));
	}
	assert_int_equal(bpf_map_delete_elem(ports, &key), 0);
	assert_int_equal(try(STAGE_SERVER4, 8443, SOCK_STREAM), ECONNREFUSED);
	/* another sandbox's row is nothing to this one */
	value.state = PORT_NAMED;
	assert_int_equal(bpf_map_update_elem(ports, &other, &value, BPF_ANY), 0);
	assert_int_equal(try(STAGE_SERVER4, 8444, SOCK_STREAM), ECONNREFUSED);
	assert_int_equal(bpf_map_update_elem(ports, &key, &value, BPF_ANY), 0);
	assert_int_equal(try(STAGE_SERVER4, 8443, SOCK_STREAM), 0);
	(void)close(ports);
}

static struct sandbox_config config;

static void config_put(int sandboxes)
{
	const uint64_t id = STAGE_SANDBOX;

	assert_int_equal(bpf_map_update_elem(sandboxes, &id, &config, BPF_ANY), 0);
}

static void test_families(void **state)
{
	const uint64_t id = STAGE_SANDBOX;
	int sandboxes = map_get("sandboxes");
	struct sandbox_config whole;

	(void)state;
	assert_int_equal(bpf_map_lookup_elem(sandboxes, &id, &whole), 0);
	config = whole;
	config.tcp6_port = 0;
	config.dns4_port = 0;
	config_put(sandboxes);
	assert_int_equal(try(STAGE_SERVER6, 443, SOCK_STREAM), ECONNREFUSED);
	assert_non_null(stage_find_event(HOOK_CONNECT, WHY_address_family));
	assert_int_equal(try(STAGE_SERVER4, 443, SOCK_STREAM), 0);
	assert_int_equal(try(STAGE_SERVER4, 53, SOCK_DGRAM), ECONNREFUSED);
	assert_int_equal(try("::ffff:" STAGE_SERVER4, 53, SOCK_DGRAM), ECONNREFUSED);
	assert_int_equal(try(STAGE_SERVER6, 53, SOCK_DGRAM), 0);
	config = whole;
	config_put(sandboxes);
	assert_int_equal(try(STAGE_SERVER6, 443, SOCK_STREAM), 0);
	assert_int_equal(try(STAGE_SERVER4, 53, SOCK_DGRAM), 0);
	(void)close(sandboxes);
}

/* A socket that was born well, and the sandbox changes under it. */
static int program_later(void)
{
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), udp = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_storage web, dns, any;
	socklen_t n = address_make(&web, STAGE_SERVER4, 443);

	(void)address_make(&dns, STAGE_SERVER4, 53);
	(void)address_make(&any, "0.0.0.0", 0);
	if (tcp < 0 || udp < 0)
		return 999;
	stage_hold();
	if (bind(tcp, (struct sockaddr *)&any, n) == 0 || errno != EPERM)
		return 1;
	if (connect(tcp, (struct sockaddr *)&web, n) == 0 || errno != ECONNREFUSED)
		return 2;
	if (sendto(udp, "payload", 7, 0, (struct sockaddr *)&dns, n) >= 0 || errno != ECONNREFUSED)
		return 3;
	if (connect(udp, (struct sockaddr *)&dns, n) == 0 || errno != ECONNREFUSED)
		return 4;
	if (setsockopt(udp, SOL_SOCKET, SO_MARK, &one, sizeof(one)) == 0 || errno != EPERM)
		return 5;
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM ? 6 : 0;
}

static void test_sandbox(void **state)
{
	/* clang-format off */
	static const struct { enum sandbox_state state; uint64_t cookie_change; enum why why; } rows[] = {
		{ SANDBOX_UNSET, 0, WHY_sandbox_inactive }, { SANDBOX_CLOSED, 0, WHY_sandbox_inactive },
		{ SANDBOX_CLOSED + 1, 0, WHY_sandbox_inactive }, { SANDBOX_ACTIVE, 1, WHY_netns_foreign },
	};
	/* clang-format on */
	const uint64_t id = STAGE_SANDBOX;
	int sandboxes = map_get("sandboxes");
	struct sandbox_config whole;

	(void)state;
	assert_int_equal(bpf_map_lookup_elem(sandboxes, &id, &whole), 0);
	for (size_t i = 0; i <= ARRAY_SIZE(rows); i++) {
		int pid = stage_start(INSIDE, NOBODY, program_later);
		bool gone = i == ARRAY_SIZE(rows);

		stage_wait_ready(pid);
		stage_forget_events();
		config = whole;
		if (gone) {
			assert_int_equal(bpf_map_delete_elem(sandboxes, &id), 0);
		} else {
			config.state = rows[i].state;
			config.netns_cookie += rows[i].cookie_change;
			config_put(sandboxes);
		}
		stage_release(pid);
		assert_int_equal(stage.note->result, 0);
		for (int hook = HOOK_SOCK_CREATE; hook <= HOOK_BIND; hook++)
			assert_non_null(stage_find_event((enum hook)hook, gone ? WHY_no_sandbox : rows[i].why));
		config = whole;
		config_put(sandboxes);
	}
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0);
	(void)close(sandboxes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_sandbox),
	};

	return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
