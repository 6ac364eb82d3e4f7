/* SPDX-License-Identifier: Apache-2.0 */
/* The leg towards upstream against servers in memory: a good one, and one for each thing that can be wrong. */
#include "certs.h"

#include <openssl/err.h>

#include "pair.h"

#include "base/util.h"
#include "tls/client.h"

static struct test_cert root, other_root;
static X509_STORE *roots;

static int set_up(void **state)
{
	static const struct test_cert_spec spec = { .is_ca = 1, .cn = "test root" };
	static const struct test_cert_spec other = { .is_ca = 1, .cn = "other root" };

	(void)state;
	root = test_cert_make(&spec);
	other_root = test_cert_make(&other);
	roots = X509_STORE_new();
	return X509_STORE_add_cert(roots, root.cert) != 1;
}

static int tear_down(void **state)
{
	(void)state;
	X509_STORE_free(roots);
	test_cert_free(&root);
	test_cert_free(&other_root);
	return 0;
}

static struct tls_client *client_with(struct str trust)
{
	struct tls_client *c = NULL;
	char reason[256] = "";

	assert_int_equal(tls_client_new(roots, trust, &c, reason, sizeof(reason)), 0);
	return c;
}

static SSL_CTX *server_with(const struct test_cert *cert, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_set_security_level(ctx, 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, cert->key), 1);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"t", 1);
	if (version)
		assert_true(SSL_CTX_set_min_proto_version(ctx, version) && SSL_CTX_set_max_proto_version(ctx, version));
	return ctx;
}

struct conn {
	SSL *client, *server;
};

static struct conn conn_make(struct tls_client *c, SSL_CTX *server, const char *name, const char *key)
{
	struct conn x = { tls_client_ssl(c, str_of(name), str_of(key)), SSL_new(server) };

	assert_non_null(x.client);
	SSL_set_accept_state(x.server);
	pair_connect(x.client, x.server);
	return x;
}

static void conn_end(struct conn *x)
{
	SSL_free(x->client);
	SSL_free(x->server);
}

/* WHY_allowed or the failure of one handshake with a server that has such a certificate. */
static enum why verdict(struct tls_client *c, const struct test_cert_spec *spec, const char *name)
{
	struct test_cert cert = test_cert_make(spec);
	SSL_CTX *server = server_with(&cert, 0);
	struct conn x = conn_make(c, server, name, "k");
	enum why why = WHY_allowed;

	if (pair_handshake(x.client, x.server) != PAIR_DONE) {
		why = tls_client_failure(x.client);
		assert_non_null(tls_client_failure_text(x.client));
		assert_true(strlen(tls_client_failure_text(x.client)) > 0);
	}
	conn_end(&x);
	SSL_CTX_free(server);
	test_cert_free(&cert);
	return why;
}

static void each_flaw_has_its_code(void **state)
{
	static const int sign_bits[] = { 5, -1 };
	const struct {
		const char *what, *name;
		struct test_cert_spec spec;
		enum why why;
	} rows[] = {
		{ "good", "a.example", { .dns = "a.example", .issuer = &root }, WHY_allowed },
		{ "good RSA", "a.example", { .dns = "a.example", .issuer = &root, .key = "RSA-2048" }, WHY_allowed },
		{ "wildcard", "x.a.example", { .dns = "*.a.example", .issuer = &root }, WHY_allowed },
		{ "address", "10.77.0.2", { .ip = "10.77.0.2", .issuer = &root }, WHY_allowed },
		{ "address 6", "fd77::2", { .ip = "fd77::2", .issuer = &root }, WHY_allowed },
		{ "expired",
		  "a.example",
		  { .dns = "a.example", .issuer = &root, .from_s = -200, .to_s = -100 },
		  WHY_upstream_cert_expired },
		{ "early",
		  "a.example",
		  { .dns = "a.example", .issuer = &root, .from_s = 1000, .to_s = 2000 },
		  WHY_upstream_cert_expired },
		{ "wrong name", "a.example", { .dns = "b.example", .issuer = &root }, WHY_upstream_cert_name },
		{ "common name only", "a.example", { .cn = "a.example", .issuer = &root }, WHY_upstream_cert_name },
		{ "wildcard too deep",
		  "x.y.a.example",
		  { .dns = "*.a.example", .issuer = &root },
		  WHY_upstream_cert_name },
		{ "partial wildcard",
		  "wx.a.example",
		  { .dns = "w*.a.example", .issuer = &root },
		  WHY_upstream_cert_name },
		{ "wrong address", "10.77.0.2", { .ip = "10.77.0.3", .issuer = &root }, WHY_upstream_cert_name },
		{ "address as a name", "10.77.0.2", { .dns = "10.77.0.2", .issuer = &root }, WHY_upstream_cert_name },
		{ "unknown CA",
		  "a.example",
		  { .dns = "a.example", .issuer = &other_root },
		  WHY_upstream_cert_unknown_ca },
		{ "self-signed", "a.example", { .dns = "a.example" }, WHY_upstream_cert_unknown_ca },
		{ "weak key",
		  "a.example",
		  { .dns = "a.example", .issuer = &root, .key = "RSA-1024" },
		  WHY_upstream_cert_invalid },
		{ "SHA-1",
		  "a.example",
		  { .dns = "a.example", .issuer = &root, .md = EVP_sha1() },
		  WHY_upstream_cert_invalid },
		{ "client only",
		  "a.example",
		  { .dns = "a.example", .issuer = &root, .eku = NID_client_auth },
		  WHY_upstream_cert_invalid },
		{ "may not sign TLS",
		  "a.example",
		  { .dns = "a.example", .issuer = &root, .usage = sign_bits },
		  WHY_upstream_cert_invalid },
	};
	struct tls_client *c = client_with(STR(""));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum why why = verdict(c, &rows[i].spec, rows[i].name);

		if (why != rows[i].why)
			fail_msg("%s: code %d instead of %d", rows[i].what, why, rows[i].why);
	}
	tls_client_free(c);
}

