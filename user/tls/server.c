/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finishes TLS towards the program in the sandbox. Decides the name of a connection: the server name of its hello,
 * or the address it wanted. A name that is no host name is refused before a certificate is made, a session is
 * resumed only under the name (and the presence of a name) it was made for, and a leaf is used only when the keeper
 * signed our own key.
 */
#include "tls/server.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/util.h"
#include "tls/ex_data.h"
#include "tls/leaf_cache.h"
#include "tls/name.h"

#define TICKET_KEYS_SIZE 80		       /* name, HMAC key, AES key of the library's own tickets */
#define TICKET_KEYS_MS	 (12 * 3600 * 1000ULL) /* tickets end with their keys */
#define SESSION_S	 (2 * 3600)
#define CIPHERS_12	 "ECDHE+ECDSA+AESGCM:ECDHE+ECDSA+CHACHA20"
#define GROUPS		 "X25519:P-256"
#define SECURITY_LEVEL	 2 /* at least 112 bits, no SHA-1 */

struct tls_server {
	SSL_CTX *ctx;	     /* owned */
	EVP_PKEY *key;	     /* owned: of every leaf of this worker */
	unsigned char *spki; /* owned */
	size_t spki_size;
	struct leaf_cache *leaves; /* owned */
	tls_need_leaf_fn need_leaf;
	void *arg;
	uint64_t ticket_keys_ms;
};

/* What is known of one connection. Owned by its SSL. */
struct tls_server_conn {
	struct tls_name fallback; /* len 0: the destination has no name a leaf can carry */
	struct tls_name name;	  /* len 0: no server name was sent, or the hello was not read yet */
	enum why why;
};

DEFINE_CLEANUP(struct tls_server, tls_server_free)
DEFINE_CLEANUP(X509, X509_free)

static int conn_index = -1; /* of ex_data: one for the process, like every index of the library */

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* RFC 6066 3: exactly one entry, a host name, and not a byte more. 0 with an empty name when there is no extension. */
static int hello_name(SSL *ssl, struct tls_name *ret)
{
	struct tls_name none = { 0 };
	const unsigned char *p;
	size_t n, len;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1) {
		*ret = none;
		return 0;
	}
	if (n < 5 || (size_t)(p[0] << 8 | p[1]) != n - 2 || p[2] != TLSEXT_NAMETYPE_host_name)
		return -EINVAL; /* refuse: malformed */
	len = (size_t)(p[3] << 8 | p[4]);
	if (len != n - 5)
		return -EINVAL; /* refuse: two names are two readings */
	if (tls_name_parse(str_make((const char *)p + 5, len), ret) < 0)
		return -EINVAL;
	return ret->address_size ? -EINVAL : 0; /* refuse: RFC 6066 forbids addresses here */
}

/* A session made under one name is unknown under every other, so that no ticket carries an identity across. */
static bool bind_sessions(SSL *ssl, const struct tls_name *name, bool from_hello)
{
	unsigned char text[TLS_NAME_MAX + 1], digest[EVP_MAX_MD_SIZE];
	size_t n;

	text[0] = from_hello;
	memcpy(text + 1, name->text, name->len);
	return EVP_Q_digest(NULL, "SHA256", NULL, text, name->len + 1U, digest, &n) == 1 &&
	       SSL_set_session_id_context(ssl, digest, (unsigned)n) == 1;
}

/* Asks for an absent leaf. The answer may come inside the call. */
static enum leaf_state ask_for_leaf(struct tls_server *s, struct str name, X509 **ret_cert)
{
	uint32_t id;

	if (leaf_cache_wait(s->leaves, name, &id) < 0)
		return LEAF_REFUSED; /* refuse: too many names wait */
	if (s->need_leaf(s->arg, id, name, s->spki, s->spki_size) < 0)
		leaf_cache_answer(s->leaves, id, NULL, now_ms()); /* refuse: the keeper cannot be asked */
	return leaf_cache_get(s->leaves, name, now_ms(), ret_cert);
}

