/* SPDX-License-Identifier: Apache-2.0 */
/* What the decision vectors cannot say of paths: how much the deepest of them cost. */
#include "tests/lib/test.h"

#include <string.h>
#include <time.h>

#include "policy/policy.h"

#define DEEP_BYTES 8001
#define DEEP_TIMES 100

/* "/%2525…252e": dots that show after `depth` rounds of decoding. */
static struct str dots_at(size_t depth, char *text)
{
	size_t n = 2;

	memcpy(text, "/%", 2);
	for (size_t i = 1; i < depth; i++, n += 2)
		memcpy(text + n, "25", 2);
	memcpy(text + n, "2e", 2);
	return str_make(text, n + 2);
}

static void every_depth_is_refused(void **state)
{
	static char text[DEEP_BYTES];
	static struct path path;

	(void)state;
	for (size_t depth = 1; depth < 8; depth++)
		assert_int_equal(path_parse(dots_at(depth, text), &path), WHY_path_dot_segment);
	for (size_t depth = 8; depth < DEEP_BYTES / 2 - 2; depth += 7) {
		enum why why = path_parse(dots_at(depth, text), &path);

		assert_true(why == WHY_path_dot_segment || why == WHY_path_double_encoded);
	}
}

/* Each round shortens the text by one escape only: without a bound the work would grow with the square of the length. */
static void depth_does_not_cost(void **state)
{
	static char text[DEEP_BYTES];
	static struct path path;
	struct str deep = dots_at(DEEP_BYTES / 2 - 2, text);
	clock_t begun = clock();

	(void)state;
	for (int i = 0; i < DEEP_TIMES; i++)
		assert_int_equal(path_parse(deep, &path), WHY_path_double_encoded);
	assert_in_range(clock() - begun, 0, CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_depth_is_refused),
		cmocka_unit_test(depth_does_not_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
