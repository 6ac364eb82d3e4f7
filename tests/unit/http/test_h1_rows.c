/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request rows of tests/http/request.json on the parser alone, cut at every byte: what the live test expects of the whole
 * program, the parser must say by itself wherever the refusal is its own.
 */
#include "tests/lib/test.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/h1.h"
#include "http/h1_body.h"

/* Refusals that the parser finds; the rest is for the stages behind it. */
static const enum why of_head[] = {
	WHY_bad_request_line,
	WHY_bad_version,
	WHY_bad_method,
	WHY_bad_target,
	WHY_target_too_long,
	WHY_bad_field_name,
	WHY_bad_field_value,
	WHY_bad_line_end,
	WHY_field_fold,
	WHY_head_too_large,
	WHY_bad_host,
	WHY_bad_content_length,
	WHY_bad_transfer_encoding,
	WHY_framing_conflict,
	WHY_bad_connection,
	WHY_bad_expect,
	WHY_bad_upgrade,
};

static enum why code_of(struct json_object *row)
{
	struct json_object *code;

	if (!json_object_object_get_ex(row, "code", &code))
		return WHY_allowed;
	for (unsigned i = 0; i < WHY_COUNT_; i++) {
		if (strcmp(why_symbol((enum why)i), json_object_get_string(code)) == 0)
			return (enum why)i;
	}
	fail_msg("no such code: %s", json_object_get_string(code));
	return WHY_undecided;
}

/* Latin-1 out of JSON's UTF-8. */
static void append_text(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0xc0)
			c = (unsigned char)((c & 3) << 6 | (s[++i] & 0x3f));
		assert_int_equal(buf_append(out, str_make((char *)&c, 1)), 0);
	}
}

static void append_piece(struct buf *out, struct json_object *piece)
{
	struct json_object *text = piece, *times = NULL;
	int n = 1;

	if (json_object_is_type(piece, json_type_object)) {
		assert_true(json_object_object_get_ex(piece, "repeat", &text));
		assert_true(json_object_object_get_ex(piece, "times", &times));
		n = json_object_get_int(times);
	}
	for (int i = 0; i < n; i++)
		append_text(out, json_object_get_string(text), (size_t)json_object_get_string_len(text));
}

static void append_row(struct buf *out, struct json_object *row)
{
	struct json_object *pieces;

	assert_true(json_object_object_get_ex(row, "send", &pieces));
	if (!json_object_is_type(pieces, json_type_array)) {
		append_piece(out, pieces);
		return;
	}
	for (size_t i = 0; i < json_object_array_length(pieces); i++)
		append_piece(out, json_object_array_get_idx(pieces, i));
}

static enum why read_body(struct h1_body *b, struct str in)
{
	while (!b->done) {
		struct str content;
		size_t used;
		enum why why = h1_body_read(b, in, &used, &content);

		if (why != WHY_allowed || used == 0)
			return why;
		in = str_from(in, used);
	}
	return WHY_allowed;
}

/* All heads and bodies of data, which arrives in steps. WHY_allowed or the first refusal. */
static enum why read_all(const char *data, size_t n, size_t step)
{
	static struct http_request request;
	char *copy = malloc(n);
	size_t begin = 0;
	enum why why = WHY_allowed;

	assert_non_null(copy);
	memcpy(copy, data, n);
	while (begin < n && why == WHY_allowed) {
		enum h1_result r = H1_MORE;
		struct h1_scan scan;
		struct h1_body body;
		size_t size = 0;

		h1_scan_init(&scan);
		for (size_t have = 0; r == H1_MORE && have < n - begin;) {
			have = have + step < n - begin ? have + step : n - begin;
			r = h1_parse_request(&scan, copy + begin, have, &request, &size, &why);
		}
		if (r != H1_DONE)
			break;
		h1_body_init(&body, &request.body);
		why = read_body(&body, str_make(copy + begin + size, n - begin - size));
		if (request.body.kind == HTTP_BODY_CHUNKED)
			break;
		begin += size + (request.body.kind == HTTP_BODY_LENGTH ? request.body.length : 0);
	}
	free(copy);
	return why;
}

/* What the parser alone must say to a row. WHY_undecided: "by": "stages", which close for their own reasons. */
static enum why parsers_part(struct json_object *row, enum why code)
{
	struct json_object *kept;

	if (json_object_object_get_ex(row, "by", NULL))
		return WHY_undecided;
	if (code == WHY_bad_chunk)
		return code;
	/* found by a later stage when the connection lives on */
	if (json_object_object_get_ex(row, "kept", &kept) && json_object_get_boolean(kept))
		return WHY_allowed;
	for (size_t i = 0; i < sizeof(of_head) / sizeof(of_head[0]); i++) {
		if (of_head[i] == code)
			return code;
	}
	return WHY_allowed;
}

static void test_rows(void **state)
{
	struct json_object *rows = json_object_from_file("tests/http/request.json");
	size_t judged = 0;

	(void)state;
	assert_non_null(rows);
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		enum why want = parsers_part(row, code_of(row));
		struct buf data;

		if (want == WHY_undecided)
			continue;
		buf_init(&data, 65536);
		append_row(&data, row);
		judged++;
		for (size_t step = 1; step <= buf_len(&data); step += step < 7 ? 1 : buf_len(&data)) {
			enum why why = read_all(buf_data(&data), buf_len(&data), step);

			if (why != want)
				fail_msg("row %zu, steps of %zu: %s, expected %s: %s", i, step, why_symbol(why),
					 why_symbol(want), json_object_to_json_string(row));
		}
		buf_done(&data);
	}
	assert_in_range(judged, 150, 100000);
	json_object_put(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
