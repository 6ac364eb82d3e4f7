/* SPDX-License-Identifier: Apache-2.0 */
/*
 * br_connect4/6, br_sockops, br_peer4/6: a connection arrives at our listener, with the destination that the program
 * asked for, whatever way it was opened; and everything that is not to be turned round is refused.
 */
#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/util.h"

enum way { PLAIN = 0, BOUND, FAST_OPEN, FAST_OPEN_CONNECT, NON_BLOCKING };

/* What the program under test does; set before it is forked. */
static struct {
	const char *to, *bind_to;
	uint16_t port;
	int type;
	enum way way;
} plan;

static int plan_open(int fd)
{
	struct sockaddr_storage to, at;
	socklen_t n = address_make(&to, plan.to, plan.port);
	int one = 1;

	if (plan.way == BOUND && bind(fd, (struct sockaddr *)&at, address_make(&at, plan.bind_to, 0)) < 0)
		return errno;
	if (plan.way == FAST_OPEN)
		return sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&to, n) == 5 ? 0 : errno;
	if (plan.way == FAST_OPEN_CONNECT && setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)) < 0)
		return errno;
	if (connect(fd, (struct sockaddr *)&to, n) < 0 && errno != EINPROGRESS)
		return errno;
	if (plan.way == FAST_OPEN_CONNECT && send(fd, "hello", 5, 0) != 5)
		return errno;
	return 0;
}

static int program_connect(void)
{
	int type = plan.type ? plan.type : SOCK_STREAM;
	int fd = socket(strchr(plan.to, ':') ? AF_INET6 : AF_INET,
			type | (plan.way == NON_BLOCKING ? SOCK_NONBLOCK : 0), 0);
	socklen_t n = sizeof(stage.note->peer);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int r;

	if (fd < 0)
		return errno;
	r = plan_open(fd);
	if (r != 0)
		return r;
	(void)poll(&p, 1, 2000);
	(void)getpeername(fd, (struct sockaddr *)&stage.note->peer, &n);
	n = sizeof(stage.note->local);
	(void)getsockname(fd, (struct sockaddr *)&stage.note->local, &n);
	n = sizeof(stage.note->cookie);
	(void)getsockopt(fd, SOL_SOCKET, SO_COOKIE, &stage.note->cookie, &n);
	stage.note->result = 0;
	stage_hold();
	return 0;
}

/* What a worker does: accepts, and looks the far end up. */
static int worker_accept(enum stage_socket listener, struct flow_key *ret_key)
{
	struct pollfd p = { .fd = stage.sockets[listener], .events = POLLIN };
	struct sockaddr_storage from;
	socklen_t n = sizeof(from);
	int fd;

	if (poll(&p, 1, 3000) != 1)
		return -1;
	fd = accept4(stage.sockets[listener], (struct sockaddr *)&from, &n, SOCK_CLOEXEC);
	memset(ret_key, 0, sizeof(*ret_key));
	ret_key->netns_cookie = stage.cookie;
	ret_key->family = from.ss_family;
	ret_key->port = address_port(&from);
	if (from.ss_family == AF_INET)
		memcpy(ret_key->address, &((struct sockaddr_in *)&from)->sin_addr, 4);
	else
		memcpy(ret_key->address, &((struct sockaddr_in6 *)&from)->sin6_addr, 16);
	return fd;
}

static void flow_text(const struct flow *flow, char text[64])
{
	char ip[INET6_ADDRSTRLEN];

	(void)inet_ntop(flow->family, flow->address, ip, sizeof(ip));
	(void)snprintf(text, 64, "%s %u", ip, flow->port);
}

struct turned {
	const char *name, *to, *original; /* original: as the flow should say */
	uint16_t port;
	enum way way;
	const char *bind_to;
	enum stage_socket listener;
};

