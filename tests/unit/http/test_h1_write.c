/* SPDX-License-Identifier: Apache-2.0 */
/* Heads, byte for byte; what does not fit into the buffer is an error, and what was written parses again. */
#include "tests/lib/test.h"

#include "base/buf.h"
#include "http/h1.h"

static const struct http_fields fields = { .n = 1, .at = { { { "x-a", 3 }, { "b c", 3 } } } };

struct request_row {
	const char *method, *target;
	struct http_body body;
	const char *out;
};

static const struct request_row request_rows[] = {
	{ "GET", "/", { HTTP_BODY_NONE, 0 }, "GET / HTTP/1.1\r\nhost: h:1\r\nx-a: b c\r\n\r\n" },
	{ "POST",
	  "/a?b",
	  { HTTP_BODY_LENGTH, 0 },
	  "POST /a?b HTTP/1.1\r\nhost: h:1\r\nx-a: b c\r\ncontent-length: 0\r\n\r\n" },
	{ "PUT",
	  "/",
	  { HTTP_BODY_LENGTH, 18446744073709551615u },
	  "PUT / HTTP/1.1\r\nhost: h:1\r\nx-a: b c\r\ncontent-length: 18446744073709551615\r\n\r\n" },
	{ "PUT",
	  "/",
	  { HTTP_BODY_CHUNKED, 0 },
	  "PUT / HTTP/1.1\r\nhost: h:1\r\nx-a: b c\r\ntransfer-encoding: chunked\r\n\r\n" },
};

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(request_rows) / sizeof(request_rows[0]); i++) {
		const struct request_row *row = &request_rows[i];

		for (size_t max = 0; max <= strlen(row->out); max++) {
			struct buf out;
			int r;

			buf_init(&out, max);
			r = h1_write_request(&out, str_of(row->method), str_of(row->target), STR("h:1"), &fields,
					     &row->body);
			if (max < strlen(row->out))
				assert_true(r < 0);
			else
				assert_str_equal(buf_str(&out), row->out);
			buf_done(&out);
		}
	}
}

struct response_row {
	unsigned status;
	struct http_body body;
	bool keep_alive, to_head;
	const char *out;
};

#define X "x-a: b c\r\n"

static const struct response_row response_rows[] = {
	{ 200, { HTTP_BODY_LENGTH, 3 }, true, false, "HTTP/1.1 200 OK\r\n" X "content-length: 3\r\n\r\n" },
	{ 200, { HTTP_BODY_NONE, 0 }, true, false, "HTTP/1.1 200 OK\r\n" X "content-length: 0\r\n\r\n" },
	{ 200,
	  { HTTP_BODY_CHUNKED, 0 },
	  false,
	  false,
	  "HTTP/1.1 200 OK\r\n" X "transfer-encoding: chunked\r\nconnection: close\r\n\r\n" },
	{ 200, { HTTP_BODY_EOF, 0 }, false, false, "HTTP/1.1 200 OK\r\n" X "connection: close\r\n\r\n" },
	{ 200, { HTTP_BODY_LENGTH, 3 }, true, true, "HTTP/1.1 200 OK\r\n" X "\r\n" },
	{ 204, { HTTP_BODY_NONE, 0 }, true, false, "HTTP/1.1 204 No Content\r\n" X "\r\n" },
	{ 304, { HTTP_BODY_NONE, 0 }, false, false, "HTTP/1.1 304 Not Modified\r\n" X "connection: close\r\n\r\n" },
	{ 100, { HTTP_BODY_NONE, 0 }, false, false, "HTTP/1.1 100 Continue\r\n" X "\r\n" },
	{ 599, { HTTP_BODY_NONE, 0 }, true, false, "HTTP/1.1 599 \r\n" X "content-length: 0\r\n\r\n" },
};

static void test_responses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(response_rows) / sizeof(response_rows[0]); i++) {
		const struct response_row *row = &response_rows[i];
		static struct http_response parsed;
		struct h1_scan scan;
		enum why why;
		size_t size;
		struct buf out;

		buf_init(&out, 512);
		assert_int_equal(h1_write_response(&out, row->status, STR(""), &fields, &row->body, row->keep_alive,
						   row->to_head),
				 0);
		assert_str_equal(buf_str(&out), row->out);
		h1_scan_init(&scan);
		assert_int_equal(h1_parse_response(&scan, buf_data(&out), buf_len(&out), row->to_head, &parsed, &size,
						   &why),
				 H1_DONE);
		assert_int_equal(parsed.status, row->status);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_requests), cmocka_unit_test(test_responses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
