/* SPDX-License-Identifier: Apache-2.0 */
/* The leg towards the program, driven through memory by a real client of the library. */
#include "certs.h"

#include <openssl/err.h>

#include "pair.h"

#include "base/util.h"
#include "tls/ca.h"
#include "tls/server.h"

#define ASKED_MAX 512

/* Plays the keeper. */
struct keeper {
	struct ca *ca;
	struct tls_server *server;
	unsigned asked;
	bool at_once; /* answers inside the call */
	bool unreachable;
	struct {
		uint32_t id;
		char name[256];
	} questions[ASKED_MAX];
	unsigned char spki[512];
	size_t spki_size;
};

static struct keeper k;

static void answer(uint32_t id, const char *name)
{
	unsigned char *der = NULL;
	size_t n = 0;

	assert_int_equal(ca_sign_leaf(k.ca, str_of(name), k.spki, k.spki_size, &der, &n), 0);
	tls_server_put_leaf(k.server, id, der, n);
	free(der);
}

static int need_leaf(void *arg, uint32_t id, struct str name, const unsigned char *spki, size_t n)
{
	assert_ptr_equal(arg, &k);
	assert_true(k.asked < ASKED_MAX);
	memcpy(k.spki, spki, n);
	k.spki_size = n;
	k.questions[k.asked].id = id;
	memcpy(k.questions[k.asked].name, name.p, name.n);
	k.questions[k.asked].name[name.n] = '\0';
	k.asked++;
	if (k.unreachable)
		return -EPIPE;
	if (k.at_once)
		answer(id, k.questions[k.asked - 1].name);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(&k, 0, sizeof(k));
	return ca_make(STR("t"), &k.ca) || tls_server_new(need_leaf, &k, &k.server);
}

static int tear_down(void **state)
{
	(void)state;
	k.server = tls_server_free(k.server);
	k.ca = ca_free(k.ca);
	return 0;
}

static SSL_CTX *client_context(int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	unsigned char *der;
	const unsigned char *at;
	X509 *root;
	size_t n;

	assert_int_equal(ca_certificate(k.ca, &der, &n), 0);
	at = der;
	root = d2i_X509(NULL, &at, (long)n);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	X509_free(root);
	free(der);
	if (version)
		assert_true(SSL_CTX_set_min_proto_version(ctx, version) && SSL_CTX_set_max_proto_version(ctx, version));
	return ctx;
}

struct conn {
	SSL *client, *server;
};

static struct conn conn_make(SSL_CTX *ctx, const char *sni, const char *fallback)
{
	struct conn c = { SSL_new(ctx), tls_server_ssl(k.server, str_of(fallback)) };

	assert_non_null(c.client);
	assert_non_null(c.server);
	SSL_set_connect_state(c.client);
	if (sni)
		SSL_ctrl(c.client, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)sni);
	pair_connect(c.client, c.server);
	return c;
}

static void conn_end(struct conn *c)
{
	SSL_shutdown(c->client);
	SSL_free(c->client);
	SSL_free(c->server);
	c->client = c->server = NULL;
}

static void leaf_for_the_server_name(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	k.at_once = true;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		SSL_CTX *ctx = client_context(versions[i]);
		struct conn c = conn_make(ctx, "GitLab.Example.com", "10.77.0.2");

		SSL_set1_host(c.client, "gitlab.example.com");
		assert_int_equal(pair_handshake(c.client, c.server), PAIR_DONE);
		assert_int_equal(SSL_version(c.client), versions[i]);
		assert_true(str_eq(tls_server_name(c.server), STR("gitlab.example.com")));
		assert_true(pair_exchange(c.client, c.server));
		conn_end(&c);
		SSL_CTX_free(ctx);
	}
	assert_int_equal(k.asked, 1);
}

static void leaf_for_the_address_without_a_name(void **state)
{
	SSL_CTX *ctx = client_context(0);
	struct conn c = conn_make(ctx, NULL, "fd77::2");

	(void)state;
	k.at_once = true;
	X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c.client), "fd77::2");
	assert_int_equal(pair_handshake(c.client, c.server), PAIR_DONE);
	assert_int_equal(tls_server_name(c.server).n, 0);
	conn_end(&c);
	SSL_CTX_free(ctx);
}

