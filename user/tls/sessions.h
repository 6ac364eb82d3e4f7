/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS sessions of the upstream leg, by key: handed out once, newest first, never under another key.
 */
#ifndef BRIDLE_TLS_SESSIONS_H
#define BRIDLE_TLS_SESSIONS_H

#include <openssl/ssl.h>

#include "base/str.h"

struct sessions;

int sessions_new(size_t max, struct sessions **ret);
struct sessions *sessions_free(struct sessions *s); /* NULL is fine; returns NULL */

/* Keeps a copy of a session; the oldest of all gives way. Memory being short loses it, nothing else. */
void sessions_put(struct sessions *s, struct str key, const SSL_SESSION *session);

/* Takes one out that may still be resumed, owned by the caller; NULL when there is none. */
SSL_SESSION *sessions_take(struct sessions *s, struct str key);

#endif
