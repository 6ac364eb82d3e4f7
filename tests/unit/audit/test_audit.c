/* SPDX-License-Identifier: Apache-2.0 */
/* The chain: every line is JSON that holds the hash of the line before; a full disk makes the audit unusable. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>
#include <openssl/evp.h>

#include "audit/audit.h"

static char *read_all(int fd)
{
	char *text = calloc(1, 65536);

	assert_non_null(text);
	assert_true(pread(fd, text, 65535, 0) > 0);
	return text;
}

static const char *text_of(struct json_object *record, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(record, key, &value) ? json_object_get_string(value) : NULL;
}

static void hash_of(const char *line, char out[65])
{
	unsigned char digest[32];
	unsigned n = 0;

	assert_int_equal(EVP_Digest(line, strlen(line), digest, &n, EVP_sha256(), NULL), 1);
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void test_chain_links(void **state)
{
	char path[] = "/tmp/bridle-audit-XXXXXX";
	int fd = mkostemp(path, O_APPEND);
	struct audit *a = NULL;
	char want[65] = "0000000000000000000000000000000000000000000000000000000000000000";
	int lines = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(audit_new(fd, STR("box\"1"), "worker", 2, "before x", &a), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(audit_write(a, &(struct audit_record){ .kind = "exchange",
									.method = STR("GET"),
									.path = STR("/a\n\"\xff\x1b[31m"),
									.why = WHY_host_not_allowed,
									.status = 403 }),
				 0);
	char *text = read_all(fd);
	char *save = NULL;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
		struct json_object *record = json_tokener_parse(line);

		assert_non_null(record);
		assert_string_equal(text_of(record, "prev"), want);
		assert_string_equal(text_of(record, "sandbox"), "box\"1");
		assert_int_equal(atol(text_of(record, "seq")), lines);
		assert_null(strchr(line, 0x1b));
		if (lines > 0)
			assert_string_equal(text_of(record, "code"), "host_not_allowed");
		else
			assert_string_equal(text_of(record, "before"), "before x");
		hash_of(line, want);
		json_object_put(record);
	}
	assert_int_equal(lines, 4);
	assert_non_null(strstr(audit_position(a), want));
	audit_free(a);
	free(text);
	close(fd);
	unlink(path);
}

static void test_full_disk(void **state)
{
	struct audit *a = NULL;
	int fd = open("/dev/full", O_WRONLY | O_APPEND);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, NULL, &a), -ENOSPC);
	assert_null(a);
	close(fd);
}

static uint64_t number_of(const char *line, const char *key)
{
	struct json_object *record = json_tokener_parse(line), *value = NULL;
	uint64_t n = 0;

	assert_non_null(record);
	if (json_object_object_get_ex(record, key, &value))
		n = json_object_get_uint64(value);
	json_object_put(record);
	return n;
}

/* A pipe that is full and drained again: unusable in between, and the gap is a record with its count. */
static void test_recovers(void **state)
{
	struct audit *a = NULL;
	char drain[65536];
	int fds[2];
	int r = 0;

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	assert_int_equal(audit_new(fds[1], STR("box"), "worker", 2, NULL, &a), 0);
	for (int i = 0; i < 10000 && r == 0; i++)
		r = audit_write(a, &(struct audit_record){ .kind = "exchange", .why = WHY_allowed });
	assert_true(r < 0);
	for (int i = 0; i < 6; i++)
		assert_true(audit_write(a, &(struct audit_record){ .kind = "exchange", .why = WHY_allowed }) < 0);
	assert_false(audit_usable(a, 1));
	audit_lose(a, 3);
	while (read(fds[0], drain, sizeof(drain)) > 0)
		;
	assert_true(audit_usable(a, 1));
	memset(drain, 0, sizeof(drain));
	assert_true(read(fds[0], drain, sizeof(drain) - 1) > 0);
	assert_non_null(strstr(drain, "\"kind\":\"lost\""));
	assert_int_equal(number_of(drain, "lost"), 10);
	assert_int_equal(audit_tell_loss(a), 0); /* once */
	assert_true(read(fds[0], drain, sizeof(drain)) < 0);
	audit_free(a);
	close(fds[0]);
	close(fds[1]);
}

