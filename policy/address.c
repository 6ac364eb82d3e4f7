/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses may be dialled. A name that resolves to loopback, link-local, metadata, multicast or reserved
 * space is refused unless the entry lists the range; private space is refused under a wildcard. IPv4 inside IPv6
 * (mapped, compatible, NAT64, 6to4, Teredo) is judged by what is inside.
 */
#include "policy/model.h"

#include <arpa/inet.h>
#include <errno.h>

enum range_kind { RANGE_NEVER, RANGE_PRIVATE };

struct known_range {
	const char *text;
	enum range_kind kind;
};

static const struct known_range known_ranges[] = {
	{ "0.0.0.0/8", RANGE_NEVER },
	{ "127.0.0.0/8", RANGE_NEVER },
	{ "169.254.0.0/16", RANGE_NEVER },
	{ "192.0.0.0/24", RANGE_NEVER },
	{ "192.0.2.0/24", RANGE_NEVER },
	{ "198.18.0.0/15", RANGE_NEVER },
	{ "198.51.100.0/24", RANGE_NEVER },
	{ "203.0.113.0/24", RANGE_NEVER },
	{ "224.0.0.0/4", RANGE_NEVER },
	{ "240.0.0.0/4", RANGE_NEVER },
	{ "100.100.100.200/32", RANGE_NEVER },
	{ "168.63.129.16/32", RANGE_NEVER },
	{ "::/128", RANGE_NEVER },
	{ "::1/128", RANGE_NEVER },
	{ "fe80::/10", RANGE_NEVER },
	{ "fec0::/10", RANGE_NEVER },
	{ "ff00::/8", RANGE_NEVER },
	{ "fd00:ec2::254/128", RANGE_NEVER },
	{ "fd20:ce::254/128", RANGE_NEVER },
	{ "2001:db8::/32", RANGE_NEVER },
	{ "100::/64", RANGE_NEVER },
	{ "10.0.0.0/8", RANGE_PRIVATE },
	{ "172.16.0.0/12", RANGE_PRIVATE },
	{ "192.168.0.0/16", RANGE_PRIVATE },
	{ "100.64.0.0/10", RANGE_PRIVATE },
	{ "fc00::/7", RANGE_PRIVATE },
};

int address_parse(struct str s, struct address *ret)
{
	struct host h;

	if (host_parse(s, &h) < 0 || !h.is_address)
		return -EINVAL;
	*ret = (struct address){ .family = h.family };
	memcpy(ret->bytes, h.bytes, sizeof(ret->bytes));
	return 0;
}

int address_parse_range(struct str s, struct address_range *ret)
{
	size_t slash = str_find(s, '/');
	struct address_range range;
	uint64_t bits;

	if (address_parse(str_make(s.p, slash), &range.base) < 0)
		return -EINVAL;
	bits = range.base.family == AF_INET ? 32 : 128;
	if (slash < s.n &&
	    (str_to_u64(str_from(s, slash + 1), &bits) < 0 || bits > (range.base.family == AF_INET ? 32u : 128u)))
		return -EINVAL;
	range.bits = (unsigned)bits;
	for (unsigned i = range.bits; i < (range.base.family == AF_INET ? 32u : 128u); i++) {
		if (range.base.bytes[i / 8] & (0x80 >> (i % 8)))
			return -EDOM; /* refuse: 10.0.0.1/8 may mean the range or the address */
	}
	*ret = range;
	return 0;
}

static bool in_range(const struct address_range *range, const struct address *a)
{
	unsigned whole = range->bits / 8, rest = range->bits % 8;

	if (range->base.family != a->family || memcmp(range->base.bytes, a->bytes, whole) != 0)
		return false;
	return rest == 0 || ((range->base.bytes[whole] ^ a->bytes[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

static bool in_known(const struct address *a, enum range_kind kind)
{
	for (size_t i = 0; i < sizeof(known_ranges) / sizeof(known_ranges[0]); i++) {
		struct address_range range;

		if (known_ranges[i].kind == kind && address_parse_range(str_of(known_ranges[i].text), &range) == 0 &&
		    in_range(&range, a))
			return true;
	}
	return false;
}

/* The IPv4 address inside an IPv6 one. */
static bool inner_ipv4(const struct address *a, struct address *ret)
{
	static const uint8_t zeros[12], mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b }, nat64_local[6] = { 0, 0x64, 0xff, 0x9b, 0, 1 };
	const uint8_t *b = a->bytes;

	if (a->family != AF_INET6)
		return false;
	*ret = (struct address){ .family = AF_INET };
	if (memcmp(b, mapped, 12) == 0 || memcmp(b, nat64, 12) == 0 || memcmp(b, nat64_local, 6) == 0 ||
	    (memcmp(b, zeros, 12) == 0 && (b[12] | b[13] | b[14]) != 0)) {
		memcpy(ret->bytes, b + 12, 4);
		return true;
	}
	if (b[0] == 0x20 && b[1] == 0x02) { /* 6to4, RFC 3056 */
		memcpy(ret->bytes, b + 2, 4);
		return true;
	}
	if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0) { /* Teredo, RFC 4380: complemented */
		for (int i = 0; i < 4; i++)
			ret->bytes[i] = (uint8_t)~b[12 + i];
		return true;
	}
	return false;
}

bool policy_address_is_listed(const struct policy_route *route, const struct address *address)
{
	for (size_t i = 0; i < route->n_ranges; i++) {
		if (in_range(&route->ranges[i], address))
			return true;
	}
	return false;
}

enum why policy_check_address(const struct policy_route *route, const struct address *address)
{
	struct address inner;
	bool has_inner;

	if (address->family != AF_INET && address->family != AF_INET6)
		return WHY_address_refused;
	if (policy_address_is_listed(route, address))
		return WHY_allowed;
	has_inner = inner_ipv4(address, &inner);
	if (in_known(address, RANGE_NEVER) || (has_inner && in_known(&inner, RANGE_NEVER)))
		return WHY_address_refused;
	if (route->is_wildcard && (in_known(address, RANGE_PRIVATE) || (has_inner && in_known(&inner, RANGE_PRIVATE))))
		return WHY_address_refused; /* refuse: whoever owns a name below the wildcard could point it inward */
	return WHY_allowed;
}

enum why route_check_literal(const struct policy_route *route, const struct host *host)
{
	struct address address = { .family = host->family };

	if (!host->is_address)
		return WHY_allowed;
	memcpy(address.bytes, host->bytes, sizeof(address.bytes));
	return policy_check_address(route, &address);
}
