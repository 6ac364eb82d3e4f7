/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of records: gives back what the writer was given, and refuses what the writer would not write. */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/entry.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define HEAD                                                                  \
	"{\"v\":1,\"chain\":\"0123456789abcdef\",\"seq\":4,\"prev\":\"" ZEROS \
	"\",\"time\":\"2026-11-25T17:03:00.000001Z\""
#define KIND ",\"kind\":\"exchange\""

static struct audit_entry entry;
static struct audit_fault fault;

static int parse(const char *text)
{
	/* a block of its own: the sanitizer sees a byte too far */
	char *copy = strdup(text);
	const int r = audit_entry_parse(str_make(copy, strlen(text)), &entry, &fault);

	free(copy);
	return r;
}

/* Every field that the writer can write, read back the same. */
static void test_writer_and_reader_agree(void **state)
{
	const int fd = memfd_create("audit", MFD_CLOEXEC);
	struct audit *a = NULL;
	char text[8192];
	ssize_t n;
	struct str line;

	(void)state;
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, "x", &a), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(audit_write(a, &(struct audit_record){ .kind = "exchange",
								.request_id = STR("id-1"),
								.pid = 7,
								.exe = STR("a\033[31m\"\\\n\xc3\xa4"),
								.destination = STR("10.77.0.2:443"),
								.sni = STR("s"),
								.scheme = STR("https"),
								.host = STR("h.example"),
								.port = 443,
								.method = STR("GET"),
								.path = STR("/p"),
								.query_keys = STR("a,b"),
								.rule = STR("GET /**"),
								.why = WHY_host_not_allowed,
								.credential = STR("c"),
								.credential_generation = 3,
								.status = 403,
								.bytes_in = 1,
								.bytes_out = 2,
								.duration_us = 3,
								.upstream_us = 4,
								.socket_cookie = UINT64_C(1) << 60,
								.policy = STR("gen"),
								.lost = 5,
								.detail = STR("d") }),
			 0);
	n = pread(fd, text, sizeof(text), (off_t)lseek(fd, 0, SEEK_SET));
	assert_true(n > 0);
	line = str_make(text, (size_t)n);
	while (line.n > 0 && line.p[0] == '\0') /* memfd has a hole where the first record was */
		line = str_from(line, 1);
	assert_int_equal(audit_entry_parse(str_make(line.p, line.n - 1), &entry, &fault), 0);
	assert_int_equal(entry.seq, 1);
	assert_str_equal(entry.kind, "exchange");
	assert_str_equal(entry.writer, "worker");
	assert_str_equal(entry.tier, "T2");
	assert_str_equal(entry.sandbox, "box");
	assert_str_equal(entry.id, "id-1");
	assert_int_equal(entry.pid, 7);
	assert_str_equal(entry.exe, "a\033[31m\"\\\n\xc3\xa4");
	assert_str_equal(entry.destination, "10.77.0.2:443");
	assert_str_equal(entry.sni, "s");
	assert_int_equal(entry.socket_cookie, UINT64_C(1) << 60);
	assert_str_equal(entry.scheme, "https");
	assert_str_equal(entry.host, "h.example");
	assert_int_equal(entry.port, 443);
	assert_str_equal(entry.method, "GET");
	assert_str_equal(entry.path, "/p");
	assert_str_equal(entry.query_keys, "a,b");
	assert_str_equal(entry.decision, "refuse");
	assert_str_equal(entry.code, "host_not_allowed");
	assert_str_equal(entry.rule, "GET /**");
	assert_str_equal(entry.policy, "gen");
	assert_str_equal(entry.credential, "c");
	assert_int_equal(entry.credential_generation, 3);
	assert_int_equal(entry.status, 403);
	assert_int_equal(entry.bytes_in, 1);
	assert_int_equal(entry.bytes_out, 2);
	assert_int_equal(entry.duration_us, 3);
	assert_int_equal(entry.upstream_us, 4);
	assert_int_equal(entry.lost, 5);
	assert_str_equal(entry.detail, "d");
	audit_free(a);
	close(fd);
}

static void test_strings(void **state)
{
	(void)state;
	assert_int_equal(parse(HEAD KIND
			       ",\"exe\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e4\\u20AC\\ud83d\\ude00\\u0000\"}"),
			 0);
	assert_int_equal(entry.exe.n, 8 + 1 + 2 + 3 + 4 + 1);
	assert_memory_equal(entry.exe.p, "\"\\/\b\f\n\r\tA\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\0", entry.exe.n);
	assert_int_equal(entry.time_us % 1000000, 1);
	/* fields of a later writer are passed over */
	assert_int_equal(parse(HEAD KIND ",\"new\":\"x\",\"more\":12}"), 0);
	assert_int_equal(parse(HEAD KIND ",\"pid\":0}"), 0);
}

