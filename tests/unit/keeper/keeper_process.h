/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper as a process of its own, with the leaves that its workers ask for. */
#ifndef BRIDLE_TESTS_KEEPER_PROCESS_H
#define BRIDLE_TESTS_KEEPER_PROCESS_H

#include "keeper_child.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "keeper/keeper.h"

static struct keeper_child c;

static inline int set_up(void **state)
{
	(void)state;
	child_start(&c, child_run);
	return 0;
}

static inline int clean_up(void)
{
	static const char *const names[] = { "s", "ca.pem", "ca.key" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlinkat(c.dir_fd, names[i], 0);
	(void)close(c.dir_fd);
	return rmdir(c.dir);
}

static inline int tear_down(void **state)
{
	(void)state;
	return child_end(&c) != 0 || clean_up() != 0;
}

/* For tests that ended the keeper themselves. */
static inline int tear_down_ended(void **state)
{
	(void)state;
	return clean_up();
}

static inline X509 *ready_ca(void)
{
	static unsigned char der[KEEPER_CERT_MAX];
	const unsigned char *at = der;
	size_t n = child_ready(&c, der, sizeof(der));
	X509 *ca = d2i_X509(NULL, &at, (long)n);

	assert_non_null(ca);
	return ca;
}

/* Sends a request; the leaf, or NULL when it was refused. */
static inline X509 *ask_leaf(int worker, const char *name, EVP_PKEY *key, uint32_t id)
{
	static struct leaf_request q;
	static struct leaf_reply a;
	unsigned char *spki = NULL;
	const unsigned char *at = a.cert;
	int n = i2d_PUBKEY(key, &spki);
	size_t size = KEEPER_MSG_SIZE(struct leaf_request, spki, (size_t)n);
	long got;
	X509 *leaf;

	memset(&q, 0, sizeof(q));
	q.header = (struct msg_header){ .type = LEAF_REQUEST, .size = (uint32_t)size };
	q.id = id;
	q.spki_size = (uint32_t)n;
	(void)snprintf(q.name, sizeof(q.name), "%s", name);
	memcpy(q.spki, spki, (size_t)n);
	OPENSSL_free(spki);
	assert_int_equal(msg_send(worker, &q, size, NULL, 0), 0);
	got = child_receive(worker, &a, sizeof(a), ANSWER_MS);
	assert_true(got >= (long)offsetof(struct leaf_reply, cert));
	assert_int_equal(a.header.type, LEAF_REPLY);
	assert_int_equal(a.id, id);
	assert_int_equal(got, offsetof(struct leaf_reply, cert) + a.cert_size);
	if (a.cert_size == 0)
		return NULL;
	leaf = d2i_X509(NULL, &at, a.cert_size);
	assert_non_null(leaf);
	return leaf;
}

static inline void expect_leaf(int worker, const char *name, X509 *ca)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *leaf = ask_leaf(worker, name, key, 7);

	assert_non_null(leaf);
	assert_int_equal(X509_verify(leaf, X509_get0_pubkey(ca)), 1);
	assert_int_equal(X509_check_host(leaf, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
	X509_free(leaf);
	EVP_PKEY_free(key);
}

static inline bool is_closed(int fd)
{
	char byte[64];

	return child_receive(fd, byte, sizeof(byte), ANSWER_MS) == 0;
}

#define WITH(test)  cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define ENDED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down_ended)

#endif
