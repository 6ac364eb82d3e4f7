/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's channel: a CA of the user's, and mistakes, which end the keeper. */
#include "keeper_process.h"

#include <openssl/pem.h>

static void put_pem(const char *name, X509 *cert, EVP_PKEY *key)
{
	int fd = openat(c.dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	assert_int_equal(cert ? PEM_write_X509(f, cert) : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	(void)fclose(f);
}

static X509 *user_ca(EVP_PKEY *key, bool is_ca)
{
	X509 *cert = X509_new();
	BASIC_CONSTRAINTS *b = BASIC_CONSTRAINTS_new();

	b->ca = is_ca ? 0xff : 0;
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_UTF8,
				   (const unsigned char *)"user's own", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_add1_ext_i2d(cert, NID_basic_constraints, b, 1, X509V3_ADD_APPEND);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	BASIC_CONSTRAINTS_free(b);
	return cert;
}

static void setup_with_files(void)
{
	char cert[128], key[128];

	child_directory(&c, c.dir, c.dir_fd);
	(void)snprintf(cert, sizeof(cert), "%s/ca.pem", c.dir);
	(void)snprintf(key, sizeof(key), "%s/ca.key", c.dir);
	child_setup(&c, cert, key);
}

static void takes_the_users_ca(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *mine = user_ca(key, true), *ca;
	int w;

	(void)state;
	put_pem("ca.pem", mine, NULL);
	put_pem("ca.key", NULL, key);
	setup_with_files();
	ca = ready_ca();
	assert_int_equal(X509_cmp(ca, mine), 0);
	w = child_worker(&c);
	expect_leaf(w, "gitlab.example.com", ca);
	(void)close(w);
	X509_free(ca);
	X509_free(mine);
	EVP_PKEY_free(key);
}

static void expect_failed(const char *word)
{
	struct keeper_failed m;

	assert_int_equal(child_receive(c.fd, &m, sizeof(m), ANSWER_MS), sizeof(m));
	assert_int_equal(m.header.type, KEEPER_FAILED);
	if (!strstr(m.reason, word))
		fail_msg("\"%s\" lacks \"%s\"", m.reason, word);
	assert_int_equal(child_end(&c), 1);
}

static void a_ca_that_is_none_ends_the_keeper(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *mine = user_ca(key, false);

	(void)state;
	put_pem("ca.pem", mine, NULL);
	put_pem("ca.key", NULL, key);
	setup_with_files();
	expect_failed("CA:TRUE");
	X509_free(mine);
	EVP_PKEY_free(key);
}

static void a_ca_that_is_missing_ends_the_keeper(void **state)
{
	(void)state;
	setup_with_files();
	expect_failed("ca.pem: the file does not exist");
}

static void ends_with_the_supervisor(void **state)
{
	(void)state;
	child_setup(&c, NULL, NULL);
	(void)child_ready(&c, NULL, 0);
	assert_int_equal(child_end(&c), 0);
}

static void too_late(void)
{
	child_setup(&c, NULL, NULL);
	(void)child_worker(&c);
	child_credential(&c, "late", "s", "{}", true);
}

static void too_early(void)
{
	(void)child_worker(&c);
}

static void twice(void)
{
	child_setup(&c, NULL, NULL);
	child_setup(&c, NULL, NULL);
}

static void no_directory(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	child_directory(&c, c.dir, fd);
	(void)close(fd);
}

static void no_channel(void)
{
	struct msg_header m = { 0 };

	child_setup(&c, NULL, NULL);
	child_send(&c, &m, KEEPER_WORKER, sizeof(m), c.dir_fd);
}

static void no_such_message(void)
{
	struct msg_header m = { 0 };

	child_send(&c, &m, 77, sizeof(m), -1);
}

static void of_a_worker(void)
{
	struct leaf_request m = { 0 };

	child_setup(&c, NULL, NULL);
	child_send(&c, &m, LEAF_REQUEST, sizeof(m), -1);
}

static void same_name_twice(void)
{
	child_setup(&c, NULL, NULL);
	child_credential(&c, "a", "s", "{}", true);
	child_credential(&c, "a", "s", "{}", true);
}

static void what_the_supervisor_gets_wrong_ends_the_keeper(void **state)
{
	static void (*const mistakes[])(void) = { too_late,   too_early,       twice,	    no_directory,
						  no_channel, no_such_message, of_a_worker, same_name_twice };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		static unsigned char rest[65536];

		child_start(&c, child_run);
		mistakes[i]();
		while (child_receive(c.fd, rest, sizeof(rest), ANSWER_MS) > 0)
			continue;
		if (child_end(&c) != 1)
			fail_msg("mistake %zu did not end the keeper", i);
		assert_int_equal(clean_up(), 0);
	}
}

/* The real main, as the supervisor starts it: a user of its own and one capability. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(takes_the_users_ca),
		ENDED(a_ca_that_is_none_ends_the_keeper),
		ENDED(a_ca_that_is_missing_ends_the_keeper),
		ENDED(ends_with_the_supervisor),
		cmocka_unit_test(what_the_supervisor_gets_wrong_ends_the_keeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
