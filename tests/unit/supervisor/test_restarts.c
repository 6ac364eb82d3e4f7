/* SPDX-License-Identifier: Apache-2.0 */
/* Three failures within a minute are one too many; three in more than a minute are not, however long it goes on. */
#include "tests/lib/test.h"

#include "supervisor/restarts.h"

static void the_third_within_the_window_is_too_many(void **state)
{
	struct restarts r = { 0 };

	(void)state;
	assert_false(restarts_count(&r, 1000));
	assert_false(restarts_count(&r, 2000));
	assert_true(restarts_count(&r, 1000 + RESTARTS_WINDOW_MS - 1));
}

static void slow_failures_never_are(void **state)
{
	struct restarts r = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		assert_false(restarts_count(&r, 5 + i * (RESTARTS_WINDOW_MS / 2)));
}

static void a_burst_after_a_quiet_time_is(void **state)
{
	struct restarts r = { 0 };
	uint64_t now = 1;

	(void)state;
	for (int i = 0; i < 5; i++, now += RESTARTS_WINDOW_MS)
		assert_false(restarts_count(&r, now));
	assert_false(restarts_count(&r, now + 1));
	assert_false(restarts_count(&r, now + 2));
	assert_true(restarts_count(&r, now + 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_third_within_the_window_is_too_many),
		cmocka_unit_test(slow_failures_never_are),
		cmocka_unit_test(a_burst_after_a_quiet_time_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