/* clang-format off */
static const struct turned turned[] = {
	{ "ipv4", STAGE_SERVER4, "10.77.9.9 443", 443, PLAIN, NULL, STAGE_TCP4 },
	{ "ipv6", STAGE_SERVER6, "fd77:9::9 443", 443, PLAIN, NULL, STAGE_TCP6 },
	{ "v4_mapped", "::ffff:10.77.9.9", "10.77.9.9 443", 443, PLAIN, NULL, STAGE_TCP4 },
	{ "bound_ipv4", STAGE_SERVER4, "10.77.9.9 80", 80, BOUND, STAGE_NEAR4, STAGE_TCP4 },
	{ "bound_ipv6_loopback", STAGE_SERVER6, "fd77:9::9 80", 80, BOUND, "::1", STAGE_TCP6 },
	{ "bound_v4_mapped", "::ffff:10.77.9.9", "10.77.9.9 80", 80, BOUND, "::ffff:" STAGE_NEAR4, STAGE_TCP4 },
	{ "fast_open", STAGE_SERVER4, "10.77.9.9 443", 443, FAST_OPEN, NULL, STAGE_TCP4 },
	{ "fast_open_connect", STAGE_SERVER4, "10.77.9.9 443", 443, FAST_OPEN_CONNECT, NULL, STAGE_TCP4 },
	{ "fast_open_ipv6", STAGE_SERVER6, "fd77:9::9 443", 443, FAST_OPEN, NULL, STAGE_TCP6 },
	{ "non_blocking", STAGE_SERVER4, "10.77.9.9 8443", 8443, NON_BLOCKING, NULL, STAGE_TCP4 },
	{ "proxy_port", "127.0.0.1", "127.0.0.1 3128", STAGE_PROXY_PORT, PLAIN, NULL, STAGE_TCP4 },
	{ "proxy_port_ipv6", "::1", "::1 3128", STAGE_PROXY_PORT, PLAIN, NULL, STAGE_TCP6 },
	{ "dns_over_tcp", STAGE_SERVER4, "10.77.9.9 53", 53, PLAIN, NULL, STAGE_TCP4 },
	{ "own_address", STAGE_NEAR4, "10.77.1.2 443", 443, PLAIN, NULL, STAGE_TCP4 },
};
/* clang-format on */

static void test_turned(void **state)
{
	const struct turned *t = *state;
	char text[64], peer[80];
	struct flow_key key;
	struct flow flow = { 0 };
	int flows = kernel_flows_fd(stage.kernel);
	int pid, fd;

	plan.to = t->to;
	plan.port = t->port;
	plan.way = t->way;
	plan.bind_to = t->bind_to;
	plan.type = SOCK_STREAM;
	pid = stage_start(INSIDE, NOBODY, program_connect);
	fd = worker_accept(t->listener, &key);
	stage_wait_ready(pid);
	assert_int_equal(stage.note->result, 0);
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_lookup_elem(flows, &key, &flow), 0);
	flow_text(&flow, text);
	assert_string_equal(text, t->original);
	assert_int_equal(flow.sandbox, STAGE_SANDBOX);
	assert_int_equal(flow.pid, pid);
	assert_int_equal(flow.uid, 65534);
	assert_int_equal(flow.cgroup_id, stage.cgroup_id);
	assert_true(flow.started_ns != 0);
	assert_true(flow.socket_cookie == stage.note->cookie);
	assert_string_equal(flow.exe, "test_hook_connect");
	(void)snprintf(peer, sizeof(peer), "%s %u", t->to, t->port);
	assert_string_equal(address_text(&stage.note->peer), peer);
	assert_int_not_equal(bpf_map_update_elem(flows, &key, &flow, BPF_ANY), 0); /* a worker may only read */
	stage_release(pid);
	for (int i = 0; i < 200 && bpf_map_lookup_elem(flows, &key, &flow) == 0; i++)
		(void)usleep(10000); /* data may still wait for its acknowledgement */
	assert_int_not_equal(bpf_map_lookup_elem(flows, &key, &flow), 0); /* taken back at close */
	(void)close(fd);
	(void)close(flows);
	assert_int_equal(stage_count_frames(frame_is_payload, 0), 0);
}

