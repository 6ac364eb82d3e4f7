/* SPDX-License-Identifier: Apache-2.0 */
/* The CA and its leaves, judged by the library's strict verification and by `openssl verify -x509_strict`. */
#include "certs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "tls/ca.h"

static struct ca *ca;

static int make_ca(void **state)
{
	(void)state;
	return ca_make(STR("test-sandbox"), &ca);
}

static int drop_ca(void **state)
{
	(void)state;
	ca = ca_free(ca);
	return 0;
}

static X509 *ca_cert(void)
{
	unsigned char *der = NULL;
	const unsigned char *at;
	size_t n = 0;
	X509 *cert;

	assert_int_equal(ca_certificate(ca, &der, &n), 0);
	at = der;
	cert = d2i_X509(NULL, &at, (long)n);
	assert_non_null(cert);
	assert_ptr_equal(at, der + n);
	free(der);
	return cert;
}

static int sign(struct str name, EVP_PKEY *key, X509 **ret)
{
	unsigned char *spki = NULL, *der = NULL;
	const unsigned char *at;
	int n = i2d_PUBKEY(key, &spki), r;
	size_t size = 0;

	assert_true(n > 0);
	r = ca_sign_leaf(ca, name, spki, (size_t)n, &der, &size);
	OPENSSL_free(spki);
	if (r < 0) {
		assert_null(der);
		assert_int_equal(size, 0);
		return r;
	}
	at = der;
	*ret = d2i_X509(NULL, &at, (long)size);
	assert_non_null(*ret);
	free(der);
	return 0;
}

static X509 *leaf_for(struct str name)
{
	EVP_PKEY *key = test_key(NULL);
	X509 *leaf = NULL;

	assert_int_equal(sign(name, key, &leaf), 0);
	EVP_PKEY_free(key);
	return leaf;
}

static int verify_strict_as(int purpose, X509 *leaf, X509 *root)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int ok, error;

	X509_STORE_add_cert(store, root);
	X509_STORE_CTX_init(ctx, store, leaf, NULL);
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), 2);
	ok = X509_verify_cert(ctx);
	error = X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return ok == 1 ? 0 : error;
}

static int verify_strict(X509 *leaf, X509 *root)
{
	return verify_strict_as(X509_PURPOSE_SSL_SERVER, leaf, root);
}

static void ca_is_as_promised(void **state)
{
	X509 *cert = ca_cert();
	char cn[80];
	int days, seconds;

	(void)state;
	assert_int_equal(X509_get_version(cert), X509_VERSION_3);
	assert_int_equal(X509_check_ca(cert), 1);
	assert_int_equal(X509_get_pathlen(cert), 0);
	assert_int_equal(X509_get_key_usage(cert), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_int_equal(X509_get_extended_key_usage(cert), XKU_SSL_SERVER);
	assert_non_null(X509_get0_subject_key_id(cert));
	assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof(cn)) > 0);
	assert_non_null(strstr(cn, "test-sandbox"));
	assert_true(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(cert), X509_get0_notAfter(cert)));
	assert_int_equal(days, 30);
	assert_int_equal(verify_strict_as(X509_PURPOSE_ANY, cert, cert), 0);
	X509_free(cert);
}

static void leaf_verifies_strictly(void **state)
{
	X509 *root = ca_cert(), *leaf = leaf_for(STR("GitLab.example.com"));
	const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
	BIGNUM *n = ASN1_INTEGER_to_BN(serial, NULL);
	int days, seconds;

	(void)state;
	assert_int_equal(verify_strict(leaf, root), 0);
	assert_int_equal(X509_check_host(leaf, "gitlab.example.com", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
	assert_int_equal(X509_check_host(leaf, "evil.example.com", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ca(leaf), 0);
	assert_int_equal(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
	assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf), X509_get0_subject_key_id(root)), 0);
	assert_int_not_equal(ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(leaf), X509_get0_subject_key_id(root)), 0);
	assert_false(BN_is_negative(n));
	assert_in_range(BN_num_bits(n), 64, 159);
	assert_true(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(leaf), X509_get0_notAfter(leaf)));
	assert_int_equal(days, 9);
	BN_free(n);
	X509_free(leaf);
	X509_free(root);
}

