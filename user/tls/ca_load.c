/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the user's own authority (tls.ca). Decides whether its leaves would be accepted by ordinary clients, and
 * says in one sentence why not, because later each program in the sandbox would only say "certificate verify
 * failed". Never asks for a passphrase: there is nobody to answer.
 */
#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls/ca_private.h"

#define RSA_BITS_MIN 2048

static int refuse(char *reason, size_t size, const char *sentence)
{
	if (size > 0)
		(void)snprintf(reason, size, "%s", sentence);
	ERR_clear_error();
	return -EINVAL;
}

/* Instead of the library's prompt on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *asked)
{
	(void)out;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static BIO *bio_of(struct str s)
{
	return s.n > INT32_MAX ? NULL : BIO_new_mem_buf(s.p ? s.p : "", (int)s.n);
}

static int read_cert(struct ca *ca, struct str pem, char *reason, size_t size)
{
	X509 *second = NULL;
	BIO *bio = bio_of(pem);

	if (!bio)
		return -ENOMEM;
	ca->cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (ca->cert)
		second = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (!ca->cert)
		return refuse(reason, size, "the CA certificate is not a PEM certificate");
	if (second) {
		X509_free(second);
		return refuse(reason, size, "the CA file holds more than one certificate; give the one that signs");
	}
	ERR_clear_error();
	return 0;
}

static int read_key(struct ca *ca, struct str pem, char *reason, size_t size)
{
	bool asked = false;
	BIO *bio = bio_of(pem);

	if (!bio)
		return -ENOMEM;
	ca->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	BIO_free(bio);
	if (!ca->key)
		return refuse(reason, size,
			      asked ? "the CA key is encrypted; give it without a passphrase"
				    : "the CA key is not a PEM private key");
	if (X509_check_private_key(ca->cert, ca->key) != 1)
		return refuse(reason, size, "the CA key does not belong to the CA certificate");
	return 0;
}

static int check_extensions(X509 *cert, char *reason, size_t size)
{
	uint32_t flags = X509_get_extension_flags(cert);

	if (flags & EXFLAG_INVALID)
		return refuse(reason, size, "the CA certificate has malformed or contradicting extensions");
	if (!(flags & EXFLAG_BCONS) || !(flags & EXFLAG_CA))
		return refuse(reason, size, "the CA certificate lacks basicConstraints CA:TRUE");
	if (flags & EXFLAG_CRITICAL)
		return refuse(reason, size, "the CA certificate has a critical extension that clients do not know");
	if ((flags & EXFLAG_KUSAGE) && !(X509_get_key_usage(cert) & KU_KEY_CERT_SIGN))
		return refuse(reason, size, "the CA certificate's key usage lacks keyCertSign");
	if ((flags & EXFLAG_XKUSAGE) && !(X509_get_extended_key_usage(cert) & (XKU_SSL_SERVER | XKU_ANYEKU)))
		return refuse(reason, size, "the CA certificate's extended key usage excludes serverAuth");
	return 0;
}

static int check_key(const EVP_PKEY *key, char *reason, size_t size)
{
	if (EVP_PKEY_is_a(key, "RSA"))
		return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN
			       ? 0
			       : refuse(reason, size, "the CA key is RSA with fewer than 2048 bits");
	if (!key_is_curve(key, true))
		return refuse(reason, size, "the CA key is neither RSA nor on the curves P-256 and P-384");
	return 0;
}

static int check_life(const X509 *cert, char *reason, size_t size)
{
	/* The comparison gives 0 for a time that cannot be read: that refuses too. */
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) >= 0)
		return refuse(reason, size, "the CA certificate is not valid yet");
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0)
		return refuse(reason, size, "the CA certificate has expired");
	return 0;
}

int ca_load(struct str cert_pem, struct str key_pem, struct ca **ret, char *reason, size_t reason_size)
{
	auto_of(ca_free) struct ca *ca = calloc(1, sizeof(*ca));
	const ASN1_OCTET_STRING *ski;
	int r;

	if (!ca)
		return -ENOMEM;
	r = read_cert(ca, cert_pem, reason, reason_size);
	if (r == 0)
		r = read_key(ca, key_pem, reason, reason_size);
	if (r == 0)
		r = check_extensions(ca->cert, reason, reason_size);
	if (r == 0)
		r = check_key(ca->key, reason, reason_size);
	if (r == 0)
		r = check_life(ca->cert, reason, reason_size);
	if (r < 0)
		return r;
	ski = X509_get0_subject_key_id(ca->cert);
	/* A CA without an identifier is matched by its name alone; the computed one contradicts nothing then. */
	ca->ski = ski ? ASN1_OCTET_STRING_dup(ski) : cert_key_id(ca->cert);
	if (!ca->ski)
		return -ENOMEM;
	*ret = TAKE(ca);
	return 0;
}