struct refused {
	const char *name, *to;
	uint16_t port;
	int type;
	enum why why;
	bool on_wire; /* the control must show a packet */
};

/* clang-format off */
static const struct refused refused[] = {
	{ "port_22", STAGE_SERVER4, 22, SOCK_STREAM, WHY_port_not_named, true },
	{ "port_22_ipv6", STAGE_SERVER6, 22, SOCK_STREAM, WHY_port_not_named, true },
	{ "port_22_v4_mapped", "::ffff:10.77.9.9", 22, SOCK_STREAM, WHY_port_not_named, true },
	{ "port_0", STAGE_SERVER4, 0, SOCK_STREAM, WHY_port_not_named, false },
	{ "loopback_nobody", "127.0.0.1", 443, SOCK_STREAM, WHY_loopback_nobody, false },
	{ "loopback_nobody_ipv6", "::1", 443, SOCK_STREAM, WHY_loopback_nobody, false },
	{ "loopback_any", "0.0.0.0", 443, SOCK_STREAM, WHY_loopback_nobody, false },
	{ "loopback_any_ipv6", "::", 443, SOCK_STREAM, WHY_loopback_nobody, false },
	{ "loopback_127_9", "127.9.9.9", 443, SOCK_STREAM, WHY_loopback_nobody, false },
	{ "quic", STAGE_SERVER4, 443, SOCK_DGRAM, WHY_datagram_refused, false },
	{ "quic_ipv6", STAGE_SERVER6, 443, SOCK_DGRAM, WHY_datagram_refused, false },
	{ "udp_port_0", STAGE_SERVER4, 0, SOCK_DGRAM, WHY_datagram_refused, false },
	{ "udp_loopback", "127.0.0.1", 5353, SOCK_DGRAM, WHY_datagram_refused, false },
};
/* clang-format on */

static int program_connect_once(void)
{
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, plan.to, plan.port);
	int fd = socket(to.ss_family, plan.type | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return errno;
	return connect(fd, (struct sockaddr *)&to, n) < 0 ? errno : 0;
}

static void test_refused(void **state)
{
	const struct refused *t = *state;
	const struct denial *d;

	plan.to = t->to;
	plan.port = t->port;
	plan.type = t->type;
	(void)stage_count_frames(frame_is_payload, 0);
	if (t->on_wire) {
		(void)stage_run(OUTSIDE, NOBODY, program_connect_once);
		assert_true(stage_count_frames(frame_is_payload, 1000) > 0);
	}
	stage_forget_events();
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_once), ECONNREFUSED);
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0);
	d = stage_find_event(HOOK_CONNECT, t->why);
	assert_non_null(d);
	assert_int_equal(d->port, t->port);
	assert_int_equal(d->type, t->type);
	assert_int_equal(d->pid, stage.note->pid);
	assert_int_equal(d->sandbox, STAGE_SANDBOX);
	assert_string_equal(d->exe, "test_hook_connect");
}

/* Our own ports: no way to name them leads to our listener. */
static void test_own_ports(void **state)
{
	static const char *const names[] = { "127.0.0.1", "0.0.0.0", "127.1.2.3", "::ffff:127.0.0.1", "::1", "::" };

	(void)state;
	plan.type = SOCK_STREAM;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (int s = 0; s < STAGE_SOCKETS; s++) {
			plan.to = names[i];
			plan.port = stage.ports[s];
			stage_forget_events();
			assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_once), ECONNREFUSED);
			assert_non_null(stage_find_event(HOOK_CONNECT, WHY_own_port));
		}
	}
}

