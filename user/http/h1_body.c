/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: one state machine for chunks, counters for the rest. Chunk extensions and trailers are checked and dropped. */
#include "http/h1_body.h"

#include <errno.h>

#include "base/buf.h"
#include "base/util.h"
#include "http/h1_chars.h"

enum chunk_state {
	CHUNK_SIZE = 0,
	CHUNK_EXT,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER_START,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	END_LF,
};

void h1_body_init(struct h1_body *b, const struct http_body *body)
{
	*b = (struct h1_body){ .kind = body->kind, .left = body->kind == HTTP_BODY_LENGTH ? body->length : 0 };
	b->done = body->kind == HTTP_BODY_NONE || (body->kind == HTTP_BODY_LENGTH && body->length == 0);
}

static unsigned hex_value(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(ascii_lower(c) - 'a' + 10);
}

static bool in_size(struct h1_body *b, char c)
{
	if (h1_is((unsigned char)c, H1_HEX)) {
		if (++b->digits > 15) /* refuse: RFC 9112 7.1 warns of overflow */
			return false;
		b->left = b->left * 16 + hex_value(c);
		return true;
	}
	if (b->digits == 0 || (c != '\r' && c != ';'))
		return false;
	b->state = c == ';' ? CHUNK_EXT : CHUNK_SIZE_LF;
	return true;
}

static bool in_ext(struct h1_body *b, char c)
{
	if (c == '\r')
		b->state = CHUNK_SIZE_LF;
	return c == '\r' || (h1_is((unsigned char)c, H1_VALUE) && ++b->ext_bytes <= H1_CHUNK_EXT_MAX);
}

static bool in_trailer(struct h1_body *b, char c)
{
	if (++b->trailer_bytes > H1_TRAILER_MAX)
		return false;
	switch (b->state) {
	case TRAILER_START:
		if (c == '\r') {
			b->state = END_LF;
			return true;
		}
		b->state = TRAILER_NAME;
		return h1_is((unsigned char)c, H1_TOKEN); /* none passes, so a '_' has no twin to be taken for */
	case TRAILER_NAME:
		if (c == ':')
			b->state = TRAILER_VALUE;
		return c == ':' || h1_is((unsigned char)c, H1_TOKEN);
	case TRAILER_VALUE:
		if (c == '\r')
			b->state = TRAILER_LF;
		return c == '\r' || h1_is((unsigned char)c, H1_VALUE);
	default:
		b->state = TRAILER_START;
		return c == '\n';
	}
}

/* One byte of framing. */
static bool step(struct h1_body *b, char c)
{
	switch (b->state) {
	case CHUNK_SIZE:
		return in_size(b, c);
	case CHUNK_EXT:
		return in_ext(b, c);
	case CHUNK_SIZE_LF:
		b->state = b->left ? CHUNK_DATA : TRAILER_START;
		b->digits = 0;
		return c == '\n';
	case CHUNK_DATA_CR:
		b->state = CHUNK_DATA_LF;
		return c == '\r';
	case CHUNK_DATA_LF:
		b->state = CHUNK_SIZE;
		return c == '\n';
	case END_LF:
		b->done = true;
		return c == '\n';
	default:
		return in_trailer(b, c);
	}
}

static enum why read_chunked(struct h1_body *b, struct str in, size_t *ret_used, struct str *ret_content)
{
	size_t i = 0;

	while (i < in.n && !b->done) {
		if (b->state == CHUNK_DATA) {
			*ret_content = str_make(in.p + i, (size_t)MIN((uint64_t)(in.n - i), b->left));
			b->left -= ret_content->n;
			if (b->left == 0)
				b->state = CHUNK_DATA_CR;
			*ret_used = i + ret_content->n;
			return WHY_allowed;
		}
		if (!step(b, in.p[i]))
			return WHY_bad_chunk;
		i++;
	}
	*ret_used = i;
	return WHY_allowed;
}

enum why h1_body_read(struct h1_body *b, struct str in, size_t *ret_used, struct str *ret_content)
{
	*ret_used = 0;
	*ret_content = str_make(in.p, 0);
	if (b->done)
		return WHY_allowed;
	if (b->kind == HTTP_BODY_CHUNKED)
		return read_chunked(b, in, ret_used, ret_content);
	*ret_content = in;
	if (b->kind == HTTP_BODY_LENGTH) {
		ret_content->n = (size_t)MIN((uint64_t)in.n, b->left);
		b->left -= ret_content->n;
		b->done = b->left == 0;
	}
	*ret_used = ret_content->n;
	return WHY_allowed;
}

enum why h1_body_eof(struct h1_body *b)
{
	if (b->kind == HTTP_BODY_EOF)
		b->done = true;
	return b->done ? WHY_allowed : WHY_body_incomplete;
}

int h1_body_write(struct buf *out, enum http_body_kind kind, struct str content)
{
	int r;

	if (content.n == 0)
		return 0;
	if (kind != HTTP_BODY_CHUNKED)
		return buf_append(out, content);
	if (buf_room(out) < content.n + 24)
		return -ENOBUFS; /* all of the chunk or nothing */
	r = buf_printf(out, "%zx\r\n", content.n);
	if (r == 0)
		r = buf_append(out, content);
	return r == 0 ? buf_append(out, STR("\r\n")) : r;
}

int h1_body_finish(struct buf *out, enum http_body_kind kind)
{
	return kind == HTTP_BODY_CHUNKED ? buf_append(out, STR("0\r\n\r\n")) : 0;
}
