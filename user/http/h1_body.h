/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 bodies: a decoder that takes framing off and an encoder that puts ours on. Both stream, hold no body
 * bytes, and never look back.
 */
#ifndef BRIDLE_HTTP_H1_BODY_H
#define BRIDLE_HTTP_H1_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"
#include "http/message.h"

struct buf;

#define H1_CHUNK_EXT_MAX 4096 /* bytes of chunk extensions in one body */
#define H1_TRAILER_MAX	 8192 /* bytes of trailers */

struct h1_body {
	enum http_body_kind kind;
	uint8_t state;
	bool done;
	uint64_t left;	  /* of the length, or of the chunk */
	unsigned digits;  /* of the chunk size so far */
	size_t ext_bytes; /* chunk extension bytes so far */
	size_t trailer_bytes;
};

void h1_body_init(struct h1_body *b, const struct http_body *body);

/*
 * Reads framed bytes from in and finds the next run of content: *ret_used bytes of framing and content were eaten
 * and *ret_content is the content among them (a span into in, perhaps empty). b->done is set behind the last byte.
 * WHY_allowed, or WHY_bad_chunk. Trailer fields are checked and dropped.
 * Call until done or until *ret_used is 0 (more input needed).
 */
enum why h1_body_read(struct h1_body *b, struct str in, size_t *ret_used, struct str *ret_content);

/* The peer closed. WHY_allowed when the body may end here (HTTP_BODY_EOF or done), else WHY_body_incomplete. */
enum why h1_body_eof(struct h1_body *b);

/* Content -> framed bytes for `kind` (LENGTH and EOF as they are, CHUNKED with one chunk each call). 0 or -errno of the buffer. Empty content writes nothing. */
int h1_body_write(struct buf *out, enum http_body_kind kind, struct str content);
/* The end: the last chunk for CHUNKED, nothing otherwise. */
int h1_body_finish(struct buf *out, enum http_body_kind kind);

#endif