/* The limit on a file's size cuts a line in the middle: it stays alone on its line, and the chain goes on behind it. */
static void test_cut_line(void **state)
{
	static const char *const kinds[] = { "chain", "dns", NULL, "lost", "exchange" };
	const struct audit_record dns = { .kind = "dns", .why = WHY_dns_name_refused };
	char path[] = "/tmp/bridle-audit-XXXXXX", want[65] = "", *save = NULL;
	struct rlimit old, low;
	struct audit *a = NULL;
	size_t i = 0;

	(void)state;
	int fd = mkostemp(path, O_APPEND);
	assert_true(fd >= 0);
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, NULL, &a), 0);
	assert_int_equal(audit_write(a, &dns), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){ (rlim_t)lseek(fd, 0, SEEK_END) + 20, old.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_true(audit_write(a, &dns) < 0);
	assert_true(audit_write(a, &dns) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	/* no probe asked: the record itself brings the count before it */
	assert_int_equal(audit_write(a, &(struct audit_record){ .kind = "exchange", .why = WHY_allowed }), 0);
	char *text = read_all(fd);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), i++) {
		struct json_object *record = json_tokener_parse(line);

		assert_true(i < sizeof(kinds) / sizeof(kinds[0]));
		if (!kinds[i]) {
			assert_null(record); /* the cut one */
			continue;
		}
		assert_string_equal(text_of(record, "kind"), kinds[i]);
		if (i > 0)
			assert_string_equal(text_of(record, "prev"), want);
		if (i == 3)
			assert_int_equal(number_of(line, "lost"), 2);
		hash_of(line, want);
		json_object_put(record);
	}
	assert_int_equal(i, 5);
	audit_free(a);
	free(text);
	close(fd);
	unlink(path);
}

/* The longest target of bytes that take most in JSON still has its record: nobody can hide behind a long path. */
static void test_largest_record(void **state)
{
	static char path[8192];
	struct audit *a = NULL;
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600);

	(void)state;
	memset(path, 1, sizeof(path));
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, NULL, &a), 0);
	assert_int_equal(audit_write(a, &(struct audit_record){ .kind = "exchange",
								.path = str_make(path, sizeof(path)),
								.query_keys = str_make(path, 512),
								.host = str_make(path, 255),
								.sni = str_make(path, 255),
								.rule = str_make(path, 512),
								.why = WHY_path_control }),
			 0);
	audit_free(a);
	close(fd);
}

/* Room is taken for everything that is owed, not for one record. */
static void test_room_for_all_that_is_owed(void **state)
{
	const size_t owed = (size_t)3 << 20;
	struct audit *a = NULL;
	struct stat st;
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600);

	(void)state;
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, NULL, &a), 0);
	assert_true(audit_usable(a, owed));
	assert_int_equal(fstat(fd, &st), 0);
	assert_true((size_t)st.st_blocks * 512 >= owed);
	assert_true((size_t)st.st_size < owed);
	audit_free(a);
	close(fd);
}

/* No room and no lost record: refused while it lasts, and not for ever. */
static void test_room_comes_back(void **state)
{
	struct audit *a = NULL;
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0600);

	(void)state;
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, NULL, &a), 0);
	assert_false(audit_usable(a, (size_t)1 << 60));
	assert_true(audit_usable(a, 1));
	audit_free(a);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_links),	cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_recovers),	cmocka_unit_test(test_cut_line),
		cmocka_unit_test(test_largest_record),	cmocka_unit_test(test_room_for_all_that_is_owed),
		cmocka_unit_test(test_room_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
