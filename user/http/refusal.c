/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body that says no (RFC 9457), as static templates: what a peer sent appears only escaped and cut, because the
 * reader is a program that follows text.
 */
#include "http/refusal.h"

#include <errno.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/util.h"
#include "http/h1.h"
#include "http/message.h"

#define REFUSAL_TEXT_MAX  ((size_t)512)	       /* of each text that a peer chose */
#define GRPC_SENTENCE_MAX (HTTP_VALUE_MAX / 3) /* each byte may become three; the next step stands at the end */

static struct str cut(struct str s)
{
	return str_make(s.p, s.n > REFUSAL_TEXT_MAX ? REFUSAL_TEXT_MAX : s.n);
}

static int put_member(struct buf *b, const char *key, struct str value)
{
	int r;

	if (value.n == 0)
		return 0;
	r = buf_printf(b, ",\"%s\":\"", key);
	if (r == 0)
		r = buf_append_json(b, value);
	return r == 0 ? buf_append(b, STR("\"")) : r;
}

static bool is_policy(enum why why)
{
	int status = why_status(why);

	return status == 403 || status == 405 || status == 421 || status == 501;
}

/* One sentence for people and models: what, where, why, next step. */
static int put_sentence(struct buf *b, const struct refusal *r)
{
	struct str next = str_of(why_next(r->why));
	size_t hole = 0;
	int e;

	e = buf_printf(b, "bridle %s: %s",
		       is_policy(r->why) ? "refused this request by policy" : "could not serve this request",
		       why_sentence(r->why));
	if (e == 0 && r->authority.n > 0) {
		e = buf_append(b, STR(" ("));
		if (e == 0 && r->method.n > 0)
			e = buf_printf(b, "%.*s ", (int)cut(r->method).n, r->method.p);
		if (e == 0)
			e = buf_printf(b, "%.*s://%.*s", (int)r->scheme.n, r->scheme.p, (int)cut(r->authority).n,
				       r->authority.p);
		if (e == 0)
			e = buf_append(b, cut(r->path));
		if (e == 0)
			e = buf_append(b, STR(")"));
	}
	if (e == 0 && r->detail.n > 0) {
		e = buf_append(b, STR(": "));
		if (e == 0)
			e = buf_append(b, r->detail);
	}
	if (e == 0)
		e = buf_append(b, is_policy(r->why)
					  ? STR(". This is policy, not an outage and not a bad credential: do not "
						"retry it and do not work around it. Next: ")
					  : STR(". Next: "));
	while (hole < next.n && !str_starts(str_from(next, hole), STR("{fix}")))
		hole++;
	if (e == 0)
		e = buf_append(b, str_make(next.p, hole));
	if (e == 0 && hole < next.n)
		e = buf_append(b, r->fix.n ? STR("the line in \"fix\"") : STR("a rule that allows it"));
	if (e == 0 && hole < next.n)
		e = buf_append(b, str_from(next, hole + 5));
	return e == 0 ? buf_append(b, STR(".")) : e;
}

static int put_problem(struct buf *b, const struct refusal *r, struct str sentence)
{
	int e = buf_printf(b, "{\"type\":\"urn:bridle:code:%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\"",
			   why_symbol(r->why), why_sentence(r->why), why_status(r->why), why_symbol(r->why));

	if (e == 0)
		e = put_member(b, "detail", sentence);
	if (e == 0)
		e = put_member(b, "instance", r->request_id);
	if (e == 0)
		e = put_member(b, "method", cut(r->method));
	if (e == 0)
		e = put_member(b, "host", cut(r->authority));
	if (e == 0)
		e = put_member(b, "path", cut(r->path));
	if (e == 0)
		e = put_member(b, "rule", r->rule);
	if (e == 0)
		e = put_member(b, "fix", r->fix);
	if (e == 0)
		e = buf_printf(b, ",\"retryable\":%s",
			       why_status(r->why) == 429 || why_status(r->why) >= 503 ? "true" : "false");
	if (e == 0)
		e = put_member(b, "message", sentence);
	if (e == 0)
		e = put_member(b, "error", sentence);
	return e == 0 ? buf_append(b, STR("}")) : e;
}

/* --- forms: who reads it decides ----------------------------------------------------------------------------- */

/* google.golang.org/grpc/codes: what the client library does with it. */
static unsigned grpc_status(enum why why)
{
	switch (why_status(why)) {
	case 429:
		return 8; /* RESOURCE_EXHAUSTED */
	case 408:
	case 504:
		return 4; /* DEADLINE_EXCEEDED */
	case 500:
		return 13; /* INTERNAL */
	case 502:
	case 503:
		return 14; /* UNAVAILABLE */
	default:
		return is_policy(why) ? 7 : 3; /* PERMISSION_DENIED, INVALID_ARGUMENT */
	}
}

/* The message is percent-encoded (gRPC over HTTP/2, "Status-Message"). */
static int put_grpc_text(struct buf *b, struct str text)
{
	int e = 0;

	for (size_t i = 0; i < text.n && e == 0; i++) {
		unsigned char c = (unsigned char)text.p[i];

		e = c >= 0x20 && c < 0x7f && c != '%' ? buf_append(b, str_make(text.p + i, 1))
						      : buf_printf(b, "%%%02X", c);
	}
	return e;
}

