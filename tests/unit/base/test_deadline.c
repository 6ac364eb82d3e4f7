/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults hold unless another time was handed over; what is not in the list waits for nothing. */
#include "tests/lib/test.h"

#include "base/deadline.h"

static void test_defaults(void **state)
{
	const struct deadlines none = { { 0 } };

	(void)state;
	assert_int_equal(deadline_ms(&none, DEADLINE_head), 10000);
	assert_int_equal(deadline_ms(&none, DEADLINE_stream), 600000); /* a stream may be silent for minutes */
	for (unsigned i = 0; i < DEADLINE_COUNT_; i++)
		assert_in_range(deadline_ms(&none, (enum deadline)i), 1000, 3600000);
	assert_int_equal(deadline_ms(&none, DEADLINE_INVALID), 1);
	assert_int_equal(deadline_ms(&none, DEADLINE_COUNT_), 1);
}

static void test_others(void **state)
{
	struct deadlines d = { { 0 } };

	(void)state;
	assert_int_equal(deadline_find(STR("body")), DEADLINE_body);
	assert_int_equal(deadline_find(STR("bodyx")), DEADLINE_INVALID);
	assert_int_equal(deadline_find(STR("")), DEADLINE_INVALID);
	d.ms[DEADLINE_body] = 7;
	assert_int_equal(deadline_ms(&d, DEADLINE_body), 7);
	assert_int_equal(deadline_ms(&d, DEADLINE_head), 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_defaults), cmocka_unit_test(test_others) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
