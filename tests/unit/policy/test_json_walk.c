/* SPDX-License-Identifier: Apache-2.0 */
/* JSON at its edges: escapes, surrogates, numbers, controls, depth; and the names inside a policy byte by byte. */
#include "tests/lib/test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "policy/json_walk.h"
#include "policy/model.h"

static bool is_json(const char *text, size_t n)
{
	struct json_places places = { 0 };
	struct pool pool = { 0 };
	struct diag diag = { 0 };
	const int r = json_walk(&pool, "f", str_make(text, n), &places, &diag);

	if (r < 0 && (!diag.text[0] || diag.line == 0 || diag.column == 0))
		fail_msg("%.*s: no place or no text", (int)n, text);
	pool_done(&pool);
	return r == 0;
}

static void test_texts(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "\"\\u0041\"", true },
		{ "\"\\uaFfA\"", true },
		{ "\"\\u0001\"", true },
		{ "\"\\u0000\"", false },
		{ "\"\\u00g0\"", false },
		{ "\"\\u00:0\"", false },
		{ "\"\\u00/0\"", false },
		{ "\"\\u00`0\"", false },
		{ "\"\\u00\"", false },
		{ "\"\\x\"", false },
		{ "\"\\", false },
		{ "\"\\\"", false },
		{ "\"\\ud7ff\"", true },
		{ "\"\\udbff\\udfff\"", true },
		{ "\"\\ud800\\udc00\"", true },
		{ "\"\\ue000\"", true },
		{ "\"\\udc00\"", false },
		{ "\"\\udfff\"", false },
		{ "\"\\udbff\"", false },
		{ "\"\\ud800\"", false },
		{ "\"\\ud800\\udbff\"", false },
		{ "\"\\ud800\\ue000\"", false },
		{ "\"\\ud800\\n0000\"", false },
		{ "\"\\ud800xu0000\"", false },
		{ "\"\\ud800\\", false },
		{ "\"\x1f\"", false },
		{ "\" \"", true },
		{ "\"\x7f\"", true },
		{ "\"\xc3\xa9\"", true },
		{ "\"\xff\"", false },
		{ "0", true },
		{ "-0", true },
		{ "10", true },
		{ "01", false },
		{ "-", false },
		{ "1.5", true },
		{ "1.", false },
		{ ".5", false },
		{ "1e5", true },
		{ "1E5", true },
		{ "1e+5", true },
		{ "1e-5", true },
		{ "1e", false },
		{ "1e+", false },
		{ "1f5", false },
		{ "19", true },
		{ "1:", false },
		{ "1/", false },
		{ "+1", false },
		{ "1e++5", false },
		{ "9", true },
		{ "90", true },
		{ "", false },
		{ "[1,2]", true },
		{ "[1,]", false },
		{ "{\"a\":1}", true },
		{ "{\"a\":1,}", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* in memory that ends there */
		const size_t n = strlen(rows[i].text);
		char *copy = malloc(n ? n : 1);

		assert_non_null(copy);
		memcpy(copy, rows[i].text, n);
		if (is_json(copy, n) != rows[i].good)
			fail_msg("%s", rows[i].text);
		free(copy);
	}
}

static void test_depth(void **state)
{
	char text[2 * (JSON_DEPTH_MAX + 1)];

	(void)state;
	for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(is_json(text, 2 * depth), depth == JSON_DEPTH_MAX);
	}
}

/* A credential with this member, in whose value the bytes stand between two others. */
static bool loads(const char *member, const char *before, const char *bytes, const char *after)
{
	char text[1024];
	struct policy *p = NULL;
	struct diag diag;
	int r;

	(void)snprintf(
		text, sizeof(text),
		"{\"custom_credentials\":{\"x\":{\"upstream\":\"https://a.example.com\",\"credential_key\":\"file:///s/"
		"x\",\"%s\":\"%s%s%s\"}}}",
		member, before, bytes, after);
	r = policy_load("p", str_of(text), &p, &diag);
	policy_unref(p);
	return r == 0;
}

static void test_names(void **state)
{
	(void)state;
	assert_true(loads("inject_header", "x", "", "x") && loads("env_var", "x", "", "x"));
	for (int c = 0x21; c < 0x7f; c++) {
		const char text[] = { (char)c, '\0' };

		if (c == '"' || c == '\\')
			continue;
		if (loads("inject_header", "x", text, "x") != (isalnum(c) || c == '-'))
			fail_msg("header with %s", text);
		if (loads("env_var", "x", text, "x") != (isalnum(c) || c == '_'))
			fail_msg("env_var with %s", text);
		if (loads("env_var", "", text, "x") != (isalpha(c) || c == '_'))
			fail_msg("env_var beginning with %s", text);
	}
}

static bool allows(const char *address)
{
	static const char text[] = "{\"network\":{\"allow_domain\":[\"*.example.com\"]}}";
	struct policy *p = NULL;
	struct diag diag;
	struct host h;
	struct address a = { 0 };
	struct policy_origin origin = { .scheme = POLICY_HTTPS, .port = 443 };
	const struct policy_route *route;
	enum why why;

	assert_int_equal(policy_load("p", str_of(text), &p, &diag), 0);
	assert_int_equal(host_parse(STR("a.example.com"), &origin.host), 0);
	route = policy_find_route(p, &origin);
	assert_non_null(route);
	assert_int_equal(host_parse(str_of(address), &h), 0);
	a.family = h.family;
	memcpy(a.bytes, h.bytes, sizeof(a.bytes));
	why = policy_check_address(route, &a);
	policy_unref(p);
	return why == WHY_allowed;
}

/* What is dialled in the end decides: the address inside a tunnel's, and nothing that only looks like a tunnel's. */
static void test_inner_addresses(void **state)
{
	static const struct {
		const char *text;
		bool allowed;
	} rows[] = {
		{ "8.8.8.8", true },
		{ "10.0.0.1", false },
		{ "::ffff:8.8.8.8", true },
		{ "::ffff:10.0.0.1", false },
		{ "64:ff9b::10.0.0.1", false },
		{ "64:ff9b::8.8.8.8", true },
		{ "2002:a00:1::", false },
		{ "2002:808:808::", true },
		{ "2001:0:1::f5ff:fffe", false },
		{ "2001:0:1::f7f7:f7f7", true },
		{ "2001:1:1::f5ff:fffe", true },
		{ "2001:100:1::f5ff:fffe", true },
		{ "2a01:0:1::f5ff:fffe", true },
		{ "2a02:a00:1::", true },
		{ "2003:0:1::f5ff:fffe", true },
		{ "2001:0:1::80ff:fffe", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (allows(rows[i].text) != rows[i].allowed)
			fail_msg("%s", rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_inner_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
