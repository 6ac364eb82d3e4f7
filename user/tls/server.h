/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leg towards the program in the sandbox: TLS 1.2 and 1.3, ALPN http/1.1, a leaf by server name or, when
 * there is none, by the address the program wanted. A leaf that is not in the cache is asked of the keeper through
 * `need_leaf`; the handshake waits (SSL_ERROR_WANT_CLIENT_HELLO_CB) and is driven again after tls_server_put_leaf().
 * One object for each worker: one leaf key, one cache (LRU, TLS_LEAVES_MAX), stateless tickets. No early data.
 */
#ifndef BRIDLE_TLS_SERVER_H
#define BRIDLE_TLS_SERVER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"

#define TLS_LEAVES_MAX	  2048
#define TLS_LEAF_WAIT_MAX 256 /* names asked of the keeper and not answered */

struct tls_server;

/*
 * Asks the keeper once for each name, however many handshakes wait for it. 0 or -errno (the handshakes fail).
 */
typedef int (*tls_need_leaf_fn)(void *arg, uint32_t id, struct str name, const unsigned char *spki, size_t spki_size);

/* Its SSLs must be freed before it. */
int tls_server_new(tls_need_leaf_fn need_leaf, void *arg, struct tls_server **ret);
struct tls_server *tls_server_free(struct tls_server *s);

/* The keeper's answer; size 0 is a refusal. Afterwards every SSL in want-client-hello state may be driven again. */
void tls_server_put_leaf(struct tls_server *s, uint32_t id, const unsigned char *der, size_t size);

/*
 * A server-side SSL for a connection. fallback_name is the canonical text of the destination address. The SSL has memory or fd BIO set
 * by the caller. NULL when memory is short. Free with SSL_free().
 */
SSL *tls_server_ssl(struct tls_server *s, struct str fallback_name);

/* The canonical server name the client sent, or empty when it sent none; valid after the hello. Borrowed from the SSL. */
struct str tls_server_name(const SSL *ssl);

/* After a failed handshake: WHY_tls_name_invalid or WHY_tls_handshake. */
enum why tls_server_failure(const SSL *ssl);

#endif
