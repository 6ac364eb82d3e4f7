/* SPDX-License-Identifier: Apache-2.0 */
/* What ca.c, ca_load.c and leaf.c share: the one struct that holds the CA's key, and how extensions are set. */
#ifndef BRIDLE_TLS_CA_PRIVATE_H
#define BRIDLE_TLS_CA_PRIVATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/util.h"
#include "tls/ca.h"

#define CA_BACKDATE_S (48 * 3600L) /* clocks of sandboxes and images run late */
#define CA_LIFE_S     (30 * 86400L)
#define LEAF_LIFE_S   (7 * 86400L)

struct ca {
	X509 *cert;		/* owned */
	EVP_PKEY *key;		/* owned; leaves this struct only as a signature */
	ASN1_OCTET_STRING *ski; /* owned; copied into every leaf's AKI byte for byte */
};

DEFINE_CLEANUP(X509, X509_free)
DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
DEFINE_CLEANUP(struct ca, ca_free)

/* Each adds one thing to a certificate that is being made. 0, or -ENOMEM. */
int cert_set_serial(X509 *cert);
int cert_set_key_id(X509 *cert, const ASN1_OCTET_STRING *id);
int cert_set_basic_constraints(X509 *cert, bool ca);
int cert_set_key_usage(X509 *cert, const int *bits, size_t n_bits);
int cert_set_server_auth(X509 *cert);

/* The key identifier of a public key (RFC 7093 2.1: left 160 bits of SHA-256). Owned by the caller; NULL when memory is short. */
ASN1_OCTET_STRING *cert_key_id(const X509 *cert);

/* NULL unless key is EC on P-256 (or, if asked, P-384). */
bool key_is_curve(const EVP_PKEY *key, bool p384_too);

#endif
