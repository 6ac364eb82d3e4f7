/* SPDX-License-Identifier: Apache-2.0 */
/* Stores of trusted certificates; tls_roots_load() itself is in client.h. */
#ifndef BRIDLE_TLS_ROOTS_H
#define BRIDLE_TLS_ROOTS_H

#include <openssl/x509.h>
#include <stddef.h>

#include "base/str.h"

/* Path of the system's CA bundle, or NULL when it has none. */
const char *tls_system_bundle(void);

/*
 * roots alone (one more reference) when trust_pem is empty, else a new store with both; roots is never changed.
 * 0, -ENOMEM, or -EINVAL with half a sentence in reason ("it holds …").
 */
int tls_roots_combine(X509_STORE *roots, struct str trust_pem, X509_STORE **ret, char *reason, size_t reason_size);

#endif
