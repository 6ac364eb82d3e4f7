/* SPDX-License-Identifier: Apache-2.0 */
/* What a refusal advises: put where it says, the line allows exactly that request; where no line would, there is none. */
#include "tests/lib/test.h"

#include <glob.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/diag.h"
#include "policy/policy.h"
#include "policy/url.h"

struct question {
	struct policy *p;
	struct policy_origin origin;
	struct path path;
	struct policy_request request;
	struct policy_decision decision;
};

static enum why decide(struct question *q, const char *policy)
{
	struct diag diag;

	q->p = policy_unref(q->p);
	if (policy_load("p", str_of(policy), &q->p, &diag) < 0)
		return WHY_undecided;
	policy_decide(q->p, &q->request, &q->decision);
	return q->decision.why;
}

/* false: the path is refused before any policy. */
static bool ask(struct question *q, const char *policy, const char *method, const char *url)
{
	const char *error;
	struct str raw, query;
	bool has_query;

	assert_int_equal(url_parse(str_of(url), &q->origin, &raw, &query, &has_query, &error), 0);
	if (path_parse(raw, &q->path) != WHY_allowed)
		return false;
	q->request = (struct policy_request){
		.origin = &q->origin, .path = &q->path, .method = str_of(method), .query = query, .has_query = has_query
	};
	(void)decide(q, policy);
	return true;
}

static char *fix_of(const struct question *q)
{
	struct buf b;
	char *fix;

	buf_init(&b, 65536);
	assert_int_equal(policy_render_fix(q->p, &q->request, &q->decision, &b), 0);
	fix = str_dup(buf_str(&b));
	buf_done(&b);
	return fix;
}

static struct json_object *member(struct json_object *object, const char *key, struct json_object *(*make)(void))
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value)) {
		value = make();
		assert_int_equal(json_object_object_add(object, key, value), 0);
	}
	return value;
}

/* Adds fix to the list, asks, and takes it out again. */
static bool helps(struct question *q, struct json_object *policy, struct json_object *list, const char *fix)
{
	const size_t n = json_object_array_length(list);
	bool yes;

	assert_int_equal(json_object_array_add(list, json_tokener_parse(fix)), 0);
	yes = decide(q, json_object_to_json_string(policy)) == WHY_allowed;
	assert_int_equal(json_object_array_del_idx(list, n, 1), 0);
	return yes;
}

/* Whether the fix allows the request: as an entry, or as a row of some entry (the one that decides). */
static bool fix_helps(struct question *q, const char *text, const char *fix, bool is_entry)
{
	struct json_object *policy = json_tokener_parse(text), *entries;
	bool yes = false;

	entries = member(member(policy, "network", json_object_new_object), "allow_domain", json_object_new_array);
	if (is_entry)
		yes = helps(q, policy, entries, fix);
	for (size_t i = 0; !is_entry && !yes && i < json_object_array_length(entries); i++) {
		struct json_object *paths = NULL;

		if (json_object_object_get_ex(json_object_array_get_idx(entries, i), "paths", &paths))
			yes = helps(q, policy, paths, fix);
	}
	json_object_put(policy);
	return yes;
}

static const char *text_of(struct json_object *row, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(row, key, &value) ? json_object_get_string(value) : NULL;
}

/* 1 when the row is refused with advice. */
static size_t check_row(struct json_object *row)
{
	static struct question q;
	const char *source = text_of(row, "policy_source"), *text = source ? source : text_of(row, "policy_text");
	bool is_entry;
	size_t advised = 0;
	char *fix;

	if (!text || text_of(row, "error") || !ask(&q, text, text_of(row, "method"), text_of(row, "url")))
		return 0;
	fix = fix_of(&q);
	is_entry = policy_fix_is_entry(&q.decision);
	if (*fix) {
		advised = 1;
		if (!fix_helps(&q, text, fix, is_entry))
			fail_msg("%s: %s does not allow it: %s", text_of(row, "name"), fix, why_symbol(q.decision.why));
	}
	free(fix);
	q.p = policy_unref(q.p);
	return advised;
}

