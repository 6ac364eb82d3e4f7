/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses may be dialled. A name that resolves to loopback, link-local, metadata, multicast or reserved
 * space is refused unless the entry lists the range; private space is refused under a wildcard. IPv4 inside IPv6
 * (mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP) is judged by what is inside.
 */
#include "policy/model.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/util.h"

#define V4(bits_, ...)                                                \
	{                                                             \
		.base = { AF_INET, { __VA_ARGS__ } }, .bits = (bits_) \
	}
#define V6(bits_, ...)                                                 \
	{                                                              \
		.base = { AF_INET6, { __VA_ARGS__ } }, .bits = (bits_) \
	}

/* clang-format off */
static const struct address_range never[] = {
	V4(8, 0), /* this network */
	V4(8, 127),
	V4(16, 169, 254),
	V4(24, 192, 0, 0),
	V4(24, 192, 0, 2),
	V4(15, 198, 18),
	V4(24, 198, 51, 100),
	V4(24, 203, 0, 113),
	V4(4, 224),
	V4(4, 240),
	V4(32, 100, 100, 100, 200), /* metadata, Alibaba */
	V4(32, 168, 63, 129, 16), /* metadata, Azure */
	V6(128, 0),
	V6(128, [15] = 1),
	V6(10, 0xfe, 0x80),
	V6(10, 0xfe, 0xc0),
	V6(8, 0xff),
	V6(128, 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54), /* metadata, AWS */
	V6(128, 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54), /* metadata, GCP */
	V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01), /* local NAT64, RFC 8215: where the IPv4 address stands is the operator's choice */
	V6(32, 0x20, 0x01, 0x0d, 0xb8),
	V6(20, 0x3f, 0xff),
	V6(64, 0x01),
};

static const struct address_range internal[] = {
	V4(8, 10),
	V4(12, 172, 16),
	V4(16, 192, 168),
	V4(10, 100, 64),
	V6(7, 0xfc),
};
/* clang-format on */

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

static bool in_some(const struct address_range *ranges, size_t n, const struct address *a)
{
	for (size_t i = 0; i < n; i++) {
		if (in_range(&ranges[i], a))
			return true;
	}
	return false;
}

/* Where an IPv6 address of a translation or tunnel has the IPv4 one that is dialled in the end; 0: nowhere. */
static size_t inner_at(const uint8_t *b)
{
	static const uint8_t zeros[12], mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t translated[12] = { [8] = 0xff, [9] = 0xff }; /* RFC 2765 */
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };
	static const uint8_t isatap[4] = { 0, 0, 0x5e, 0xfe }, isatap_global[4] = { 2, 0, 0x5e, 0xfe }; /* RFC 5214 */

	if (memcmp(b, mapped, 12) == 0 || memcmp(b, translated, 12) == 0 || memcmp(b, nat64, 12) == 0 ||
	    memcmp(b + 8, isatap, 4) == 0 || memcmp(b + 8, isatap_global, 4) == 0)
		return 12;
	if (memcmp(b, zeros, 12) == 0 && (b[12] | b[13] | b[14]) != 0)
		return 12;
	return b[0] == 0x20 && b[1] == 0x02 ? 2 : 0; /* 6to4, RFC 3056 */
}

/* The IPv4 address inside an IPv6 one. */
static bool inner_ipv4(const struct address *a, struct address *ret)
{
	const uint8_t *b = a->bytes;
	const size_t at = a->family == AF_INET6 ? inner_at(b) : 0;

	*ret = (struct address){ .family = AF_INET };
	if (at > 0) {
		memcpy(ret->bytes, b + at, 4);
		return true;
	}
	if (a->family != AF_INET6 || b[0] != 0x20 || b[1] != 0x01 || b[2] != 0 || b[3] != 0)
		return false;
	for (int i = 0; i < 4; i++) /* Teredo, RFC 4380: complemented */
		ret->bytes[i] = (uint8_t)~b[12 + i];
	return true;
}

bool policy_address_is_listed(const struct policy_route *route, const struct address *address)
{
	return in_some(route->ranges, route->n_ranges, address);
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
	if (in_some(never, ARRAY_SIZE(never), address) || (has_inner && in_some(never, ARRAY_SIZE(never), &inner)))
		return WHY_address_refused;
	if (route->is_wildcard && (in_some(internal, ARRAY_SIZE(internal), address) ||
				   (has_inner && in_some(internal, ARRAY_SIZE(internal), &inner))))
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