/* The line that would allow it is whole or not there: there is no body that could hold it. */
static int grpc_fields(const struct refusal *r, struct arena *a, struct str sentence, struct http_fields *ret)
{
	struct buf text;
	struct str message, status = arena_printf(a, "%u", grpc_status(r->why));
	int e;

	sentence.n = MIN(sentence.n, GRPC_SENTENCE_MAX);
	buf_init(&text, HTTP_VALUE_MAX);
	e = put_grpc_text(&text, sentence);
	if (e == 0 && r->fix.n > 0 && 3 * r->fix.n + 8 < buf_room(&text)) {
		e = put_grpc_text(&text, STR(" fix: "));
		if (e == 0)
			e = put_grpc_text(&text, r->fix);
	}
	message = arena_str(a, buf_str(&text));
	buf_done(&text);
	if (e == 0 && (!message.p || !status.p))
		e = -ENOMEM;
	if (e == 0)
		e = http_field_add(ret, STR("grpc-status"), status);
	return e == 0 ? http_field_add(ret, STR("grpc-message"), message) : e;
}

static int put_text(const struct refusal *r, struct str sentence, struct buf *b)
{
	int e = buf_append(b, sentence);

	if (e == 0 && r->fix.n > 0)
		e = buf_append(b, STR("\n"));
	if (e == 0 && r->fix.n > 0)
		e = buf_append(b, r->fix);
	return e == 0 ? buf_append(b, STR("\n")) : e;
}

static int put_rpc(const struct refusal *r, struct str sentence, struct buf *b)
{
	int e = buf_append(b, STR("{\"jsonrpc\":\"2.0\",\"id\":"));

	if (e == 0)
		e = buf_append(b, r->rpc_id);
	if (e == 0)
		e = buf_printf(b, ",\"error\":{\"code\":%d,\"message\":\"", REFUSAL_RPC_CODE);
	if (e == 0)
		e = buf_append_json(b, sentence);
	if (e == 0)
		e = buf_append(b, STR("\",\"data\":"));
	if (e == 0)
		e = put_problem(b, r, sentence);
	return e == 0 ? buf_append(b, STR("}}\n")) : e;
}

static int put_nothing(const struct refusal *r, struct str sentence, struct buf *b)
{
	(void)r;
	(void)sentence;
	(void)b;
	return 0; /* the fields say it all */
}

static int put_problem_line(const struct refusal *r, struct str sentence, struct buf *b)
{
	int e = put_problem(b, r, sentence);

	return e == 0 ? buf_append(b, STR("\n")) : e;
}

static bool wants_grpc(const struct refusal *r)
{
	return str_starts(r->content_type, STR("application/grpc"));
}

static bool wants_rpc(const struct refusal *r)
{
	return r->rpc_id.n > 0;
}

/* git shows a body only when it is text/plain */
static bool wants_text(const struct refusal *r)
{
	return str_starts(r->user_agent, STR("git/"));
}

static bool wants_problem(const struct refusal *r)
{
	(void)r;
	return true;
}

/* The first that wants it. own_status: HTTP itself says that all went well. */
static const struct form {
	bool (*wants)(const struct refusal *r);
	bool own_status;
	const char *content_type;
	int (*fields)(const struct refusal *r, struct arena *a, struct str sentence, struct http_fields *ret);
	int (*put)(const struct refusal *r, struct str sentence, struct buf *b);
} forms[] = {
	{ wants_grpc, true, "application/grpc", grpc_fields, put_nothing },
	{ wants_rpc, true, "application/json", NULL, put_rpc },
	{ wants_text, false, "text/plain; charset=utf-8", NULL, put_text },
	{ wants_problem, false, "application/problem+json", NULL, put_problem_line },
};

static const struct form *form_of(const struct refusal *r)
{
	size_t i = 0;

	while (!forms[i].wants(r))
		i++;
	return &forms[i];
}

unsigned refusal_status(const struct refusal *r)
{
	return form_of(r)->own_status ? 200 : (unsigned)why_status(r->why);
}

struct str refusal_phrase(const struct refusal *r, struct arena *a)
{
	const unsigned status = refusal_status(r);

	if (status < 400)
		return STR("");
	return arena_printf(a, "%s (bridle: %s)", http_reason_phrase(status), why_symbol(r->why));
}

static int put_head(const struct refusal *r, struct arena *a, struct http_fields *ret)
{
	struct str id = arena_str(a, r->request_id);
	int status = why_status(r->why), e;

	ret->n = 0;
	e = http_field_add(ret, STR("content-type"), str_of(form_of(r)->content_type));
	if (e == 0)
		e = http_field_add(ret, STR("bridle-decision"), str_of(why_symbol(r->why)));
	if (e == 0)
		e = http_field_add(ret, STR("bridle-request-id"), id);
	if (e == 0)
		e = http_field_add(ret, STR("cache-control"), STR("no-store"));
	if (e == 0 && (status == 429 || status == 503))
		e = http_field_add(ret, STR("retry-after"), STR("5"));
	return e;
}

int refusal_write(const struct refusal *r, struct arena *a, struct http_fields *ret_fields, struct buf *ret_body)
{
	const struct form *form = form_of(r);
	struct buf sentence;
	int e;

	buf_init(&sentence, 16384);
	e = put_sentence(&sentence, r);
	if (e == 0)
		e = put_head(r, a, ret_fields);
	if (e == 0 && form->fields)
		e = form->fields(r, a, buf_str(&sentence), ret_fields);
	if (e == 0)
		e = form->put(r, buf_str(&sentence), ret_body);
	buf_done(&sentence);
	return e;
}
