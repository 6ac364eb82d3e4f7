/* SPDX-License-Identifier: Apache-2.0 */
/* A response head, whole and in two pieces; what is accepted is written anew and accepted again with the same framing. */
#include "fuzz.h"

#include "base/buf.h"
#include "http/h1.h"

static enum h1_result parse(char *copy, size_t first, size_t n, bool to_head, struct http_response *ret,
			    size_t *ret_size)
{
	struct h1_scan scan;
	enum why why = WHY_upstream_malformed;
	enum h1_result r = H1_MORE;

	h1_scan_init(&scan);
	if (first < n)
		r = h1_parse_response(&scan, copy, first, to_head, ret, ret_size, &why);
	if (r == H1_MORE)
		r = h1_parse_response(&scan, copy, n, to_head, ret, ret_size, &why);
	assert(r != H1_BAD || why == WHY_upstream_malformed);
	return r;
}

static void check_again(struct http_response *a, bool to_head)
{
	static struct http_response b;
	struct buf out;
	size_t size = 0;
	char *copy;

	buf_init(&out, 256 * 1024);
	http_fields_strip_hop(&a->fields);
	if (h1_write_response(&out, a->status, STR(""), &a->fields, &a->body, a->keep_alive, to_head) == 0 &&
	    buf_len(&out) < HTTP_HEAD_MAX && a->fields.n < HTTP_FIELDS_MAX - 3) {
		copy = fuzz_copy((const uint8_t *)buf_data(&out), buf_len(&out));
		assert(parse(copy, buf_len(&out), buf_len(&out), to_head, &b, &size) == H1_DONE);
		assert(size == buf_len(&out) && a->status == b.status);
		assert(a->body.kind == b.body.kind && a->body.length == b.body.length);
		free(copy);
	}
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_response one, two;
	size_t size1 = 0, size2 = 0;
	char *copy1, *copy2;
	enum h1_result r;
	bool to_head;

	if (size < 3)
		return 0;
	to_head = data[1] & 1;
	copy1 = fuzz_copy(data + 2, size - 2);
	copy2 = fuzz_copy(data + 2, size - 2);
	r = parse(copy1, size - 2, size - 2, to_head, &one, &size1);
	assert(parse(copy2, data[0] % size, size - 2, to_head, &two, &size2) == r && size1 == size2);
	if (r == H1_DONE) {
		assert(one.status >= 100 && one.status <= 599 && one.fields.n == two.fields.n);
		assert(!to_head || one.body.kind == HTTP_BODY_NONE);
		if (one.status >= 200)
			check_again(&one, to_head);
	}
	free(copy1);
	free(copy2);
	return 0;
}