static void waits_for_the_keeper_and_asks_once(void **state)
{
	SSL_CTX *ctx = client_context(0);
	struct conn c[5];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		c[i] = conn_make(ctx, "one.example", "10.77.0.2");
		assert_int_equal(pair_handshake(c[i].client, c[i].server), PAIR_WAITS);
		assert_int_equal(pair_handshake(c[i].client, c[i].server), PAIR_WAITS);
	}
	assert_int_equal(k.asked, 1);
	answer(k.questions[0].id, "one.example");
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		assert_int_equal(pair_handshake(c[i].client, c[i].server), PAIR_DONE);
		conn_end(&c[i]);
	}
	assert_int_equal(k.asked, 1);
	SSL_CTX_free(ctx);
}

static void a_refused_leaf_fails_the_handshake(void **state)
{
	SSL_CTX *ctx = client_context(0);
	struct conn c = conn_make(ctx, "no.example", "10.77.0.2"), d = conn_make(ctx, "no.example", "10.77.0.2");

	(void)state;
	assert_int_equal(pair_handshake(c.client, c.server), PAIR_WAITS);
	tls_server_put_leaf(k.server, k.questions[0].id, NULL, 0);
	assert_int_equal(pair_handshake(c.client, c.server), PAIR_SERVER_FAILED);
	assert_int_equal(tls_server_failure(c.server), WHY_tls_handshake);
	assert_int_equal(pair_handshake(d.client, d.server), PAIR_SERVER_FAILED);
	assert_int_equal(k.asked, 1);
	conn_end(&c);
	conn_end(&d);
	SSL_CTX_free(ctx);
}

static void a_leaf_of_another_key_is_not_used(void **state)
{
	SSL_CTX *ctx = client_context(0);
	struct conn c = conn_make(ctx, "a.example", "10.77.0.2");
	EVP_PKEY *other = test_key(NULL);
	unsigned char *spki = NULL, *der = NULL;
	int n = i2d_PUBKEY(other, &spki);
	size_t size;

	(void)state;
	assert_int_equal(pair_handshake(c.client, c.server), PAIR_WAITS);
	assert_int_equal(ca_sign_leaf(k.ca, STR("a.example"), spki, (size_t)n, &der, &size), 0);
	tls_server_put_leaf(k.server, k.questions[0].id, der, size);
	assert_int_equal(pair_handshake(c.client, c.server), PAIR_SERVER_FAILED);
	free(der);
	OPENSSL_free(spki);
	EVP_PKEY_free(other);
	conn_end(&c);
	SSL_CTX_free(ctx);
}

static void an_unreachable_keeper_fails_the_handshake(void **state)
{
	SSL_CTX *ctx = client_context(0);
	struct conn c = conn_make(ctx, "a.example", "10.77.0.2");

	(void)state;
	k.unreachable = true;
	assert_int_equal(pair_handshake(c.client, c.server), PAIR_SERVER_FAILED);
	conn_end(&c);
	SSL_CTX_free(ctx);
}

static void names_that_wait_are_bounded(void **state)
{
	SSL_CTX *ctx = client_context(0);
	struct conn c[TLS_LEAF_WAIT_MAX + 1];
	char name[32];

	(void)state;
	for (int i = 0; i <= TLS_LEAF_WAIT_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%d.example", i);
		c[i] = conn_make(ctx, name, "10.77.0.2");
		assert_int_equal(pair_handshake(c[i].client, c[i].server),
				 i < TLS_LEAF_WAIT_MAX ? PAIR_WAITS : PAIR_SERVER_FAILED);
	}
	assert_int_equal(k.asked, TLS_LEAF_WAIT_MAX);
	for (int i = 0; i <= TLS_LEAF_WAIT_MAX; i++)
		conn_end(&c[i]);
	SSL_CTX_free(ctx);
}

static void server_names_that_are_none(void **state)
{
	static const char *const names[] = {
		"a.example,DNS:b.example", "10.77.0.2", "a..b",	  "*.example", "a.example.",
		"\xc3\xbc.example",	   "a example", "fd77::2"
	};
	SSL_CTX *ctx = client_context(0);

	(void)state;
	k.at_once = true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct conn c = conn_make(ctx, names[i], "10.77.0.2");

		assert_int_equal(pair_handshake(c.client, c.server), PAIR_SERVER_FAILED);
		assert_int_equal(tls_server_failure(c.server), WHY_tls_name_invalid);
		assert_int_equal(tls_server_name(c.server).n, 0);
		conn_end(&c);
	}
	assert_int_equal(k.asked, 0);
	SSL_CTX_free(ctx);
}

