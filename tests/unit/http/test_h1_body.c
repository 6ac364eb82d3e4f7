/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies off and on the wire: chunks in steps of every size, lengths to the byte, limits, ends that come too early. */
#include "tests/lib/test.h"

#include "base/buf.h"
#include "http/h1_body.h"

struct body_row {
	const char *in;
	const char *out; /* NULL: refused */
};

static const struct body_row body_rows[] = {
	{ "0\r\n\r\n", "" },
	{ "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX-T: v\r\n\r\n", "abc0123456789" },
	{ "0003\r\nabc\r\n0\r\n\r\n", "abc" },
	{ "3 \r\nabc\r\n0\r\n\r\n", NULL },
	{ "+3\r\nabc\r\n0\r\n\r\n", NULL },
	{ "0x3\r\nabc\r\n0\r\n\r\n", NULL },
	{ "\r\n", NULL },
	{ "3\nabc\r\n0\r\n\r\n", NULL },
	{ "3\r\nabcd\r\n0\r\n\r\n", NULL },
	{ "3\r\nabc\n0\r\n\r\n", NULL },
	{ "10000000000000000\r\n", NULL },
	{ "0\r\nbad name: v\r\n\r\n", NULL },
	{ "0\r\nX: v\n\r\n", NULL },
};

static bool decode(const char *text, size_t step, struct buf *out)
{
	const struct http_body kind = { .kind = HTTP_BODY_CHUNKED };
	size_t n = strlen(text), at = 0, have = 0;
	struct h1_body b;

	h1_body_init(&b, &kind);
	while (!b.done && have < n) {
		have = have + step < n ? have + step : n;
		while (at < have) {
			struct str content;
			size_t used;

			if (h1_body_read(&b, str_make(text + at, have - at), &used, &content) != WHY_allowed)
				return false;
			assert_int_equal(buf_append(out, content), 0);
			at += used;
			if (used == 0)
				break;
		}
	}
	return b.done && at == n;
}

static void test_chunks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(body_rows) / sizeof(body_rows[0]); i++) {
		for (size_t step = 1; step < 60; step++) {
			struct buf out;
			bool ok;

			buf_init(&out, 1024);
			ok = decode(body_rows[i].in, step, &out);
			if (ok != (body_rows[i].out != NULL))
				fail_msg("body row %zu, step %zu", i, step);
			if (ok)
				assert_str_equal(buf_str(&out), body_rows[i].out);
			buf_done(&out);
		}
	}
}

/* Any amount of input, one kind; the content goes to out. */
static enum why read_all(struct h1_body *b, const char *text, struct buf *out)
{
	struct str in = str_of(text), content;
	size_t used = 1;
	enum why why = WHY_allowed;

	while (why == WHY_allowed && !b->done && used > 0) {
		why = h1_body_read(b, in, &used, &content);
		if (why == WHY_allowed)
			assert_int_equal(buf_append(out, content), 0);
		in = str_from(in, used);
	}
	return why;
}

static void test_length(void **state)
{
	const struct http_body three = { HTTP_BODY_LENGTH, 3 }, none = { HTTP_BODY_LENGTH, 0 };
	struct str content;
	struct h1_body b;
	size_t used;

	(void)state;
	h1_body_init(&b, &three);
	assert_int_equal(h1_body_read(&b, STR("ab"), &used, &content), WHY_allowed);
	assert_false(b.done);
	assert_int_equal(h1_body_eof(&b), WHY_body_incomplete);
	assert_int_equal(h1_body_read(&b, STR("cGET"), &used, &content), WHY_allowed);
	assert_true(b.done && used == 1);
	assert_str_equal(content, "c");
	assert_int_equal(h1_body_read(&b, STR("GET"), &used, &content), WHY_allowed);
	assert_true(used == 0 && content.n == 0);
	assert_int_equal(h1_body_eof(&b), WHY_allowed);
	h1_body_init(&b, &none);
	assert_true(b.done);
}

