/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for people: what they say, and that nothing of a record reaches a terminal but printable ASCII. */
#include "tests/lib/test.h"

#include <stddef.h>

#include "audit/entry.h"
#include "base/buf.h"
#include "cli/audit_line.h"

static struct audit_entry entry;
static struct buf out;

static const char *render(bool in_colour)
{
	buf_clear(&out);
	assert_int_equal(audit_line_put(&out, &entry, in_colour), 0);
	assert_int_equal(buf_append(&out, str_make("", 1)), 0);
	return buf_data(&out);
}

static void setup_exchange(void)
{
	entry = (struct audit_entry){ .time = STR("2026-11-25T17:03:00.123456Z"),
				      .kind = STR("exchange"),
				      .sandbox = STR("box"),
				      .decision = STR("allow"),
				      .code = STR("allowed"),
				      .status = 200,
				      .method = STR("GET"),
				      .scheme = STR("https"),
				      .host = STR("api.example.com"),
				      .port = 443,
				      .path = STR("/v1/x"),
				      .query_keys = STR("a,b"),
				      .exe = STR("curl"),
				      .pid = 7,
				      .duration_us = 12345,
				      .bytes_out = 9,
				      .credential = STR("api"),
				      .credential_generation = 2,
				      .id = STR("ab-1"),
				      .rule = STR("GET /v1/**"),
				      .destination = STR("10.0.0.1:443") };
}

static void test_kinds(void **state)
{
	(void)state;
	setup_exchange();
	assert_string_equal(render(false),
			    "2026-11-25T17:03:00.123Z box allow 200 GET https://api.example.com/v1/x?a,b curl[7] "
			    "12.3ms in=0 out=9 credential=api#2 id=ab-1 rule: GET /v1/**\n");
	entry.port = 8443;
	entry.decision = STR("refuse");
	entry.code = STR("path_not_allowed");
	assert_non_null(strstr(render(false), " refuse 200 path_not_allowed GET https://api.example.com:8443/v1/x"));
	entry = (struct audit_entry){ .time = STR("2026-11-25T17:03:00Z"),
				      .kind = STR("kernel"),
				      .decision = STR("refuse"),
				      .code = STR("port_not_named"),
				      .destination = STR("10.0.0.1:25"),
				      .pid = 9,
				      .detail = STR("connect: family 2") };
	assert_string_equal(render(false),
			    "2026-11-25T17:03:00Z kernel refuse port_not_named to 10.0.0.1:25 [9] connect: family 2\n");
	entry = (struct audit_entry){ .time = STR("2026-11-25T17:03:00Z"),
				      .kind = STR("chain"),
				      .chain = STR("0123456789abcdef"),
				      .writer = STR("worker"),
				      .tier = STR("T2"),
				      .before = STR("fedcba9876543210 00") };
	assert_string_equal(render(false),
			    "2026-11-25T17:03:00Z chain 0123456789abcdef of worker T2 behind fedcba9876543210\n");
	entry = (struct audit_entry){ .time = STR("2026-11-25T17:03:00Z"), .kind = STR("lost"), .lost = 3 };
	assert_string_equal(render(false), "2026-11-25T17:03:00Z lost lost=3\n");
}

static void test_colours_are_the_lines_alone(void **state)
{
	(void)state;
	setup_exchange();
	assert_memory_equal(render(true), "\033[32m2026", 9);
	assert_non_null(strstr(render(true), "/**\033[0m\n"));
	entry.decision = STR("refuse");
	assert_memory_equal(render(true), "\033[31m", 5);
	assert_null(strchr(render(false), '\033'));
}

/* Every byte in every text field: nothing but printable ASCII comes out, and one line feed. */
static void test_hostile_bytes(void **state)
{
	static const size_t fields[] = {
#define TEXT(name) offsetof(struct audit_entry, name),
#define NUMBER(name)
#include "audit/field.def"
#undef TEXT
#undef NUMBER
	};

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		for (unsigned byte = 0; byte < 256; byte++) {
			const char text[] = { 'a', (char)byte, 'b' };
			const char *line;

			setup_exchange();
			*(struct str *)(void *)((char *)&entry + fields[i]) = str_make(text, 3);
			line = render(false);
			for (; *line && *line != '\n'; line++)
				if (*line < 0x20 || *line > 0x7e)
					fail_msg("byte %02x in field %zu came out as %02x", byte, i,
						 (unsigned char)*line);
			assert_string_equal(line, "\n");
		}
	setup_exchange();
	entry.exe = STR("x\033]0;t\a y\\");
	entry.path = STR("/\xc2\x9b"
			 "31m\xe2\x80\xae");
	assert_non_null(strstr(render(false), " x\\x1b]0;t\\x07\\x20y\\\\[7] "));
	assert_non_null(strstr(render(false), "/\\xc2\\x9b31m\\xe2\\x80\\xae?"));
}

/* The longest record of the worst bytes fits. */
static void test_longest(void **state)
{
	static char text[AUDIT_RECORD_MAX];

	(void)state;
	setup_exchange();
	memset(text, 0x1b, sizeof(text));
	entry.path = str_make(text, sizeof(text));
	assert_true(strlen(render(true)) > 4 * sizeof(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_colours_are_the_lines_alone),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_longest),
	};

	int failed;

	buf_init(&out, AUDIT_LINE_MAX);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_done(&out);
	return failed;
}