/* A server outside the sandbox on the same loopback: reached without the programs, refused with them. */
static void test_loopback_foreign(void **state)
{
	static const char *const names[] = { "127.0.0.1", "::1", "::ffff:127.0.0.1" };
	int server4 = stage_socket(stage.near, AF_INET, SOCK_STREAM, "127.0.0.1", 443);
	int server6 = stage_socket(stage.near, AF_INET6, SOCK_STREAM, "::1", 443);

	(void)state;
	plan.port = 443;
	plan.type = SOCK_STREAM;
	plan.way = PLAIN;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd, pid;

		plan.to = names[i];
		pid = stage_start(OUTSIDE, NOBODY, program_connect);
		stage_wait_ready(pid);
		assert_int_equal(stage.note->result, 0);
		stage_release(pid);
		fd = accept(strcmp(names[i], "::1") == 0 ? server6 : server4, NULL, NULL);
		assert_true(fd >= 0);
		(void)close(fd);
		stage_forget_events();
		assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_once), ECONNREFUSED);
		assert_non_null(stage_find_event(HOOK_CONNECT, WHY_loopback_foreign));
		assert_int_equal(accept(server4, NULL, NULL), -1);
		assert_int_equal(accept(server6, NULL, NULL), -1);
	}
	(void)close(server4);
	(void)close(server6);
}

/* The same ports, but the server is the sandbox's own: direct, nothing published, the true peer. */
static int program_own_server(void)
{
	struct sockaddr_storage at;
	socklen_t n = address_make(&at, plan.bind_to, plan.port);
	int server = socket(at.ss_family, SOCK_STREAM, 0);
	int client, conn, one = 1;

	(void)setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (server < 0 || bind(server, (struct sockaddr *)&at, n) < 0 || listen(server, 4) < 0)
		return errno;
	n = address_make(&at, plan.to, plan.port);
	client = socket(at.ss_family, SOCK_STREAM, 0);
	if (connect(client, (struct sockaddr *)&at, n) < 0)
		return errno;
	n = sizeof(stage.note->from);
	conn = accept(server, (struct sockaddr *)&stage.note->from, &n);
	n = sizeof(stage.note->peer);
	(void)getpeername(client, (struct sockaddr *)&stage.note->peer, &n);
	if (conn < 0 || write(conn, "own", 3) != 3 || read(client, stage.note->text, 3) != 3)
		return errno;
	return 0;
}

static void test_loopback_own(void **state)
{
	/* clang-format off */
	static const struct { const char *at, *to, *peer; } rows[] = {
		{ "127.0.0.1", "127.0.0.1", "127.0.0.1 3128" }, /* a proxy port of its own is its own */
		{ "0.0.0.0", "127.0.0.1", "127.0.0.1 3128" },
		{ "0.0.0.0", "0.0.0.0", "127.0.0.1 3128" },
		{ "::", "127.0.0.1", "127.0.0.1 3128" },
		{ "::1", "::1", "::1 3128" },
		{ "::", "::", "::1 3128" },
		{ "::", "::ffff:127.0.0.1", "::ffff:127.0.0.1 3128" },
	};
	/* clang-format on */
	int flows = kernel_flows_fd(stage.kernel);
	struct flow_key key;

	(void)state;
	plan.port = STAGE_PROXY_PORT;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		plan.bind_to = rows[i].at;
		plan.to = rows[i].to;
		assert_int_equal(stage_run(INSIDE, NOBODY, program_own_server), 0);
		assert_string_equal(stage.note->text, "own");
		assert_string_equal(address_text(&stage.note->peer), rows[i].peer);
	}
	assert_int_not_equal(bpf_map_get_next_key(flows, NULL, &key), 0);
	(void)close(flows);
}

/* Nothing is refused by a map that has room only for others. */
static void test_flow_map_full(void **state)
{
	struct flow_key key = { .netns_cookie = 1, .port = 1 }; /* a reservation has port 0 */
	struct flow flow = { 0 };
	char path[256];
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/maps/flows", stage.pin_dir);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	for (uint32_t i = 0; i < BRIDLE_FLOWS_MAX; i++) {
		memcpy(key.address, &i, sizeof(i));
		assert_int_equal(bpf_map_update_elem(fd, &key, &flow, BPF_ANY), 0);
	}
	plan.to = STAGE_SERVER4;
	plan.port = 443;
	plan.type = SOCK_STREAM;
	stage_forget_events();
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_once), ECONNREFUSED);
	assert_non_null(stage_find_event(HOOK_CONNECT, WHY_flow_map_full));
	for (uint32_t i = 0; i < BRIDLE_FLOWS_MAX; i++) {
		memcpy(key.address, &i, sizeof(i));
		(void)bpf_map_delete_elem(fd, &key);
	}
	(void)close(fd);
}

