/* SPDX-License-Identifier: Apache-2.0 */
/*
 * br_egress and br_ingress: the last line holds alone. The hooks before it are taken off one after the other, and what
 * they would have stopped still does not reach the wire; the control shows each packet.
 */
#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define RTHDR_HOME_ADDRESS    2
#define RTHDR_SEGMENT_ROUTING 4

static void remote(struct sockaddr_storage *to, socklen_t *n, int family)
{
	*n = address_make(to, family == AF_INET ? STAGE_SERVER4 : STAGE_SERVER6, 443);
}

static int tcp_try(int family, int fd)
{
	struct sockaddr_storage to;
	socklen_t n;

	remote(&to, &n, family);
	return connect(fd, (struct sockaddr *)&to, n) < 0 && errno != EINPROGRESS ? errno : 0;
}

static int program_tcp4(void)
{
	return tcp_try(AF_INET, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
}

static int program_tcp6(void)
{
	return tcp_try(AF_INET6, socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
}

static int udp_try(int family, int protocol)
{
	struct sockaddr_storage to;
	socklen_t n;
	int fd = socket(family, SOCK_DGRAM, protocol);

	remote(&to, &n, family);
	return sendto(fd, "payload", 7, 0, (struct sockaddr *)&to, n) == 7 ? 0 : errno;
}

static int program_udp4(void)
{
	return udp_try(AF_INET, 0);
}

static int program_udp6(void)
{
	return udp_try(AF_INET6, 0);
}

static int program_udp_lite(void)
{
	return udp_try(AF_INET, IPPROTO_UDPLITE);
}

/* The connect hook turns it round, and the device takes it to the wire all the same. */
static int program_device(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, STAGE_DEVICE, sizeof(STAGE_DEVICE)) < 0)
		return errno;
	return tcp_try(AF_INET, fd);
}

/* next, length, type, left, last entry, flags, tag; then the segments, last first */
static void routing_header_make(uint8_t header[8 + 32])
{
	static const uint8_t start[8] = { 0, 4, RTHDR_SEGMENT_ROUTING, 1, 1 };

	memcpy(header, start, sizeof(start));
	(void)inet_pton(AF_INET6, STAGE_SERVER6, header + 8);
	(void)inet_pton(AF_INET6, STAGE_SERVER6, header + 24);
}

/* A segment routing header: the packet goes to the first segment, which no hook sees. */
static int program_routing_header(void)
{
	uint8_t header[8 + 32];
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

	routing_header_make(header);
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof(header)) < 0)
		return errno;
	return tcp_try(AF_INET6, fd);
}

/* One datagram to a name server, which the sendmsg hook allows, with one piece of control data. */
static int send_with(int family, int level, int type, const void *data, size_t size)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(64)];
	} control = { .head = { .cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type } };
	struct iovec words = { .iov_base = (void *)(uintptr_t) "payload", .iov_len = 7 };
	struct sockaddr_storage to;
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = address_make(&to, family == AF_INET ? STAGE_SERVER4 : STAGE_SERVER6, 53),
			    .msg_iov = &words,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = CMSG_SPACE(size) };
	int fd = socket(family, SOCK_DGRAM, 0);

	memcpy(CMSG_DATA(&control.head), data, size);
	return sendmsg(fd, &m, 0) == 7 ? 0 : errno;
}