static void trust_adds_and_takes_nothing_away(void **state)
{
	const struct test_cert_spec theirs = { .dns = "a.example", .issuer = &other_root };
	const struct test_cert_spec ours = { .dns = "a.example", .issuer = &root };
	char *pem = test_cert_pem(other_root.cert);
	struct tls_client *plain = client_with(STR("")), *with = client_with(str_of(pem));

	(void)state;
	assert_int_equal(verdict(with, &theirs, "a.example"), WHY_allowed);
	assert_int_equal(verdict(with, &ours, "a.example"), WHY_allowed);
	assert_int_equal(verdict(plain, &theirs, "a.example"), WHY_upstream_cert_unknown_ca);
	assert_int_equal(sk_X509_OBJECT_num(X509_STORE_get0_objects(roots)), 1);
	tls_client_free(with);
	tls_client_free(plain);
	free(pem);
}

static void trust_must_be_certificates(void **state)
{
	char *cert = test_cert_pem(root.cert), *key = test_key_pem(root.key, NULL), both[8192], cut[8192];
	const char *rows[] = { "hello\n", key, both, cut,
			       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };

	(void)state;
	(void)snprintf(both, sizeof(both), "%s%s", cert, key);
	(void)snprintf(cut, sizeof(cut), "%s-----BEGIN CERTIFICATE-----\nMII", cert);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tls_client *c = NULL;
		char reason[256] = "";

		assert_int_equal(tls_client_new(roots, str_of(rows[i]), &c, reason, sizeof(reason)), -EINVAL);
		assert_null(c);
		assert_true(strlen(reason) > 0);
	}
	free(cert);
	free(key);
}

static const char *sent_name;

static int see_name(SSL *ssl, int *alert, void *arg)
{
	(void)alert;
	(void)arg;
	sent_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	sent_name = sent_name ? strdup(sent_name) : NULL;
	return SSL_TLSEXT_ERR_OK;
}

static void server_name_is_sent_for_names_only(void **state)
{
	static const struct test_cert_spec any = { .dns = "a.example" };
	struct tls_client *c = client_with(STR(""));
	struct test_cert cert = test_cert_make(&any);
	SSL_CTX *server = server_with(&cert, 0);
	struct conn x;

	(void)state;
	SSL_CTX_set_tlsext_servername_callback(server, see_name);
	x = conn_make(c, server, "A.example", "k");
	(void)pair_handshake(x.client, x.server);
	assert_non_null(sent_name);
	assert_string_equal(sent_name, "a.example");
	free((void *)(uintptr_t)sent_name);
	conn_end(&x);
	x = conn_make(c, server, "10.77.0.2", "k");
	(void)pair_handshake(x.client, x.server);
	assert_null(sent_name);
	conn_end(&x);
	assert_null(tls_client_ssl(c, STR("a.example,b"), STR("k")));
	assert_null(tls_client_ssl(c, STR(""), STR("k")));
	SSL_CTX_free(server);
	test_cert_free(&cert);
	tls_client_free(c);
}

