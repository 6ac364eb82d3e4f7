/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper as a process: its protocol, its CA, and what it may do once it runs. */
#include "keeper_child.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "keeper/keeper.h"

#define OTHER_UID 64999

static struct keeper_child c;

static int run(int fd)
{
	struct keeper *k = NULL;
	int r;

	if (keeper_new(fd, &k) < 0)
		return 9;
	r = keeper_serve(k);
	keeper_free(k);
	return r;
}

static int set_up(void **state)
{
	(void)state;
	child_start(&c, run);
	return 0;
}

static int clean_up(void)
{
	static const char *const names[] = { "s", "ca.pem", "ca.key" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlinkat(c.dir_fd, names[i], 0);
	(void)close(c.dir_fd);
	return rmdir(c.dir);
}

static int tear_down(void **state)
{
	(void)state;
	return child_end(&c) != 0 || clean_up() != 0;
}

/* For tests that ended the keeper themselves. */
static int tear_down_ended(void **state)
{
	(void)state;
	return clean_up();
}

static X509 *ready_ca(void)
{
	static unsigned char der[KEEPER_CERT_MAX];
	const unsigned char *at = der;
	size_t n = child_ready(&c, der, sizeof(der));
	X509 *ca = d2i_X509(NULL, &at, (long)n);

	assert_non_null(ca);
	return ca;
}

/* Sends a request; the leaf, or NULL when it was refused. */
static X509 *ask_leaf(int worker, const char *name, EVP_PKEY *key, uint32_t id)
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

static void expect_leaf(int worker, const char *name, X509 *ca)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *leaf = ask_leaf(worker, name, key, 7);

	assert_non_null(leaf);
	assert_int_equal(X509_verify(leaf, X509_get0_pubkey(ca)), 1);
	assert_int_equal(X509_check_host(leaf, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
	X509_free(leaf);
	EVP_PKEY_free(key);
}

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

static bool is_closed(int fd)
{
	char byte[64];

	return child_receive(fd, byte, sizeof(byte), ANSWER_MS) == 0;
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

		child_start(&c, run);
		mistakes[i]();
		while (child_receive(c.fd, rest, sizeof(rest), ANSWER_MS) > 0)
			continue;
		if (child_end(&c) != 1)
			fail_msg("mistake %zu did not end the keeper", i);
		assert_int_equal(clean_up(), 0);
	}
}

/* The real main, as the supervisor starts it: a user of its own and one capability. */
static int run_main(int fd)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (dup2(fd, 3) < 0)
		return 99;
	if (geteuid() == 0) {
		data[0].effective = data[0].permitted = data[0].inheritable = 1U << CAP_DAC_READ_SEARCH;
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
		    setresgid(OTHER_UID, OTHER_UID, OTHER_UID) < 0 || setresuid(OTHER_UID, OTHER_UID, OTHER_UID) < 0 ||
		    syscall(SYS_capset, &header, data) < 0)
			return 98;
	}
	(void)!freopen("/dev/null", "w", stderr);
	return keeper_main();
}

static void status_line(pid_t pid, const char *key, char *value, size_t size)
{
	char path[64], line[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	value[0] = '\0';
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			(void)snprintf(value, size, "%s", line + strlen(key) + 1);
	(void)fclose(f);
	value[strcspn(value, "\n")] = '\0';
}

/* How many directories a process watches. Only root may look. */
static unsigned watches(pid_t pid)
{
	char path[64], line[256];
	unsigned n = 0;

	for (int fd = 0; fd < 32; fd++) {
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			n += strncmp(line, "inotify wd:", 11) == 0;
		if (f)
			(void)fclose(f);
	}
	return n;
}

static void works_inside_its_filter(void **state)
{
	char value[128];
	X509 *ca;
	int w;

	(void)state;
	child_start(&c, run_main);
	child_write(&c, "s", "through the filter");
	assert_int_equal(fchmodat(c.dir_fd, "s", geteuid() == 0 ? 0 : 0400, 0), 0);
	child_setup(&c, NULL, NULL);
	ca = ready_ca();
	child_directory(&c, c.dir, c.dir_fd);
	child_credential(&c, "api", "s", "{}", true);
	w = child_worker(&c);
	child_expect_value(w, "through the filter", 1);
	expect_leaf(w, "gitlab.example.com", ca);
	status_line(c.pid, "Seccomp:", value, sizeof(value));
	assert_int_equal(strtol(value, NULL, 10), 2);
	status_line(c.pid, "NoNewPrivs:", value, sizeof(value));
	assert_int_equal(strtol(value, NULL, 10), 1);
	status_line(c.pid, "CapInh:", value, sizeof(value));
	assert_int_equal(strtoull(value, NULL, 16), 0);
	status_line(c.pid, "CapAmb:", value, sizeof(value));
	assert_int_equal(strtoull(value, NULL, 16), 0);
	status_line(c.pid, "CapEff:", value, sizeof(value));
	assert_int_equal(strtoull(value, NULL, 16) & ~(1ULL << CAP_DAC_READ_SEARCH), 0);
	if (geteuid() == 0)
		assert_int_equal(watches(c.pid), 1);
	/* Rotation, refusal of a bad worker and the end work inside the filter too. */
	child_write(&c, "s", "rotated");
	child_expect_value(w, "rotated", 2);
	assert_int_equal(msg_send(w, &(struct msg_header){ .type = 1, .size = 8 }, 8, NULL, 0), 0);
	assert_true(is_closed(w));
	(void)close(w);
	assert_int_equal(child_end(&c), 0);
	X509_free(ca);
}

#define WITH(test)  cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define ENDED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down_ended)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(signs_leaves_for_two_workers),
		WITH(names_that_are_none_get_an_empty_answer),
		WITH(bad_messages_end_their_own_channel_only),
		WITH(too_many_workers_are_refused),
		WITH(a_worker_that_does_not_read_holds_up_nobody),
		WITH(takes_the_users_ca),
		ENDED(a_ca_that_is_none_ends_the_keeper),
		ENDED(a_ca_that_is_missing_ends_the_keeper),
		ENDED(ends_with_the_supervisor),
		cmocka_unit_test(what_the_supervisor_gets_wrong_ends_the_keeper),
		cmocka_unit_test_teardown(works_inside_its_filter, tear_down_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
