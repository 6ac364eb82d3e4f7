/* SPDX-License-Identifier: Apache-2.0 */
/* What is written, read again as a JDK does: entries, and the digest that a wrong password would not give. */
#include "certs.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "tls/java_store.h"

static unsigned char out[65536];

static size_t write_store(const char *pem, int expected)
{
	int fd = memfd_create("store", MFD_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(java_store_write(fd, str_of(pem)), expected);
	n = pread(fd, out, sizeof(out), 0);
	assert_true(n >= 0);
	(void)close(fd);
	return (size_t)n;
}

static uint32_t number(size_t at)
{
	return (uint32_t)out[at] << 24 | (uint32_t)out[at + 1] << 16 | (uint32_t)out[at + 2] << 8 | out[at + 3];
}

static void check_digest(size_t n)
{
	static const char key[] = "\0c\0h\0a\0n\0g\0e\0i\0tMighty Aphrodite";
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_true(n > 20);
	assert_int_equal(EVP_DigestInit_ex(ctx, EVP_sha1(), NULL), 1);
	assert_int_equal(EVP_DigestUpdate(ctx, key, sizeof(key) - 1), 1);
	assert_int_equal(EVP_DigestUpdate(ctx, out, n - 20), 1);
	assert_int_equal(EVP_DigestFinal_ex(ctx, sum, NULL), 1);
	EVP_MD_CTX_free(ctx);
	assert_memory_equal(sum, out + n - 20, 20);
}

static void every_certificate_is_there(void **state)
{
	static const struct test_cert_spec spec = { .is_ca = 1, .cn = "a root" };
	struct test_cert one = test_cert_make(&spec), two = test_cert_make(&spec);
	char *first = test_cert_pem(one.cert), *second = test_cert_pem(two.cert), text[8192];
	unsigned char *der = NULL;
	int size = i2d_X509(one.cert, &der);
	size_t n, at;

	(void)state;
	(void)snprintf(text, sizeof(text), "# roots\n%s\n%s", first, second);
	n = write_store(text, 0);
	assert_int_equal(number(0), 0xfeedfeed);
	assert_int_equal(number(4), 2);
	assert_int_equal(number(8), 2);
	assert_int_equal(number(12), 2); /* a trusted certificate */
	assert_memory_equal(out + 16, "\0\10bridle-0", 10);
	at = 16 + 10 + 8;
	assert_memory_equal(out + at, "\0\5X.509", 7);
	assert_int_equal(number(at + 7), size);
	assert_memory_equal(out + at + 11, der, (size_t)size);
	check_digest(n);
	OPENSSL_free(der);
	free(first);
	free(second);
	test_cert_free(&one);
	test_cert_free(&two);
}

static void no_roots_are_an_empty_store(void **state)
{
	size_t n;

	(void)state;
	n = write_store("nothing that is PEM", 0);
	assert_int_equal(number(8), 0);
	check_digest(n);
}

static void a_broken_block_is_an_error(void **state)
{
	(void)state;
	(void)write_store("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", -EINVAL);
	(void)write_store("-----BEGIN CERTIFICATE-----\nAAAA\n", -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_certificate_is_there),
		cmocka_unit_test(no_roots_are_an_empty_store),
		cmocka_unit_test(a_broken_block_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
