/* SPDX-License-Identifier: Apache-2.0 */
#include "certs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "tls/trust_store.h"

static char base[] = "/tmp/bridle-store-XXXXXX";
static struct test_cert ca;

static char *path_of(const char *name)
{
	static char path[4][256];
	static unsigned turn;
	char *p = path[turn++ % 4];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", base, name);
	return p;
}

static void put_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(path_of(name), "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	(void)fclose(f);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

static char *get_file(const char *name)
{
	FILE *f = fopen(path_of(name), "re");
	char *text = calloc(1, 65536);

	assert_non_null(f);
	(void)!fread(text, 1, 65535, f);
	(void)fclose(f);
	return text;
}

static int stage(char *reason)
{
	unsigned char *der = NULL;
	int n = i2d_X509(ca.cert, &der), r;

	r = trust_store_stage_from(path_of("src"), path_of("src/ca-certificates.crt"), path_of("out"), der, (size_t)n,
				   reason, 256);
	OPENSSL_free(der);
	return r;
}

static int set_up(void **state)
{
	static const struct test_cert_spec spec = { .is_ca = 1, .cn = "staged root" };

	(void)state;
	if (!mkdtemp(base))
		return -1;
	ca = test_cert_make(&spec);
	assert_int_equal(mkdir(path_of("src"), 0700), 0);
	assert_int_equal(mkdir(path_of("src/java"), 0755), 0);
	assert_int_equal(mkdir(path_of("src/closed"), 0700), 0);
	put_file("src/ca-certificates.crt", "SYSTEM ROOTS", 0644);
	put_file("src/one.pem", "one", 0600 | 0044);
	put_file("src/private.key", "KEY", 0640);
	put_file("src/java/cacerts", "jks", 0644);
	put_file("src/closed/x", "x", 0644);
	return symlink("one.pem", path_of("src/12345678.0"));
}

static int tear_down(void **state)
{
	(void)state;
	test_cert_free(&ca);
	return trust_store_remove(base);
}

static void has_everything_and_the_ca(void **state)
{
	char *pem = test_cert_pem(ca.cert), *bundle, *alone, *linked, reason[256] = "", link[300], target[64] = "";
	mode_t old = umask(0077);
	struct stat st;

	(void)state;
	assert_int_equal(stage(reason), 0);
	(void)umask(old);
	bundle = get_file("out/ca-certificates.crt");
	alone = get_file("out/bridle-ca.pem");
	assert_int_equal(strncmp(bundle, "SYSTEM ROOTS\n-----BEGIN", 23), 0);
	assert_non_null(strstr(bundle, pem));
	assert_string_equal(alone, pem);
	(void)snprintf(link, sizeof(link), "out/%08lx.0", X509_subject_name_hash(ca.cert));
	linked = get_file(link);
	assert_string_equal(linked, pem);
	assert_int_equal(stat(path_of("out/java/cacerts"), &st), 0);
	assert_true(st.st_size > 100); /* not the three bytes that were there */
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(stat(path_of("out/ca-certificates.crt"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(stat(path_of("out"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(readlink(path_of("out/12345678.0"), target, sizeof(target) - 1), 7);
	assert_string_equal(target, "one.pem");
	/* What others could not read is not handed to them. */
	assert_int_equal(access(path_of("out/private.key"), F_OK), -1);
	assert_int_equal(access(path_of("out/closed"), F_OK), -1);
	assert_int_equal(trust_store_remove(path_of("out")), 0);
	assert_int_equal(access(path_of("out"), F_OK), -1);
	assert_int_equal(trust_store_remove(path_of("out")), 0);
	free(bundle);
	free(alone);
	free(linked);
	free(pem);
}

static void a_hash_that_is_taken_gets_the_next_number(void **state)
{
	char reason[256] = "", name[300], *pem = test_cert_pem(ca.cert), *linked;

	(void)state;
	(void)snprintf(name, sizeof(name), "src/%08lx.0", X509_subject_name_hash(ca.cert));
	put_file(name, "other", 0644);
	assert_int_equal(stage(reason), 0);
	(void)snprintf(name, sizeof(name), "out/%08lx.1", X509_subject_name_hash(ca.cert));
	linked = get_file(name);
	assert_string_equal(linked, pem);
	assert_int_equal(trust_store_remove(path_of("out")), 0);
	free(linked);
	free(pem);
}

static void a_directory_in_use_is_left_alone(void **state)
{
	char reason[256] = "";

	(void)state;
	assert_int_equal(mkdir(path_of("out"), 0755), 0);
	put_file("out/mine", "mine", 0644);
	assert_int_equal(stage(reason), -ENOTEMPTY);
	assert_non_null(strstr(reason, "out"));
	assert_int_equal(access(path_of("out/mine"), F_OK), 0);
	assert_int_equal(trust_store_remove(path_of("out")), 0);
}

static void failure_leaves_nothing(void **state)
{
	unsigned char *der = NULL;
	int n = i2d_X509(ca.cert, &der);
	char reason[256] = "";

	(void)state;
	assert_int_equal(trust_store_stage_from(path_of("src"), path_of("nobundle"), path_of("out"), der, (size_t)n,
						reason, sizeof(reason)),
			 -ENOENT);
	assert_true(strlen(reason) > 0);
	assert_int_equal(access(path_of("out"), F_OK), -1);
	assert_int_equal(trust_store_stage_from(path_of("src"), NULL, path_of("out"), der, (size_t)n - 1, reason,
						sizeof(reason)),
			 -EINVAL);
	assert_int_equal(access(path_of("out"), F_OK), -1);
	OPENSSL_free(der);
}

static void the_real_store_verifies_with_openssl(void **state)
{
	char reason[256] = "";
	unsigned char *der = NULL;
	int n = i2d_X509(ca.cert, &der);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	(void)state;
	assert_int_equal(trust_store_stage(path_of("out"), der, (size_t)n, reason, sizeof(reason)), 0);
	assert_int_equal(X509_STORE_load_path(store, path_of("out")), 1);
	X509_STORE_CTX_init(ctx, store, ca.cert, NULL);
	assert_int_equal(X509_verify_cert(ctx), 1);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	OPENSSL_free(der);
	assert_int_equal(trust_store_remove(path_of("out")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_everything_and_the_ca),
		cmocka_unit_test(a_hash_that_is_taken_gets_the_next_number),
		cmocka_unit_test(a_directory_in_use_is_left_alone),
		cmocka_unit_test(failure_leaves_nothing),
		cmocka_unit_test(the_real_store_verifies_with_openssl),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
