/* SPDX-License-Identifier: Apache-2.0 */
/* What the decision vectors cannot say of paths: how long they may be, how much the deepest of them cost. */
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

static void length_has_a_limit(void **state)
{
	static char text[PATH_MAX_BYTES + 1];
	static struct path path;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[0] = '/';
	assert_int_equal(path_parse(str_make(text, PATH_MAX_BYTES), &path), WHY_allowed);
	assert_int_equal(path_parse(str_make(text, PATH_MAX_BYTES + 1), &path), WHY_path_too_long);
	for (size_t i = 0; i < 2 * (PATH_SEGMENTS_MAX + 1); i += 2)
		text[i] = '/';
	assert_int_equal(path_parse(str_make(text, 2 * PATH_SEGMENTS_MAX), &path), WHY_allowed);
	assert_int_equal(path_parse(str_make(text, 2 * (PATH_SEGMENTS_MAX + 1)), &path), WHY_path_too_long);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(length_has_a_limit),
		cmocka_unit_test(every_depth_is_refused),
		cmocka_unit_test(depth_does_not_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
