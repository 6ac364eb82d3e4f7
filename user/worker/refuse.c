/* SPDX-License-Identifier: Apache-2.0 */
/* Ends an exchange with a reason: the answer when one can still be sent, the audit record always. */
#include "http/jsonrpc.h"
#include "http/refusal.h"
#include "worker/exchange.h"

static struct str field_of(const struct exchange *x, const char *name)
{
	const struct http_field *f = http_field_find(&x->request.fields, str_of(name));

	return f ? f->value : STR("");
}

static struct str fix_of(struct exchange *x)
{
	const struct policy_request request = {
		.origin = &x->origin,
		.method = x->request.method,
		.path = &x->path,
	};
	struct buf text;
	struct str copy = STR("");

	if (x->decision.why == WHY_undecided || x->decision.why == WHY_allowed)
		return copy;
	buf_init(&text, 32768);
	if (policy_render_fix(x->worker->policy, &request, &x->decision, &text) == 0)
		copy = arena_str(&x->arena, buf_str(&text));
	buf_done(&text);
	return copy;
}

static int answer(struct exchange *x, enum why why, const char *detail)
{
	struct conn *c = x->conn;
	struct http_fields fields = { 0 };
	struct http_body framing = { .kind = HTTP_BODY_LENGTH };
	const struct refusal refusal = {
		.why = why,
		.method = x->request.method,
		.scheme = x->origin.scheme == POLICY_HTTPS ? STR("https") : STR("http"),
		.authority = str_of(x->authority),
		.path = exchange_path(x),
		.rule = str_of(x->rule),
		.fix = fix_of(x),
		.detail = str_of(detail),
		.request_id = str_of(x->id),
		.user_agent = field_of(x, "user-agent"),
		.content_type = field_of(x, "content-type"),
		.rpc_id = x->rpc_id,
	};
	bool to_head = str_eq(x->request.method, STR("HEAD"));
	struct buf body;
	int r;

	buf_init(&body, 48 * 1024);
	r = refusal_write(&refusal, &x->arena, &fields, &body);
	framing.length = buf_len(&body);
	if (r == 0 && to_head)
		r = http_field_add(&fields, STR("content-length"), arena_printf(&x->arena, "%zu", buf_len(&body)));
	if (r == 0)
		r = h1_write_response(&c->out, refusal_status(&refusal), refusal_phrase(&refusal, &x->arena), &fields,
				      &framing, x->request_done && x->request.keep_alive, to_head);
	if (r == 0 && !to_head)
		r = buf_append(&c->out, buf_str(&body));
	buf_done(&body);
	return r;
}

static unsigned status_of(const struct exchange *x, enum why why)
{
	const struct refusal refusal = {
		.why = why,
		.user_agent = field_of(x, "user-agent"),
		.content_type = field_of(x, "content-type"),
		.rpc_id = x->rpc_id,
	};

	return refusal_status(&refusal);
}

/* Only a body of JSON can be a call; one that waits for our 100 is not asked for. */
static bool may_be_call(const struct exchange *x)
{
	struct str type = field_of(x, "content-type");

	type = str_trim_ows(str_make(type.p, str_find(type, ';')));
	return str_eq(x->request.method, STR("POST")) && str_eq_nocase(type, STR("application/json")) &&
	       !x->request_body.done && !x->request.expect_continue && x->bytes_in == 0;
}

enum step exchange_hear_call(struct exchange *x)
{
	struct buf *in = &x->conn->in;

	while (!x->request_body.done && buf_len(in) > 0 && buf_room(&x->call) > 0) {
		struct str piece = buf_str(in), content;
		size_t used = 0;

		piece.n = piece.n < buf_room(&x->call) ? piece.n : buf_room(&x->call);
		if (h1_body_read(&x->request_body, piece, &used, &content) != WHY_allowed ||
		    buf_append(&x->call, content) < 0)
			return exchange_refuse_now(x, x->refused, x->refused_detail);
		x->bytes_in += content.n;
		buf_consume(in, used);
	}
	if (!x->request_body.done && buf_room(&x->call) > 0 && !x->conn->eof)
		return STEP_WAIT;
	return exchange_refuse_now(x, x->refused, x->refused_detail);
}

enum step exchange_refuse(struct exchange *x, enum why why, const char *detail)
{
	if (!may_be_call(x))
		return exchange_refuse_now(x, why, detail);
	x->refused = why;
	x->refused_detail = detail;
	buf_init(&x->call, JSONRPC_PREFIX_MAX);
	return exchange_hear_call(x);
}

enum step exchange_refuse_now(struct exchange *x, enum why why, const char *detail)
{
	x->why = why;
	if (x->refused != WHY_undecided)
		(void)jsonrpc_find_id(buf_str(&x->call), &x->rpc_id);
	/* behind a refused upgrade come bytes of another protocol, never a next request */
	x->request_done = x->request_body.done && x->request.method.n > 0 && !x->request.wants_upgrade;
	if (x->leg) {
		upstream_release(x->leg, false); /* cut before the message is complete */
		x->leg = NULL;
	}
	if (!x->answered && why_status(why) != 0)
		x->status = status_of(x, why);
	if (!exchange_audit(x) && why != WHY_audit_unavailable)
		why = WHY_audit_unavailable;
	if (x->answered || why_status(why) == 0) {
		x->request_done = false; /* closes: an answer that was begun must not look whole */
		x->conn->eof = true;
		x->conn->broken = x->answered;
		return STEP_END;
	}
	x->answered = true;
	if (answer(x, why, detail) < 0)
		x->request_done = false;
	return STEP_END;
}
