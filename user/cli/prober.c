/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an untrusted program would try, tried from its place: its user, namespaces, cgroup, filter, trust store. The
 * destinations are documentation's addresses in a namespace that has loopback only, so that nothing can leave even where
 * everything else fails. Each refusal must have the errno that our side gives.
 */
#include "cli/prober.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/self_test.h"
#include "base/str.h"
#include "base/util.h"

#define PROBER_STATUS_USAGE 2
#define LIMIT_S		    60
#define DISCARD_PORT	    9
#define NAME		    "doctor.bridle.invalid"
#define PROTO_MPTCP	    262
#define PROTO_UDPLITE	    136

#define PASS   true
#define REFUSE false
const struct doctor_check doctor_checks[] = {
#define CHECK(id, must, title) { #id, title, must },
#include "cli/doctor_checks.def"
#undef CHECK
};

static bool (*const functions[])(char *why) = {
#define CHECK(id, must, title) check_##id,
#include "cli/doctor_checks.def"
#undef CHECK
};

bool prober_fails(char *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why, DOCTOR_TEXT_MAX, format, ap);
	va_end(ap);
	return false;
}

socklen_t prober_address_of(int family, uint16_t port, union prober_address *ret)
{
	*ret = (union prober_address){ .any.sa_family = (sa_family_t)family };
	if (family == AF_INET) {
		ret->v4.sin_port = htons(port);
		(void)inet_pton(AF_INET, SELF_TEST_ADDRESS4, &ret->v4.sin_addr);
		return sizeof(ret->v4);
	}
	ret->v6.sin6_port = htons(port);
	(void)inet_pton(AF_INET6, SELF_TEST_ADDRESS6, &ret->v6.sin6_addr);
	return sizeof(ret->v6);
}

static bool set_limits(int fd)
{
	const struct timeval limit = { .tv_sec = PROBER_STEP_LIMIT_S };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0;
}

int prober_connect(int family, uint16_t port)
{
	union prober_address to;
	const socklen_t size = prober_address_of(family, port, &to);
	auto_fd int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || !set_limits(fd) || connect(fd, &to.any, size) < 0)
		return -1;
	return TAKE_FD(fd);
}

/* Said by the supervisor; whoever runs the prober by hand is inside of something that started. */
bool check_start(char *why)
{
	(void)why;
	return true;
}

static bool status_has(const char *key, const char *value)
{
	auto_file FILE *f = fopen("/proc/self/status", "re");
	const size_t n = strlen(key);
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, n) == 0) {
			line[strcspn(line, "\n")] = '\0';
			return strcmp(line + n + strspn(line + n, "\t "), value) == 0;
		}
	return false;
}

bool check_user(char *why)
{
	static const char *const empty[] = { "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:" };

	if (getuid() == 0 || geteuid() == 0 || getegid() == 0)
		return prober_fails(why, "it runs as uid %u, gid %u", geteuid(), getegid());
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		if (!status_has(empty[i], "0000000000000000"))
			return prober_fails(why, "%.6s in /proc/self/status is not empty", empty[i]);
	if (!status_has("NoNewPrivs:", "1"))
		return prober_fails(why, "no_new_privs is not set");
	return true;
}

bool check_own_listener(char *why)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *address = (struct sockaddr *)&here;
	socklen_t size = sizeof(here);
	auto_fd int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_fd int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_fd int server = -1;
	char byte = 'b', got = 0;

	if (listener < 0 || client < 0 || !set_limits(listener) || !set_limits(client) ||
	    bind(listener, address, size) < 0 || listen(listener, 1) < 0 || getsockname(listener, address, &size) < 0)
		return prober_fails(why, "it cannot listen on 127.0.0.1: %s", strerror(errno));
	if (connect(client, address, size) < 0)
		return prober_fails(why, "connect: %s", strerror(errno));
	server = accept(listener, NULL, NULL);
	if (server < 0 || write(client, &byte, 1) != 1 || read(server, &got, 1) != 1 || got != byte)
		return prober_fails(why, "no byte came through: %s", strerror(errno));
	return true;
}