static char sub_cgroup[200];

static int program_in_child_cgroup(void)
{
	char path[256], pid[16];
	int n = snprintf(pid, sizeof(pid), "%d", getpid());
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", sub_cgroup);
	f = fopen(path, "w");
	if (!f || fwrite(pid, 1, (size_t)n, f) != (size_t)n || fclose(f) != 0)
		return 999;
	return program_connect_once();
}

static void test_child_cgroup(void **state)
{
	(void)state;
	(void)snprintf(sub_cgroup, sizeof(sub_cgroup), "%s/child", stage.cgroup);
	assert_int_equal(mkdir(sub_cgroup, 0755), 0);
	plan.to = STAGE_SERVER4;
	plan.type = SOCK_STREAM;
	plan.port = 22;
	stage_forget_events();
	assert_int_equal(stage_run(INSIDE, ROOT, program_in_child_cgroup), ECONNREFUSED);
	assert_non_null(stage_find_event(HOOK_CONNECT, WHY_port_not_named));
	plan.port = 443;
	assert_int_equal(stage_run(INSIDE, ROOT, program_in_child_cgroup), EINPROGRESS);
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0);
	assert_int_equal(rmdir(sub_cgroup), 0);
}

/*
 * Bound to the NIC's own IPv6 address: late answers of the kernel would go to the wire, so it is refused; in a
 * namespace with loopback alone, which the second half pretends, it is turned round.
 */
static void test_bound_ipv6(void **state)
{
	struct flow_key key;
	int pid, fd;

	(void)state;
	plan.to = STAGE_SERVER6;
	plan.port = 443;
	plan.type = SOCK_STREAM;
	plan.way = BOUND;
	plan.bind_to = STAGE_NEAR6;
	stage_forget_events();
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect), ECONNREFUSED);
	assert_non_null(stage_find_event(HOOK_CONNECT, WHY_source_refused));
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0);
	stage_activate_as(true);
	pid = stage_start(INSIDE, NOBODY, program_connect);
	fd = worker_accept(STAGE_TCP6, &key);
	stage_wait_ready(pid);
	assert_int_equal(stage.note->result, 0);
	(void)close(fd); /* first, so that no answer is late */
	stage_release(pid);
	stage_activate();
}

/* A socket that learnt nothing at birth, because it is older than the programs. */
static int program_old_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, STAGE_SERVER4, 443);

	stage_hold();
	return connect(fd, (struct sockaddr *)&to, n) < 0 ? errno : 0;
}

static void test_no_stamp(void **state)
{
	int pid;

	(void)state;
	stage_detach();
	pid = stage_start(INSIDE, NOBODY, program_old_socket);
	stage_wait_ready(pid);
	stage_attach();
	stage_activate();
	stage_release(pid);
	assert_int_equal(stage.note->result, ECONNREFUSED);
	assert_non_null(stage_find_event(HOOK_CONNECT, WHY_no_stamp));
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(turned) + ARRAY_SIZE(refused) + 7] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(turned); i++)
		tests[n++] = (struct CMUnitTest){ turned[i].name, test_turned, NULL, NULL,
						  (void *)(uintptr_t)&turned[i] };
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		tests[n++] = (struct CMUnitTest){ refused[i].name, test_refused, NULL, NULL,
						  (void *)(uintptr_t)&refused[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_own_ports);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_loopback_foreign);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_loopback_own);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_flow_map_full);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_child_cgroup);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_bound_ipv6);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_no_stamp);
	return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
