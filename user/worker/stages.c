/* SPDX-License-Identifier: Apache-2.0 */
/* The stages before the relay: who is meant, may it, with what, over which leg. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "audit/audit.h"
#include "base/secret.h"
#include "inject/inject.h"
#include "worker/exchange.h"

static bool same_host(const struct host *a, const struct host *b)
{
	return str_eq(host_str(a), host_str(b));
}

/* Every name that the connection was given before the request: CONNECT's, and the SNI or (TLS without one) the address. */
static bool agrees_with_connection(const struct conn *c, const struct host *named)
{
	struct str sni = conn_sni(c);
	struct host from_sni;

	if (c->via_connect && !same_host(&c->authority, named))
		return false;
	if (sni.n > 0)
		return host_parse(sni, &from_sni) == 0 &&
		       same_host(&from_sni, named); /* refuse: an SNI that names no host */
	return !c->ssl || c->via_connect || same_host(&c->dst_host, named);
}

/* The authority that the request names, with the port of its scheme when it names none. */
static enum why request_authority(struct exchange *x, uint16_t default_port, struct host *ret_host, uint16_t *ret_port)
{
	const struct http_request *r = &x->request;
	struct host from_host;
	uint16_t host_port;
	bool has_host = r->host.n > 0;

	if (has_host && authority_parse(r->host, default_port, &from_host, &host_port) < 0)
		return WHY_bad_host;
	if (r->authority.n == 0) {
		if (!has_host)
			return WHY_bad_host;
		*ret_host = from_host;
		*ret_port = host_port;
		return WHY_allowed;
	}
	if (authority_parse(r->authority, default_port, ret_host, ret_port) < 0)
		return WHY_bad_target;
	if (has_host && (!same_host(&from_host, ret_host) || host_port != *ret_port))
		return WHY_identity_mismatch;
	return WHY_allowed;
}

static enum step answer_connect(struct exchange *x)
{
	struct conn *c = x->conn;
	struct host host, from_field;
	uint16_t port, field_port;

	if (c->ssl || c->via_connect || !policy_is_proxy_port(x->worker->policy, c->dst.port))
		return exchange_refuse(x, WHY_connect_not_allowed, NULL);
	if (authority_parse(x->request.authority, 443, &host, &port) < 0)
		return exchange_refuse(x, WHY_bad_target, NULL);
	if (x->request.host.n > 0 && authority_parse(x->request.host, port, &from_field, &field_port) < 0)
		return exchange_refuse(x, WHY_bad_host, NULL);
	if (x->request.host.n > 0 && (!same_host(&host, &from_field) || port != field_port))
		return exchange_refuse(x, WHY_identity_mismatch, NULL);
	if (buf_append(&c->out, STR("HTTP/1.1 200 Connection established\r\n\r\n")) < 0)
		return exchange_refuse(x, WHY_internal, NULL);
	/* nothing has gone anywhere: what follows is decided and recorded by itself. HTTP/1.0 clients (Python's) tunnel, too */
	x->request_done = x->audited = x->request.keep_alive = true;
	conn_restart(c, &host, port);
	return STEP_END;
}

enum step stage_identity(struct exchange *x)
{
	struct conn *c = x->conn;
	struct http_request *r = &x->request;
	bool on_proxy = !c->ssl && !c->via_connect && policy_is_proxy_port(x->worker->policy, c->dst.port);
	bool tls = c->ssl || (on_proxy && r->form == HTTP_TARGET_ABSOLUTE && r->scheme_is_https);
	uint16_t own_port = c->via_connect ? c->authority_port : c->dst.port, port = 0;
	struct host named;
	enum why why;

	if (r->form == HTTP_TARGET_AUTHORITY)
		return answer_connect(x);
	if (r->form == HTTP_TARGET_ABSOLUTE && !on_proxy && r->scheme_is_https != (c->ssl != NULL))
		return exchange_refuse(x, WHY_identity_mismatch, NULL);
	why = request_authority(x, tls ? 443 : 80, &named, &port);
	if (why != WHY_allowed)
		return exchange_refuse(x, why, NULL);
	x->origin.scheme = tls ? POLICY_HTTPS : POLICY_HTTP;
	x->origin.host = named;
	x->origin.port = on_proxy && r->form == HTTP_TARGET_ABSOLUTE ? port : own_port;
	(void)snprintf(x->authority, sizeof(x->authority), named.family == AF_INET6 ? "[%s]:%u" : "%s:%u", named.text,
		       x->origin.port);
	if (!agrees_with_connection(c, &named) || port != x->origin.port)
		return exchange_refuse(x, WHY_identity_mismatch, NULL);
	if (r->form == HTTP_TARGET_ASTERISK)
		return exchange_refuse(x, WHY_path_not_allowed, NULL);
	why = path_parse(r->path, &x->path);
	x->path_is_good = why == WHY_allowed;
	return x->path_is_good ? STEP_NEXT : exchange_refuse(x, why, NULL);
}

enum step stage_decide(struct exchange *x)
{
	const struct policy_request request = {
		.origin = &x->origin,
		.method = x->request.method,
		.path = &x->path,
		.query = x->request.query,
		.has_query = x->request.has_query,
		.wants_upgrade = x->request.wants_upgrade,
	};

