/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's certificate authority. Only the keeper holds a struct ca. Leaves follow RFC 5280; names are set
 * through the library's structures, never through its text syntax, so that no name can add another.
 */
#ifndef BRIDLE_TLS_CA_H
#define BRIDLE_TLS_CA_H

#include <stddef.h>

#include "base/str.h"

struct ca;

/*
 * A new P-256 CA: critical CA:TRUE pathlen:0, critical keyCertSign+cRLSign, EKU serverAuth, SKI; the subject names
 * the sandbox; valid from 48 h ago for 30 days. 0 or -errno.
 */
int ca_make(struct str sandbox, struct ca **ret);

/*
 * The user's own, PEM. Refuses (-EINVAL and a sentence in reason): no CA:TRUE, key usage without keyCertSign, EKU
 * that excludes serverAuth, a key that does not match, RSA below 2048 bits, curves other than P-256/P-384, not yet valid or expired.
 */
int ca_load(struct str cert_pem, struct str key_pem, struct ca **ret, char *reason, size_t reason_size);
struct ca *ca_free(struct ca *ca);

/* DER of the certificate, allocated; free() it. */
int ca_certificate(const struct ca *ca, unsigned char **ret, size_t *ret_size);

/*
 * A leaf for one canonical DNS name or address text and a P-256 public key (DER SubjectPublicKeyInfo): one SAN,
 * CN only when it fits 64 bytes (else empty subject and critical SAN), CA:FALSE, digitalSignature, EKU serverAuth,
 * AKI copied from the CA's SKI, own SKI, positive random serial, -48 h to +7 days and never beyond the CA.
 * *ret is allocated DER; free() it. -EINVAL for a name that is neither or a key of another kind.
 */
int ca_sign_leaf(const struct ca *ca, struct str name, const unsigned char *spki, size_t spki_size, unsigned char **ret,
		 size_t *ret_size);

#endif
