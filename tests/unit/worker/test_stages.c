/* SPDX-License-Identifier: Apache-2.0 */
/* Who is meant, may it, with what: each stage alone, on heads of the test's own. */
#include "program.h"

/* tls/server.c hands out canonical names only; what if it did not? */
static bool sni_is_odd;

static struct str sni_of(const struct conn *c)
{
	return sni_is_odd ? STR("odd..name") : conn_sni(c);
}

#define conn_sni sni_of
#include "worker/stages.c"
#undef conn_sni

#include "tests/unit/tls/pair.h"

#include "tls/server.h"

static SSL *client;

static int no_leaf(void *arg, uint32_t id, struct str name, const unsigned char *spki, size_t n)
{
	(void)arg;
	(void)id;
	(void)name;
	(void)spki;
	(void)n;
	return 0;
}

static int set_up(void **state)
{
	(void)program_start(state);
	(void)program_connect();
	return 0;
}

static int tear_down(void **state)
{
	struct tls_server *server = worker->tls_server;

	(void)program_stop(state);
	SSL_free(client);
	client = NULL;
	(void)tls_server_free(server);
	return 0;
}

static struct exchange *exchange_of(const char *head)
{
	struct conn *c = worker->conns;

	c->exchange = exchange_free(c->exchange);
	buf_clear(&c->out);
	return program_exchange(c, head);
}

/* The program spoke TLS and named a server, or none. */
static void with_tls(const char *sni)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!worker->tls_server)
		assert_int_equal(tls_server_new(no_leaf, NULL, &worker->tls_server), 0);
	SSL_free(client);
	SSL_free(worker->conns->ssl);
	client = SSL_new(ctx);
	worker->conns->ssl = tls_server_ssl(worker->tls_server, host_str(&worker->conns->dst_host));
	SSL_set_connect_state(client);
	if (sni)
		SSL_ctrl(client, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)sni);
	pair_connect(client, worker->conns->ssl);
	assert_int_equal(pair_handshake(client, worker->conns->ssl), PAIR_WAITS); /* the hello was read */
	SSL_CTX_free(ctx);
}

static void behind_connect(const char *host, uint16_t port)
{
	struct conn *c = worker->conns;

	c->via_connect = true;
	assert_int_equal(host_parse(str_of(host), &c->authority), 0);
	c->authority_port = port;
}

struct identity_row {
	const char *what;
	uint16_t port; /* where the connection went */
	const char *sni;
	bool tls;
	const char *connect;
	uint16_t connect_port;
	const char *line, *host;
	enum why why;
	const char *authority; /* with WHY_allowed */
	enum policy_scheme scheme;
};

