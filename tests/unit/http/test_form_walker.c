/* SPDX-License-Identifier: Apache-2.0 */
/* A field called _method in every spelling that some reader takes for it, cut at every byte. */
#include "tests/lib/test.h"

#include "http/form_walker.h"

struct form_row {
	const char *type, *body;
	bool found;
};

static const struct form_row form_rows[] = {
	{ "application/x-www-form-urlencoded", "a=1&_method=delete", true },
	{ "application/x-www-form-urlencoded", "_method", true },
	{ "Application/X-WWW-Form-Urlencoded; charset=x", "%5fm%65thod=put", true },
	{ "application/x-www-form-urlencoded", "_method[]=put", true },
	{ "application/x-www-form-urlencoded", "_METHOD=put", true },
	{ "application/x-www-form-urlencoded", "a&+%20%09_method=put", true },
	{ "application/x-www-form-urlencoded", ".method=put", true },
	{ "application/x-www-form-urlencoded", "_method%00x=put", true },
	{ "application/x-www-form-urlencoded", "a=_method&x_method=1&_methods=2", false },
	{ "application/x-www-form-urlencoded", "a=%26_method=1", false },
	{ "application/json", "_method=delete", false },
	{ "", "a=1&_method=delete", true },
	{ "application/x-www-form-urlencoded, text/plain", "_method=delete", true },
	{ "multipart/form-data; boundary=b",
	  "--b\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nput\r\n--b--", true },
	{ "multipart/form-data", "--b\nContent-Disposition: form-data;\r\n NAME=_method\r\n\r\nput", true },
	{ "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nhello\r\n--b--",
	  false },
};

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(form_rows) / sizeof(form_rows[0]); i++) {
		struct str body = str_of(form_rows[i].body);

		for (size_t step = 1; step <= body.n; step++) {
			struct form_walker w;

			(void)form_walker_init(&w, str_of(form_rows[i].type));
			for (size_t at = 0; at < body.n; at += step)
				(void)form_walker_feed(&w,
						       str_make(body.p + at, at + step < body.n ? step : body.n - at));
			if (form_walker_finish(&w) != form_rows[i].found)
				fail_msg("form row %zu, step %zu", i, step);
		}
	}
}

static void test_what_is_walked(void **state)
{
	static const struct {
		const char *type;
		bool walked;
	} types[] = { { "", true },
		      { "application/x-www-form-urlencoded", true },
		      { "MULTIPART/Form-Data; boundary=x", true },
		      { "multipart/mixed", true },
		      { "application/x-www-form-urlencoded,application/json", true },
		      { "application/json", false },
		      { "text/plain", false },
		      { "application/octet-stream", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct form_walker w;

		assert_int_equal(form_walker_init(&w, str_of(types[i].type)), types[i].walked);
	}
}

/* Found stays found, and memory does not grow with the body. */
static void test_found_is_remembered(void **state)
{
	struct form_walker w;

	(void)state;
	assert_true(form_walker_init(&w, STR("")));
	assert_false(form_walker_feed(&w, STR("a=1&_metho")));
	assert_true(form_walker_feed(&w, STR("d=x")));
	assert_true(form_walker_feed(&w, STR("&b=2")));
	assert_true(form_walker_finish(&w));
	assert_in_range(sizeof(w), 1, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_forms), cmocka_unit_test(test_what_is_walked),
					    cmocka_unit_test(test_found_is_remembered) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
