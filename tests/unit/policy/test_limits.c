/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and hosts at their limits: every byte where a class of bytes decides, the last length that is taken and the first that is not. */
#include "tests/lib/test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "policy/url.h"

static struct path path;

static bool wire_is(const char *text)
{
	return path.wire_len == strlen(text) && memcmp(path.wire, text, path.wire_len) == 0;
}

static bool is_letter_or_digit(int c)
{
	return c < 0x80 && isalnum(c) != 0;
}

static void every_byte_of_a_path(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char raw[] = { '/', 'x', (char)c, 'y', '\0' };
		const enum why why = path_parse(str_make(raw, 4), &path);
		const enum why wanted = c < 0x20 || c == 0x7f				? WHY_path_control
					: c == '\\'					? WHY_path_backslash
					: c == '%'					? WHY_path_bad_escape
					: c >= 0x80 || c == ' ' || c == '#' || c == '?' ? WHY_bad_target
											: WHY_allowed;

		if (why != wanted || (why == WHY_allowed && !wire_is(raw)))
			fail_msg("byte %02x: %s", (unsigned)c, why_symbol(why));
	}
}

static void every_escape_of_a_path(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char raw[8], plain[] = { '/', 'x', (char)c, 'y', '\0' };
		const bool is_plain = is_letter_or_digit(c) || (c && strchr("-._~", c));
		const enum why wanted = c < 0x20 || c == 0x7f ? WHY_path_control
					: c == '\\'	      ? WHY_path_backslash
					: c >= 0x80	      ? WHY_path_not_utf8
							      : WHY_allowed;
		enum why why;

		(void)snprintf(raw, sizeof(raw), "/x%%%02Xy", (unsigned)c);
		why = path_parse(str_of(raw), &path);
		if (why != wanted)
			fail_msg("escape %02x: %s", (unsigned)c, why_symbol(why));
		if (why == WHY_allowed && (!wire_is(is_plain ? plain : raw) || path.n_segments != 1 ||
					   path.segments[0].n != 3 || path.segments[0].p[1] != (char)c))
			fail_msg("escape %02x is another in wire form", (unsigned)c);
	}
}