static const struct {
	const char *line, *expected;
} bad[] = {
	{ "", "begins with" },
	{ "{}", "begins with" },
	{ " " HEAD KIND "}", "begins with" },
	{ "{\"chain\":\"0123456789abcdef\",\"v\":1}", "begins with" },
	{ "{\"v\":\"1\"}", "whole number" },
	{ "{\"v\":01}", "whole number" },
	{ HEAD KIND, "comma" },
	{ HEAD KIND "}}", "nothing behind" },
	{ HEAD KIND "} ", "nothing behind" },
	{ HEAD KIND ",}", "quoted" },
	{ HEAD KIND ",\"pid\" :1}", "colon" },
	{ HEAD KIND ",\"pid\":-1}", "whole number" },
	{ HEAD KIND ",\"pid\":1.5}", "comma" },
	{ HEAD KIND ",\"pid\":12345678901234567890}", "19 digits" },
	{ HEAD KIND ",\"pid\":\"1\"}", "whole number" },
	{ HEAD KIND ",\"exe\":1}", "quoted" },
	{ HEAD KIND ",\"exe\":null}", "quoted" },
	{ HEAD KIND ",\"new\":{\"a\":1}}", "whole number" },
	{ HEAD KIND ",\"new\":[1]}", "whole number" },
	{ HEAD KIND ",\"seq\":5}", "once" },
	{ HEAD KIND ",\"kind\":\"dns\"}", "once" },
	{ HEAD KIND ",\"exe\":\"a", "end of the string" },
	{ HEAD KIND ",\"exe\":\"\xff\"}", "UTF-8" },
	{ HEAD KIND ",\"exe\":\"\033[31m\"}", "control byte" },
	{ HEAD KIND ",\"exe\":\"\\x41\"}", "escape" },
	{ HEAD KIND ",\"exe\":\"\\u12g4\"}", "hex digits" },
	{ HEAD KIND ",\"exe\":\"\\u12", "hex digits" },
	{ HEAD KIND ",\"exe\":\"\\ud83d\"}", "surrogate" },
	{ HEAD KIND ",\"exe\":\"\\ude00\"}", "surrogate" },
	{ HEAD KIND ",\"exe\":\"\\ud83d\\u0041\"}", "surrogate" },
	{ HEAD "}", "\"kind\"" },
	{ "{\"v\":1}", "\"seq\"" },
	{ "{\"v\":1,\"seq\":1,\"chain\":\"0123456789ABCDEF\"}", "\"chain\"" },
	{ "{\"v\":1,\"seq\":1,\"chain\":\"0123456789abcdef0\"}", "\"chain\"" },
	{ "{\"v\":1,\"seq\":1,\"chain\":\"0123456789abcdef\",\"prev\":\"00\"}", "\"prev\"" },
	{ "{\"v\":1,\"seq\":1,\"chain\":\"0123456789abcdef\",\"prev\":\"" ZEROS "\",\"time\":\"now\"}", "\"time\"" },
};

static void test_no_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const int r = parse(bad[i].line);

		if (r != -EINVAL || !strstr(fault.expected, bad[i].expected) || fault.column > strlen(bad[i].line) + 1)
			fail_msg("%s: %d, expected \"%s\" at column %zu", bad[i].line, r, fault.expected, fault.column);
	}
	/* cut anywhere, it is no record */
	for (size_t n = 0; n < strlen(HEAD KIND "}"); n++)
		assert_int_equal(audit_entry_parse(str_make(HEAD KIND "}", n), &entry, &fault), -EINVAL);
}

static void test_version_and_length(void **state)
{
	char *line = calloc(1, 2 * AUDIT_RECORD_MAX);

	(void)state;
	assert_int_equal(parse("{\"v\":2,\"anything\":[{}]}"), -EPROTONOSUPPORT);
	assert_int_equal(entry.v, 2);
	(void)snprintf(line, 2 * AUDIT_RECORD_MAX, "%s", HEAD KIND ",\"exe\":\"");
	memset(line + strlen(line), 'x', AUDIT_RECORD_MAX - strlen(line));
	memcpy(line + AUDIT_RECORD_MAX - 2, "\"}", 3);
	assert_int_equal(audit_entry_parse(str_of(line), &entry, &fault), 0);
	memcpy(line + AUDIT_RECORD_MAX - 2, "x\"}", 4);
	assert_int_equal(audit_entry_parse(str_of(line), &entry, &fault), -EINVAL);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writer_and_reader_agree),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_no_record),
		cmocka_unit_test(test_version_and_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
