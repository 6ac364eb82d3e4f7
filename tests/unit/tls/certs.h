/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for tests, made when the test runs: good ones, and ones with exactly one thing wrong. */
#ifndef BRIDLE_TESTS_TLS_CERTS_H
#define BRIDLE_TESTS_TLS_CERTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct test_cert {
	X509 *cert;
	EVP_PKEY *key;
};

struct test_cert_spec {
	const char *cn;
	const char *dns;   /* one dNSName */
	const char *ip;	   /* one iPAddress */
	long from_s, to_s; /* from now; both 0: a day each way */
	int is_ca;
	int no_constraints;
	const int *path_length;		/* NULL: none */
	const int *usage;		/* bits of KeyUsage, ending in -1 */
	int eku;			/* NID, 0: none */
	const char *key;		/* "P-256" when NULL; "P-384", "P-521", "RSA-1024", "RSA-2048", "ED25519" */
	const EVP_MD *md;		/* SHA-256 when NULL */
	const struct test_cert *issuer; /* NULL: self-signed */
};

static inline EVP_PKEY *test_key(const char *kind)
{
	if (!kind)
		kind = "P-256";
	if (strncmp(kind, "RSA-", 4) == 0)
		return EVP_RSA_gen((unsigned)strtoul(kind + 4, NULL, 10));
	if (strcmp(kind, "ED25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_EC_gen(kind);
}

static inline void test_cert_add(X509 *cert, int nid, void *value, int critical)
{
	assert_int_equal(X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_APPEND), 1);
}

static inline void test_cert_names(X509 *cert, const struct test_cert_spec *spec)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	unsigned char bytes[16];

	if (spec->dns) {
		ASN1_IA5STRING *s = ASN1_IA5STRING_new();

		ASN1_STRING_set(s, spec->dns, (int)strlen(spec->dns));
		GENERAL_NAME_set0_value(one, GEN_DNS, s);
	} else {
		ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
		int six = strchr(spec->ip, ':') != NULL;

		assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, spec->ip, bytes), 1);
		ASN1_OCTET_STRING_set(s, bytes, six ? 16 : 4);
		GENERAL_NAME_set0_value(one, GEN_IPADD, s);
	}
	sk_GENERAL_NAME_push(names, one);
	test_cert_add(cert, NID_subject_alt_name, names, 0);
	GENERAL_NAMES_free(names);
}

static inline void test_cert_constraints(X509 *cert, const struct test_cert_spec *spec)
{
	if (!spec->no_constraints) {
		BASIC_CONSTRAINTS *b = BASIC_CONSTRAINTS_new();

		b->ca = spec->is_ca ? 0xff : 0;
		if (spec->path_length) {
			b->pathlen = ASN1_INTEGER_new();
			ASN1_INTEGER_set(b->pathlen, *spec->path_length);
		}
		test_cert_add(cert, NID_basic_constraints, b, 1);
		BASIC_CONSTRAINTS_free(b);
	}
	if (spec->usage) {
		ASN1_BIT_STRING *u = ASN1_BIT_STRING_new();

		for (const int *bit = spec->usage; *bit >= 0; bit++)
			ASN1_BIT_STRING_set_bit(u, *bit, 1);
		test_cert_add(cert, NID_key_usage, u, 1);
		ASN1_BIT_STRING_free(u);
	}
	if (spec->eku) {
		EXTENDED_KEY_USAGE *e = EXTENDED_KEY_USAGE_new();

		sk_ASN1_OBJECT_push(e, OBJ_nid2obj(spec->eku));
		test_cert_add(cert, NID_ext_key_usage, e, 0);
		EXTENDED_KEY_USAGE_free(e);
	}
}

static inline struct test_cert test_cert_make(const struct test_cert_spec *spec)
{
	struct test_cert t = { X509_new(), test_key(spec->key) };
	const struct test_cert *by = spec->issuer ? spec->issuer : &t;
	static long serial = 1000;
	int dated = spec->from_s || spec->to_s;

	assert_non_null(t.cert);
	assert_non_null(t.key);
	X509_set_version(t.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(t.cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(t.cert), dated ? spec->from_s : -86400);
	X509_gmtime_adj(X509_getm_notAfter(t.cert), dated ? spec->to_s : 86400);
	X509_set_pubkey(t.cert, t.key);
	X509_NAME_add_entry_by_NID(X509_get_subject_name(t.cert), NID_commonName, MBSTRING_UTF8,
				   (const unsigned char *)(spec->cn ? spec->cn : "test"), -1, -1, 0);
	X509_set_issuer_name(t.cert, X509_get_subject_name(by->cert));
	if (spec->dns || spec->ip)
		test_cert_names(t.cert, spec);
	test_cert_constraints(t.cert, spec);
	assert_true(X509_sign(t.cert, by->key,
			      EVP_PKEY_is_a(by->key, "ED25519") ? NULL : (spec->md ? spec->md : EVP_sha256())) > 0);
	return t;
}

static inline void test_cert_free(struct test_cert *t)
{
	X509_free(t->cert);
	EVP_PKEY_free(t->key);
	t->cert = NULL;
	t->key = NULL;
}

/* PEM text, freed by the caller. */
static inline char *test_bio_text(BIO *b)
{
	char *p, *copy;
	long n = BIO_get_mem_data(b, &p);

	copy = calloc(1, (size_t)n + 1);
	memcpy(copy, p, (size_t)n);
	BIO_free(b);
	return copy;
}

static inline char *test_cert_pem(const X509 *cert)
{
	BIO *b = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(b, cert);
	return test_bio_text(b);
}

static inline char *test_key_pem(const EVP_PKEY *key, const char *passphrase)
{
	BIO *b = BIO_new(BIO_s_mem());

	PEM_write_bio_PrivateKey(b, key, passphrase ? EVP_aes_128_cbc() : NULL, (const unsigned char *)passphrase,
				 passphrase ? (int)strlen(passphrase) : 0, NULL, NULL);
	return test_bio_text(b);
}

#endif
