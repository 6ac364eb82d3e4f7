/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request head, whole and in two pieces: the same verdict. What is accepted, stripped and written anew must be accepted
 * again, as the same method, path and framing, and must hold no second reading of where its body ends.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "http/h1.h"

static enum h1_result parse(char *copy, size_t first, size_t n, struct http_request *ret, size_t *ret_size,
			    enum why *ret_why)
{
	struct h1_scan scan;
	enum h1_result r = H1_MORE;

	h1_scan_init(&scan);
	if (first < n)
		r = h1_parse_request(&scan, copy, first, ret, ret_size, ret_why);
	return r == H1_MORE ? h1_parse_request(&scan, copy, n, ret, ret_size, ret_why) : r;
}

static void check_again(struct http_request *a)
{
	static struct http_request b;
	struct buf out;
	enum why why = WHY_undecided;
	size_t size = 0;
	char *copy;

	buf_init(&out, 256 * 1024);
	http_fields_strip_hop(&a->fields);
	(void)http_fields_strip_override(&a->fields);
	(void)http_field_remove(&a->fields, STR("host"));
	if (h1_write_request(&out, a->method, a->path, STR("a.example.com"), &a->fields, &a->body) == 0 &&
	    buf_len(&out) < HTTP_HEAD_MAX && a->fields.n < HTTP_FIELDS_MAX - 3) {
		copy = fuzz_copy((const uint8_t *)buf_data(&out), buf_len(&out));
		assert(parse(copy, buf_len(&out), buf_len(&out), &b, &size, &why) == H1_DONE);
		assert(size == buf_len(&out));
		assert(str_eq(a->method, b.method) && str_eq(a->path, b.path));
		assert(a->body.kind == b.body.kind && a->body.length == b.body.length);
		assert(!http_field_find(&b.fields, STR("upgrade")) && !http_field_find(&b.fields, STR("te")));
		free(copy);
	}
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_request one, two;
	enum why why1 = WHY_undecided, why2 = WHY_undecided;
	size_t size1 = 0, size2 = 0, split;
	char *copy1, *copy2;
	enum h1_result r;

	if (size < 2)
		return 0;
	split = data[0] % size;
	copy1 = fuzz_copy(data + 1, size - 1);
	copy2 = fuzz_copy(data + 1, size - 1);
	r = parse(copy1, size - 1, size - 1, &one, &size1, &why1);
	assert(parse(copy2, split, size - 1, &two, &size2, &why2) == r);
	assert(size1 == size2);
	if (r == H1_BAD)
		assert(why1 == why2 && why1 > WHY_allowed && why_status(why1) >= 400);
	if (r == H1_DONE) {
		assert(size1 <= size - 1 && one.fields.n <= HTTP_FIELDS_MAX && one.method.n > 0);
		assert(str_eq(one.path, two.path) && one.fields.n == two.fields.n);
		if (one.form == HTTP_TARGET_ORIGIN)
			check_again(&one);
	}
	free(copy1);
	free(copy2);
	return 0;
}
