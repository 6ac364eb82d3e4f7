/* SPDX-License-Identifier: Apache-2.0 */
/* The driver: stages in order, until one waits or ends. */
#include "worker/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static enum step (*const stages[STAGE_COUNT])(struct exchange *x) = {
	[STAGE_SELF_TEST] = stage_self_test,   [STAGE_IDENTITY] = stage_identity, [STAGE_DECIDE] = stage_decide,
	[STAGE_CREDENTIAL] = stage_credential, [STAGE_UPSTREAM] = stage_upstream, [STAGE_SEND] = stage_send,
	[STAGE_RELAY] = exchange_relay,
};

uint64_t exchange_now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

struct exchange *exchange_new(struct conn *c, struct str head)
{
	struct exchange *x = calloc(1, sizeof(*x));
	struct h1_scan scan;
	char *copy;
	enum why why = WHY_undecided;
	size_t size = 0;

	if (!x)
		return NULL;
	x->conn = c;
	x->worker = c->worker;
	x->started_us = exchange_now_us();
	arena_init(&x->arena);
	(void)snprintf(x->id, sizeof(x->id), "%016" PRIx64 "-%" PRIu64, c->worker->boot_id, ++c->worker->request_seq);
	if (head.n == 0)
		return x;
	copy = arena_alloc(&x->arena, head.n);
	if (copy)
		memcpy(copy, head.p, head.n);
	h1_scan_init(&scan);
	/* parsed again from the copy, which stays where it is; the first reading has already accepted it */
	if (!copy || h1_parse_request(&scan, copy, head.n, &x->request, &size, &why) != H1_DONE)
		return exchange_free(x);
	h1_body_init(&x->request_body, &x->request.body);
	return x;
}

struct exchange *exchange_free(struct exchange *x)
{
	if (!x)
		return NULL;
	if (x->wait)
		upstream_cancel(x->wait);
	if (x->leg)
		upstream_release(x->leg, false);
	exchange_settle_record(x);
	buf_done(&x->call);
	arena_done(&x->arena);
	free(x);
	return NULL;
}

void exchange_run(struct exchange *x)
{
	enum step step = x->refused == WHY_undecided ? STEP_NEXT : exchange_hear_call(x);

	while (step == STEP_NEXT && x->stage < STAGE_COUNT) {
		unsigned before = x->stage;

		step = stages[x->stage](x);
		if (step == STEP_NEXT && x->stage == before)
			x->stage++;
	}
	if (step == STEP_END)
		exchange_end(x);
}

void exchange_end(struct exchange *x)
{
	struct conn *c = x->conn;
	bool close = !x->request_done || !x->request.keep_alive;

	c->exchange = NULL;
	exchange_free(x);
	conn_exchange_done(c, close);
}

void exchange_fail(struct exchange *x, enum why why)
{
	struct conn *c = x->conn;

	(void)exchange_refuse_now(x, why, NULL);
	c->exchange = NULL;
	exchange_free(x);
	conn_exchange_done(c, true);
}

void exchange_abandon(struct exchange *x, enum why why)
{
	x->why = x->refused != WHY_undecided ? x->refused : why; /* who goes does not hide what was refused */
	(void)exchange_audit(x);
	x->conn->exchange = NULL;
	exchange_free(x);
}