/* The address that a refused name has is the one where the refusal can be read. */
static bool has_sink_address(int family, char *why)
{
	const struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	union prober_address sink;
	struct addrinfo *list = NULL;
	char text[INET6_ADDRSTRLEN] = "?";
	int r = getaddrinfo(NAME, NULL, &hints, &list);
	bool same;

	if (r != 0)
		return prober_fails(why, "the look-up of " NAME " failed: %s", gai_strerror(r));
	(void)prober_address_of(family, 0, &sink);
	same = list->ai_addrlen == (family == AF_INET ? sizeof(sink.v4) : sizeof(sink.v6));
	if (same && family == AF_INET)
		same = memcmp(&((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr, &sink.v4.sin_addr, 4) == 0;
	else if (same)
		same = memcmp(&((struct sockaddr_in6 *)(void *)list->ai_addr)->sin6_addr, &sink.v6.sin6_addr, 16) == 0;
	(void)getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(list);
	return same || prober_fails(why, NAME " has the address %s", text);
}

bool check_name_ipv4(char *why)
{
	return has_sink_address(AF_INET, why);
}

bool check_name_ipv6(char *why)
{
	return has_sink_address(AF_INET6, why);
}

static bool port_is_refused(int family, char *why)
{
	auto_fd int fd = prober_connect(family, DISCARD_PORT);

	if (fd >= 0)
		return prober_fails(why, "the connection was made");
	return errno == ECONNREFUSED || prober_fails(why, "connect: %s instead of a refusal", strerror(errno));
}

bool check_port_ipv4(char *why)
{
	return port_is_refused(AF_INET, why);
}

bool check_port_ipv6(char *why)
{
	return port_is_refused(AF_INET6, why);
}

/* Both ways: a socket that is connected first, and one that is not. */
static bool datagram_is_refused(int family, char *why)
{
	union prober_address to;
	const socklen_t size = prober_address_of(family, SELF_TEST_UDP_PORT, &to);
	auto_fd int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return prober_fails(why, "no socket for name servers can be made: %s", strerror(errno));
	if (sendto(fd, "", 0, 0, &to.any, size) >= 0)
		return prober_fails(why, "sendto went through");
	if (errno != ECONNREFUSED && errno != EPERM)
		return prober_fails(why, "sendto: %s instead of a refusal", strerror(errno));
	if (connect(fd, &to.any, size) == 0)
		return prober_fails(why, "connect went through");
	return errno == ECONNREFUSED || prober_fails(why, "connect: %s instead of a refusal", strerror(errno));
}

bool check_datagram_ipv4(char *why)
{
	return datagram_is_refused(AF_INET, why);
}

bool check_datagram_ipv6(char *why)
{
	return datagram_is_refused(AF_INET6, why);
}

struct kind {
	int family, type, protocol;
	const char *name;
};

static bool none_can_be_made(const struct kind *kinds, size_t n, char *why)
{
	for (size_t i = 0; i < n; i++) {
		auto_fd int fd = socket(kinds[i].family, kinds[i].type | SOCK_CLOEXEC, kinds[i].protocol);

		if (fd >= 0)
			return prober_fails(why, "a socket could be made: %s", kinds[i].name);
	}
	return true;
}

bool check_raw_socket(char *why)
{
	static const struct kind kinds[] = {
		{ AF_INET, SOCK_RAW, IPPROTO_ICMP, "raw IPv4" },
		{ AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, "raw IPv6" },
		{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP, "ICMP echo" },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, "ICMPv6 echo" },
		{ AF_PACKET, SOCK_RAW, 0, "packet" },
		{ AF_PACKET, SOCK_DGRAM, 0, "packet datagram" },
	};

	return none_can_be_made(kinds, ARRAY_SIZE(kinds), why);
}

bool check_other_family(char *why)
{
	static const struct kind kinds[] = {
		{ AF_UNIX, SOCK_STREAM, 0, "AF_UNIX stream" }, { AF_UNIX, SOCK_DGRAM, 0, "AF_UNIX datagram" },
		{ AF_VSOCK, SOCK_STREAM, 0, "AF_VSOCK" },      { AF_ALG, SOCK_SEQPACKET, 0, "AF_ALG" },
		{ AF_BLUETOOTH, SOCK_RAW, 1, "AF_BLUETOOTH" }, { AF_NETLINK, SOCK_RAW, 16, "generic netlink" },
	};

	return none_can_be_made(kinds, ARRAY_SIZE(kinds), why);
}

bool check_other_protocol(char *why)
{
	static const struct kind kinds[] = {
		{ AF_INET, SOCK_STREAM, PROTO_MPTCP, "MPTCP" },
		{ AF_INET, SOCK_STREAM, IPPROTO_SCTP, "SCTP" },
		{ AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP, "SCTP over IPv6" },
		{ AF_INET, SOCK_DGRAM, PROTO_UDPLITE, "UDP-Lite" },
	};

	return none_can_be_made(kinds, ARRAY_SIZE(kinds), why);
}

bool check_device_option(char *why)
{
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return prober_fails(why, "no TCP socket can be made: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0)
		return prober_fails(why, "SO_BINDTODEVICE went through");
	return errno == EPERM || prober_fails(why, "SO_BINDTODEVICE: %s instead of a refusal", strerror(errno));
}

/* The address of the parameters is no address: a kernel that looks at them says EFAULT and makes nothing. */
bool check_io_uring(char *why)
{
	if (syscall(SYS_io_uring_setup, 1, NULL) >= 0)
		return prober_fails(why, "io_uring_setup went through");
	return errno == ENOSYS || prober_fails(why, "io_uring_setup: %s instead of ENOSYS", strerror(errno));
}

bool check_user_namespace(char *why)
{
	if (unshare(CLONE_NEWUSER) == 0)
		return prober_fails(why, "one was made");
	return errno == EPERM || prober_fails(why, "unshare: %s instead of a refusal", strerror(errno));
}

/* Without the family there is nothing to refuse and nothing to pass. */
static bool is_beside_the_point(const struct doctor_check *check)
{
	return str_ends(str_of(check->id), STR("_ipv6")) && access("/proc/net/if_inet6", F_OK) < 0;
}

/* refuse: outside of a sandbox the attempts would be packets on somebody's network */
static bool has_loopback_only(void)
{
	struct if_nameindex *all = if_nameindex();
	bool only = all && all[0].if_name && !all[1].if_name && strcmp(all[0].if_name, "lo") == 0;

	if (all)
		if_freenameindex(all);
	return only;
}

int prober_main(void)
{
	int status = 0;

	if (!has_loopback_only()) {
		log_error(
			"doctor --inside tries what a sandbox must refuse, but this network has more than loopback, so "
			"it is none; use bridle doctor, or bridle run ... -- bridle doctor --inside");
		return PROBER_STATUS_USAGE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(LIMIT_S); /* ends a prober that hangs, and with it its sandbox */
	for (size_t i = 0; i < DOCTOR_CHECKS; i++) {
		char why[DOCTOR_TEXT_MAX] = "";
		const bool is_beside = is_beside_the_point(&doctor_checks[i]);
		const bool passed = is_beside || functions[i](why);

		if (!passed)
			status = 1;
		(void)printf("%s\t%s\t%s\n", doctor_checks[i].id, passed ? "ok" : "fail",
			     is_beside ? "this kernel has no IPv6"
			     : passed  ? doctor_checks[i].title
				       : why);
		(void)fflush(stdout);
	}
	return status;
}
