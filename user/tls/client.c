/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens TLS towards upstream. Decides whether the server is the one the route names: its chain must end in the
 * system's roots or tls.trust, its certificate must carry the name as a subject alternative name, its keys and
 * signatures must have 112 bits. Every doubt fails the handshake before a byte of the request is written.
 */
#include "tls/client.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/util.h"
#include "tls/ex_data.h"
#include "tls/name.h"
#include "tls/roots.h"
#include "tls/sessions.h"

#define CIPHERS_12	"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
#define GROUPS		"X25519:P-256:P-384"
#define SECURITY_LEVEL	2
#define SESSION_KEY_MAX 1024

struct tls_client {
	SSL_CTX *ctx;		   /* owned */
	struct sessions *sessions; /* owned */
};

/* Of one connection: where its sessions are kept. Owned by its SSL, which must not outlive the client. */
struct tls_client_conn {
	struct tls_client *client; /* borrowed */
	size_t key_len;
	char key[];
};

DEFINE_CLEANUP(struct tls_client, tls_client_free)
DEFINE_CLEANUP(SSL, SSL_free)

static int conn_index = -1; /* of ex_data: one for the process, like every index of the library */

static void keep_session(const SSL *ssl, const SSL_SESSION *session)
{
	const struct tls_client_conn *conn = SSL_get_ex_data(ssl, conn_index);

	if (conn && SSL_get_verify_result(ssl) == X509_V_OK)
		sessions_put(conn->client->sessions, str_make(conn->key, conn->key_len), session);
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	keep_session(ssl, session);
	return 0; /* the copy is ours, the original stays the library's */
}

/* TLS 1.2 tells of no new session when an old one was resumed: it goes back. */
static void on_info(const SSL *ssl, int where, int result)
{
	(void)result;
	if ((where & SSL_CB_HANDSHAKE_DONE) && SSL_version(ssl) < TLS1_3_VERSION && SSL_session_reused(ssl))
		keep_session(ssl, SSL_get0_session(ssl));
}

static int set_up_context(struct tls_client *c, X509_STORE *store)
{
	static const unsigned char protocols[] = "\x08http/1.1";
	int groups[] = { NID_X25519, NID_X9_62_prime256v1, NID_secp384r1 };
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	c->ctx = ctx;
	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) || !SSL_CTX_set_cipher_list(ctx, CIPHERS_12) ||
	    !SSL_CTX_set1_groups(ctx, groups, ARRAY_SIZE(groups)) ||
	    SSL_CTX_set_alpn_protos(ctx, protocols, sizeof(protocols) - 1) != 0)
		return -ENOMEM;
	SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
	SSL_CTX_set1_cert_store(ctx, store);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_read_ahead(ctx, 1); /* a record by one read(); readers ask SSL_has_pending() */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new_session);
	SSL_CTX_set_info_callback(ctx, on_info);
	return 0;
}

int tls_client_new(X509_STORE *roots, struct str trust_pem, struct tls_client **ret, char *reason, size_t reason_size)
{
	auto_of(tls_client_free) struct tls_client *c = calloc(1, sizeof(*c));
	X509_STORE *store;
	int r;

	if (!c)
		return -ENOMEM;
	if (conn_index < 0)
		conn_index = tls_ex_data_index();
	if (conn_index < 0)
		return -ENOMEM;
	r = sessions_new(TLS_SESSIONS_MAX, &c->sessions);
	if (r < 0)
		return r;
	r = tls_roots_combine(roots, trust_pem, &store, reason, reason_size);
	if (r < 0)
		return r;
	r = set_up_context(c, store);
	X509_STORE_free(store);
	if (r < 0)
		return r;
	*ret = TAKE(c);
	return 0;
}

struct tls_client *tls_client_free(struct tls_client *c)
{
	if (!c)
		return NULL;
	SSL_CTX_free(c->ctx);
	sessions_free(c->sessions);
	free(c);
	return NULL;
}

/* What the certificate must say; the subject's common name never counts (RFC 9525 2). */
static bool expect_name(SSL *ssl, struct tls_name *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	X509_VERIFY_PARAM_set_hostflags(param,
					X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	/* A certificate that tls.trust names is an end of the chain even when another CA signed it. */
	if (!X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN))
		return false;
	if (name->address_size)
		return X509_VERIFY_PARAM_set1_ip(param, name->address, name->address_size) == 1;
	return X509_VERIFY_PARAM_set1_host(param, name->text, name->len) == 1 &&
	       SSL_set_tlsext_host_name(ssl, name->text) == 1;
}

/* The caller's key and the name that was checked: no session is ever resumed under another name. */
static struct tls_client_conn *conn_new(struct tls_client *c, const struct tls_name *name, struct str session_key)
{
	struct tls_client_conn *conn;

	if (session_key.n > SESSION_KEY_MAX)
		return NULL;
	conn = calloc(1, sizeof(*conn) + name->len + 1 + session_key.n);
	if (!conn)
		return NULL;
	conn->client = c;
	memcpy(conn->key, name->text, name->len + 1U); /* the NUL parts the two */
	if (session_key.n)
		memcpy(conn->key + name->len + 1, session_key.p, session_key.n);
	conn->key_len = name->len + 1U + session_key.n;
	return conn;
}

SSL *tls_client_ssl(struct tls_client *c, struct str name_text, struct str session_key)
{
	auto_of(SSL_free) SSL *ssl = NULL;
	struct tls_client_conn *conn;
	SSL_SESSION *session;
	struct tls_name name;

	if (tls_name_parse(name_text, &name) < 0)
		return NULL; /* refuse: nothing that a certificate could be checked for */
	ssl = SSL_new(c->ctx);
	conn = ssl ? conn_new(c, &name, session_key) : NULL;
	if (!conn)
		return NULL;
	if (!SSL_set_ex_data(ssl, conn_index, conn)) {
		free(conn);
		return NULL;
	}
	if (!expect_name(ssl, &name))
		return NULL;
	session = sessions_take(c->sessions, str_make(conn->key, conn->key_len));
	if (session) {
		(void)SSL_set_session(ssl, session); /* without it the handshake is a full one */
		SSL_SESSION_free(session);
	}
	SSL_set_connect_state(ssl);
	return TAKE(ssl);
}

/* Verification errors that have a code of their own; every other one is WHY_upstream_cert_invalid. */
static const struct {
	int error;
	enum why why;
} causes[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, WHY_upstream_cert_expired },
	{ X509_V_ERR_CERT_NOT_YET_VALID, WHY_upstream_cert_expired },
	{ X509_V_ERR_HOSTNAME_MISMATCH, WHY_upstream_cert_name },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, WHY_upstream_cert_name },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, WHY_upstream_cert_unknown_ca },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, WHY_upstream_cert_unknown_ca },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, WHY_upstream_cert_unknown_ca },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, WHY_upstream_cert_unknown_ca },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, WHY_upstream_cert_unknown_ca },
};

enum why tls_client_failure(const SSL *ssl)
{
	long error = SSL_get_verify_result(ssl);

	if (error == X509_V_OK)
		return WHY_upstream_tls;
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (causes[i].error == error)
			return causes[i].why;
	return WHY_upstream_cert_invalid;
}

const char *tls_client_failure_text(const SSL *ssl)
{
	long error = SSL_get_verify_result(ssl);
	const char *text;

	if (error != X509_V_OK)
		return X509_verify_cert_error_string(error);
	text = ERR_reason_error_string(ERR_peek_last_error());
	return text ? text : "the connection ended during the handshake";
}
