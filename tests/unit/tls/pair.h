/* SPDX-License-Identifier: Apache-2.0 */
/* Two SSL objects that talk through memory. */
#ifndef BRIDLE_TESTS_TLS_PAIR_H
#define BRIDLE_TESTS_TLS_PAIR_H

#include "tests/lib/test.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>

static inline void pair_connect(SSL *client, SSL *server)
{
	BIO *a, *b;

	assert_int_equal(BIO_new_bio_pair(&a, 65536, &b, 65536), 1);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
}

enum pair_end { PAIR_DONE, PAIR_CLIENT_FAILED, PAIR_SERVER_FAILED, PAIR_WAITS };

static inline bool pair_waits(int error)
{
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_NONE;
}

/* Until both are done, one fails, or nothing moves (the server waits for a leaf). */
static inline enum pair_end pair_handshake(SSL *client, SSL *server)
{
	for (int i = 0; i < 20; i++) {
		int c, s;

		ERR_clear_error();
		c = SSL_get_error(client, SSL_do_handshake(client));
		if (!pair_waits(c))
			return PAIR_CLIENT_FAILED;
		ERR_clear_error();
		s = SSL_get_error(server, SSL_do_handshake(server));
		if (s == SSL_ERROR_WANT_CLIENT_HELLO_CB)
			return PAIR_WAITS;
		if (!pair_waits(s)) {
			ERR_clear_error();
			(void)SSL_do_handshake(client); /* reads the alert */
			return PAIR_SERVER_FAILED;
		}
		if (c == SSL_ERROR_NONE && s == SSL_ERROR_NONE)
			return PAIR_DONE;
	}
	return PAIR_WAITS;
}

/* One message each way, so that tickets arrive; true when both came whole. */
static inline bool pair_exchange(SSL *client, SSL *server)
{
	char got[8] = "";

	return SSL_write(server, "pong", 4) == 4 && SSL_read(client, got, sizeof(got)) == 4 &&
	       memcmp(got, "pong", 4) == 0 && SSL_write(client, "ping", 4) == 4 &&
	       SSL_read(server, got, sizeof(got)) == 4 && memcmp(got, "ping", 4) == 0;
}

#endif
