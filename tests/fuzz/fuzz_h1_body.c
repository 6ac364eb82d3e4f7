/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body, read in pieces of a size that the input chooses and in one: the same content, the same end, the same verdict. What
 * comes out is framed anew as chunks and read again: the same content.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "http/h1_body.h"

/* Reads all; returns the verdict. WHY_undecided: more input would be needed. */
static enum why decode(const struct http_body *kind, const uint8_t *data, size_t n, size_t step, struct buf *out,
		       size_t *ret_used)
{
	struct h1_body b;
	size_t at = 0, have = 0;

	h1_body_init(&b, kind);
	while (!b.done && have < n) {
		have = have + step < n ? have + step : n;
		while (at < have && !b.done) {
			char *copy = fuzz_copy(data + at, have - at);
			struct str content;
			size_t used = 0;
			enum why why = h1_body_read(&b, str_make(copy, have - at), &used, &content);

			if (why != WHY_allowed) {
				free(copy);
				return why;
			}
			assert(used <= have - at && content.n <= used);
			assert(buf_append(out, content) == 0);
			free(copy);
			at += used;
			if (used == 0)
				break;
		}
	}
	*ret_used = at;
	return b.done ? WHY_allowed : h1_body_eof(&b) == WHY_allowed ? WHY_allowed : WHY_undecided;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_body kind, chunked = { .kind = HTTP_BODY_CHUNKED };
	struct buf one, two, framed, again;
	size_t used1 = 0, used2 = 0, used3 = 0;
	enum why why;

	if (size < 3 || size > 60000)
		return 0;
	kind = (struct http_body){ .kind = HTTP_BODY_LENGTH + data[0] % 3, .length = data[1] };
	buf_init(&one, 65536);
	buf_init(&two, 65536);
	buf_init(&framed, 131072);
	buf_init(&again, 65536);
	why = decode(&kind, data + 2, size - 2, size, &one, &used1);
	assert(decode(&kind, data + 2, size - 2, 1 + data[1] % 7, &two, &used2) == why);
	if (why == WHY_allowed) {
		assert(used1 == used2 && str_eq(buf_str(&one), buf_str(&two)));
		assert(h1_body_write(&framed, HTTP_BODY_CHUNKED, buf_str(&one)) == 0);
		assert(h1_body_finish(&framed, HTTP_BODY_CHUNKED) == 0);
		assert(decode(&chunked, (const uint8_t *)buf_data(&framed), buf_len(&framed), 5, &again, &used3) ==
		       WHY_allowed);
		assert(used3 == buf_len(&framed) && str_eq(buf_str(&one), buf_str(&again)));
	} else {
		assert(why == WHY_bad_chunk || why == WHY_undecided);
	}
	buf_done(&one);
	buf_done(&two);
	buf_done(&framed);
	buf_done(&again);
	return 0;
}
