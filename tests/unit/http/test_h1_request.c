/* SPDX-License-Identifier: Apache-2.0 */
/* One row for each thing that two parsers could read differently; every row also byte by byte. */
#include "tests/lib/test.h"

#include <stdlib.h>

#include "base/buf.h"
#include "http/h1.h"

struct row {
	const char *head;
	enum why why;
};

#define GET  "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static const struct row rows[] = {
	{ GET "\r\n", WHY_allowed },
	{ "\r\n" GET "\r\n", WHY_allowed },
	{ "\r\n\r\n" GET "\r\n", WHY_bad_request_line },
	{ "GET / HTTP/1.0\r\n\r\n", WHY_allowed },
	{ "GET /\r\n\r\n", WHY_bad_request_line },
	{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", WHY_bad_request_line },
	{ "GET / HTTP/2.0\r\n\r\n", WHY_bad_version },
	{ "GET / HTTP/1.2\r\n\r\n", WHY_bad_version },
	{ "PRI * HTTP/2.0\r\n\r\n", WHY_bad_version },
	{ "GET / http/1.1\r\nHost: a\r\n\r\n", WHY_bad_request_line },
	{ "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", WHY_bad_method },
	{ "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", WHY_bad_target },
	{ "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", WHY_bad_target },
	{ "GET a HTTP/1.1\r\nHost: a\r\n\r\n", WHY_bad_target },
	{ "GET * HTTP/1.1\r\nHost: a\r\n\r\n", WHY_bad_target },
	{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", WHY_allowed },
	{ "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", WHY_allowed },
	{ "GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n", WHY_bad_target },
	{ "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", WHY_allowed },
	{ "CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n", WHY_bad_target },
	{ "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", WHY_framing_conflict },
	{ "GET / HTTP/1.1\r\n\r\n", WHY_bad_host },
	{ GET "Host: a\r\n\r\n", WHY_bad_host },
	{ "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", WHY_bad_host },
	{ "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", WHY_bad_host },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", WHY_bad_host },
	{ GET "X : y\r\n\r\n", WHY_bad_field_name },
	{ GET ": y\r\n\r\n", WHY_bad_field_name },
	{ GET "x_y: z\r\n\r\n", WHY_bad_field_name },
	{ GET "nocolon\r\n\r\n", WHY_bad_field_name },
	{ POST "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n", WHY_bad_field_value },
	{ GET "X: y\r\n folded\r\n\r\n", WHY_field_fold },
	{ GET "X: y\x01z\r\n\r\n", WHY_bad_field_value },
	{ GET "X: y\n\r\n", WHY_bad_line_end },
	{ GET "X: y\rz\r\n\r\n", WHY_bad_line_end },
	{ POST "Content-Length: 5\r\n\r\n", WHY_allowed },
	{ POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", WHY_bad_content_length },
	{ POST "Content-Length: 5, 5\r\n\r\n", WHY_bad_content_length },
	{ POST "Content-Length: +5\r\n\r\n", WHY_bad_content_length },
	{ POST "Content-Length: 0x5\r\n\r\n", WHY_bad_content_length },
	{ POST "Content-Length:\r\n\r\n", WHY_bad_content_length },
	{ POST "Content-Length: 0000000000000000005\r\n\r\n", WHY_bad_content_length },
	{ POST "Content-Length: 99999999999999999999\r\n\r\n", WHY_bad_content_length },
	{ POST "Transfer-Encoding: chunked\r\n\r\n", WHY_allowed },
	{ POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", WHY_framing_conflict },
	{ POST "Transfer-Encoding: gzip, chunked\r\n\r\n", WHY_bad_transfer_encoding },
	{ POST "Transfer-Encoding: ,chunked\r\n\r\n", WHY_bad_transfer_encoding },
	{ POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", WHY_bad_transfer_encoding },
	{ POST "Transfer-Encoding: identity\r\n\r\n", WHY_bad_transfer_encoding },
	{ "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", WHY_bad_transfer_encoding },
	{ GET "Connection: close, x-mine\r\n\r\n", WHY_allowed },
	{ GET "Connection: Authorization\r\n\r\n", WHY_bad_connection },
	{ GET "Connection: Transfer-Encoding\r\n\r\n", WHY_bad_connection },
	{ GET "Connection: x\r\nConnection: host\r\n\r\n", WHY_bad_connection },
	{ POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", WHY_allowed },
	{ POST "Expect: 200-ok\r\n\r\n", WHY_bad_expect },
	{ POST "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n", WHY_bad_upgrade },
	{ GET "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", WHY_allowed },
};

/* Feeds data in steps, as the worker does. */
static enum why parse(const char *text, size_t n, size_t step)
{
	static struct http_request request;
	struct h1_scan scan;
	char *copy = malloc(n);
	enum why why = WHY_undecided;
	enum h1_result r = H1_MORE;
	size_t size = 0;

	assert_non_null(copy);
	memcpy(copy, text, n);
	h1_scan_init(&scan);
	for (size_t have = step < n ? step : n; r == H1_MORE; have = have + step < n ? have + step : n) {
		r = h1_parse_request(&scan, copy, have, &request, &size, &why);
		if (have == n)
			break;
	}
	free(copy);
	assert_int_not_equal(r, H1_MORE);
	if (r == H1_DONE)
		assert_int_equal(size, n);
	return r == H1_DONE ? WHY_allowed : why;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].head);

		for (size_t step = 1; step <= n; step += step < 4 ? 1 : n) {
			enum why why = parse(rows[i].head, n, step);

			if (why != rows[i].why)
				fail_msg("row %zu, step %zu: %s, expected %s", i, step, why_symbol(why),
					 why_symbol(rows[i].why));
		}
	}
}

static void test_limits(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	assert_int_equal(buf_append(&b, STR("GET / HTTP/1.1\r\nHost: a\r\n")), 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(buf_append(&b, STR("a: b\r\n")), 0);
	assert_int_equal(buf_append(&b, STR("\r\n")), 0);
	assert_int_equal(parse(buf_data(&b), buf_len(&b), 4096), WHY_head_too_large);
	buf_clear(&b);
	assert_int_equal(buf_append(&b, STR("GET /")), 0);
	while (buf_len(&b) < 40000)
		assert_int_equal(buf_append(&b, STR("aaaaaaaaaaaaaaaa")), 0);
	assert_int_equal(parse(buf_data(&b), buf_len(&b), 4096), WHY_head_too_large);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
