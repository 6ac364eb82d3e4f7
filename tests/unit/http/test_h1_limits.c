/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1.1 parser at its limits: the last length that is taken and the first that is not, and every byte where a class of bytes decides. */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/h1.h"
#include "http/h1_body.h"

static struct http_request request;
static struct http_response response;

static enum why parse(const char *head, size_t n)
{
	char *copy = malloc(n);
	struct h1_scan scan;
	enum why why = WHY_undecided;
	size_t size;
	enum h1_result r;

	assert_non_null(copy);
	memcpy(copy, head, n);
	h1_scan_init(&scan);
	r = h1_parse_request(&scan, copy, n, &request, &size, &why);
	free(copy); /* only what holds no span of it is looked at */
	return r == H1_DONE ? WHY_allowed : r == H1_BAD ? why : WHY_undecided;
}

static enum why parse_text(const char *head)
{
	return parse(head, strlen(head));
}

/* before, n times 'a', after. */
static enum why parse_long(const char *before, size_t n, const char *after)
{
	const size_t b = strlen(before), a = strlen(after);
	char *text = malloc(b + n + a);
	enum why why;

	assert_non_null(text);
	memcpy(text, before, b);
	memset(text + b, 'a', n);
	memcpy(text + b + n, after, a);
	why = parse(text, b + n + a);
	free(text);
	return why;
}

static void test_lengths(void **state)
{
	static const char tail[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
	char head[64 * 1024];
	size_t n = 0;

	(void)state;
	assert_int_equal(parse_long("", HTTP_METHOD_MAX, " / HTTP/1.1\r\nHost: a\r\n\r\n"), WHY_allowed);
	assert_int_equal(parse_long("", HTTP_METHOD_MAX + 1, " / HTTP/1.1\r\nHost: a\r\n\r\n"), WHY_bad_method);
	assert_int_equal(parse_long("GET /", HTTP_TARGET_MAX - 1, tail), WHY_allowed);
	assert_int_equal(parse_long("GET /", HTTP_TARGET_MAX, tail), WHY_target_too_long);
	assert_int_equal(parse_long("GET / HTTP/1.1\r\nHost: a\r\nX: ", HTTP_VALUE_MAX, "\r\n\r\n"), WHY_allowed);
	assert_int_equal(parse_long("GET / HTTP/1.1\r\nHost: a\r\nX: ", HTTP_VALUE_MAX + 1, "\r\n\r\n"),
			 WHY_head_too_large);
	/* four fields of 8000 bytes, and a fifth that makes the head as long as it may be */
	n = (size_t)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 4; i++)
		n += (size_t)snprintf(head + n, sizeof(head) - n, "X: %08000d\r\n", 0);
	(void)snprintf(head + n, sizeof(head) - n, "Y: ");
	assert_int_equal(parse_long(head, HTTP_HEAD_MAX - n - 3 - 4, "\r\n\r\n"), WHY_allowed);
	assert_int_equal(parse_long(head, HTTP_HEAD_MAX - n - 3 - 3, "\r\n\r\n"), WHY_head_too_large);
}

/* Every byte inside a host. */
static void test_host_bytes(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		const char head[] = { 'G', 'E', 'T', ' ',     '/',  ' ',  'H',	'T',  'T', 'P',
				      '/', '1', '.', '1',     '\r', '\n', 'H',	'o',  's', 't',
				      ':', ' ', 'a', (char)c, 'b',  '\r', '\n', '\r', '\n' };
		const bool good = c > 0x20 && c < 0x7f && !strchr(",@/?#\\", c);

		if ((parse(head, sizeof(head)) == WHY_allowed) != good)
			fail_msg("byte %02x", (unsigned)c);
	}
}