/* No option, no connect: the device is named in control data. */
static int program_packet_info(void)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)if_nametoindex(STAGE_DEVICE) };

	return send_with(AF_INET, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

#define HOME_HEADER_BYTES (8 + 16)

/* The one routing header that control data may hold (RFC 6275); not every kernel has it. */
static void home_header_make(uint8_t header[HOME_HEADER_BYTES])
{
	static const uint8_t start[8] = { 0, 2, RTHDR_HOME_ADDRESS, 1 };

	memcpy(header, start, sizeof(start));
	(void)inet_pton(AF_INET6, STAGE_SERVER6, header + 8);
}

static int program_home_header(void)
{
	uint8_t header[HOME_HEADER_BYTES];

	home_header_make(header);
	return send_with(AF_INET6, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof(header));
}

/* A source route, for root: the packet goes to the hop that the option names. */
static int program_source_route_data(void)
{
	uint8_t option[8] = { IPOPT_LSRR, 7, 4 };

	(void)inet_pton(AF_INET, STAGE_FAR4, option + 3);
	return send_with(AF_INET, IPPROTO_IP, IP_RETOPTS, option, sizeof(option));
}

/* A flow label keeps a routing header for later; the datagram itself has neither option nor control data. */
static int program_flow_label(void)
{
	const uint32_t label = htonl((uint32_t)getpid() & 0xfffff); /* a lease outlives its process for a while */
	struct {
		struct in6_flowlabel_req request;
		union {
			struct cmsghdr head;
			char room[CMSG_SPACE(HOME_HEADER_BYTES)];
		} control;
	} lease = { .request = { .flr_label = label,
				 .flr_action = IPV6_FL_A_GET,
				 .flr_share = IPV6_FL_S_PROCESS,
				 .flr_flags = IPV6_FL_F_CREATE,
				 .flr_linger = 6 },
		    .control.head = { .cmsg_len = CMSG_LEN(HOME_HEADER_BYTES),
				      .cmsg_level = IPPROTO_IPV6,
				      .cmsg_type = IPV6_RTHDR } };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, STAGE_SERVER6, 53);

	lease.request.flr_dst = ((struct sockaddr_in6 *)&to)->sin6_addr;
	((struct sockaddr_in6 *)&to)->sin6_flowinfo = label;
	home_header_make(CMSG_DATA(&lease.control.head));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, &lease, sizeof(lease)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_FLOWINFO_SEND, &one, sizeof(one)) < 0)
		return errno;
	return sendto(fd, "payload", 7, 0, (struct sockaddr *)&to, n) == 7 ? 0 : errno;
}

/* A name server of the link: its scope is the device, which stays when the hook writes another address. */
static int program_link_local(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, "ff02::77", 53);

	((struct sockaddr_in6 *)&to)->sin6_scope_id = if_nametoindex(STAGE_DEVICE);
	return sendto(fd, "payload", 7, 0, (struct sockaddr *)&to, n) == 7 ? 0 : errno;
}

struct leak {
	const char *name;
	program_fn program;
	const char *off[4]; /* hooks taken off, so that the packet gets as far as egress */
	int family;
	enum who who;
};

/* clang-format off */
static const struct leak leaks[] = {
	{ "packet_info", program_packet_info, { NULL }, AF_INET, NOBODY },
	{ "bind_to_device", program_device, { "br_setsockopt", NULL }, AF_INET, NOBODY },
	{ "routing_header", program_routing_header, { "br_setsockopt", NULL }, AF_INET6, NOBODY },
	{ "routing_header_in_control_data", program_home_header, { NULL }, AF_INET6, NOBODY },
	{ "routing_header_in_flow_label", program_flow_label, { "br_setsockopt", NULL }, AF_INET6, NOBODY },
	{ "source_route_in_control_data", program_source_route_data, { NULL }, AF_INET, ROOT },
	{ "link_local", program_link_local, { NULL }, AF_INET6, NOBODY },
	{ "tcp4", program_tcp4, { "br_connect4", NULL }, AF_INET, NOBODY },
	{ "tcp6", program_tcp6, { "br_connect6", NULL }, AF_INET6, NOBODY },
	{ "udp4", program_udp4, { "br_sendmsg4", NULL }, AF_INET, NOBODY },
	{ "udp6", program_udp6, { "br_sendmsg6", NULL }, AF_INET6, NOBODY },
	{ "udp_lite", program_udp_lite, { "br_sock_create", "br_sendmsg4", NULL }, AF_INET, NOBODY },
};
/* clang-format on */

/* Not every kernel has all of these: what one lacks cannot be let out, so such a row is named and left out. */
static bool leak_exists(const struct leak *t)
{
	int fd = t->program == program_udp_lite ? socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE)
						: socket(AF_INET6, SOCK_DGRAM, 0);
	bool exists = fd >= 0;
	uint8_t header[HOME_HEADER_BYTES];

	home_header_make(header);
	if (t->program == program_home_header || t->program == program_flow_label)
		exists = setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof(header)) == 0;
	if (fd >= 0)
		(void)close(fd);
	if (!exists)
		(void)fprintf(stderr, "note: this kernel has no %s\n", t->name);
	return exists;
}