/* clang-format off */
static const struct identity_row identity_rows[] = {
	{ "plain", 80, NULL, false, NULL, 0, "GET /a", "h.example.com", WHY_allowed, "h.example.com:80", POLICY_HTTP },
	{ "plain, odd port", 81, NULL, false, NULL, 0, "GET /a", "h.example.com:81", WHY_allowed, "h.example.com:81", POLICY_HTTP },
	{ "another port", 81, NULL, false, NULL, 0, "GET /a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "another port, named", 80, NULL, false, NULL, 0, "GET /a", "h.example.com:81", WHY_identity_mismatch, NULL, 0 },
	{ "no Host", 80, NULL, false, NULL, 0, "GET /a", NULL, WHY_bad_host, NULL, 0 },
	{ "odd Host", 80, NULL, false, NULL, 0, "GET /a", "h.example.com:80:81", WHY_bad_host, NULL, 0 },
	{ "target and Host agree", 80, NULL, false, NULL, 0, "GET http://h.example.com/a", "h.example.com", WHY_allowed, "h.example.com:80", POLICY_HTTP },
	{ "target and Host disagree", 80, NULL, false, NULL, 0, "GET http://h.example.com/a", "i.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "target and Host's port disagree", 80, NULL, false, NULL, 0, "GET http://h.example.com/a", "h.example.com:81", WHY_identity_mismatch, NULL, 0 },
	{ "https where there is no TLS", 443, NULL, false, NULL, 0, "GET https://h.example.com/a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "http inside TLS", 443, "h.example.com", true, NULL, 0, "GET http://h.example.com:443/a", "h.example.com:443", WHY_identity_mismatch, NULL, 0 },
	{ "TLS", 443, "h.example.com", true, NULL, 0, "GET /a", "H.example.com", WHY_allowed, "h.example.com:443", POLICY_HTTPS },
	{ "TLS, SNI disagrees", 443, "i.example.com", true, NULL, 0, "GET /a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "TLS, no SNI, the address", 443, NULL, true, NULL, 0, "GET /a", "10.77.0.2", WHY_allowed, "10.77.0.2:443", POLICY_HTTPS },
	{ "TLS, no SNI, a name", 443, NULL, true, NULL, 0, "GET /a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "TLS, another port", 8443, "h.example.com", true, NULL, 0, "GET /a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "TLS on a proxy port is TLS", 3128, "i.example.com", true, NULL, 0, "GET /a", "h.example.com:3128", WHY_identity_mismatch, NULL, 0 },
	{ "TLS on a proxy port, absolute", 3128, "h.example.com", true, NULL, 0, "GET https://h.example.com/a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "the proxy, absolute", 3128, NULL, false, NULL, 0, "GET http://h.example.com/a", "h.example.com", WHY_allowed, "h.example.com:80", POLICY_HTTP },
	{ "the proxy, absolute https", 3128, NULL, false, NULL, 0, "GET https://h.example.com/a", "h.example.com", WHY_allowed, "h.example.com:443", POLICY_HTTPS },
	{ "the proxy, no absolute form", 3128, NULL, false, NULL, 0, "GET /a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "behind CONNECT", 3128, "h.example.com", true, "h.example.com", 443, "GET /a", "h.example.com", WHY_allowed, "h.example.com:443", POLICY_HTTPS },
	{ "behind CONNECT, in clear", 3128, NULL, false, "h.example.com", 80, "GET /a", "h.example.com", WHY_allowed, "h.example.com:80", POLICY_HTTP },
	{ "behind CONNECT, in clear, Host disagrees", 3128, NULL, false, "h.example.com", 80, "GET /a", "i.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "behind CONNECT, absolute https in clear", 3128, NULL, false, "h.example.com", 443, "GET https://h.example.com/a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "behind CONNECT, SNI disagrees", 3128, "i.example.com", true, "h.example.com", 443, "GET /a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "SNI and Host agree, CONNECT does not", 3128, "h.example.com", true, "i.example.com", 443, "GET /a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "behind CONNECT, no SNI", 3128, NULL, true, "h.example.com", 443, "GET /a", "i.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "behind CONNECT, another port", 3128, "h.example.com", true, "h.example.com", 8443, "GET /a", "h.example.com", WHY_identity_mismatch, NULL, 0 },
	{ "asterisk", 80, NULL, false, NULL, 0, "OPTIONS *", "h.example.com", WHY_path_not_allowed, NULL, 0 },
	{ "a path with dots", 80, NULL, false, NULL, 0, "GET /a/%2e%2e/b", "h.example.com", WHY_path_dot_segment, NULL, 0 },
};
/* clang-format on */

static void all_names_name_the_same_server(void **state)
{
	for (size_t i = 0; i < sizeof(identity_rows) / sizeof(identity_rows[0]); i++) {
		const struct identity_row *row = &identity_rows[i];
		struct exchange *x;
		char head[512];
		enum step step;

		worker->conns->dst.port = row->port;
		if (row->tls)
			with_tls(row->sni);
		if (row->connect)
			behind_connect(row->connect, row->connect_port);
		(void)snprintf(head, sizeof(head), "%s HTTP/1.%d\r\n%s%s%s\r\n", row->line, row->host ? 1 : 0,
			       row->host ? "Host: " : "", row->host ? row->host : "", row->host ? "\r\n" : "");
		x = exchange_of(head);
		step = stage_identity(x);
		if (step != (row->why == WHY_allowed ? STEP_NEXT : STEP_END) ||
		    (row->why != WHY_allowed && x->why != row->why))
			fail_msg("%s: step %d, %s", row->what, (int)step, why_symbol(x->why));
		if (row->authority) {
			assert_string_equal(x->authority, row->authority);
			assert_int_equal(x->origin.scheme, row->scheme);
		}
		(void)tear_down(state);
		(void)set_up(state);
	}
}

static void a_server_name_that_cannot_be_read_binds_to_nothing(void **state)
{
	struct exchange *x;

	(void)state;
	worker->conns->dst.port = 443;
	with_tls("h.example.com");
	sni_is_odd = true;
	x = exchange_of("GET /a HTTP/1.1\r\nHost: h.example.com\r\n\r\n");
	assert_int_equal(stage_identity(x), STEP_END);
	assert_int_equal(x->why, WHY_identity_mismatch);
	sni_is_odd = false;
}

static const struct {
	const char *target, *host;
	uint16_t port;
	bool again; /* behind one already */
	enum why why;
} connect_rows[] = {
	{ "h.example.com:8443", NULL, 3128, false, WHY_allowed },
	{ "h.example.com:8443", "h.example.com:8443", 3128, false, WHY_allowed },
	{ "h.example.com:443", NULL, 80, false, WHY_connect_not_allowed },
	{ "h.example.com:443", NULL, 3128, true, WHY_connect_not_allowed },
	{ "0x7f.1:443", NULL, 3128, false, WHY_bad_target },
	{ "h.example.com:443", "i.example.com:443", 3128, false, WHY_identity_mismatch },
	{ "h.example.com:443", "h.example.com:80", 3128, false, WHY_identity_mismatch },
	{ "h.example.com:443", "h.example.com:x", 3128, false, WHY_bad_host },
};

static void a_tunnel_is_made_only_on_a_proxy_port(void **state)
{
	for (size_t i = 0; i < sizeof(connect_rows) / sizeof(connect_rows[0]); i++) {
		struct conn *c = worker->conns;
		char head[256];

		c->dst.port = connect_rows[i].port;
		if (connect_rows[i].again)
			behind_connect("g.example.com", 443);
		(void)snprintf(head, sizeof(head), "CONNECT %s HTTP/1.%d\r\n%s%s%s\r\n", connect_rows[i].target,
			       connect_rows[i].host ? 1 : 0, connect_rows[i].host ? "Host: " : "",
			       connect_rows[i].host ? connect_rows[i].host : "", connect_rows[i].host ? "\r\n" : "");
		assert_int_equal(stage_identity(exchange_of(head)), STEP_END);
		if (connect_rows[i].why == WHY_allowed) {
			assert_memory_equal(buf_data(&c->out), "HTTP/1.1 200 ", 13);
			assert_int_equal(c->state, CONN_SNIFF);
			assert_true(c->via_connect);
			assert_str_equal(host_str(&c->authority), "h.example.com");
			assert_int_equal(c->authority_port, 8443);
			assert_int_equal(worker_records("\"kind\":\"exchange\""), 0);
		} else if (c->exchange->why != connect_rows[i].why) {
			fail_msg("row %zu: %s", i, why_symbol(c->exchange->why));
		}
		(void)tear_down(state);
		(void)set_up(state);
	}
}

/* An exchange of an allowed request, identified and decided. */
static struct exchange *decided(const char *line, const char *fields)
{
	struct exchange *x = exchange_of(to_origin(line, fields, ""));

	assert_int_equal(stage_identity(x), STEP_NEXT);
	assert_int_equal(stage_decide(x), STEP_NEXT);
	return x;
}

static void what_no_rule_allows_ends_with_its_reason(void **state)
{
	struct exchange *x = exchange_of(to_origin("GET /other", "", ""));

	(void)state;
	assert_int_equal(stage_identity(x), STEP_NEXT);
	assert_int_equal(stage_decide(x), STEP_END);
	assert_int_equal(x->why, WHY_path_not_allowed);
	x = exchange_of(to_origin("DELETE /ok/a", "", ""));
	assert_int_equal(stage_identity(x), STEP_NEXT);
	assert_int_equal(stage_decide(x), STEP_END);
	assert_int_equal(x->why, WHY_method_not_allowed);
	x = exchange_of(to_origin("GET /ok/a", "Connection: upgrade\r\nUpgrade: websocket\r\n", ""));
	assert_int_equal(stage_identity(x), STEP_NEXT);
	assert_int_equal(stage_decide(x), STEP_END);
	assert_int_equal(x->why, WHY_upgrade_not_allowed);
	x = decided("GET /ok/a", "");
	assert_true(strstr(x->rule, "GET") && strstr(x->rule, "/ok/**"));
}

static void without_an_audit_nothing_is_allowed(void **state)
{
	struct exchange *x = exchange_of(to_origin("GET /ok/a", "", ""));

	(void)state;
	assert_int_equal(stage_identity(x), STEP_NEXT);
	audit_break();
	(void)audit_write(worker->audit, &(struct audit_record){ .kind = "dns" });
	assert_int_equal(stage_decide(x), STEP_END);
	assert_int_equal(x->why, WHY_audit_unavailable);
}

/* --- credentials --------------------------------------------------------------------------------------------- */

/* A request to the host that has the credential. */
static struct exchange *bound(const char *fields)
{
	struct exchange *x;
	char head[512];

	worker->conns->dst.port = 443;
	with_tls("api.example.com");
	(void)snprintf(head, sizeof(head), "GET /v1 HTTP/1.1\r\nHost: api.example.com\r\n%s\r\n", fields);
	x = exchange_of(head);
	assert_int_equal(stage_identity(x), STEP_NEXT);
	assert_int_equal(stage_decide(x), STEP_NEXT);
	assert_non_null(x->decision.credential);
	return x;
}

static bool has(const struct exchange *x, const char *name)
{
	return http_field_find(&x->request.fields, str_of(name)) != NULL;
}

static void a_credential_that_is_not_ready_refuses(void **state)
{
	struct exchange *x = bound("");

	(void)state;
	assert_int_equal(stage_credential(x), STEP_END); /* pending */
	assert_int_equal(x->why, WHY_credential_unavailable);
	keeper_push(CREDENTIAL_FAILED, 1, "");
	x = bound("");
	assert_int_equal(stage_credential(x), STEP_END);
	assert_int_equal(x->why, WHY_credential_unavailable);
	x = bound("");
	worker->n_credentials = 0; /* none of that name */
	assert_int_equal(stage_credential(x), STEP_END);
	assert_int_equal(x->why, WHY_credential_unavailable);
	assert_null(x->credential);
	worker->n_credentials = 1;
}

static void the_programs_own_credential_goes(void **state)
{
	struct exchange *x;

	(void)state;
	keeper_push(CREDENTIAL_READY, 3, "s3cret");
	x = bound("Authorization: Bearer mine\r\nX-Key: mine\r\nX-Other: kept\r\n");
	assert_int_equal(stage_credential(x), STEP_NEXT);
	assert_false(has(x, "authorization"));
	assert_false(has(x, "x-key"));
	assert_true(has(x, "x-other"));
}

static void what_is_for_this_hop_stays_here(void **state)
{
	struct exchange *x = decided("GET /ok/a", "Connection: x-hop\r\nX-Hop: 1\r\nX-HTTP-Method-Override: DELETE\r\n"
						  "Proxy-Authorization: Basic eA==\r\nX-End: 1\r\n");

	(void)state;
	assert_int_equal(stage_credential(x), STEP_NEXT);
	assert_false(has(x, "x-hop"));
	assert_false(has(x, "connection"));
	assert_false(has(x, "proxy-authorization"));
	assert_false(has(x, "x-http-method-override"));
	assert_false(has(x, "host"));
	assert_true(has(x, "x-end"));
	assert_null(x->credential);
}

static void a_form_is_walked_and_never_compressed(void **state)
{
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
	struct exchange *x = decided("POST /ok/a", FORM "Content-Length: 3\r\n");

	(void)state;
	assert_int_equal(stage_credential(x), STEP_NEXT);
	assert_true(x->walk_form);
	x = decided("POST /ok/a", FORM "Content-Length: 3\r\nContent-Encoding: gzip\r\n");
	assert_int_equal(stage_credential(x), STEP_END);
	assert_int_equal(x->why, WHY_method_override);
	x = decided("POST /ok/a", FORM "Content-Length: 3\r\nContent-Encoding: Identity\r\n");
	assert_int_equal(stage_credential(x), STEP_NEXT);
	x = decided("POST /ok/a", "Content-Type: text/plain\r\nContent-Length: 3\r\nContent-Encoding: gzip\r\n");
	assert_int_equal(stage_credential(x), STEP_NEXT);
	assert_false(x->walk_form);
	x = decided("POST /ok/a", FORM "Content-Length: 3\r\n");
	x->decision.method_override_ok = true;
	assert_int_equal(stage_credential(x), STEP_NEXT);
	assert_false(x->walk_form);
}

/* --- the leg and the head ------------------------------------------------------------------------------------ */

/* Ready to be sent on a leg to the origin, whoever it is for. */
static void give_leg(struct exchange *x)
{
	x->stage = STAGE_UPSTREAM;
	assert_int_equal(stage_upstream(x), STEP_WAIT);
	assert_non_null(x->wait);
	assert_int_equal(stage_upstream(x), STEP_WAIT); /* one leg, however often it is asked */
	assert_true(origin_heard("\r\n\r\n"));
	assert_null(x->wait);
	assert_non_null(x->leg);
	assert_int_equal(x->stage, STAGE_RELAY);
	program_settle();
	assert_int_equal(origin_n, 1);
	assert_int_equal(buf_len(upstream_out(x->leg)), 0);
}

/* What another head looks like on its leg. */
static const char *written(struct exchange *x)
{
	struct buf *out = upstream_out(x->leg);

	(void)snprintf(program_text, sizeof(program_text), "%.*s", (int)buf_len(out), buf_data(out));
	buf_clear(out);
	return program_text;
}

static void a_leg_that_failed_is_said_and_ends_it(void **state)
{
	struct exchange *x = decided("GET /ok/a", "");

	(void)state;
	on_leg(x, WHY_upstream_cert_name, NULL, "the detail");
	assert_null(worker->conns->exchange);
	assert_true(program_heard("HTTP/1.1 502 "));
	assert_true(program_heard("the detail"));
	assert_int_equal(worker_records("\"code\":\"upstream_cert_name\""), 1);
}

static void too_many_legs_at_once_refuse(void **state)
{
	struct exchange *x = decided("GET /ok/a", "");
	struct upstream_wait *waits[UPSTREAM_WAITING_MAX];

	(void)state;
	for (int i = 0; i < UPSTREAM_WAITING_MAX; i++)
		assert_int_equal(upstream_acquire(worker->upstreams, x->decision.route, &x->origin, STR(""), true,
						  on_leg, x, &waits[i]),
				 0);
	assert_int_equal(stage_upstream(x), STEP_END);
	assert_int_equal(x->why, WHY_overload);
	for (int i = 0; i < UPSTREAM_WAITING_MAX; i++)
		upstream_cancel(waits[i]);
}

static void the_host_and_path_are_those_that_were_decided(void **state)
{
	struct exchange *x = decided("GET /ok/%7ea?x=1&y", "");

	(void)state;
	assert_int_equal(stage_credential(x), STEP_NEXT);
	give_leg(x);
	assert_memory_equal(origin_text, "GET /ok/~a?x=1&y HTTP/1.1\r\n", 27);
	x->origin.port = 80;
	assert_int_equal(write_head(x), WHY_allowed);
	assert_non_null(strstr(written(x), "ost: origin.example.com\r\n"));
	x->origin.scheme = POLICY_HTTPS;
	assert_int_equal(write_head(x), WHY_allowed);
	assert_non_null(strstr(written(x), "ost: origin.example.com:80\r\n"));
	assert_int_equal(host_parse(STR("fd77::1"), &x->origin.host), 0);
	x->origin.port = 443;
	assert_int_equal(write_head(x), WHY_allowed);
	assert_non_null(strstr(written(x), "ost: [fd77::1]\r\n"));
	x->origin.port = 8443;
	assert_int_equal(write_head(x), WHY_allowed);
	assert_non_null(strstr(written(x), "ost: [fd77::1]:8443\r\n"));
}

static void a_credential_that_was_lost_meanwhile_refuses(void **state)
{
	struct exchange *x = decided("GET /ok/a", "");

	(void)state;
	assert_int_equal(stage_credential(x), STEP_NEXT);
	give_leg(x);
	keeper_push(CREDENTIAL_READY, 1, "s3cret");
	x->credential = &worker->credentials[0];
	assert_int_equal(stage_send(x), STEP_NEXT);
	assert_non_null(strstr(written(x), "-Key: s3cret\r\n"));
	assert_int_equal(x->credential_generation, 1); /* the one that was sent */
	assert_false(has(x, "x-key"));		       /* it is in the bytes alone */
	keeper_push(CREDENTIAL_FAILED, 1, "");
	assert_int_equal(stage_send(x), STEP_END);
	assert_int_equal(x->why, WHY_credential_unavailable);
	assert_null(x->leg);
	exchange_end(x);
}

static void a_program_that_waits_for_100_gets_it_once(void **state)
{
	struct exchange *x = decided("POST /ok/a", "Content-Length: 3\r\nExpect: 100-continue\r\n");

	(void)state;
	assert_int_equal(stage_credential(x), STEP_NEXT);
	give_leg(x);
	assert_null(strstr(origin_text, "xpect")); /* ours to answer */
	assert_true(program_heard("HTTP/1.1 100 "));
	assert_int_equal(stage_send(x), STEP_NEXT); /* again, on a fresh leg */
	assert_int_equal(buf_len(&x->conn->out), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_names_name_the_same_server),
		TEST(a_server_name_that_cannot_be_read_binds_to_nothing),
		TEST(a_tunnel_is_made_only_on_a_proxy_port),
		TEST(what_no_rule_allows_ends_with_its_reason),
		TEST(without_an_audit_nothing_is_allowed),
		TEST(a_credential_that_is_not_ready_refuses),
		TEST(the_programs_own_credential_goes),
		TEST(what_is_for_this_hop_stays_here),
		TEST(a_form_is_walked_and_never_compressed),
		TEST(a_leg_that_failed_is_said_and_ends_it),
		TEST(too_many_legs_at_once_refuse),
		TEST(the_host_and_path_are_those_that_were_decided),
		TEST(a_credential_that_was_lost_meanwhile_refuses),
		TEST(a_program_that_waits_for_100_gets_it_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