	policy_decide(x->worker->policy, &request, &x->decision);
	if (x->decision.rule)
		(void)policy_rule_describe(x->worker->policy, x->decision.rule, x->rule, sizeof(x->rule));
	if (x->decision.why != WHY_allowed)
		return exchange_refuse(x, x->decision.why, x->decision.detail);
	exchange_owe_record(x);
	if (!audit_usable(x->worker->audit, x->worker->records_owed))
		return exchange_refuse(x, WHY_audit_unavailable, NULL);
	return STEP_NEXT;
}

static bool is_encoded(const struct http_request *r)
{
	const struct http_field *encoding = http_field_find(&r->fields, STR("content-encoding"));

	return encoding && encoding->value.n > 0 && !str_eq_nocase(encoding->value, STR("identity"));
}

enum step stage_credential(struct exchange *x)
{
	const struct policy_credential *policy = x->decision.credential;
	struct http_request *r = &x->request;
	const struct http_field *type = http_field_find(&r->fields, STR("content-type"));
	enum why why = WHY_allowed;

	if (policy) {
		x->credential = credential_find(x->worker, policy);
		if (!x->credential || x->credential->state != CREDENTIAL_READY)
			return exchange_refuse(x, WHY_credential_unavailable, NULL);
		why = inject_strip(policy, r);
	}
	if (why != WHY_allowed)
		return exchange_refuse(x, why, NULL);
	x->walk_form = !x->decision.method_override_ok && !str_eq(r->method, STR("GET")) &&
		       !str_eq(r->method, STR("HEAD")) && form_walker_init(&x->form, type ? type->value : STR(""));
	if (x->walk_form && r->body.kind != HTTP_BODY_NONE && is_encoded(r))
		return exchange_refuse(x, WHY_method_override, "a compressed form cannot be searched for _method");
	http_fields_strip_hop(&r->fields);
	(void)http_fields_strip_override(&r->fields);
	(void)http_field_remove(&r->fields, STR("host"));
	return STEP_NEXT;
}

static void on_leg_event(void *arg)
{
	struct exchange *x = arg;

	conn_kick(x->conn);
}

static void on_leg(void *arg, enum why why, struct upstream *leg, const char *detail)
{
	struct exchange *x = arg;

	x->wait = NULL;
	if (why != WHY_allowed) {
		(void)exchange_refuse_now(x, why, detail);
		exchange_end(x);
		return;
	}
	x->leg = leg;
	upstream_set_owner(leg, on_leg_event, x);
	x->stage++;
	exchange_run(x);
}

enum step stage_upstream(struct exchange *x)
{
	struct str credential = x->decision.credential ? str_of(x->decision.credential->name) : STR("");
	int r;

	if (x->wait) /* the program sent more while the leg is made */
		return STEP_WAIT;
	r = upstream_acquire(x->worker->upstreams, x->decision.route, &x->origin, credential, x->fresh, on_leg, x,
			     &x->wait);
	return r < 0 ? exchange_refuse(x, r == -EBUSY ? WHY_overload : WHY_internal, NULL) : STEP_WAIT;
}

static enum why write_head(struct exchange *x)
{
	const struct http_request *r = &x->request;
	struct http_request copy;
	struct str host, target;
	bool default_port = x->origin.port == (x->origin.scheme == POLICY_HTTPS ? 443 : 80);
	bool v6 = x->origin.host.family == AF_INET6;
	enum why why = WHY_allowed;

	if (default_port)
		host = arena_printf(&x->arena, "%s%s%s", v6 ? "[" : "", x->origin.host.text, v6 ? "]" : "");
	else
		host = arena_printf(&x->arena, "%s%s%s:%u", v6 ? "[" : "", x->origin.host.text, v6 ? "]" : "",
				    x->origin.port);
	target = arena_printf(&x->arena, "%.*s%s%.*s", (int)x->path.wire_len, x->path.wire, r->has_query ? "?" : "",
			      (int)r->query.n, r->query.p ? r->query.p : "");
	if (!host.p || !target.p)
		return WHY_internal;
	copy = *r;
	if (x->credential)
		why = inject_apply(x->credential->policy, secret_bytes(x->credential->value), &copy);
	if (why != WHY_allowed)
		return why;
	return h1_write_request(upstream_out(x->leg), r->method, target, host, &copy.fields, &r->body) < 0
		       ? WHY_internal
		       : WHY_allowed;
}

enum step stage_send(struct exchange *x)
{
	enum why why;

	if (x->credential && x->credential->state != CREDENTIAL_READY)
		return exchange_refuse(x, WHY_credential_unavailable, NULL);
	/* what is sent, which a rotation since the decision may have made newer */
	x->credential_generation = x->credential ? x->credential->generation : 0;
	why = write_head(x);
	if (why != WHY_allowed)
		return exchange_refuse(x, why, NULL);
	x->upstream_kind = x->request.body.kind;
	x->request_done = x->request_body.done;
	h1_scan_init(&x->response_scan);
	if (x->request.expect_continue && !x->request_sent && buf_len(&x->conn->in) == 0)
		(void)buf_append(&x->conn->out, STR("HTTP/1.1 100 Continue\r\n\r\n"));
	x->request_sent = true;
	return STEP_NEXT;
}
