/* SPDX-License-Identifier: Apache-2.0 */
/* Spans, UTF-8 and JSON text. */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"
#include "base/utf8.h"

static void test_numbers(void **state)
{
	static const char *const bad[] = { "", "+1", "-1", " 1", "1 ", "0x1", "12345678901234567890", "1a" };
	uint64_t value = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(str_to_u64(str_of(bad[i]), &value), -EINVAL);
		assert_int_equal(value, 7);
	}
	assert_int_equal(str_to_u64(STR("9999999999999999999"), &value), 0);
	assert_true(value == 9999999999999999999ull);
	assert_int_equal(str_to_u64(STR("007"), &value), 0);
	assert_int_equal(value, 7);
}

static void test_spans(void **state)
{
	(void)state;
	assert_true(str_eq_nocase(STR("Host"), STR("hOST")));
	assert_false(str_eq_nocase(STR("Host"), STR("Hos")));
	assert_false(str_eq(STR("a"), STR("A")));
	assert_true(str_eq(str_of(NULL), STR("")));
	assert_int_equal(str_find(STR("abc"), 'c'), 2);
	assert_int_equal(str_find(STR("abc"), 'x'), 3);
	assert_str_equal(str_from(STR("abc"), 1), "bc");
	assert_str_equal(str_from(STR("abc"), 9), "");
	assert_str_equal(str_trim_ows(STR(" \t a b \t")), "a b");
	assert_str_equal(str_trim_ows(STR(" \t ")), "");
	assert_true(str_starts(STR("abc"), STR("ab")));
	assert_false(str_starts(STR("a"), STR("ab")));
	assert_true(str_ends(STR("abc"), STR("bc")));
}

static void test_utf8(void **state)
{
	static const char *const good[] = {
		"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"
	};
	static const char *const bad[] = { "\x80",
					   "\xc0\xaf",
					   "\xc1\xbf",
					   "\xe0\x80\xaf",
					   "\xed\xa0\x80",
					   "\xf0\x80\x80\xaf",
					   "\xf4\x90\x80\x80",
					   "\xf5\x80\x80\x80",
					   "\xe2\x82",
					   "\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(utf8_is_valid(str_of(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_is_valid(str_of(bad[i])));
}

static void test_json_text(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	assert_int_equal(buf_append_json(&b, STR("a\"b\\\n\x01\x7f\xff\xc3\xa9")), 0);
	assert_str_equal(buf_str(&b), "a\\\"b\\\\\\n\\u0001\\u007f\\ufffd\xc3\xa9");
	buf_done(&b);
}

static void test_log_escape(void **state)
{
	char out[16];

	(void)state;
	assert_string_equal(log_escape(out, sizeof(out), "a\x1b[0m", 5), "a\\x1b[0m");
	assert_string_equal(log_escape(out, sizeof(out),
				       "\xc2\x9b"
				       "1",
				       3),
			    "\\xc2\\x9b1");
	assert_string_equal(log_escape(out, 6, "abcdefgh", 8), "abcde");
	assert_string_equal(log_escape(out, 4, "\n\n", 2), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),	  cmocka_unit_test(test_spans),	     cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_json_text), cmocka_unit_test(test_log_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
