/* SPDX-License-Identifier: Apache-2.0 */
/* Times: what RFC 3339 says, in every form, and nothing else. */
#include "tests/lib/test.h"

#include <errno.h>

#include "audit/when.h"

#define T0 INT64_C(1795626180) /* 2026-11-25T17:03:00Z */
#define US INT64_C(1000000)

static const struct {
	const char *text;
	int64_t us; /* -1: refused */
} rows[] = {
	{ "2026-11-25T17:03:00Z", T0 *US },
	{ "2026-11-25t17:03:00z", T0 *US },
	{ "2026-11-25 17:03:00Z", T0 *US },
	{ "2026-11-25T17:03:00.123456Z", T0 *US + 123456 },
	{ "2026-11-25T17:03:00.5Z", T0 *US + 500000 },
	{ "2026-11-25T17:03:00.123456789Z", T0 *US + 123456 },
	{ "2026-11-25T18:03:00+01:00", T0 *US },
	{ "2026-11-25T11:33:00-05:30", T0 *US },
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2024-02-29T00:00:00Z", INT64_C(1709164800) * US },
	{ "2023-02-29T00:00:00Z", -1 },
	{ "2026-11-31T00:00:00Z", -1 },
	{ "2026-13-01T00:00:00Z", -1 },
	{ "2026-00-01T00:00:00Z", -1 },
	{ "2026-11-25T24:00:00Z", -1 },
	{ "2026-11-25T17:60:00Z", -1 },
	{ "2026-11-25T17:03:00", -1 },
	{ "2026-11-25T17:03:00.Z", -1 },
	{ "2026-11-25T17:03:00+1:00", -1 },
	{ "2026-11-25T17:03:00+24:00", -1 },
	{ "2026-11-25T17:03:00Zx", -1 },
	{ "2026-11-25", -1 },
	{ "26-11-25T17:03:00Z", -1 },
	{ "+026-11-25T17:03:00Z", -1 },
	{ "", -1 },
};

static void test_rfc3339(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t us = 77;
		const int r = audit_when_parse(str_of(rows[i].text), &us);

		if (r != (rows[i].us < 0 ? -EINVAL : 0) || us != (rows[i].us < 0 ? 77 : rows[i].us))
			fail_msg("%s: %d, %lld", rows[i].text, r, (long long)us);
	}
}

static void test_ago(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = { { "30s", 30 }, { "10m", 600 }, { "2h", 7200 }, { "1d", 86400 }, { "1w", 604800 }, { "0s", 0 } };
	static const char *const bad[] = { "m", "10", "10y", "-1m", "1 m", "1.5h", "99999999999s", "" };
	int64_t us = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(audit_when_parse_ago(str_of(good[i].text), T0 * US, &us), 0);
		assert_int_equal(us, (T0 - good[i].seconds) * US);
	}
	us = 77;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(audit_when_parse_ago(str_of(bad[i]), T0 * US, &us), -EINVAL);
	assert_int_equal(us, 77);
	assert_int_equal(audit_when_parse_ago(STR("2026-11-25T17:03:00Z"), 0, &us), 0);
	assert_int_equal(us, T0 * US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3339),
		cmocka_unit_test(test_ago),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
