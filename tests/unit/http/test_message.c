/* SPDX-License-Identifier: Apache-2.0 */
/* Fields: lists, twins, what never passes to the next hop, and the limit. */
#include "tests/lib/test.h"

#include "http/message.h"

static void fill(struct http_fields *f, const char *const *pairs)
{
	f->n = 0;
	for (size_t i = 0; pairs[i]; i += 2)
		assert_int_equal(http_field_add(f, str_of(pairs[i]), str_of(pairs[i + 1])), 0);
}

static void assert_fields(const struct http_fields *f, const char *const *pairs)
{
	size_t n = 0;

	for (; pairs[2 * n]; n++) {
		assert_in_range(n, 0, f->n - 1);
		assert_str_equal(f->at[n].name, pairs[2 * n]);
		assert_str_equal(f->at[n].value, pairs[2 * n + 1]);
	}
	assert_int_equal(f->n, n);
}

static void test_find_and_count(void **state)
{
	static const char *const pairs[] = { "a", "1", "b", "2", "a", "3", NULL };
	struct http_fields f;

	(void)state;
	fill(&f, pairs);
	assert_str_equal(http_field_find(&f, STR("a"))->value, "1");
	assert_null(http_field_find(&f, STR("c")));
	assert_int_equal(http_field_count(&f, STR("a")), 2);
	assert_int_equal(http_field_count(&f, STR("")), 0);
}

static void test_limit(void **state)
{
	struct http_fields f = { 0 };

	(void)state;
	for (size_t i = 0; i < HTTP_FIELDS_MAX; i++)
		assert_int_equal(http_field_add(&f, STR("a"), STR("b")), 0);
	assert_true(http_field_add(&f, STR("a"), STR("b")) < 0);
	assert_int_equal(f.n, HTTP_FIELDS_MAX);
	assert_int_equal(http_field_remove(&f, STR("A")), HTTP_FIELDS_MAX);
}

static void test_twins_go(void **state)
{
	static const char *const before[] = { "x-api-key",  "1", "x_api_key", "2", "x-api_key", "3",
					      "x-api-keys", "4", "x-api",     "5", NULL };
	static const char *const after[] = { "x-api-keys", "4", "x-api", "5", NULL };
	struct http_fields f;

	(void)state;
	fill(&f, before);
	assert_int_equal(http_field_remove(&f, STR("X-Api-Key")), 3);
	assert_fields(&f, after);
}

static void test_lists(void **state)
{
	static const char *const pairs[] = { "connection", "",	    "connection", " keep-alive ,,\tX-a",
					     "other",	   "close", NULL };
	struct http_fields f;

	(void)state;
	fill(&f, pairs);
	assert_true(http_list_has(&f, STR("connection"), STR("x-A")));
	assert_true(http_list_has(&f, STR("connection"), STR("keep-alive")));
	assert_false(http_list_has(&f, STR("connection"), STR("close")));
	assert_false(http_list_has(&f, STR("connection"), STR("keep")));
}

static void test_hop_by_hop(void **state)
{
	static const char *const before[] = { "connection",
					      "x-a, X-B",
					      "x-a",
					      "1",
					      "x_b",
					      "2",
					      "keep-alive",
					      "5",
					      "te",
					      "x",
					      "trailer",
					      "y",
					      "upgrade",
					      "h2c",
					      "http2-settings",
					      "z",
					      "transfer-encoding",
					      "chunked",
					      "expect",
					      "x",
					      "content-length",
					      "3",
					      "proxy-connection",
					      "x",
					      "proxy-odd",
					      "x",
					      "proxy_odd",
					      "x",
					      "proxyless",
					      "kept",
					      "x-c",
					      "kept too",
					      NULL };
	static const char *const after[] = { "proxyless", "kept", "x-c", "kept too", NULL };
	struct http_fields f;

	(void)state;
	fill(&f, before);
	http_fields_strip_hop(&f);
	assert_fields(&f, after);
}

static void test_overrides(void **state)
{
	static const char *const before[] = { "x-http-method-override",
					      "DELETE",
					      "x_http_method",
					      "x",
					      "x-original-url",
					      "/x",
					      "x-rewrite-url",
					      "/x",
					      "x-forwarded-for",
					      "kept",
					      NULL };
	static const char *const after[] = { "x-forwarded-for", "kept", NULL };
	struct http_fields f;

	(void)state;
	fill(&f, before);
	assert_int_equal(http_fields_strip_override(&f), 4);
	assert_fields(&f, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_and_count), cmocka_unit_test(test_limit),
		cmocka_unit_test(test_twins_go),       cmocka_unit_test(test_lists),
		cmocka_unit_test(test_hop_by_hop),     cmocka_unit_test(test_overrides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
