/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both bodies at once, through bounded buffers: what cannot be written on is not read. The request's filters see its
 * content before it is framed again; the response's head is written anew.
 */
#include <inttypes.h>

#include "worker/exchange.h"

#define RELAY_FRAMING 32 /* bytes that framing of a piece may add */

/* Client to server. WHY_allowed, or why the exchange ends. */
static enum why relay_request(struct exchange *x)
{
	struct buf *in = &x->conn->in, *out = upstream_out(x->leg);

	while (!x->request_done && buf_len(in) > 0 && buf_room(out) > 2 * RELAY_FRAMING) {
		struct str piece = buf_str(in), content;
		size_t used = 0;
		enum why why;

		piece.n = piece.n < buf_room(out) - RELAY_FRAMING ? piece.n : buf_room(out) - RELAY_FRAMING;
		why = h1_body_read(&x->request_body, piece, &used, &content);
		if (why != WHY_allowed)
			return why;
		x->bytes_in += content.n;
		if (x->walk_form && form_walker_feed(&x->form, content))
			return WHY_method_override;
		if (x->request_body.done && x->walk_form && form_walker_finish(&x->form))
			return WHY_method_override;
		if (h1_body_write(out, x->upstream_kind, content) < 0)
			return WHY_internal;
		buf_consume(in, used);
		if (x->request_body.done) {
			if (h1_body_finish(out, x->upstream_kind) < 0)
				return WHY_internal;
			x->request_done = true;
		} else if (used == 0) {
			break;
		}
	}
	if (!x->request_done && x->conn->eof && buf_len(in) == 0)
		return WHY_client_closed;
	return WHY_allowed;
}

/* The record comes before the last byte: an answer whose record cannot be written never looks whole. */
static bool record_answer(struct exchange *x)
{
	x->why = WHY_allowed;
	return exchange_audit(x);
}

static enum why begin_response(struct exchange *x)
{
	struct http_response *r = &x->response;
	struct conn *c = x->conn;
	struct http_body framing = r->body;
	bool to_head = str_eq(x->request.method, STR("HEAD"));
	const struct http_field *length = http_field_find(&r->fields, STR("content-length"));
	struct str told = STR("");
	uint64_t n;

	if (to_head && length && str_to_u64(length->value, &n) == 0)
		told = arena_printf(&x->arena, "%" PRIu64, n);
	http_fields_strip_hop(&r->fields);
	(void)http_field_remove(&r->fields, STR("alt-svc"));
	if (told.n > 0)
		(void)http_field_add(&r->fields, STR("content-length"), told);
	if (framing.kind == HTTP_BODY_EOF)
		framing.kind = HTTP_BODY_CHUNKED;
	if (framing.kind == HTTP_BODY_CHUNKED && x->request.minor_version == 0)
		framing.kind = HTTP_BODY_EOF;
	x->client_kind = framing.kind;
	h1_body_init(&x->response_body, &r->body);
	x->status = r->status;
	x->upstream_us = exchange_now_us() - x->started_us;
	if (x->response_body.done && !record_answer(x)) /* without a body the head is the whole answer */
		return WHY_audit_unavailable;
	x->answered = true;
	x->request.keep_alive &= x->request_done && framing.kind != HTTP_BODY_EOF; /* what is said is done */
	return h1_write_response(&c->out, r->status, STR(""), &r->fields, &framing, x->request.keep_alive, to_head) < 0
		       ? WHY_internal
		       : WHY_allowed;
}

/* Reads heads until the final one. */
static enum why relay_response_head(struct exchange *x)
{
	struct buf *in = upstream_in(x->leg);

	while (!x->answered && buf_len(in) > 0) {
		enum why why = WHY_upstream_malformed;
		size_t size = 0;
		char *copy;
		enum h1_result r = h1_parse_response(&x->response_scan, buf_data(in), buf_len(in),
						     str_eq(x->request.method, STR("HEAD")), &x->response, &size, &why);

		x->got_bytes = true;
		if (r == H1_MORE) /* refuse: a head that ends in the middle */
			return upstream_eof(x->leg) ? WHY_upstream_closed : WHY_allowed;
		if (r == H1_BAD)
			return why;
		h1_scan_init(&x->response_scan);
		if (x->response.status < 200) {
			if (x->response.status == 101 || ++x->informational > EXCHANGE_1XX_MAX)
				return WHY_upstream_malformed; /* refuse: we asked for no other protocol */
			buf_consume(in, size);
			continue;
		}
		if (buf_room(&x->conn->out) < HTTP_HEAD_MAX + 256)
			return WHY_allowed; /* the answer to 100-continue is still on its way */
		copy = arena_alloc(&x->arena, size);
		if (!copy)
			return WHY_internal;
		memcpy(copy, buf_data(in), size);
		if (h1_parse_response(&x->response_scan, copy, size, str_eq(x->request.method, STR("HEAD")),
				      &x->response, &size, &why) != H1_DONE)
			return WHY_internal;
		buf_consume(in, size);
		return begin_response(x);
	}
	return WHY_allowed;
}

