/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leg towards upstream: TLS 1.2 and 1.3, system roots and tls.trust, chain and name checked strictly
 * (X509_V_FLAG_X509_STRICT off for roots of the public web, no CN fallback, no partial wildcards), SNI always,
 * ALPN http/1.1, sessions resumed per key, single use. No early data, no client certificate.
 */
#ifndef BRIDLE_TLS_CLIENT_H
#define BRIDLE_TLS_CLIENT_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "base/str.h"
#include "base/why.h"

#define TLS_SESSIONS_MAX 256

struct tls_client;

/*
 * The system's roots, parsed (45 ms): made once in the zygote and inherited by its workers. Empty when the system has
 * no bundle. 0 or -errno. Free with X509_STORE_free().
 */
int tls_roots_load(X509_STORE **ret);

/*
 * roots are up-ref'd and never changed; with trust_pem (perhaps empty) a chain may end in either. -EINVAL and a
 * reason when the PEM holds something that is no certificate. Its SSLs must be freed before it.
 */
int tls_client_new(X509_STORE *roots, struct str trust_pem, struct tls_client **ret, char *reason, size_t reason_size);
struct tls_client *tls_client_free(struct tls_client *c);

/*
 * A client-side SSL that will check `name` (canonical host name or address text). session_key ("host:port|credential") picks the session
 * to resume, and is where a new one is kept. NULL when memory is short. Free with SSL_free().
 */
SSL *tls_client_ssl(struct tls_client *c, struct str name, struct str session_key);

/* After a failed handshake: which upstream_cert_* or upstream_tls. */
enum why tls_client_failure(const SSL *ssl);
/* A sentence of the library about it, for the log and the refusal's detail: static text, no bytes of the peer. */
const char *tls_client_failure_text(const SSL *ssl);

#endif