static void escapes_of_escapes(void **state)
{
	static const struct {
		const char *raw;
		enum why why;
	} rows[] = {
		{ "/%2500", WHY_path_double_encoded },
		{ "/%2501", WHY_path_double_encoded },
		{ "/%2510", WHY_path_double_encoded },
		{ "/%25ff", WHY_path_double_encoded },
		{ "/%25%30%30", WHY_path_double_encoded },
		{ "/x%2541y", WHY_path_double_encoded },
		{ "/%25g1", WHY_allowed },
		{ "/%251g", WHY_allowed },
		{ "/%25", WHY_allowed },
		{ "/%251", WHY_allowed },
		{ "/%25/00", WHY_allowed },
		{ "/%2", WHY_path_bad_escape },
		{ "/%", WHY_path_bad_escape },
		{ "/%g0", WHY_path_bad_escape },
		{ "/%0g", WHY_path_bad_escape },
		{ "", WHY_bad_target },
		{ "x", WHY_bad_target },
		{ "/%00", WHY_path_control },
		{ "/%2e%00", WHY_path_control },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(path_parse(str_of(rows[i].raw), &path), rows[i].why);
	assert_int_equal(path_parse(str_make("/", 0), &path), WHY_bad_target);
}

static void lengths_of_a_path(void **state)
{
	static char text[PATH_MAX_BYTES + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[0] = '/';
	assert_int_equal(path_parse(str_make(text, PATH_MAX_BYTES), &path), WHY_allowed);
	assert_int_equal(path_parse(str_make(text, PATH_MAX_BYTES + 1), &path), WHY_path_too_long);
	for (size_t i = 0; i < sizeof(text); i += 2)
		text[i] = '/';
	assert_int_equal(path_parse(str_make(text, 2 * PATH_SEGMENTS_MAX), &path), WHY_allowed);
	assert_int_equal(path.n_segments, PATH_SEGMENTS_MAX);
	assert_int_equal(path_parse(str_make(text, 2 * PATH_SEGMENTS_MAX + 2), &path), WHY_path_too_long);
}

static bool is_host(const char *text, size_t n)
{
	struct host h;

	return host_parse(str_make(text, n), &h) == 0;
}

static void every_byte_of_a_host(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char text[] = { 'x', (char)c, 'y', '.', 'z' };
		/* the last label alone may not look like a number */
		const char last[] = { 'x', '.', (char)c };

		if (is_host(text, sizeof(text)) != (is_letter_or_digit(c) || c == '-' || c == '.'))
			fail_msg("byte %02x", (unsigned)c);
		if (is_host(last, sizeof(last)) != (c < 0x80 && isalpha(c) != 0))
			fail_msg("last label %02x", (unsigned)c);
	}
}

/* n bytes of labels of at most 63, ending in .example. */
static bool name_of(size_t n, char *text)
{
	memset(text, 'a', n);
	for (size_t i = 60; i + 8 < n; i += 60)
		text[i] = '.';
	memcpy(text + n - 8, ".example", 8);
	return is_host(text, n);
}

static void lengths_of_a_host(void **state)
{
	char text[300];

	(void)state;
	assert_true(name_of(253, text));
	assert_false(name_of(254, text));
	assert_false(name_of(255, text));
	assert_false(name_of(256, text));
	assert_false(name_of(257, text));
	memset(text, 'a', sizeof(text));
	text[63] = '.';
	assert_true(is_host(text, 65));
	text[63] = 'a';
	text[64] = '.';
	assert_false(is_host(text, 66));
	assert_false(is_host("", 0));
	assert_false(is_host(".", 1));
	assert_true(is_host("a.", 2));
	assert_false(is_host("a..", 3));
	assert_false(is_host("[", 1));
	assert_false(is_host("[]", 2));
	assert_true(is_host("[::]", 4));
	assert_false(is_host("[::", 3));
	assert_false(is_host("\xc2\x80.example", 10));
	assert_true(is_host("\xc3\xa9.example", 10));
	assert_true(is_host("x\x7f.example", 10) == false);
}

static void ports(void **state)
{
	static const struct {
		const char *text;
		int port; /* 0: refused */
	} rows[] = {
		{ "a", 443 },	      { "a:1", 1 },	{ "a:0", 0 },		{ "a:", 0 },
		{ "a:65535", 65535 }, { "a:65536", 0 }, { "a:00080", 80 },	{ "a:000080", 0 },
		{ "a:-1", 0 },	      { "a:+1", 0 },	{ "a:8 ", 0 },		{ "a:1:1", 0 },
		{ "[::1]:80", 80 },   { "[::1]", 443 }, { "[::1]80", 0 },	{ "[::1]:", 0 },
		{ "::1", 0 },	      { "::1:80", 0 },	{ "[10.0.0.1]:80", 0 }, { "10.0.0.1:80", 80 },
		{ "[", 0 },	      { "", 0 },	{ ":80", 0 },		{ "u@a:80", 0 },
		{ "a@", 0 },	      { "@a", 0 },	{ "[a]:80", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host h;
		uint16_t port = 0;
		const int r = authority_parse(str_of(rows[i].text), 443, &h, &port);

		if ((r == 0) != (rows[i].port > 0) || port != rows[i].port)
			fail_msg("%s: %d %u", rows[i].text, r, port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_of_a_path),
		cmocka_unit_test(every_escape_of_a_path),
		cmocka_unit_test(escapes_of_escapes),
		cmocka_unit_test(lengths_of_a_path),
		cmocka_unit_test(every_byte_of_a_host),
		cmocka_unit_test(lengths_of_a_host),
		cmocka_unit_test(ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