static void no_name_and_no_address_is_refused(void **state)
{
	SSL_CTX *ctx = client_context(0);
	struct conn c = conn_make(ctx, NULL, "");

	(void)state;
	assert_int_equal(pair_handshake(c.client, c.server), PAIR_SERVER_FAILED);
	assert_int_equal(tls_server_failure(c.server), WHY_tls_name_invalid);
	conn_end(&c);
	SSL_CTX_free(ctx);
}

static void alpn_is_http11_or_nothing(void **state)
{
	static const struct {
		const char *offer;
		unsigned size;
		enum pair_end end;
	} rows[] = {
		{ "\x02h2\x08http/1.1", 12, PAIR_DONE },
		{ "\x08http/1.1", 9, PAIR_DONE },
		{ "\x02h2", 3, PAIR_SERVER_FAILED },
		{ "\x08http/1.0", 9, PAIR_SERVER_FAILED },
	};
	SSL_CTX *ctx = client_context(0);

	(void)state;
	k.at_once = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conn c = conn_make(ctx, "a.example", "10.77.0.2");
		const unsigned char *chosen;
		unsigned n;

		SSL_set_alpn_protos(c.client, (const unsigned char *)rows[i].offer, rows[i].size);
		assert_int_equal(pair_handshake(c.client, c.server), rows[i].end);
		SSL_get0_alpn_selected(c.client, &chosen, &n);
		if (rows[i].end == PAIR_DONE)
			assert_true(str_eq(str_make((const char *)chosen, n), STR("http/1.1")));
		conn_end(&c);
	}
	SSL_CTX_free(ctx);
}

static void old_versions_are_refused(void **state)
{
	SSL_CTX *ctx = client_context(TLS1_1_VERSION);
	struct conn c;

	(void)state;
	SSL_CTX_set_security_level(ctx, 0);
	c = conn_make(ctx, "a.example", "10.77.0.2");
	k.at_once = true;
	assert_int_not_equal(pair_handshake(c.client, c.server), PAIR_DONE);
	conn_end(&c);
	SSL_CTX_free(ctx);
}

static SSL_SESSION *kept;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(kept);
	kept = SSL_SESSION_dup(session);
	return 0;
}

/* A full connection under one name, then one that offers its session under another. */
static bool resumes(SSL_CTX *ctx, const char *first, const char *second, const char *fallback)
{
	struct conn c = conn_make(ctx, first, fallback);
	bool reused;

	assert_int_equal(pair_handshake(c.client, c.server), PAIR_DONE);
	assert_true(pair_exchange(c.client, c.server));
	conn_end(&c);
	assert_non_null(kept);
	c = conn_make(ctx, second, fallback);
	SSL_set_session(c.client, kept);
	assert_int_equal(pair_handshake(c.client, c.server), PAIR_DONE);
	assert_true(pair_exchange(c.client, c.server));
	assert_int_equal(SSL_session_reused(c.client), SSL_session_reused(c.server));
	assert_true(str_eq(tls_server_name(c.server), str_of(second ? second : "")));
	reused = SSL_session_reused(c.server) == 1;
	conn_end(&c);
	SSL_SESSION_free(kept);
	kept = NULL;
	return reused;
}

static void sessions_resume_under_their_own_name_only(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	k.at_once = true;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		SSL_CTX *ctx = client_context(versions[i]);

		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, keep_session);
		assert_true(resumes(ctx, "a.example", "a.example", "10.77.0.2"));
		assert_false(resumes(ctx, "a.example", "b.example", "10.77.0.2"));
		assert_false(resumes(ctx, "a.example", NULL, "10.77.0.2"));
		assert_true(resumes(ctx, NULL, NULL, "10.77.0.2"));
		SSL_CTX_free(ctx);
	}
}