static void leaf_for_an_address(void **state)
{
	X509 *root = ca_cert(), *four = leaf_for(STR("10.77.0.2")), *six = leaf_for(STR("fd77::2"));

	(void)state;
	assert_int_equal(verify_strict(four, root), 0);
	assert_int_equal(X509_check_ip_asc(four, "10.77.0.2", 0), 1);
	assert_int_equal(X509_check_ip_asc(four, "10.77.0.3", 0), 0);
	assert_int_equal(X509_check_host(four, "10.77.0.2", 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 0);
	assert_int_equal(X509_check_ip_asc(six, "fd77::2", 0), 1);
	X509_free(six);
	X509_free(four);
	X509_free(root);
}

static void long_name_has_empty_subject_and_critical_san(void **state)
{
	char name[200];
	X509 *root = ca_cert(), *leaf, *edge;
	int critical = -1;
	GENERAL_NAMES *names;

	(void)state;
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 40 == 39 ? '.' : 'x';
	edge = leaf_for(str_make(name, 64));
	leaf = leaf_for(str_make(name, 65));
	assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(edge)), 1);
	assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(leaf)), 0);
	names = X509_get_ext_d2i(leaf, NID_subject_alt_name, &critical, NULL);
	assert_int_equal(critical, 1);
	assert_int_equal(sk_GENERAL_NAME_num(names), 1);
	GENERAL_NAMES_free(names);
	assert_int_equal(verify_strict(leaf, root), 0);
	X509_free(edge);
	X509_free(leaf);
	X509_free(root);
}

static void names_cannot_add_names(void **state)
{
	static const struct str rows[] = {
		{ "a.com,DNS:b.com", 15 },
		{ "a.com\0b.com", 11 },
		{ "a.com\nDNS.2=b.com", 17 },
		{ "DNS:b.com", 9 },
		{ "a.com/CN=b.com", 14 },
		{ "*.com", 5 },
		{ "", 0 },
		{ "a.com\0", 6 },
		{ "IP:10.0.0.1", 11 },
	};
	EVP_PKEY *key = test_key(NULL);
	X509 *leaf = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(sign(rows[i], key, &leaf), -EINVAL);
	assert_null(leaf);
	EVP_PKEY_free(key);
}

static void signs_only_foreign_p256_keys(void **state)
{
	static const char *const kinds[] = { "P-384", "P-521", "RSA-2048", "ED25519" };
	unsigned char bytes[200] = { 0x30, 0x03, 1, 2, 3 }, *der = NULL, *spki = NULL;
	X509 *leaf = NULL, *root = ca_cert();
	EVP_PKEY *key;
	size_t n = 0;
	int size;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		key = test_key(kinds[i]);
		assert_int_equal(sign(STR("a.com"), key, &leaf), -EINVAL);
		EVP_PKEY_free(key);
	}
	assert_int_equal(sign(STR("a.com"), X509_get0_pubkey(root), &leaf), -EINVAL);
	assert_int_equal(ca_sign_leaf(ca, STR("a.com"), bytes, 5, &der, &n), -EINVAL);
	assert_int_equal(ca_sign_leaf(ca, STR("a.com"), bytes, 0, &der, &n), -EINVAL);
	/* A byte behind the key. */
	key = test_key(NULL);
	size = i2d_PUBKEY(key, &spki);
	memcpy(bytes, spki, (size_t)size);
	assert_int_equal(ca_sign_leaf(ca, STR("a.com"), bytes, (size_t)size + 1, &der, &n), -EINVAL);
	assert_int_equal(ca_sign_leaf(ca, STR("a.com"), bytes, (size_t)size, &der, &n), 0);
	free(der);
	OPENSSL_free(spki);
	EVP_PKEY_free(key);
	X509_free(root);
}

static void write_pem(const char *path, X509 *cert)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	(void)fclose(f);
}

static int openssl_verify(const char *name, const char *ca_path, const char *leaf_path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)!freopen("/dev/null", "w", stdout);
		(void)!freopen("/dev/null", "w", stderr);
		(void)execlp("openssl", "openssl", "verify", "-x509_strict", "-auth_level", "2", "-purpose",
			     "sslserver", "-verify_hostname", name, "-CAfile", ca_path, leaf_path, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void openssl_program_agrees(void **state)
{
	char dir[] = "/tmp/bridle-ca-XXXXXX", a[64], b[64];
	X509 *root = ca_cert(), *leaf = leaf_for(STR("gitlab.example.com"));

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(a, sizeof(a), "%s/ca.pem", dir);
	(void)snprintf(b, sizeof(b), "%s/leaf.pem", dir);
	write_pem(a, root);
	write_pem(b, leaf);
	assert_int_equal(openssl_verify("gitlab.example.com", a, b), 0);
	assert_int_not_equal(openssl_verify("evil.example.com", a, b), 0);
	(void)unlink(a);
	(void)unlink(b);
	(void)rmdir(dir);
	X509_free(leaf);
	X509_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ca_is_as_promised),
		cmocka_unit_test(leaf_verifies_strictly),
		cmocka_unit_test(leaf_for_an_address),
		cmocka_unit_test(long_name_has_empty_subject_and_critical_san),
		cmocka_unit_test(names_cannot_add_names),
		cmocka_unit_test(signs_only_foreign_p256_keys),
		cmocka_unit_test(openssl_program_agrees),
	};

	return cmocka_run_group_tests(tests, make_ca, drop_ca);
}
