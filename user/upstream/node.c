/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read once, before the worker's seccomp filter forbids netlink. An address that the machine gets later is caught
 * when the connection is there and both of its ends carry it.
 */
#include "upstream/node.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/util.h"
#include "policy/policy.h"

static bool address_of(const struct sockaddr *sa, struct address *ret)
{
	struct address a = { 0 };

	if (sa && sa->sa_family == AF_INET)
		memcpy(a.bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	else if (sa && sa->sa_family == AF_INET6)
		memcpy(a.bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	else
		return false;
	a.family = (uint8_t)sa->sa_family;
	*ret = a;
	return true;
}

static bool address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == AF_INET ? 4 : 16) == 0;
}

/* The IPv4 address inside ::ffff:a.b.c.d, ::a.b.c.d and 64:ff9b::a.b.c.d; otherwise the address itself. */
static struct address address_plain(const struct address *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t compatible[12] = { 0 };
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	struct address inner = { .family = AF_INET };

	if (a->family != AF_INET6)
		return *a;
	/* ::1 and :: look like v4-compatible addresses and are not. */
	if (memcmp(a->bytes, compatible, 12) == 0 && a->bytes[12] == 0)
		return *a;
	if (memcmp(a->bytes, mapped, 12) != 0 && memcmp(a->bytes, nat64, 12) != 0 &&
	    memcmp(a->bytes, compatible, 12) != 0)
		return *a;
	memcpy(inner.bytes, a->bytes + 12, 4);
	return inner;
}

static size_t count(const struct ifaddrs *list)
{
	size_t n = 0;

	for (; list; list = list->ifa_next)
		n++;
	return n;
}

int node_init(struct node *node)
{
	struct ifaddrs *list;
	struct address *at;
	size_t n = 0;

	if (getifaddrs(&list) < 0)
		return -errno;
	if (count(list) > NODE_ADDRESSES_MAX) {
		freeifaddrs(list);
		return -E2BIG;
	}
	at = calloc(count(list) + 1, sizeof(*at));
	if (!at) {
		freeifaddrs(list);
		return -ENOMEM;
	}
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		if (address_of(i->ifa_addr, &at[n]))
			n++;
	}
	freeifaddrs(list);
	*node = (struct node){ .at = at, .n = n };
	return 0;
}

void node_done(struct node *node)
{
	free(node->at);
	*node = (struct node){ 0 };
}

bool node_has(const struct node *node, const struct address *address)
{
	static const struct address loopback6 = { .family = AF_INET6, .bytes = { [15] = 1 } };
	static const struct address any6 = { .family = AF_INET6 };
	struct address a = address_plain(address);

	if (a.family == AF_INET && (a.bytes[0] == 127 || a.bytes[0] == 0))
		return true;
	if (address_equal(&a, &loopback6) || address_equal(&a, &any6))
		return true;
	for (size_t i = 0; i < node->n; i++) {
		if (address_equal(&node->at[i], &a))
			return true;
	}
	return false;
}

bool node_is_self_connection(int fd)
{
	struct sockaddr_storage local, remote;
	socklen_t local_size = sizeof(local), remote_size = sizeof(remote);
	struct address a, b;

	/* refuse: an end that cannot be named */
	if (getsockname(fd, (struct sockaddr *)&local, &local_size) < 0 ||
	    getpeername(fd, (struct sockaddr *)&remote, &remote_size) < 0)
		return true;
	if (!address_of((const struct sockaddr *)&local, &a) || !address_of((const struct sockaddr *)&remote, &b))
		return true;
	return address_equal(&a, &b);
}