static void test_leak(void **state)
{
	const struct leak *t = *state;
	const struct denial *d;

	(void)stage_count_frames(frame_is_payload, 0);
	assert_int_equal(stage_run(OUTSIDE, t->who, t->program), 0);
	assert_true(stage_count_frames(frame_is_payload, 1000) > 0);
	stage_attach();
	stage_activate();
	for (size_t i = 0; t->off[i]; i++)
		stage_detach_hook(t->off[i]);
	(void)stage_run(INSIDE, t->who, t->program);
	assert_int_equal(stage_count_frames(frame_is_payload, 100), 0);
	d = stage_find_event(HOOK_EGRESS, WHY_egress_refused);
	assert_non_null(d);
	assert_int_equal(d->family, t->family);
	stage_detach();
}

/* A socket that lived before the programs: its packets stop when they come. */
static int program_old_connection(void)
{
	struct sockaddr_storage to;
	socklen_t n;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	remote(&to, &n, AF_INET);
	if (connect(fd, (struct sockaddr *)&to, n) < 0 || send(fd, "before", 6, 0) != 6)
		return errno;
	stage_hold();
	return send(fd, "after", 5, 0) == 5 ? 0 : errno;
}

static void test_old_connection(void **state)
{
	int pid;

	(void)state;
	(void)stage_count_frames(frame_is_payload, 0);
	pid = stage_start(INSIDE, NOBODY, program_old_connection);
	stage_wait_ready(pid);
	assert_true(stage_count_frames(frame_is_payload, 1000) > 0);
	stage_attach();
	stage_activate();
	stage_release(pid);
	assert_int_equal(stage.note->result, EPERM);
	assert_int_equal(stage_count_frames(frame_is_payload, 100), 0);
	stage_detach();
}

/* A server in the sandbox, reached from the other namespace. */
static int program_serve(void)
{
	struct sockaddr_storage at;
	socklen_t n = address_make(&at, "0.0.0.0", 8000);
	int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct pollfd p[2] = { { .fd = udp, .events = POLLIN }, { .fd = tcp, .events = POLLIN } };

	(void)setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(udp, (struct sockaddr *)&at, n) < 0 || bind(tcp, (struct sockaddr *)&at, n) < 0 || listen(tcp, 4) < 0)
		return 999;
	stage_hold();
	(void)poll(p, 2, 300);
	return (p[0].revents ? 1 : 0) | (p[1].revents ? 2 : 0);
}

static int serve(enum place place)
{
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, STAGE_NEAR4, 8000);
	int udp = stage_socket(stage.far, AF_INET, SOCK_DGRAM, STAGE_FAR4, 0);
	int pid = stage_start(place, NOBODY, program_serve), tcp;

	assert_int_equal(setns(stage.far, 0), 0);
	tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(setns(stage.home, 0), 0);
	stage_wait_ready(pid);
	assert_int_equal(sendto(udp, "in", 2, 0, (struct sockaddr *)&to, n), 2);
	assert_int_equal(connect(tcp, (struct sockaddr *)&to, n), -1);
	(void)usleep(50000);
	stage_release(pid);
	(void)close(udp);
	(void)close(tcp);
	return stage.note->result;
}

static void test_ingress(void **state)
{
	const struct denial *d;

	(void)state;
	assert_int_equal(serve(OUTSIDE), 3);
	stage_attach();
	stage_activate();
	(void)stage_count_frames(frame_is_payload, 0);
	assert_int_equal(serve(INSIDE), 0);
	assert_int_equal(stage_count_frames(frame_is_payload, 50), 0); /* no SYN-ACK */
	d = stage_find_event(HOOK_INGRESS, WHY_ingress_refused);
	assert_non_null(d);
	assert_int_equal(d->port, 8000);
	stage_detach();
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(leaks) + 2] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(leaks); i++)
		if (leak_exists(&leaks[i]))
			tests[n++] = (struct CMUnitTest){ leaks[i].name, test_leak, NULL, NULL,
							  (void *)(uintptr_t)&leaks[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_old_connection);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_ingress);
	return cmocka_run_group_tests(tests, stage_setup_bare, stage_teardown);
}
