/* SPDX-License-Identifier: Apache-2.0 */
/* bpf/address.h compiled for the host: what counts as loopback, as destination and as source, and what v4-mapped means. No root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/types.h>

#include "bpf/address.h"

static struct destination parse(const char *text)
{
	struct destination d;
	uint32_t ip[4] = { 0 };

	if (inet_pton(AF_INET, text, ip) == 1) {
		destination_set4(&d, ip[0], htons(443));
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, ip), 1);
		destination_set6(&d, ip, htons(443));
	}
	return d;
}

static void test_loopback(void **state)
{
	/* clang-format off */
	static const struct { const char *text; int loopback, family, mapped; } rows[] = {
		{ "127.0.0.1", 1, AF_INET, 0 }, { "127.255.255.255", 1, AF_INET, 0 }, { "0.0.0.0", 1, AF_INET, 0 },
		{ "126.255.255.255", 0, AF_INET, 0 }, { "128.0.0.0", 0, AF_INET, 0 }, { "0.0.0.1", 0, AF_INET, 0 },
		{ "1.0.0.127", 0, AF_INET, 0 }, { "10.77.9.9", 0, AF_INET, 0 },
		{ "::1", 1, AF_INET6, 0 }, { "::", 1, AF_INET6, 0 }, { "::2", 0, AF_INET6, 0 }, { "1::", 0, AF_INET6, 0 },
		{ "::127.0.0.1", 0, AF_INET6, 0 }, { "fd77::1", 0, AF_INET6, 0 }, { "0:0:1::1", 0, AF_INET6, 0 },
		{ "::ffff:127.0.0.1", 1, AF_INET, 1 }, { "::ffff:0.0.0.0", 1, AF_INET, 1 },
		{ "::ffff:10.77.9.9", 0, AF_INET, 1 }, { "::fffe:127.0.0.1", 0, AF_INET6, 0 },
		{ "64:ff9b::127.0.0.1", 0, AF_INET6, 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct destination d = parse(rows[i].text);

		if (destination_is_loopback(&d) != rows[i].loopback || d.family != rows[i].family ||
		    d.mapped != (uint32_t)rows[i].mapped || d.port != 443)
			fail_msg("%s: loopback %d family %d mapped %u", rows[i].text, destination_is_loopback(&d),
				 d.family, d.mapped);
	}
}

static void test_mapped_is_ipv4(void **state)
{
	struct destination mapped = parse("::ffff:10.77.9.9"), plain = parse("10.77.9.9");

	(void)state;
	assert_memory_equal(mapped.ip, plain.ip, sizeof(plain.ip));
}

static void test_source(void **state)
{
	/* clang-format off */
	static const struct { const char *text; int stays; } rows[] = {
		{ "::1", 1 }, { "::", 1 }, { "::2", 0 }, { "fd77::1", 0 }, { "1::", 0 }, { "0:0:1::1", 0 }, { "0:0:0:1::1", 0 },
		{ "::1:0:1", 0 }, { "fe80::1", 0 }, { "::127.0.0.1", 0 }, { "::ffff:127.0.0.1", 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t ip[4];

		assert_int_equal(inet_pton(AF_INET6, rows[i].text, ip), 1);
		if (source6_is_loopback(ip[0], ip[1], ip[2], ip[3]) != rows[i].stays)
			fail_msg("%s", rows[i].text);
	}
}

static void test_ports(void **state)
{
	(void)state;
	for (uint32_t port = 0; port <= UINT16_MAX; port++) {
		assert_int_equal(port_to_host(port_to_net((uint16_t)port)), port);
		assert_int_equal(port_to_net((uint16_t)port), htons((uint16_t)port));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_mapped_is_ipv4),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
