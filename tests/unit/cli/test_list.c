/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of `bridle list` that are made, not copied. */
#include "tests/lib/test.h"

#include "cli/list.c" /* white box */

static void test_age(void **state)
{
	static const struct {
		uint64_t started, now;
		const char *text;
	} rows[] = {
		{ 0, 1000, "-" },
		{ 1000, 1000, "0s" },
		{ 1000, 1059, "59s" },
		{ 1000, 1060, "1m" },
		{ 1000, 1000 + 59 * 60 + 59, "59m" },
		{ 1000, 1000 + 3600, "1h0m" },
		{ 1000, 1000 + 86399, "23h59m" },
		{ 1000, 1000 + 86400, "1d0h" },
		{ 1000, 1000 + 9 * 86400 + 4 * 3600 + 59, "9d4h" },
		{ 1000, 900, "0s" }, /* the clock was set back */
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		age_of(rows[i].started, rows[i].now, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
}

static void test_user(void **state)
{
	char text[64];

	(void)state;
	user_of(0, text, sizeof(text));
	assert_string_equal(text, "-");
	user_of(1, text, sizeof(text));
	assert_string_equal(text, "daemon");
	user_of(4000000000U, text, sizeof(text));
	assert_string_equal(text, "4000000000");
}

/* What is not known is not shown as a number. */
static void test_unknown(void **state)
{
	const struct leftover item = { .name = "gone", .cgroup = true };
	struct listing text = { 0 }, json = { .json = true };

	(void)state;
	buf_init(&text.out, OUTPUT_MAX);
	buf_init(&json.out, OUTPUT_MAX);
	on_item(&text, &item);
	on_item(&json, &item);
	assert_int_equal(text.error, 0);
	assert_int_equal(buf_append(&text.out, str_make("", 1)), 0);
	assert_int_equal(buf_append(&json.out, str_make("", 1)), 0);
	assert_string_equal(
		buf_data(&text.out),
		"gone                     leftover         -  -                  -         -        -        -  -\n");
	assert_string_equal(buf_data(&json.out),
			    "\n{\"running\":false,\"pid\":0,\"uid\":0,\"started\":0,\"pinned\":false,\"cgroup\":true,"
			    "\"name\":\"gone\",\"user\":null,\"policy\":null,\"counters\":null}");
	buf_done(&text.out);
	buf_done(&json.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