static void test_eof(void **state)
{
	const struct http_body eof = { HTTP_BODY_EOF, 0 }, chunked = { HTTP_BODY_CHUNKED, 0 };
	struct h1_body b;
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	h1_body_init(&b, &eof);
	assert_int_equal(read_all(&b, "anything", &out), WHY_allowed);
	assert_false(b.done);
	assert_int_equal(h1_body_eof(&b), WHY_allowed);
	assert_true(b.done);
	h1_body_init(&b, &chunked);
	assert_int_equal(read_all(&b, "8\r\nanything\r\n", &out), WHY_allowed);
	assert_int_equal(h1_body_eof(&b), WHY_body_incomplete);
	assert_str_equal(buf_str(&out), "anythinganything");
	buf_done(&out);
}

/* Extensions are counted over the whole body, trailers too: many small ones are as bad as a large one. */
static void test_overhead_is_bounded(void **state)
{
	const struct http_body chunked = { HTTP_BODY_CHUNKED, 0 };
	enum why why = WHY_allowed;
	struct h1_body b;
	struct buf out;
	unsigned n = 0;

	(void)state;
	buf_init(&out, 65536);
	h1_body_init(&b, &chunked);
	for (; why == WHY_allowed && n < 2000; n++)
		why = read_all(&b, "1;ext=1234\r\nx\r\n", &out);
	assert_int_equal(why, WHY_bad_chunk);
	assert_in_range(n, H1_CHUNK_EXT_MAX / 9, H1_CHUNK_EXT_MAX / 8 + 1);
	h1_body_init(&b, &chunked);
	why = read_all(&b, "0\r\n", &out);
	for (n = 0; why == WHY_allowed && n < 2000; n++)
		why = read_all(&b, "x: 456789\r\n", &out);
	assert_int_equal(why, WHY_bad_chunk);
	assert_in_range(n, H1_TRAILER_MAX / 12, H1_TRAILER_MAX / 10);
	buf_done(&out);
}

static void test_largest_chunk(void **state)
{
	const struct http_body chunked = { HTTP_BODY_CHUNKED, 0 };
	struct h1_body b;
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	h1_body_init(&b, &chunked);
	assert_int_equal(read_all(&b, "fffffffffffffff\r\nx", &out), WHY_allowed);
	assert_true(b.left == 0xffffffffffffffeull);
	h1_body_init(&b, &chunked);
	assert_int_equal(read_all(&b, "1000000000000000\r\nx", &out), WHY_bad_chunk);
	buf_done(&out);
}

static void test_write(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	assert_int_equal(h1_body_write(&out, HTTP_BODY_CHUNKED, STR("")), 0); /* would be the last chunk */
	assert_int_equal(buf_len(&out), 0);
	assert_int_equal(h1_body_write(&out, HTTP_BODY_CHUNKED, STR("0123456789")), 0);
	assert_int_equal(h1_body_finish(&out, HTTP_BODY_CHUNKED), 0);
	assert_str_equal(buf_str(&out), "a\r\n0123456789\r\n0\r\n\r\n");
	buf_clear(&out);
	assert_int_equal(h1_body_write(&out, HTTP_BODY_LENGTH, STR("abc")), 0);
	assert_int_equal(h1_body_write(&out, HTTP_BODY_EOF, STR("def")), 0);
	assert_int_equal(h1_body_finish(&out, HTTP_BODY_LENGTH), 0);
	assert_int_equal(h1_body_finish(&out, HTTP_BODY_EOF), 0);
	assert_str_equal(buf_str(&out), "abcdef");
	/* all of the chunk or nothing */
	assert_true(h1_body_write(&out, HTTP_BODY_CHUNKED, STR("0123456789012345678901234567890123456789")) < 0);
	assert_int_equal(buf_len(&out), 6);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks),	      cmocka_unit_test(test_length),
		cmocka_unit_test(test_eof),	      cmocka_unit_test(test_overhead_is_bounded),
		cmocka_unit_test(test_largest_chunk), cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