static void test_query(void **state)
{
	(void)state;
	assert_int_equal(parse_text("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), WHY_allowed);
	assert_false(request.has_query);
	assert_int_equal(request.query.n, 0);
	assert_int_equal(parse_text("GET /a? HTTP/1.1\r\nHost: a\r\n\r\n"), WHY_allowed);
	assert_true(request.has_query);
	assert_int_equal(parse_text("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n"), WHY_bad_target);
}

#define POST "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"

static void test_what_a_head_asks(void **state)
{
	static const struct {
		const char *head;
		bool expects, keeps;
	} rows[] = {
		{ POST "Content-Length: 5\r\n\r\n", true, true },
		{ POST "Content-Length: 0\r\n\r\n", false, true },
		{ POST "Transfer-Encoding: chunked\r\n\r\n", true, true },
		{ POST "\r\n", false, true },
		{ POST "Content-Length: 5\r\nConnection: close\r\n\r\n", true, false },
		{ "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", false, false },
		{ "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", false, false },
		{ "GET / HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n", false, false },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse_text(rows[i].head), WHY_allowed);
		if (request.expect_continue != rows[i].expects || request.keep_alive != rows[i].keeps)
			fail_msg("row %zu", i);
	}
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static void test_fields_that_count(void **state)
{
	(void)state;
	assert_int_equal(parse_text(GET "Content-Encoding: gzip\r\n\r\n"), WHY_allowed);
	assert_int_equal(parse_text(GET "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n"),
			 WHY_bad_field_value);
	assert_int_equal(parse_text(GET "Content-Type: a/b\r\n\r\n"), WHY_allowed);
	assert_int_equal(parse_text(GET "Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n"), WHY_allowed);
	assert_int_equal(parse_text(GET "Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\n"),
			 WHY_bad_upgrade);
	assert_int_equal(parse_text(GET "Content-Length: 100000000000000000\r\n\r\n"), WHY_allowed);
	assert_int_equal(parse_text(GET "Content-Length: 1000000000000000000\r\n\r\n"), WHY_bad_content_length);
}

static bool answers(const char *head, size_t n)
{
	char *copy = malloc(n);
	struct h1_scan scan;
	enum why why = WHY_undecided;
	size_t size;
	enum h1_result r;

	assert_non_null(copy);
	memcpy(copy, head, n);
	h1_scan_init(&scan);
	r = h1_parse_response(&scan, copy, n, false, &response, &size, &why);
	free(copy);
	assert_true(r != H1_MORE && (r == H1_DONE) == (why == WHY_undecided));
	return r == H1_DONE;
}

static bool answers_text(const char *head)
{
	return answers(head, strlen(head));
}

static void test_status_bytes(void **state)
{
	(void)state;
	for (size_t at = 9; at <= 12; at++) {
		for (int c = 1; c < 256; c++) {
			char head[] = "HTTP/1.1 200 OK\r\n\r\n";
			const bool good = at == 9 ? c >= '1' && c <= '5' : at == 12 ? c == ' ' : c >= '0' && c <= '9';

			head[at] = (char)c;
			if (c != '\r' && c != '\n' && answers(head, sizeof(head) - 1) != good)
				fail_msg("byte %zu is %02x", at, (unsigned)c);
		}
	}
}

static void test_status_lines(void **state)
{
	static const struct {
		const char *head;
		bool good;
		enum http_body_kind kind;
	} rows[] = {
		{ "HTTP/1.1 200\r\n\r\n", true, HTTP_BODY_EOF },
		{ "HTTP/1.1 200 \r\n\r\n", true, HTTP_BODY_EOF },
		{ "HTTP/1.1 200X\r\n\r\n", false, 0 },
		{ "HTTP/1.1 20\r\n\r\n", false, 0 },
		{ "HTTP/1.1\r\n\r\n", false, 0 },
		{ "HTTP/1.1X200 OK\r\n\r\n", false, 0 },
		{ "HTTP/1.1 099 X\r\n\r\n", false, 0 },
		{ "HTTP/1.1 100 X\r\n\r\n", true, HTTP_BODY_NONE },
		{ "HTTP/1.1 199 X\r\n\r\n", true, HTTP_BODY_NONE },
		{ "HTTP/1.1 199 X\r\nContent-Length: 1\r\n\r\n", false, 0 },
		{ "HTTP/1.1 200 X\r\nContent-Length: 1\r\n\r\n", true, HTTP_BODY_LENGTH },
		{ "HTTP/1.1 599 X\r\n\r\n", true, HTTP_BODY_EOF },
		{ "HTTP/1.1 600 X\r\n\r\n", false, 0 },
		{ "\r\nHTTP/1.1 200 OK\r\n\r\n", false, 0 },
		{ "HTTP/1.1 200 OK\n\r\n", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const bool good = answers_text(rows[i].head);

		if (good != rows[i].good || (good && response.body.kind != rows[i].kind))
			fail_msg("row %zu", i);
	}
}

/* The verdict on a chunked body; its content in out. */
static enum why decode(const char *text, size_t n, struct buf *out)
{
	const struct http_body kind = { .kind = HTTP_BODY_CHUNKED };
	struct h1_body b;
	size_t used = 1;

	h1_body_init(&b, &kind);
	for (size_t at = 0; at < n && used > 0 && !b.done; at += used) {
		struct str content;
		const enum why why = h1_body_read(&b, str_make(text + at, n - at), &used, &content);

		if (why != WHY_allowed)
			return why;
		assert_int_equal(buf_append(out, content), 0);
	}
	return h1_body_eof(&b);
}

static enum why decode_long(const char *before, size_t n, const char *after)
{
	const size_t b = strlen(before), a = strlen(after);
	char *text = malloc(b + n + a);
	struct buf out;
	enum why why;

	assert_non_null(text);
	memcpy(text, before, b);
	memset(text + b, 'a', n);
	memcpy(text + b + n, after, a);
	buf_init(&out, 1024);
	why = decode(text, b + n + a, &out);
	buf_done(&out);
	free(text);
	return why;
}

static void test_chunk_sizes(void **state)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	(void)state;
	for (int c = 1; c < 256; c++) {
		const char *digit = strchr(digits, c);
		const size_t value = digit ? (size_t)(digit - digits) - (digit - digits > 15 ? 6 : 0) : 0;
		char text[64] = { '1', (char)c, '\r', '\n' };
		size_t n = 4;
		struct buf out;

		memset(text + n, 'x', 16 + value);
		n += 16 + value;
		memcpy(text + n, "\r\n0\r\n\r\n", 7);
		buf_init(&out, 64);
		if (c != '\r' && c != ';' && (decode(text, n + 7, &out) == WHY_allowed) != (digit != NULL))
			fail_msg("byte %02x", (unsigned)c);
		if (digit)
			assert_int_equal(buf_len(&out), 16 + value);
		buf_done(&out);
	}
	assert_int_equal(decode_long("\r\n\r\n", 0, ""), WHY_bad_chunk);
	assert_int_equal(decode_long(";a\r\n\r\n", 0, ""), WHY_bad_chunk);
}

static void test_chunk_limits(void **state)
{
	(void)state;
	/* the ';' is not counted, as in the extension's own grammar */
	assert_int_equal(decode_long("0;", H1_CHUNK_EXT_MAX, "\r\n\r\n"), WHY_allowed);
	assert_int_equal(decode_long("0;", H1_CHUNK_EXT_MAX + 1, "\r\n\r\n"), WHY_bad_chunk);
	/* "X: ", its line's end and the CR of the empty line are trailer, too */
	assert_int_equal(decode_long("0\r\nX: ", H1_TRAILER_MAX - 6, "\r\n\r\n"), WHY_allowed);
	assert_int_equal(decode_long("0\r\nX: ", H1_TRAILER_MAX - 5, "\r\n\r\n"), WHY_bad_chunk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_host_bytes),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_what_a_head_asks),
		cmocka_unit_test(test_fields_that_count),
		cmocka_unit_test(test_status_bytes),
		cmocka_unit_test(test_status_lines),
		cmocka_unit_test(test_chunk_sizes),
		cmocka_unit_test(test_chunk_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
