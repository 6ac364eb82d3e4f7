/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys of a query say another method, in every spelling; and whether a refusal says that methods have case. */
#include "tests/lib/test.h"

#include <stdio.h>

#include "base/diag.h"
#include "policy/policy.h"

static struct policy *policy;

static int set_up(void **state)
{
	struct diag diag;

	(void)state;
	return policy_load("p",
			   STR("{\"network\":{\"allow_domain\":[{\"host\":\"a.example.com\",\"paths\":["
			       "{\"method\":\"*\",\"path\":\"/w\"},{\"method\":\"GET\",\"path\":\"/g\"},"
			       "{\"method\":\"GET\",\"path\":\"/q\",\"query\":[\"a b\",\"c%\"]}]}]}}"),
			   &policy, &diag);
}

static int tear_down(void **state)
{
	(void)state;
	policy_unref(policy);
	return 0;
}

static struct policy_decision ask(struct str method, const char *raw, struct str query)
{
	static struct path path;
	static struct policy_origin origin = { .scheme = POLICY_HTTPS, .port = 443 };
	const struct policy_request request = {
		.origin = &origin, .path = &path, .method = method, .query = query, .has_query = query.n > 0
	};
	struct policy_decision d;

	assert_int_equal(host_parse(STR("a.example.com"), &origin.host), 0);
	assert_int_equal(path_parse(str_of(raw), &path), WHY_allowed);
	policy_decide(policy, &request, &d);
	return d;
}

static void test_spellings(void **state)
{
	static const struct {
		const char *query;
		bool overrides;
	} rows[] = {
		{ "_method=x", true },
		{ "_METHOD=x", true },
		{ "%5Fmethod=x", true },
		{ "%5fm%65thod=x", true },
		{ ".method=x", true },
		{ "_method+z", true },
		{ "+method=x", false },
		{ "[method=x", true },
		{ "_method[]=x", true },
		{ "_method%00z=x", true },
		{ "_method%20z=x", true },
		{ "_method", true },
		{ "%09_method=x", true },
		{ "%0d_method=x", true },
		{ "%0a_method=x", true },
		{ "%0b_method=x", true },
		{ "%0c_method=x", true },
		{ "%00_method=x", true },
		{ "+_method=x", true },
		{ "%20%20_method=x", true },
		{ "a=b&_method=x", true },
		{ "a=b;_method=x", true },
		{ "&&_method", true },
		{ "_metho=x", false },
		{ "_methods=x", false },
		{ "-method=x", false },
		{ "method=x", false },
		{ "xmethod=x", false },
		{ "_metho", false },
		{ "%08_method=x", false },
		{ "%0e_method=x", false },
		{ "_methop=x", false },
		{ "a=_method", false },
		{ "", false },
		{ "_", false },
		{ "x_method=y", false },
		{ "_methodx[]=y", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct str query = str_of(rows[i].query);
		const enum why why = ask(STR("POST"), "/w", query).why;

		if ((why == WHY_method_override) != rows[i].overrides)
			fail_msg("%s: %s", rows[i].query, why_symbol(why));
		assert_int_equal(ask(STR("GET"), "/w", query).why, WHY_allowed);
		assert_int_equal(ask(STR("HEAD"), "/w", query).why, WHY_allowed);
	}
}

static void test_keys(void **state)
{
	static const struct {
		const char *query;
		enum why why;
	} rows[] = {
		{ "a+b", WHY_allowed },
		{ "a%20b=1", WHY_allowed },
		{ "%61%20%62", WHY_allowed },
		{ "c%25", WHY_allowed },
		{ "c%25=1&a+b=2", WHY_allowed },
		{ "c%", WHY_allowed },
		{ "a", WHY_query_not_allowed },
		{ "a+bc", WHY_query_not_allowed },
		{ "a+c", WHY_query_not_allowed },
		{ "c%00", WHY_query_not_allowed },
		{ "a+b%00", WHY_query_not_allowed },
		{ "&", WHY_allowed },
		{ "a+b;x", WHY_query_not_allowed },
		{ "a+b&x=1", WHY_query_not_allowed },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const enum why why = ask(STR("GET"), "/q", str_of(rows[i].query)).why;

		if (why != rows[i].why)
			fail_msg("%s: %s", rows[i].query, why_symbol(why));
	}
}

/* Only a refused method with a small letter is told that methods have case. */
static void test_case(void **state)
{
	(void)state;
	for (int c = '!'; c < 0x7f; c++) {
		const char method[] = { 'G', (char)c };
		const struct policy_decision d = ask(str_make(method, 2), "/g", STR(""));

		assert_int_equal(d.why, WHY_method_not_allowed);
		if ((d.detail != NULL) != (c >= 'a' && c <= 'z'))
			fail_msg("method G%c", c);
	}
	assert_null(ask(STR("get"), "/w", STR("")).detail);
	assert_int_equal(ask(STR("get"), "/w", STR("")).why, WHY_allowed);
	assert_null(ask(STR("POST"), "/g", STR("")).detail);
	assert_non_null(ask(STR("get"), "/none", STR("")).detail);
	assert_int_equal(ask(STR("TRACE"), "/w", STR("")).why, WHY_trace_not_allowed);
	assert_int_equal(ask(STR("CONNECT"), "/w", STR("")).why, WHY_connect_not_allowed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_case),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
