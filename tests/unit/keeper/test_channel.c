/* SPDX-License-Identifier: Apache-2.0 */
/* Workers' channels: leaves for good requests, the end for bad ones, and nobody holds up another. */
#include "keeper_process.h"

static void signs_leaves_for_two_workers(void **state)
{
	X509 *ca;
	int w[2];

	(void)state;
	child_setup(&c, NULL, NULL);
	ca = ready_ca();
	w[0] = child_worker(&c);
	w[1] = child_worker(&c);
	for (int i = 0; i < 6; i++)
		expect_leaf(w[i % 2], "gitlab.example.com", ca);
	(void)close(w[0]);
	expect_leaf(w[1], "api.example.com", ca);
	(void)close(w[1]);
	X509_free(ca);
}

static void names_that_are_none_get_an_empty_answer(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-384");
	X509 *ca;
	int w;

	(void)state;
	child_setup(&c, NULL, NULL);
	ca = ready_ca();
	w = child_worker(&c);
	assert_null(ask_leaf(w, "a.com,DNS:b.com", key, 1));
	assert_null(ask_leaf(w, "", key, 2));
	assert_null(ask_leaf(w, "*.com", key, 3));
	assert_null(ask_leaf(w, "a.com", other, 4));
	expect_leaf(w, "a.com", ca); /* the channel lives on */
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	X509_free(ca);
	(void)close(w);
}

static void bad_messages_end_their_own_channel_only(void **state)
{
	static struct {
		struct msg_header header;
		unsigned char rest[sizeof(struct keeper_setup) + 600];
	} m;
	static struct leaf_request unterminated, short_spki;
	struct {
		const void *data;
		size_t size;
		uint32_t type;
	} rows[] = {
		{ &m, sizeof(struct msg_header), 0 },
		{ &m, sizeof(struct msg_header), 9999 },
		{ &m, sizeof(struct keeper_setup), KEEPER_SETUP },
		{ &m, sizeof(struct keeper_revoke), KEEPER_REVOKE },
		{ &m, sizeof(struct msg_header), KEEPER_WORKER },
		{ &m, sizeof(struct msg_header), LEAF_REQUEST },
		{ &m, offsetof(struct leaf_request, spki), LEAF_REQUEST },
		{ &m, sizeof(m), LEAF_REQUEST },
		{ &m, 100, CREDENTIAL_PUSH },
		{ &unterminated, KEEPER_MSG_SIZE(struct leaf_request, spki, 91), LEAF_REQUEST },
		{ &short_spki, KEEPER_MSG_SIZE(struct leaf_request, spki, 91), LEAF_REQUEST },
	};
	X509 *ca;
	int good;

	(void)state;
	memset(unterminated.name, 'a', sizeof(unterminated.name));
	unterminated.spki_size = 91;
	short_spki.spki_size = 90;
	child_setup(&c, NULL, NULL);
	ca = ready_ca();
	good = child_worker(&c);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct msg_header h = { .type = rows[i].type, .size = (uint32_t)rows[i].size };
		static unsigned char copy[sizeof(m)];
		int bad = child_worker(&c);

		memcpy(copy, rows[i].data, rows[i].size);
		memcpy(copy, &h, sizeof(h));
		assert_int_equal(msg_send(bad, copy, rows[i].size, NULL, 0), 0);
		if (!is_closed(bad))
			fail_msg("row %zu: the channel is still open", i);
		(void)close(bad);
	}
	/* A header that lies about its size, less than a header, a descriptor where none belongs. */
	for (int i = 0; i < 3; i++) {
		struct msg_header h = { .type = LEAF_REQUEST, .size = 4096 };
		int bad = child_worker(&c);

		assert_int_equal(msg_send(bad, &h, i == 1 ? 3 : sizeof(h), &c.dir_fd, i == 2), 0);
		assert_true(is_closed(bad));
		(void)close(bad);
	}
	expect_leaf(good, "still.example.com", ca);
	(void)close(good);
	X509_free(ca);
}

static void too_many_workers_are_refused(void **state)
{
	int w[KEEPER_WORKERS_MAX + 1];
	X509 *ca;

	(void)state;
	child_setup(&c, NULL, NULL);
	ca = ready_ca();
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		w[i] = child_worker(&c);
	assert_true(is_closed(w[KEEPER_WORKERS_MAX]));
	expect_leaf(w[0], "a.example", ca);
	(void)close(w[0]);
	(void)close(w[KEEPER_WORKERS_MAX]);
	expect_leaf(w[1], "a.example", ca);
	w[0] = child_worker(&c);
	expect_leaf(w[0], "a.example", ca);
	for (size_t i = 0; i < KEEPER_WORKERS_MAX; i++)
		(void)close(w[i]);
	X509_free(ca);
}

/* Asks and never reads, until the keeper stops reading too; afterwards all answers are there, in order. */
static void a_worker_that_does_not_read_holds_up_nobody(void **state)
{
	static struct leaf_request q;
	static struct leaf_reply a;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	unsigned char *spki = NULL;
	int n = i2d_PUBKEY(key, &spki), lazy, good;
	size_t size = KEEPER_MSG_SIZE(struct leaf_request, spki, (size_t)n);
	uint32_t sent = 0;
	X509 *ca;

	(void)state;
	child_setup(&c, NULL, NULL);
	ca = ready_ca();
	lazy = child_worker(&c);
	good = child_worker(&c);
	(void)fcntl(lazy, F_SETFL, O_NONBLOCK);
	q.header = (struct msg_header){ .type = LEAF_REQUEST, .size = (uint32_t)size };
	q.spki_size = (uint32_t)n;
	(void)snprintf(q.name, sizeof(q.name), "a.example");
	memcpy(q.spki, spki, (size_t)n);
	for (int idle = 0; idle < 20;) {
		q.id = sent;
		if (msg_send(lazy, &q, size, NULL, 0) == 0) {
			sent++;
			idle = 0;
		} else {
			idle++;
			(void)usleep(5000);
		}
		assert_true(sent < 100000);
	}
	expect_leaf(good, "b.example", ca);
	for (uint32_t i = 0; i < sent; i++) {
		assert_true(child_receive(lazy, &a, sizeof(a), ANSWER_MS) > 0);
		assert_int_equal(a.id, i);
	}
	expect_leaf(good, "c.example", ca);
	(void)close(lazy);
	(void)close(good);
	OPENSSL_free(spki);
	EVP_PKEY_free(key);
	X509_free(ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(signs_leaves_for_two_workers),
		WITH(names_that_are_none_get_an_empty_answer),
		WITH(bad_messages_end_their_own_channel_only),
		WITH(too_many_workers_are_refused),
		WITH(a_worker_that_does_not_read_holds_up_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