/* Another worker of another sandbox: its own ticket keys, and a ticket of here opens nothing there. */
static void a_ticket_of_one_worker_is_nothing_to_another(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	k.at_once = true;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		SSL_CTX *ctx = client_context(versions[i]);
		struct conn c;

		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, keep_session);
		c = conn_make(ctx, "a.example", "10.77.0.2");
		assert_int_equal(pair_handshake(c.client, c.server), PAIR_DONE);
		assert_true(pair_exchange(c.client, c.server));
		conn_end(&c);
		assert_non_null(kept);
		k.server = tls_server_free(k.server);
		assert_int_equal(tls_server_new(need_leaf, &k, &k.server), 0);
		c = conn_make(ctx, "a.example", "10.77.0.2");
		SSL_set_session(c.client, kept);
		assert_int_equal(pair_handshake(c.client, c.server), PAIR_DONE);
		assert_false(SSL_session_reused(c.server));
		conn_end(&c);
		SSL_SESSION_free(kept);
		kept = NULL;
		SSL_CTX_free(ctx);
	}
}

static void nothing_is_negotiated_twice(void **state)
{
	SSL_CTX *ctx = client_context(TLS1_2_VERSION);
	struct conn c = conn_make(ctx, "a.example", "10.77.0.2");

	(void)state;
	k.at_once = true;
	assert_int_equal(pair_handshake(c.client, c.server), PAIR_DONE);
	assert_int_equal(SSL_renegotiate(c.client), 1);
	assert_int_not_equal(SSL_do_handshake(c.client), 1);
	assert_false(pair_exchange(c.client, c.server)); /* the server hears the hello and says no_renegotiation */
	assert_int_not_equal(SSL_do_handshake(c.client), 1);
	assert_int_equal(k.asked, 1);
	conn_end(&c);
	SSL_CTX_free(ctx);
}

/* The bytes of a hello whose server name is cut, doubled or broken: the library's own client cannot send those. */
static void hellos_that_no_library_sends(void **state)
{
	static const char name[] = "aaaa.bbbbbbbb.example";
	static const struct {
		int at; /* from the name's first byte */
		const char *bytes;
		size_t n;
	} rows[] = {
		{ 4, "\0", 1 },								       /* a NUL in the name */
		{ 20, "\0", 1 },							       /* and at its end */
		{ 4, "\x80", 1 },							       /* no ASCII */
		{ 4, "\r\n", 2 },  { 0, ".", 1 }, { -2, "\0\4aaaa\0\0\16second.example", 23 }, /* two names */
		{ -2, "\0\4", 2 }, /* bytes behind the only name */
		{ -2, "\0\0", 2 }, /* an empty one */
		{ -3, "\1", 1 },   /* of a kind that nobody knows */
		{ -5, "\0\0", 2 }, /* an empty list */
	};
	SSL_CTX *ctx = client_context(0);

	(void)state;
	k.at_once = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conn c = conn_make(ctx, name, "10.77.0.2");
		BIO *from = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());
		char *hello, *found;
		long n;

		SSL_set_bio(c.client, BIO_new(BIO_s_mem()), from);
		SSL_set_bio(c.server, to, BIO_new(BIO_s_mem()));
		assert_int_not_equal(SSL_do_handshake(c.client), 1);
		n = BIO_get_mem_data(from, &hello);
		found = memmem(hello, (size_t)n, name, sizeof(name) - 1);
		assert_non_null(found);
		memcpy(found + rows[i].at, rows[i].bytes, rows[i].n);
		assert_int_equal(BIO_write(to, hello, (int)n), n);
		assert_int_not_equal(SSL_do_handshake(c.server), 1);
		if (tls_server_failure(c.server) != WHY_tls_name_invalid || tls_server_name(c.server).n != 0)
			fail_msg("row %zu", i);
		SSL_free(c.client);
		SSL_free(c.server);
	}
	assert_int_equal(k.asked, 0);
	SSL_CTX_free(ctx);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(leaf_for_the_server_name),		  WITH(leaf_for_the_address_without_a_name),
		WITH(waits_for_the_keeper_and_asks_once), WITH(a_refused_leaf_fails_the_handshake),
		WITH(a_leaf_of_another_key_is_not_used),  WITH(an_unreachable_keeper_fails_the_handshake),
		WITH(names_that_wait_are_bounded),	  WITH(server_names_that_are_none),
		WITH(no_name_and_no_address_is_refused),  WITH(alpn_is_http11_or_nothing),
		WITH(old_versions_are_refused),		  WITH(sessions_resume_under_their_own_name_only),
		WITH(nothing_is_negotiated_twice),	  WITH(a_ticket_of_one_worker_is_nothing_to_another),
		WITH(hellos_that_no_library_sends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
