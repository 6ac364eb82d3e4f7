/* SPDX-License-Identifier: Apache-2.0 */
/* Where a head ends, its lines, its version, and the classes of bytes. */
#include "tests/lib/test.h"

#include "http/h1_head.h"

static void test_nothing_is_scanned_twice(void **state)
{
	const char head[] = "\r\nA\r\nB: c\r\n\r\nrest";
	size_t start = 0, size = 0;
	struct h1_scan s;
	enum why why = WHY_undecided;

	(void)state;
	h1_scan_init(&s);
	for (size_t n = 1; n < 13; n++) {
		assert_int_equal(h1_find_head(&s, head, n, &start, &size, &why), H1_MORE);
		assert_int_equal(s.offset, n);
	}
	assert_int_equal(h1_find_head(&s, head, sizeof(head) - 1, &start, &size, &why), H1_DONE);
	assert_int_equal(start, 2);
	assert_int_equal(size, 13);
}

static void test_lines(void **state)
{
	struct str lines = STR("one\r\ntwo\r\n\r\n"), line;

	(void)state;
	line = h1_take_line(&lines);
	assert_str_equal(line, "one");
	line = h1_take_line(&lines);
	assert_str_equal(line, "two");
	line = h1_take_line(&lines);
	assert_str_equal(line, "");
	assert_int_equal(lines.n, 0);
}

static void test_versions(void **state)
{
	static const struct {
		const char *text;
		int minor; /* -1: refused */
		bool is_http;
	} rows[] = { { "HTTP/1.1", 1, true },	{ "HTTP/1.0", 0, true },   { "HTTP/1.2", -1, true },
		     { "HTTP/2.0", -1, true },	{ "HTTP/1.1 ", -1, true }, { "HTTP/1.", -1, true },
		     { "http/1.1", -1, false }, { "", -1, false },	   { "HTTP/1,1", -1, true },
		     { "HTTP/11", -1, true },	{ "XTTP/1.1", -1, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t minor = 9;
		bool is_http = !rows[i].is_http;

		assert_int_equal(h1_parse_version(str_of(rows[i].text), &minor, &is_http), rows[i].minor >= 0);
		assert_int_equal(minor, rows[i].minor >= 0 ? rows[i].minor : 9);
		assert_int_equal(is_http, rows[i].is_http);
	}
}

/* The table against the words of RFC 9110 5.6.2, 5.5 and RFC 9112 7.1. */
static void test_classes(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), digit = c >= '0' && c <= '9';
		bool token = alpha || digit || (c && c < 0x80 && strchr("!#$%&'*+-.^_`|~", c));
		bool hex = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

		assert_int_equal(h1_is((unsigned char)c, H1_TOKEN), token);
		assert_int_equal(h1_is((unsigned char)c, H1_NAME), token && c != '_');
		assert_int_equal(h1_is((unsigned char)c, H1_VALUE), c == '\t' || (c >= 0x20 && c != 0x7f));
		assert_int_equal(h1_is((unsigned char)c, H1_TARGET), c > 0x20 && c < 0x7f && c != '#');
		assert_int_equal(h1_is((unsigned char)c, H1_HEX), hex);
	}
}

static void test_framing_and_connection(void **state)
{
	static struct http_fields f;
	struct http_body body;

	(void)state;
	assert_int_equal(http_field_add(&f, STR("content-length"), STR("999999999999999999")), 0);
	assert_int_equal(h1_parse_framing(&f, 1, &body), WHY_allowed);
	assert_true(body.kind == HTTP_BODY_LENGTH && body.length == 999999999999999999u);
	f.at[0].value = STR("1000000000000000000");
	assert_int_equal(h1_parse_framing(&f, 1, &body), WHY_bad_content_length);
	f.n = 0;
	assert_int_equal(h1_parse_framing(&f, 1, &body), WHY_allowed);
	assert_int_equal(body.kind, HTTP_BODY_NONE);
	assert_int_equal(http_field_add(&f, STR("connection"), STR("keep-alive, x-mine")), 0);
	assert_int_equal(h1_check_connection(&f), WHY_allowed);
	f.at[0].value = STR("keep-alive,Host");
	assert_int_equal(h1_check_connection(&f), WHY_bad_connection);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_scanned_twice),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_framing_and_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
