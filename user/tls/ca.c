/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the sandbox's own authority: P-256, one level, thirty days. Every field and extension is set through the
 * library's structures; its text syntax ("DNS:a,DNS:b") is never used, because there a name can add another name.
 */
#include "tls/ca.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "tls/ca_private.h"

#define KEY_USAGE_SIGNATURE 0 /* bits of KeyUsage, RFC 5280 4.2.1.3 */
#define KEY_USAGE_CERT_SIGN 5
#define KEY_USAGE_CRL_SIGN  6
#define SERIAL_BYTES	    16
#define KEY_ID_BYTES	    20

int cert_set_serial(X509 *cert)
{
	unsigned char bytes[SERIAL_BYTES];
	BIGNUM *n;
	bool ok;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return -EIO;
	/* Positive and of full length: some readers refuse negative serials, RFC 5280 4.1.2.2 forbids zero. */
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return ok ? 0 : -ENOMEM;
}

ASN1_OCTET_STRING *cert_key_id(const X509 *cert)
{
	const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);
	unsigned char digest[EVP_MAX_MD_SIZE];
	ASN1_OCTET_STRING *id;
	size_t n;

	if (!bits || !EVP_Q_digest(NULL, "SHA256", NULL, ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits),
				   digest, &n))
		return NULL;
	id = ASN1_OCTET_STRING_new();
	if (!id || !ASN1_OCTET_STRING_set(id, digest, KEY_ID_BYTES)) {
		ASN1_OCTET_STRING_free(id);
		return NULL;
	}
	return id;
}

int cert_set_key_id(X509 *cert, const ASN1_OCTET_STRING *id)
{
	ASN1_OCTET_STRING *copy = ASN1_OCTET_STRING_dup(id);
	int ok = copy ? X509_add1_ext_i2d(cert, NID_subject_key_identifier, copy, 0, X509V3_ADD_APPEND) : 0;

	ASN1_OCTET_STRING_free(copy);
	return ok == 1 ? 0 : -ENOMEM;
}

int cert_set_basic_constraints(X509 *cert, bool ca)
{
	BASIC_CONSTRAINTS *b = BASIC_CONSTRAINTS_new();
	int ok = 0;

	if (b && ca) {
		b->ca = 0xff;
		b->pathlen = ASN1_INTEGER_new(); /* signs leaves and nothing else */
	}
	if (b && (!ca || (b->pathlen && ASN1_INTEGER_set(b->pathlen, 0))))
		ok = X509_add1_ext_i2d(cert, NID_basic_constraints, b, 1, X509V3_ADD_APPEND);
	BASIC_CONSTRAINTS_free(b);
	return ok == 1 ? 0 : -ENOMEM;
}

int cert_set_key_usage(X509 *cert, const int *bits, size_t n_bits)
{
	ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
	int ok = usage != NULL;

	for (size_t i = 0; ok && i < n_bits; i++)
		ok = ASN1_BIT_STRING_set_bit(usage, bits[i], 1);
	if (ok)
		ok = X509_add1_ext_i2d(cert, NID_key_usage, usage, 1, X509V3_ADD_APPEND);
	ASN1_BIT_STRING_free(usage);
	return ok == 1 ? 0 : -ENOMEM;
}

int cert_set_server_auth(X509 *cert)
{
	EXTENDED_KEY_USAGE *eku = EXTENDED_KEY_USAGE_new();
	ASN1_OBJECT *oid = OBJ_nid2obj(NID_server_auth);
	int ok = 0;

	if (eku && oid && sk_ASN1_OBJECT_push(eku, oid) > 0)
		ok = X509_add1_ext_i2d(cert, NID_ext_key_usage, eku, 0, X509V3_ADD_APPEND);
	EXTENDED_KEY_USAGE_free(eku);
	return ok == 1 ? 0 : -ENOMEM;
}

bool key_is_curve(const EVP_PKEY *key, bool p384_too)
{
	char group[32];
	size_t n;

	if (!key || !EVP_PKEY_is_a(key, "EC") ||
	    !EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), &n))
		return false;
	return strcmp(group, SN_X9_62_prime256v1) == 0 || (p384_too && strcmp(group, SN_secp384r1) == 0);
}

static int set_subject(X509 *cert, struct str sandbox)
{
	X509_NAME *name = X509_get_subject_name(cert);
	static const char org[] = "bridle";
	char cn[64] = "bridle sandbox ";
	size_t n = strlen(cn), take = MIN(sandbox.n, sizeof(cn) - 1 - n);

	if (take > 0)
		memcpy(cn + n, sandbox.p, take);
	n += take;
	if (!X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8, (const unsigned char *)org,
					(int)sizeof(org) - 1, -1, 0) ||
	    !X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)cn, (int)n, -1, 0))
		return -EINVAL;
	return X509_set_issuer_name(cert, name) ? 0 : -ENOMEM;
}

static int fill(struct ca *ca, struct str sandbox)
{
	static const int usage[] = { KEY_USAGE_CERT_SIGN, KEY_USAGE_CRL_SIGN };
	X509 *cert = ca->cert;
	int r;

	if (!X509_set_version(cert, X509_VERSION_3) || !X509_set_pubkey(cert, ca->key) ||
	    !X509_gmtime_adj(X509_getm_notBefore(cert), -CA_BACKDATE_S) ||
	    !X509_gmtime_adj(X509_getm_notAfter(cert), CA_LIFE_S - CA_BACKDATE_S))
		return -ENOMEM;
	ca->ski = cert_key_id(cert);
	if (!ca->ski)
		return -ENOMEM;
	r = set_subject(cert, sandbox);
	if (r == 0)
		r = cert_set_serial(cert);
	if (r == 0)
		r = cert_set_basic_constraints(cert, true);
	if (r == 0)
		r = cert_set_key_usage(cert, usage, ARRAY_SIZE(usage));
	if (r == 0)
		r = cert_set_server_auth(cert);
	if (r == 0)
		r = cert_set_key_id(cert, ca->ski);
	if (r == 0 && X509_sign(cert, ca->key, EVP_sha256()) <= 0)
		r = -EIO;
	return r;
}

int ca_make(struct str sandbox, struct ca **ret)
{
	auto_of(ca_free) struct ca *ca = calloc(1, sizeof(*ca));
	int r;

	if (!ca)
		return -ENOMEM;
	ca->key = EVP_EC_gen(SN_X9_62_prime256v1);
	ca->cert = X509_new();
	if (!ca->key || !ca->cert)
		return -ENOMEM;
	r = fill(ca, sandbox);
	if (r < 0)
		return r;
	*ret = TAKE(ca);
	return 0;
}

struct ca *ca_free(struct ca *ca)
{
	if (!ca)
		return NULL;
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
	ASN1_OCTET_STRING_free(ca->ski);
	free(ca);
	return NULL;
}

int ca_certificate(const struct ca *ca, unsigned char **ret, size_t *ret_size)
{
	unsigned char *der = NULL, *copy;
	int n = i2d_X509(ca->cert, &der);

	if (n <= 0)
		return -ENOMEM;
	copy = malloc((size_t)n);
	if (copy)
		memcpy(copy, der, (size_t)n);
	OPENSSL_free(der);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	*ret_size = (size_t)n;
	return 0;
}
