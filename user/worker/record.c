/* SPDX-License-Identifier: Apache-2.0 */
/* The audit record of an exchange: written once, before the response ends. */
#include "audit/audit.h"
#include "base/util.h"
#include "worker/exchange.h"
#include "worker/kernel_events.h"

/* JSON writes a quote or a backslash as two bytes. A request that is too long for its record would go out without one. */
_Static_assert(2 * HTTP_TARGET_MAX + 8 * 1024 <= AUDIT_RECORD_MAX, "the longest target does not fit into a record");

/* Names of the query's keys, without values. */
static struct str query_keys(struct exchange *x)
{
	struct str query = x->request.query;
	struct buf keys;
	struct str copy;

	buf_init(&keys, HTTP_TARGET_MAX);
	while (query.n > 0) {
		size_t end = str_find(query, '&');
		struct str pair = str_make(query.p, end);

		pair.n = str_find(pair, '=');
		if (buf_len(&keys) > 0)
			(void)buf_append(&keys, STR(","));
		(void)buf_append(&keys, pair);
		query = str_from(query, end + 1);
	}
	copy = arena_str(&x->arena, buf_str(&keys));
	buf_done(&keys);
	return copy;
}

struct str exchange_path(const struct exchange *x)
{
	return x->path_is_good ? str_make(x->path.wire, x->path.wire_len) : x->request.path;
}

/* What is not the path: names and words of ours, all bounded. A byte of JSON text takes six at most. */
#define RECORD_FIXED_MAX ((size_t)8 * 1024)

void exchange_owe_record(struct exchange *x)
{
	exchange_settle_record(x);
	x->record_owed = MIN(RECORD_FIXED_MAX + 6 * x->path.wire_len, AUDIT_RECORD_MAX);
	x->worker->records_owed += x->record_owed;
}

void exchange_settle_record(struct exchange *x)
{
	x->worker->records_owed -= x->record_owed;
	x->record_owed = 0;
}

bool exchange_audit(struct exchange *x)
{
	const struct conn *c = x->conn;
	struct audit_record record = {
		.kind = "exchange",
		.request_id = str_of(x->id),
		.pid = c->dst.pid,
		.exe = str_of(c->dst.exe),
		.destination = str_of(c->dst_text),
		.sni = conn_sni(c),
		.scheme = x->origin.scheme == POLICY_HTTPS ? STR("https") : STR("http"),
		.host = host_str(&x->origin.host),
		.port = x->origin.port,
		.method = x->request.method,
		.path = exchange_path(x),
		.rule = str_of(x->rule),
		.why = x->why,
		.credential_generation = x->credential_generation,
		.status = x->status,
		.bytes_in = x->bytes_in,
		.bytes_out = x->bytes_out,
		.duration_us = exchange_now_us() - x->started_us,
		.upstream_us = x->upstream_us,
		.socket_cookie = c->dst.socket_cookie,
		.policy = str_of(policy_generation(x->worker->policy)),
	};

	if (x->audited)
		return true;
	x->audited = true;
	exchange_settle_record(x);
	if (x->credential)
		record.credential = str_of(x->credential->policy->name);
	if (x->request.has_query)
		record.query_keys = query_keys(x);
	if (x->why != WHY_allowed)
		kernel_events_deny(x->worker->fds[ZYGOTE_FD_DENIALS], ++x->worker->denials, &c->dst, x->why);
	counters_add_exchange(&x->worker->counters, x->why != WHY_allowed, x->bytes_in, x->bytes_out);
	return audit_write(x->worker->audit, &record) == 0;
}
