/* SPDX-License-Identifier: Apache-2.0 */
/* The response rows of tests/http/response.json that the parser alone can judge, cut at every byte; and what a head comes to. */
#include "tests/lib/test.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/h1.h"

static struct http_response response;

static enum h1_result parse(const char *data, size_t n, size_t step, bool to_head, size_t *ret_size)
{
	enum h1_result r = H1_MORE;
	char *copy = malloc(n);
	struct h1_scan scan;

	assert_non_null(copy);
	memcpy(copy, data, n);
	h1_scan_init(&scan);
	for (size_t have = 0; r == H1_MORE && have < n;) {
		enum why why = WHY_undecided;

		have = have + step < n ? have + step : n;
		r = h1_parse_response(&scan, copy, have, to_head, &response, ret_size, &why);
		if (r == H1_BAD)
			assert_int_equal(why, WHY_upstream_malformed);
	}
	free(copy);
	return r;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : "";
}

/* Heads of one piece, all ASCII. */
static const char *whole_head(struct json_object *row)
{
	struct json_object *answer;

	assert_true(json_object_object_get_ex(row, "answer", &answer));
	if (json_object_array_length(answer) != 1 ||
	    !json_object_is_type(json_object_array_get_idx(answer, 0), json_type_string))
		return NULL;
	return json_object_get_string(json_object_array_get_idx(answer, 0));
}

static void test_rows(void **state)
{
	struct json_object *rows = json_object_from_file("tests/http/response.json"), *client;
	size_t judged = 0;

	(void)state;
	assert_non_null(rows);
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *head = whole_head(row), *covers = text_of(row, "covers");
		bool to_head = strcmp(text_of(row, "method"), "HEAD") == 0;
		bool bad;
		size_t size;

		/* NUL ends a C string; behind a 1xx stands more than one head */
		if (!head || strstr(covers, "1xx") || strcmp(text_of(row, "name"), "NUL") == 0)
			continue;
		assert_true(json_object_object_get_ex(row, "client", &client));
		bad = json_object_is_type(client, json_type_object) &&
		      strcmp(text_of(client, "code"), "upstream_malformed") == 0;
		for (size_t step = 1; step <= strlen(head); step += step < 5 ? 1 : strlen(head)) {
			enum h1_result r = parse(head, strlen(head), step, to_head, &size);

			if (r != (bad ? H1_BAD : H1_DONE))
				fail_msg("row %zu, steps of %zu: %d: %s", i, step, r, json_object_to_json_string(row));
		}
		judged++;
	}
	assert_in_range(judged, 60, 10000);
	json_object_put(rows);
}

struct head_row {
	const char *head;
	bool to_head, keep_alive;
	enum http_body_kind kind;
	uint64_t length;
};

static const struct head_row head_rows[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", false, true, HTTP_BODY_LENGTH, 7 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true, true, HTTP_BODY_NONE, 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, true, HTTP_BODY_CHUNKED, 0 },
	{ "HTTP/1.1 200 OK\r\n\r\n", false, false, HTTP_BODY_EOF, 0 },
	{ "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 7\r\n\r\n", false, false, HTTP_BODY_LENGTH, 7 },
	{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 7\r\n\r\n", false, false, HTTP_BODY_LENGTH, 7 },
	{ "HTTP/1.1 204 No Content\r\n\r\n", false, true, HTTP_BODY_NONE, 0 },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", false, true, HTTP_BODY_NONE, 0 },
	{ "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", false, true, HTTP_BODY_NONE, 0 },
};

static void test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(head_rows) / sizeof(head_rows[0]); i++) {
		const struct head_row *row = &head_rows[i];
		size_t size = 0;

		assert_int_equal(parse(row->head, strlen(row->head), 3, row->to_head, &size), H1_DONE);
		assert_int_equal(size, strlen(row->head));
		assert_int_equal(response.keep_alive, row->keep_alive);
		assert_int_equal(response.body.kind, row->kind);
		assert_int_equal(response.body.length, row->length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_heads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
