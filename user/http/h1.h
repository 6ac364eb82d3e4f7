/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 heads (RFC 9112), read strictly: what two parsers could read differently is refused with a code, never
 * repaired. Streaming: call again with more bytes; nothing is scanned twice. The bytes are those of the caller's
 * buffer; names are lowered in place; spans point into it.
 */
#ifndef BRIDLE_HTTP_H1_H
#define BRIDLE_HTTP_H1_H

#include <stddef.h>
#include <stdint.h>

#include "base/why.h"
#include "http/message.h"

/* Where the scan stands. All zero is the start; reset with h1_scan_init() for the next head. */
struct h1_scan {
	size_t offset; /* bytes scanned already */
	size_t line_start;
	unsigned lines; /* complete lines so far */
	uint8_t state;
};

void h1_scan_init(struct h1_scan *s);

enum h1_result {
	H1_MORE = 0, /* call again when more bytes are there */
	H1_DONE,     /* *ret_size bytes are the head */
	H1_BAD,	     /* *ret_why says how; *ret is undefined, the connection is done */
};

/*
 * A request's head in data[0..n). Refuses (*ret_why): the "bad_*", framing_conflict, head_too_large,
 * target_too_long codes. n may be the whole buffer; body bytes behind the head are left alone.
 * One empty line before the request line is skipped (RFC 9112 2.2).
 */
enum h1_result h1_parse_request(struct h1_scan *s, char *data, size_t n, struct http_request *ret, size_t *ret_size,
				enum why *ret_why);

/*
 * A response's head. `to_head`: it answers HEAD, so it has no body. Refusals are all WHY_upstream_malformed.
 * 1xx come out like any other response, with HTTP_BODY_NONE.
 */
enum h1_result h1_parse_response(struct h1_scan *s, char *data, size_t n, bool to_head, struct http_response *ret,
				 size_t *ret_size, enum why *ret_why);

/*
 * Writes a request head from its parsed form. target is "/path?query" in wire form; host is the Host value.
 * fields must be stripped already (http_fields_strip_hop) and hold no Host. Framing is written from body.
 * 0 or -errno of the buffer.
 */
int h1_write_request(struct buf *out, struct str method, struct str target, struct str host,
		     const struct http_fields *fields, const struct http_body *body);

/*
 * Writes a response head. keep_alive false adds "Connection: close". For 1xx, 204 and answers to HEAD no framing is invented: pass to_head. With
 * HTTP_BODY_CHUNKED to a 1.0 client, pass HTTP_BODY_EOF and keep_alive false instead. The phrase is ours or empty for
 * the registered one, never a peer's.
 */
int h1_write_response(struct buf *out, unsigned status, struct str phrase, const struct http_fields *fields,
		      const struct http_body *body, bool keep_alive, bool to_head);

const char *http_reason_phrase(unsigned status);

#endif
