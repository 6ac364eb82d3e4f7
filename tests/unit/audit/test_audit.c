/* SPDX-License-Identifier: Apache-2.0 */
/* The chain: every line is JSON that holds the hash of the line before; a full disk makes the audit unusable. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

/* A pipe that is full and drained again: unusable in between, and the gap is a record. */
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
	assert_false(audit_usable(a));
	while (read(fds[0], drain, sizeof(drain)) > 0)
		;
	assert_true(audit_usable(a));
	assert_true(read(fds[0], drain, sizeof(drain)) > 0);
	assert_non_null(strstr(drain, "\"kind\":\"lost\""));
	audit_free(a);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_links),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
