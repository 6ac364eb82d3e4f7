/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One timer for each connection, always for what it waits for now. A head has one deadline for all of it; bodies and streams
 * start theirs anew when bytes move, so that a slow but living peer is served and a silent one is cut.
 */
#include "base/util.h"
#include "worker/exchange.h"

static enum deadline of_exchange(const struct exchange *x)
{
	if (buf_len(&x->conn->out) > 0)
		return DEADLINE_drain;
	if (x->refused != WHY_undecided)
		return DEADLINE_body;
	if (!x->leg || x->request_done)
		return x->answered ? DEADLINE_stream : DEADLINE_answer;
	if (x->answered)
		return DEADLINE_stream;
	return buf_len(upstream_out(x->leg)) > 0 ? DEADLINE_upload : DEADLINE_body;
}

static enum deadline waits_for(const struct conn *c)
{
	if (c->state == CONN_LINGER)
		return DEADLINE_linger;
	if (c->state == CONN_DNS || c->state == CONN_HANDSHAKE || (c->state == CONN_SNIFF && buf_len(&c->out) == 0))
		return DEADLINE_first;
	if (c->exchange)
		return of_exchange(c->exchange);
	if (buf_len(&c->out) > 0 || c->state != CONN_SERVE)
		return DEADLINE_drain;
	return c->served == 0 || buf_len(&c->in) > 0 ? DEADLINE_head : DEADLINE_idle;
}

/* Bytes that count as a sign of life; for the other deadlines there is none. */
static uint64_t moved(const struct conn *c, enum deadline which)
{
	const struct exchange *x = c->exchange;

	switch (which) {
	case DEADLINE_drain:
		return c->total_out;
	case DEADLINE_body:
		return c->total_in;
	case DEADLINE_upload:
		return x ? x->bytes_in : 0;
	case DEADLINE_stream:
		return x ? x->bytes_in + x->bytes_out : 0;
	default:
		return 0;
	}
}

static uint64_t enough(const struct conn *c, enum deadline which)
{
	return which == DEADLINE_body && c->exchange->request.body.kind == HTTP_BODY_LENGTH ? CONN_BODY_WINDOW : 1;
}

void conn_watch(struct conn *c)
{
	enum deadline which;
	uint64_t bytes;

	if (c->state == CONN_DNS && (c->served > 0 || c->timer.slot))
		return; /* dns_stream.c sets its own */
	which = waits_for(c);
	bytes = moved(c, which);
	if (which == c->waits_for && c->timer.slot && bytes - c->waits_since < enough(c, which))
		return;
	c->waits_for = which;
	c->waits_since = bytes;
	(void)timer_set(c->worker->loop, &c->timer, deadline_ms(&c->worker->snapshot.deadlines, which));
}

/* The exchange waited in vain. true: the connection still has something to say, and lives until it is said. */
static bool end_exchange(struct conn *c, enum deadline which)
{
	struct exchange *x = c->exchange;

	if (which == DEADLINE_drain) {
		c->broken = true; /* refuse: nobody reads; what was sent must not look whole */
		exchange_abandon(x, WHY_client_timeout);
		c->served++; /* it has its record */
		return false;
	}
	x->request.keep_alive = false;
	if (x->refused != WHY_undecided)
		exchange_fail(x, x->refused);
	else
		exchange_fail(x, which == DEADLINE_body ? WHY_client_timeout : WHY_upstream_timeout);
	return true;
}

void conn_timeout(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	enum deadline which = c->waits_for;

	c->waits_for = DEADLINE_INVALID;
	if (c->exchange && end_exchange(c, which))
		return;
	if (c->broken) { /* its exchange has the record */
		(void)conn_end(c);
		conn_free(c);
		return;
	}
	if (which == DEADLINE_head && buf_len(&c->in) > 0) {
		c->exchange = exchange_new(c, STR(""));
		if (c->exchange) {
			exchange_fail(c->exchange, WHY_client_timeout);
			return;
		}
	}
	if (c->served > 0 || (c->state == CONN_DNS && buf_len(&c->in) == 0))
		conn_free(c); /* nothing was asked for: no record */
	else
		conn_fail(c, WHY_client_timeout);
}