static enum why finish_response(struct exchange *x)
{
	if (!record_answer(x))
		return WHY_audit_unavailable;
	x->response_done = true;
	return h1_body_finish(&x->conn->out, x->client_kind) < 0 ? WHY_internal : WHY_allowed;
}

static enum why relay_response_body(struct exchange *x)
{
	struct buf *in = upstream_in(x->leg), *out = &x->conn->out;

	while (!x->response_body.done && buf_len(in) > 0 && buf_room(out) > 2 * RELAY_FRAMING) {
		struct str piece = buf_str(in), content;
		size_t used = 0;

		piece.n = piece.n < buf_room(out) - RELAY_FRAMING ? piece.n : buf_room(out) - RELAY_FRAMING;
		if (h1_body_read(&x->response_body, piece, &used, &content) != WHY_allowed)
			return WHY_upstream_malformed;
		x->bytes_out += content.n;
		if (x->response_body.done) {
			enum why why;

			if (!record_answer(x))
				return WHY_audit_unavailable;
			why = h1_body_write(out, x->client_kind, content) < 0 ? WHY_internal : WHY_allowed;
			buf_consume(in, used);
			return why == WHY_allowed ? finish_response(x) : why;
		}
		if (h1_body_write(out, x->client_kind, content) < 0)
			return WHY_internal;
		buf_consume(in, used);
		if (used == 0)
			break;
	}
	if (!x->response_body.done && buf_len(in) == 0 && upstream_eof(x->leg))
		return !upstream_truncated(x->leg) && h1_body_eof(&x->response_body) == WHY_allowed
			       ? finish_response(x)
			       : WHY_upstream_closed;
	return x->response_body.done && !x->response_done ? finish_response(x) : WHY_allowed;
}

/* A pooled leg that died before it said a word may have been closed in passing: once more, on a fresh one. */
static bool may_retry(const struct exchange *x)
{
	static const char *const idempotent[] = { "GET", "HEAD", "OPTIONS", "PUT", "DELETE" }; /* RFC 9110 9.2.2 */
	bool twice = false;

	for (size_t i = 0; i < sizeof(idempotent) / sizeof(idempotent[0]); i++)
		twice |= str_eq(x->request.method, str_of(idempotent[i]));
	return twice && upstream_was_pooled(x->leg) && !x->got_bytes && !x->fresh && x->bytes_in == 0 &&
	       x->request_done;
}

static enum why relay_both(struct exchange *x)
{
	enum why why = relay_request(x);

	if (why == WHY_allowed)
		why = relay_response_head(x);
	if (why == WHY_allowed && x->answered)
		why = relay_response_body(x);
	if (why == WHY_allowed && !x->response_done && upstream_error(x->leg) != WHY_undecided &&
	    upstream_error(x->leg) != WHY_allowed)
		why = upstream_error(x->leg);
	if (why == WHY_allowed && !x->answered && upstream_eof(x->leg) && buf_len(upstream_in(x->leg)) == 0)
		why = WHY_upstream_closed;
	return why;
}

enum step exchange_relay(struct exchange *x)
{
	enum why why = relay_both(x);

	if ((why == WHY_upstream_closed || why == WHY_upstream_tls) && may_retry(x)) {
		upstream_release(x->leg, false);
		x->leg = NULL;
		x->fresh = true;
		x->stage = STAGE_UPSTREAM;
		return stage_upstream(x);
	}
	if (why != WHY_allowed)
		return exchange_refuse_now(x, why, NULL);
	if (x->response_done) {
		upstream_release(x->leg,
				 x->request_done && x->response.keep_alive && buf_len(upstream_in(x->leg)) == 0);
		x->leg = NULL;
		return STEP_END;
	}
	upstream_update(x->leg, buf_room(upstream_in(x->leg)) > 0);
	return STEP_WAIT;
}