static bool reused(struct tls_client *c, SSL_CTX *server, const char *name, const char *key)
{
	struct conn x = conn_make(c, server, name, key);
	bool r;

	assert_int_equal(pair_handshake(x.client, x.server), PAIR_DONE);
	assert_true(pair_exchange(x.client, x.server));
	r = SSL_session_reused(x.client) == 1;
	conn_end(&x); /* without a farewell, as a pool closes */
	return r;
}

static void sessions_stay_with_their_key(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct test_cert_spec spec = { .dns = "*.t.example", .issuer = &root };
	struct test_cert cert = test_cert_make(&spec);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		SSL_CTX *server = server_with(&cert, versions[i]);
		struct tls_client *c = client_with(STR(""));

		SSL_CTX_set_num_tickets(server, 1);
		assert_false(reused(c, server, "a.t.example", "a.example:443|one"));
		assert_true(reused(c, server, "a.t.example", "a.example:443|one"));
		assert_true(reused(c, server, "a.t.example", "a.example:443|one"));
		assert_false(reused(c, server, "a.t.example", "a.example:443|two"));
		assert_false(reused(c, server, "a.t.example", "a.example:8443|one"));
		/* Even a caller that mixes up its keys gets no session of another name. */
		assert_false(reused(c, server, "b.t.example", "a.example:443|one"));
		tls_client_free(c);
		SSL_CTX_free(server);
	}
	test_cert_free(&cert);
}

static void a_session_is_used_once(void **state)
{
	const struct test_cert_spec spec = { .dns = "a.example", .issuer = &root };
	struct test_cert cert = test_cert_make(&spec);
	SSL_CTX *server = server_with(&cert, TLS1_3_VERSION);
	struct tls_client *c = client_with(STR(""));
	SSL *first, *second;

	(void)state;
	SSL_CTX_set_num_tickets(server, 1);
	assert_false(reused(c, server, "a.example", "k"));
	first = tls_client_ssl(c, STR("a.example"), STR("k"));
	second = tls_client_ssl(c, STR("a.example"), STR("k"));
	assert_non_null(SSL_get0_session(first));
	assert_null(SSL_get0_session(second));
	SSL_free(first);
	SSL_free(second);
	SSL_CTX_free(server);
	tls_client_free(c);
	test_cert_free(&cert);
}

static void unverified_sessions_are_never_kept(void **state)
{
	const struct test_cert_spec spec = { .dns = "a.example", .issuer = &other_root };
	struct test_cert cert = test_cert_make(&spec);
	SSL_CTX *server = server_with(&cert, TLS1_2_VERSION);
	struct tls_client *c = client_with(STR(""));
	struct conn x = conn_make(c, server, "a.example", "k");
	SSL *next;

	(void)state;
	assert_int_not_equal(pair_handshake(x.client, x.server), PAIR_DONE);
	conn_end(&x);
	next = tls_client_ssl(c, STR("a.example"), STR("k"));
	assert_null(SSL_get0_session(next));
	SSL_free(next);
	SSL_CTX_free(server);
	tls_client_free(c);
	test_cert_free(&cert);
}

static void a_broken_handshake_is_no_certificate_error(void **state)
{
	const struct test_cert_spec spec = { .dns = "a.example", .issuer = &root };
	struct test_cert cert = test_cert_make(&spec);
	SSL_CTX *server = server_with(&cert, TLS1_1_VERSION);
	struct tls_client *c = client_with(STR(""));
	struct conn x = conn_make(c, server, "a.example", "k");

	(void)state;
	assert_int_not_equal(pair_handshake(x.client, x.server), PAIR_DONE);
	assert_int_equal(tls_client_failure(x.client), WHY_upstream_tls);
	conn_end(&x);
	SSL_CTX_free(server);
	tls_client_free(c);
	test_cert_free(&cert);
}

static void the_system_has_roots(void **state)
{
	X509_STORE *store = NULL;

	(void)state;
	assert_int_equal(tls_roots_load(&store), 0);
	assert_non_null(store);
	if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0)
		assert_true(sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) > 20);
	X509_STORE_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_flaw_has_its_code),
		cmocka_unit_test(trust_adds_and_takes_nothing_away),
		cmocka_unit_test(trust_must_be_certificates),
		cmocka_unit_test(server_name_is_sent_for_names_only),
		cmocka_unit_test(sessions_stay_with_their_key),
		cmocka_unit_test(a_session_is_used_once),
		cmocka_unit_test(unverified_sessions_are_never_kept),
		cmocka_unit_test(a_broken_handshake_is_no_certificate_error),
		cmocka_unit_test(the_system_has_roots),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