/* Returns what the hello callback returns. */
static int use_leaf(struct tls_server *s, SSL *ssl, struct str name)
{
	X509 *cert = NULL;
	enum leaf_state state = leaf_cache_get(s->leaves, name, now_ms(), &cert);

	if (state == LEAF_ABSENT)
		state = ask_for_leaf(s, name, &cert);
	if (state == LEAF_WAITING)
		return SSL_CLIENT_HELLO_RETRY;
	if (state != LEAF_READY || SSL_use_cert_and_key(ssl, cert, s->key, NULL, 1) != 1)
		return SSL_CLIENT_HELLO_ERROR; /* refuse: no certificate, no handshake */
	return SSL_CLIENT_HELLO_SUCCESS;
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_server_conn *conn = SSL_get_ex_data(ssl, conn_index);
	const struct tls_name *name;
	struct tls_name sent;

	*alert = SSL_AD_INTERNAL_ERROR;
	if (!conn)
		return SSL_CLIENT_HELLO_ERROR;
	if (hello_name(ssl, &sent) < 0) {
		conn->why = WHY_tls_name_invalid;
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	conn->name = sent;
	name = sent.len ? &conn->name : &conn->fallback;
	if (name->len == 0) {
		conn->why = WHY_tls_name_invalid; /* refuse: neither a server name nor an address to certify */
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (!bind_sessions(ssl, name, sent.len > 0))
		return SSL_CLIENT_HELLO_ERROR;
	return use_leaf(arg, ssl, tls_name_str(name));
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in,
		   unsigned in_size, void *arg)
{
	static const char http11[] = "http/1.1";
	const size_t n = sizeof(http11) - 1;

	(void)ssl;
	(void)arg;
	for (unsigned at = 0; at < in_size && in[at] < in_size - at; at += in[at] + 1U) {
		if (in[at] != n || memcmp(in + at + 1, http11, n) != 0)
			continue;
		*out = in + at + 1;
		*out_size = (unsigned char)n;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* refuse: the program speaks nothing that is decided here */
}

/* Fresh keys end all older tickets: a stolen key opens half a day at most. */
static int renew_ticket_keys(struct tls_server *s)
{
	unsigned char keys[TICKET_KEYS_SIZE];
	int r = -EIO;

	if (RAND_priv_bytes(keys, sizeof(keys)) == 1 &&
	    SSL_CTX_set_tlsext_ticket_keys(s->ctx, keys, (int)sizeof(keys)) == 1) {
		s->ticket_keys_ms = now_ms();
		r = 0;
	}
	OPENSSL_cleanse(keys, sizeof(keys));
	return r;
}

static int set_up_context(struct tls_server *s)
{
	int groups[] = { NID_X25519, NID_X9_62_prime256v1 };
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	s->ctx = ctx;
	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) || !SSL_CTX_set_cipher_list(ctx, CIPHERS_12) ||
	    !SSL_CTX_set1_groups(ctx, groups, ARRAY_SIZE(groups)) || !SSL_CTX_set_num_tickets(ctx, 1) ||
	    !SSL_CTX_set_max_early_data(ctx, 0) || !SSL_CTX_set_recv_max_early_data(ctx, 0))
		return -ENOMEM;
	SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_read_ahead(ctx, 1); /* a record by one read(); readers ask SSL_has_pending() */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets hold the state */
	(void)SSL_CTX_set_timeout(ctx, SESSION_S);
	SSL_CTX_set_client_hello_cb(ctx, on_hello, s);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	return renew_ticket_keys(s);
}

int tls_server_new(tls_need_leaf_fn need_leaf, void *arg, struct tls_server **ret)
{
	auto_of(tls_server_free) struct tls_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	if (conn_index < 0)
		conn_index = tls_ex_data_index();
	if (conn_index < 0)
		return -ENOMEM;
	s->need_leaf = need_leaf;
	s->arg = arg;
	s->key = EVP_EC_gen(SN_X9_62_prime256v1);
	if (!s->key)
		return -ENOMEM;
	r = i2d_PUBKEY(s->key, &s->spki);
	if (r <= 0)
		return -ENOMEM;
	s->spki_size = (size_t)r;
	r = leaf_cache_new(TLS_LEAVES_MAX, TLS_LEAF_WAIT_MAX, &s->leaves);
	if (r == 0)
		r = set_up_context(s);
	if (r < 0)
		return r;
	*ret = TAKE(s);
	return 0;
}

struct tls_server *tls_server_free(struct tls_server *s)
{
	if (!s)
		return NULL;
	SSL_CTX_free(s->ctx);
	EVP_PKEY_free(s->key);
	OPENSSL_free(s->spki);
	leaf_cache_free(s->leaves);
	free(s);
	return NULL;
}

void tls_server_put_leaf(struct tls_server *s, uint32_t id, const unsigned char *der, size_t size)
{
	auto_of(X509_free) X509 *cert = NULL;
	const unsigned char *at = der;

	if (size > 0 && size <= INT32_MAX)
		cert = d2i_X509(NULL, &at, (long)size);
	if (cert && (at != der + size || X509_check_private_key(cert, s->key) != 1)) {
		X509_free(cert); /* refuse: not one certificate of our key */
		cert = NULL;
	}
	ERR_clear_error();
	leaf_cache_answer(s->leaves, id, cert, now_ms());
}

SSL *tls_server_ssl(struct tls_server *s, struct str fallback_name)
{
	struct tls_server_conn *conn;
	SSL *ssl;

	if (now_ms() - s->ticket_keys_ms >= TICKET_KEYS_MS && renew_ticket_keys(s) < 0)
		return NULL;
	conn = calloc(1, sizeof(*conn));
	ssl = conn ? SSL_new(s->ctx) : NULL;
	if (!ssl || !SSL_set_ex_data(ssl, conn_index, conn)) {
		SSL_free(ssl);
		free(conn);
		return NULL;
	}
	conn->why = WHY_tls_handshake;
	(void)tls_name_parse(fallback_name, &conn->fallback); /* stays empty: refused once there is no server name */
	SSL_set_accept_state(ssl);
	return ssl;
}

struct str tls_server_name(const SSL *ssl)
{
	const struct tls_server_conn *conn = SSL_get_ex_data(ssl, conn_index);

	return conn ? tls_name_str(&conn->name) : (struct str){ NULL, 0 };
}

enum why tls_server_failure(const SSL *ssl)
{
	const struct tls_server_conn *conn = SSL_get_ex_data(ssl, conn_index);

	return conn ? conn->why : WHY_tls_handshake;
}
