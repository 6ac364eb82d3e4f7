/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: what each lets through, and words that no record could have. */
#include "tests/lib/test.h"

#include <errno.h>

#include "audit/entry.h"
#include "cli/audit_filter.h"
#include "cli/command.h"

#define NOW INT64_C(1795626180000000) /* 2026-11-25T17:03:00Z */

static char reason[COMMAND_REASON_MAX];
static struct audit_entry entry;

static bool lets_through(struct audit_filter_words words)
{
	struct audit_filter f;

	assert_int_equal(audit_filter_make(&words, NOW, &f, reason), 0);
	return audit_filter_matches(&f, &entry);
}

static int setup(void **state)
{
	(void)state;
	entry.time_us = NOW - 600 * INT64_C(1000000);
	entry.kind = STR("exchange");
	entry.sandbox = STR("box");
	entry.host = STR("api.example.com");
	entry.decision = STR("refuse");
	entry.code = STR("host_not_allowed");
	return 0;
}

static void test_each(void **state)
{
	(void)state;
	assert_true(lets_through((struct audit_filter_words){ 0 }));
	assert_true(lets_through((struct audit_filter_words){ .sandbox = "box" }));
	assert_false(lets_through((struct audit_filter_words){ .sandbox = "bo" }));
	assert_true(lets_through(
		(struct audit_filter_words){ .kind = "exchange", .decision = "refuse", .code = "host_not_allowed" }));
	assert_false(lets_through((struct audit_filter_words){ .kind = "dns" }));
	assert_false(lets_through((struct audit_filter_words){ .decision = "allow" }));
	assert_false(lets_through((struct audit_filter_words){ .code = "path_not_allowed" }));
	assert_true(lets_through((struct audit_filter_words){ .host = "API.example.com" }));
	assert_true(lets_through((struct audit_filter_words){ .host = "*.example.com" }));
	assert_true(lets_through((struct audit_filter_words){ .host = "*.com" }));
	assert_false(lets_through((struct audit_filter_words){ .host = "example.com" }));
	assert_false(lets_through((struct audit_filter_words){ .host = "*.api.example.com" }));
	assert_false(lets_through((struct audit_filter_words){ .host = "*.i.example.com" }));
	assert_false(lets_through((struct audit_filter_words){ .host = "*." }));
	entry.host = STR("");
	entry.sni = STR("api.example.com");
	assert_true(lets_through((struct audit_filter_words){ .host = "api.example.com" }));
}

static void test_times(void **state)
{
	(void)state;
	assert_true(lets_through((struct audit_filter_words){ .since = "11m" }));
	assert_true(lets_through((struct audit_filter_words){ .since = "10m", .until = "600s" }));
	assert_false(lets_through((struct audit_filter_words){ .since = "9m" }));
	assert_false(lets_through((struct audit_filter_words){ .until = "11m" }));
	assert_true(lets_through(
		(struct audit_filter_words){ .since = "2026-11-25T16:50:00Z", .until = "2026-11-25T18:00:00+01:00" }));
	assert_false(lets_through((struct audit_filter_words){ .since = "2026-11-25T16:53:00.000001Z" }));
}

static void test_refused(void **state)
{
	static const struct {
		struct audit_filter_words words;
		const char *said;
	} rows[] = {
		{ { .kind = "exchanges" }, "did you mean exchange?" },
		{ { .decision = "deny" }, "decision deny" },
		{ { .code = "host_not_alowed" }, "did you mean host_not_allowed?" },
		{ { .code = "" }, "no record has the code" },
		{ { .since = "yesterday" }, "--since yesterday is no time" },
		{ { .until = "10" }, "--until 10 is no time" },
		{ { .since = "1m", .until = "2m" }, "after --until" },
	};
	struct audit_filter f = { .since_us = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(audit_filter_make(&rows[i].words, NOW, &f, reason), -EINVAL);
		if (!strstr(reason, rows[i].said))
			fail_msg("%s, not %s", reason, rows[i].said);
	}
	assert_int_equal(f.since_us, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each, setup),
		cmocka_unit_test_setup(test_times, setup),
		cmocka_unit_test_setup(test_refused, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
