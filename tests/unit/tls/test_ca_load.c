/* SPDX-License-Identifier: Apache-2.0 */
/* The user's own CA: each thing that is wrong is named, and nothing else is refused. */
#include "certs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "tls/ca.h"

static const int negative = -1, none_below = 0, one_below = 1;
static const int sign_bits[] = { 5, 6, -1 }, leaf_bits[] = { 0, -1 };

static int load(const struct test_cert_spec *spec, struct ca **ret, char *reason)
{
	struct test_cert t = test_cert_make(spec);
	char *cert = test_cert_pem(t.cert), *key = test_key_pem(t.key, NULL);
	int r = ca_load(str_of(cert), str_of(key), ret, reason, 256);

	free(cert);
	free(key);
	test_cert_free(&t);
	return r;
}

static void takes_usual_authorities(void **state)
{
	static const char *const kinds[] = { "P-256", "P-384", "RSA-2048" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct test_cert_spec spec = { .is_ca = 1, .usage = sign_bits, .key = kinds[i], .cn = "user ca" };
		EVP_PKEY *leaf_key = test_key(NULL);
		unsigned char *spki = NULL, *der = NULL, *root_der = NULL;
		const unsigned char *at;
		X509 *leaf, *root;
		size_t n, root_n;
		struct ca *ca = NULL;
		char reason[256] = "";
		int size;

		assert_int_equal(load(&spec, &ca, reason), 0);
		size = i2d_PUBKEY(leaf_key, &spki);
		assert_int_equal(ca_sign_leaf(ca, STR("a.example.com"), spki, (size_t)size, &der, &n), 0);
		at = der;
		leaf = d2i_X509(NULL, &at, (long)n);
		assert_int_equal(ca_certificate(ca, &root_der, &root_n), 0);
		at = root_der;
		root = d2i_X509(NULL, &at, (long)root_n);
		assert_int_equal(X509_verify(leaf, X509_get0_pubkey(root)), 1);
		/* The CA lives one day: the leaf not longer. */
		assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(leaf), X509_get0_notAfter(root)), 0);
		assert_int_equal(ASN1_TIME_compare(X509_get0_notBefore(leaf), X509_get0_notBefore(root)), 0);
		X509_free(leaf);
		X509_free(root);
		free(der);
		free(root_der);
		OPENSSL_free(spki);
		EVP_PKEY_free(leaf_key);
		ca_free(ca);
	}
}

static void names_what_is_wrong(void **state)
{
	static const struct {
		struct test_cert_spec spec;
		const char *word;
	} rows[] = {
		{ { .is_ca = 0 }, "CA:TRUE" },
		{ { .no_constraints = 1, .usage = sign_bits }, "CA:TRUE" },
		{ { .is_ca = 1, .usage = sign_bits, .path_length = &negative }, "malformed or contradicting" },
		{ { .is_ca = 0, .usage = sign_bits, .path_length = &none_below }, "CA:TRUE" },
		{ { .is_ca = 1, .usage = leaf_bits }, "keyCertSign" },
		{ { .is_ca = 1, .usage = sign_bits, .eku = NID_client_auth }, "serverAuth" },
		{ { .is_ca = 1, .usage = sign_bits, .key = "RSA-1024" }, "2048" },
		{ { .is_ca = 1, .usage = sign_bits, .key = "P-521" }, "P-256" },
		{ { .is_ca = 1, .usage = sign_bits, .key = "ED25519" }, "P-256" },
		{ { .is_ca = 1, .usage = sign_bits, .from_s = -100, .to_s = -10 }, "expired" },
		{ { .is_ca = 1, .usage = sign_bits, .from_s = 100, .to_s = 1000 }, "not valid yet" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ca *ca = NULL;
		char reason[256] = "";

		assert_int_equal(load(&rows[i].spec, &ca, reason), -EINVAL);
		assert_null(ca);
		if (!strstr(reason, rows[i].word))
			fail_msg("row %zu: \"%s\" lacks \"%s\"", i, reason, rows[i].word);
	}
}

/* A leaf is no CA, so a path length of 0 allows it, as every greater one does. */
static void every_path_length_allows_leaves(void **state)
{
	static const int *const lengths[] = { NULL, &none_below, &one_below };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct test_cert_spec spec = { .is_ca = 1, .usage = sign_bits, .path_length = lengths[i] };
		struct ca *ca = NULL;
		char reason[256] = "";

		assert_int_equal(load(&spec, &ca, reason), 0);
		ca_free(ca);
	}
}

static void refuses_what_does_not_fit_together(void **state)
{
	const struct test_cert_spec spec = { .is_ca = 1, .usage = sign_bits };
	struct test_cert a = test_cert_make(&spec), b = test_cert_make(&spec);
	char *cert = test_cert_pem(a.cert), *key = test_key_pem(a.key, NULL), *other = test_key_pem(b.key, NULL);
	char *locked = test_key_pem(a.key, "secret"), two[8192], reason[256] = "";
	struct ca *ca = NULL;

	(void)state;
	assert_int_equal(ca_load(str_of(cert), str_of(other), &ca, reason, sizeof(reason)), -EINVAL);
	assert_non_null(strstr(reason, "does not belong"));
	assert_int_equal(ca_load(str_of(cert), str_of(locked), &ca, reason, sizeof(reason)), -EINVAL);
	assert_non_null(strstr(reason, "passphrase"));
	assert_int_equal(ca_load(STR(""), str_of(key), &ca, reason, sizeof(reason)), -EINVAL);
	assert_int_equal(ca_load(str_of(cert), STR(""), &ca, reason, sizeof(reason)), -EINVAL);
	assert_int_equal(ca_load(str_of(key), str_of(cert), &ca, reason, sizeof(reason)), -EINVAL);
	(void)snprintf(two, sizeof(two), "%s%s", cert, cert);
	assert_int_equal(ca_load(str_of(two), str_of(key), &ca, reason, sizeof(reason)), -EINVAL);
	assert_non_null(strstr(reason, "more than one"));
	assert_null(ca);
	free(cert);
	free(key);
	free(other);
	free(locked);
	test_cert_free(&a);
	test_cert_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_usual_authorities),
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(every_path_length_allows_leaves),
		cmocka_unit_test(refuses_what_does_not_fit_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
