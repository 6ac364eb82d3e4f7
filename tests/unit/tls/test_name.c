/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/util.h"
#include "tls/name.h"

static void accepts_and_folds_names(void **state)
{
	static const char *const rows[][2] = {
		{ "gitlab.example.com", "gitlab.example.com" },
		{ "GitLab.Example.COM", "gitlab.example.com" },
		{ "localhost", "localhost" },
		{ "a_b.example", "a_b.example" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "1.2.3.4.example", "1.2.3.4.example" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tls_name n;

		assert_int_equal(tls_name_parse(str_of(rows[i][0]), &n), 0);
		assert_string_equal(n.text, rows[i][1]);
		assert_int_equal(n.len, strlen(rows[i][1]));
		assert_int_equal(n.address_size, 0);
	}
}

static void accepts_addresses(void **state)
{
	static const unsigned char v4[] = { 10, 77, 0, 2 };
	struct tls_name n;

	(void)state;
	assert_int_equal(tls_name_parse(STR("10.77.0.2"), &n), 0);
	assert_int_equal(n.address_size, 4);
	assert_memory_equal(n.address, v4, 4);
	assert_int_equal(tls_name_parse(STR("FD77:0:0::1"), &n), 0);
	assert_int_equal(n.address_size, 16);
	assert_string_equal(n.text, "fd77::1");
}

static void refuses_everything_else(void **state)
{
	static const struct str rows[] = {
		{ "", 0 },
		{ ".", 1 },
		{ "a..b", 4 },
		{ ".a", 2 },
		{ "a.com.", 6 },
		{ "-a.com", 6 },
		{ "a-.com", 6 },
		{ "a.com,DNS:b.com", 15 },
		{ "a.com\0b.com", 11 },
		{ "a.com\0", 6 },
		{ "a.com\nDNS:b.com", 15 },
		{ "*.example.com", 13 },
		{ "a b.com", 7 },
		{ "a/b", 3 },
		{ "b\xc3\xbc"
		  "cher.example",
		  14 },
		{ "email:x@y", 9 },
		{ "1.2.3", 5 },
		{ "1.2.3.4.5", 9 },
		{ "0x7f000001", 10 },
		{ "127.1", 5 },
		{ "0177.0.0.1", 10 },
		{ "[::1]", 5 },
		{ "fe80::1%eth0", 12 },
		{ "example.0x10", 12 },
		{ "example.7", 9 },
	};
	struct tls_name n = { .len = 77 };
	char label[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(tls_name_parse(rows[i], &n), -EINVAL);
	memset(label, 'a', sizeof(label));
	assert_int_equal(tls_name_parse(str_make(label, 64), &n), -EINVAL);
	assert_int_equal(n.len, 77);
	assert_int_equal(tls_name_parse(str_make(label, 63), &n), 0);
}

static void bounds_the_length(void **state)
{
	char name[300];
	struct tls_name n;

	(void)state;
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 10 == 9 ? '.' : 'a';
	assert_int_equal(tls_name_parse(str_make(name, 253), &n), 0);
	assert_int_equal(n.len, 253);
	assert_int_equal(tls_name_parse(str_make(name, 254), &n), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_and_folds_names),
		cmocka_unit_test(accepts_addresses),
		cmocka_unit_test(refuses_everything_else),
		cmocka_unit_test(bounds_the_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
