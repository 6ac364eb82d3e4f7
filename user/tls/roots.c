/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates a chain may end in. The system's bundle is read from fixed places, never from the environment,
 * and never by hash from a directory: a store that reads files later would fail inside a worker, which has none.
 */
#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/util.h"
#include "tls/client.h"
#include "tls/roots.h"

static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",		     /* Debian, Alpine */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora */
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem", /* SUSE */
	"/etc/ssl/cert.pem",
};

const char *tls_system_bundle(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(bundles); i++)
		if (access(bundles[i], R_OK) == 0)
			return bundles[i];
	return NULL;
}

int tls_roots_load(X509_STORE **ret)
{
	const char *path = tls_system_bundle();
	X509_STORE *store = X509_STORE_new();

	if (!store)
		return -ENOMEM;
	/* Without a bundle nothing is trusted but tls.trust. */
	if (path && X509_STORE_load_file(store, path) != 1) {
		X509_STORE_free(store);
		ERR_clear_error();
		return -EIO;
	}
	*ret = store;
	return 0;
}

/* The certificates are shared with roots, only the table is new. */
static int copy_store(X509_STORE *roots, X509_STORE *to)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(roots);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

		if (cert && !X509_STORE_add_cert(to, cert))
			return -ENOMEM;
	}
	return 0;
}

static int refuse(char *reason, size_t size, const char *sentence)
{
	if (size > 0)
		(void)snprintf(reason, size, "%s", sentence);
	ERR_clear_error();
	return -EINVAL;
}

static int add_block(X509_STORE *to, const char *label, const unsigned char *der, long size, char *reason, size_t n)
{
	const unsigned char *at = der;
	X509 *cert;
	int r;

	if (strcmp(label, PEM_STRING_X509) != 0)
		return refuse(reason, n, "it holds a PEM block that is no certificate");
	cert = d2i_X509(NULL, &at, size);
	if (!cert || at != der + size) {
		X509_free(cert);
		return refuse(reason, n, "it holds a certificate that cannot be read");
	}
	r = X509_STORE_add_cert(to, cert) ? 0 : -ENOMEM;
	X509_free(cert);
	return r;
}

static int add_pem(X509_STORE *to, struct str pem, char *reason, size_t size)
{
	BIO *bio = pem.n > INT32_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
	size_t n = 0;
	int r = 0;

	if (!bio)
		return -ENOMEM;
	for (; r == 0; n++) {
		char *label = NULL, *header = NULL;
		unsigned char *der = NULL;
		long der_size;
		int reason_code;

		if (PEM_read_bio(bio, &label, &header, &der, &der_size) != 1) {
			reason_code = ERR_GET_REASON(ERR_peek_last_error());
			if (n == 0 || reason_code != PEM_R_NO_START_LINE)
				r = refuse(reason, size, "it is not a list of PEM certificates");
			break;
		}
		r = add_block(to, label, der, der_size, reason, size);
		OPENSSL_free(label);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	BIO_free(bio);
	ERR_clear_error();
	return r;
}

int tls_roots_combine(X509_STORE *roots, struct str trust_pem, X509_STORE **ret, char *reason, size_t reason_size)
{
	X509_STORE *store;
	int r;

	if (trust_pem.n == 0) {
		if (!X509_STORE_up_ref(roots))
			return -ENOMEM;
		*ret = roots;
		return 0;
	}
	store = X509_STORE_new();
	if (!store)
		return -ENOMEM;
	r = copy_store(roots, store);
	if (r == 0)
		r = add_pem(store, trust_pem, reason, reason_size);
	if (r < 0) {
		X509_STORE_free(store);
		return r;
	}
	*ret = store;
	return 0;
}