static void test_every_vector(void **state)
{
	size_t advised = 0;
	glob_t files;

	(void)state;
	assert_int_equal(glob("tests/policy/*.json", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct json_object *list = json_object_from_file(files.gl_pathv[i]);

		assert_non_null(list);
		for (size_t k = 0; k < json_object_array_length(list); k++)
			advised += check_row(json_object_array_get_idx(list, k));
		json_object_put(list);
	}
	globfree(&files);
	assert_in_range(advised, 60, 100000);
}

#define TWO                                                                                                          \
	"\"custom_credentials\":{\"x\":{\"upstream\":\"https://a.example.com/x\",\"credential_key\":\"file:///x\"}," \
	"\"y\":{\"upstream\":\"https://a.example.com/y\",\"credential_key\":\"file:///y\"}}"
#define ROWS(rows) "\"network\":{\"allow_domain\":[{\"host\":\"a.example.com\",\"paths\":[" rows "]}]}"

static void test_texts(void **state)
{
	static const struct {
		const char *policy, *method, *url, *fix;
	} rows[] = {
		{ "{}", "get", "https://a.example.com/", "" },
		{ "{}", "G|T", "https://a.example.com/", "" },
		{ "{}", "GET", "https://127.0.0.1/", "" },
		{ "{}", "GET", "https://[fd77::5]:8443/",
		  "{\"host\": \"[fd77::5]:8443\", \"paths\": [{\"method\": \"GET\", \"path\": \"/\"}]}" },
		{ "{\"network\":{\"allow_domain\":[\"http://a.example.com:8080\"]}}", "GET",
		  "https://a.example.com:8080/", "" },
		{ "{" TWO "," ROWS("{\"method\":\"GET\",\"path\":\"/y/1\",\"credential\":\"y\"}") "}", "GET",
		  "https://a.example.com/y/2", "{\"method\": \"GET\", \"path\": \"/y/2\", \"credential\": \"y\"}" },
		{ "{" TWO "," ROWS("{\"method\":\"GET\",\"path\":\"/y/1\",\"credential\":\"y\"}") "}", "GET",
		  "https://a.example.com/z", "" },
		{ "{" TWO "," ROWS("{\"method\":\"GET\",\"path\":\"/**\",\"credential\":\"y\"}") "}", "GET",
		  "https://a.example.com/x", "" },
		{ "{" TWO "}", "GET", "https://a.example.com/z", "" },
		{ "{\"custom_credentials\":{\"x\":{\"upstream\":\"https://a.example.com/v1\",\"credential_key\":"
		  "\"file:///x\"}}}",
		  "PUT", "https://a.example.com/v2",
		  "{\"host\": \"a.example.com\", \"paths\": [{\"method\": \"*\", \"path\": \"/v1/**\"}, {\"method\": "
		  "\"PUT\", \"path\": \"/v2\"}]}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct question q;
		bool is_entry;
		char *fix;

		assert_true(ask(&q, rows[i].policy, rows[i].method, rows[i].url));
		assert_true(q.decision.why != WHY_allowed && q.decision.why != WHY_undecided);
		fix = fix_of(&q);
		is_entry = policy_fix_is_entry(&q.decision);
		assert_string_equal(fix, rows[i].fix);
		assert_true(!*fix || fix_helps(&q, rows[i].policy, fix, is_entry));
		free(fix);
		q.p = policy_unref(q.p);
	}
}

/* A path of as many segments as are taken can be written, too. */
static void test_longest_path(void **state)
{
	static struct question q;
	struct buf url;
	char *fix;

	(void)state;
	buf_init(&url, 65536);
	assert_int_equal(buf_append(&url, STR("https://a.example.com")), 0);
	for (int i = 0; i < PATH_SEGMENTS_MAX; i++)
		assert_int_equal(buf_append(&url, STR("/*")), 0);
	assert_int_equal(buf_append(&url, str_make("", 1)), 0);
	assert_true(ask(&q, "{}", "GET", buf_data(&url)));
	fix = fix_of(&q);
	assert_true(fix_helps(&q, "{}", fix, true));
	free(fix);
	q.p = policy_unref(q.p);
	buf_done(&url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_vector),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_longest_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
