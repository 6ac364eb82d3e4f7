/* SPDX-License-Identifier: Apache-2.0 */
/* The trie against the plain way (every rule asked in turn), over random rules and paths of a tiny alphabet. */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/diag.h"
#include "policy/model.h"

#define ROUNDS 400
#define RULES  24
#define PATHS  60

static uint64_t seed = 20261124;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void add_segments(struct buf *b, const char *const segments[], unsigned n)
{
	unsigned length = 1 + pick(5);

	for (unsigned i = 0; i < length; i++)
		assert_int_equal(buf_printf(b, "/%s", segments[pick(n)]), 0);
}

/* RULES rules, each path with a method of its own, so that no two are the same. */
static struct policy *random_policy(void)
{
	static const char *const segments[] = { "a",  "b",  "ab",  "a%2Fb", "*",   "*",	 "**",
						"a*", "*b", "*a*", "a*b",   "ab*", "*ab" };
	struct policy *p = NULL;
	struct diag diag;
	struct buf b;

	buf_init(&b, 65536);
	assert_int_equal(buf_append(&b, STR("{\"network\":{\"allow_domain\":[{\"host\":\"h.example.com\",\"paths\":[")),
			 0);
	for (int i = 0; i < RULES; i++) {
		assert_int_equal(buf_printf(&b, "%s{\"method\":\"M%d\",\"path\":\"", i ? "," : "", i), 0);
		add_segments(&b, segments, sizeof(segments) / sizeof(segments[0]));
		assert_int_equal(buf_append(&b, STR("\"}")), 0);
	}
	assert_int_equal(buf_append(&b, STR("]}]}}")), 0);
	if (policy_load("random", buf_str(&b), &p, &diag) < 0)
		fail_msg("%s", diag.text);
	buf_done(&b);
	return p;
}

struct seen {
	bool rule[RULES];
	const struct policy_route *route;
};

static bool mark(void *arg, const struct policy_rule *rule)
{
	struct seen *s = arg;
	size_t i = (size_t)(rule - s->route->rules);

	assert_true(i < RULES);
	assert_false(s->rule[i]); /* each one once */
	s->rule[i] = true;
	return true;
}

static void compare_one(const struct policy_route *route)
{
	static const char *const segments[] = { "a", "b", "ab", "a%2Fb", "c", "aXb", "ba" };
	static struct path path;
	struct seen s = { .route = route };
	struct buf b;

	buf_init(&b, 4096);
	add_segments(&b, segments, sizeof(segments) / sizeof(segments[0]));
	if (pick(4) == 0)
		assert_int_equal(buf_append(&b, STR("/")), 0);
	assert_int_equal(path_parse(buf_str(&b), &path), WHY_allowed);
	trie_match(route, path.segments, path.n_segments, mark, &s);
	for (size_t i = 0; i < RULES; i++) {
		if (s.rule[i] != pattern_matches(&route->rules[i].pattern, path.segments, path.n_segments))
			fail_msg("%.*s and %s: the trie says %d", (int)buf_len(&b), buf_data(&b), route->rules[i].path,
				 s.rule[i]);
	}
	buf_done(&b);
}

static void test_random(void **state)
{
	size_t matches = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct policy *p = random_policy();

		for (int i = 0; i < PATHS; i++)
			compare_one(&p->routes[0]);
		matches += p->routes[0].n_rules;
		policy_unref(p);
	}
	assert_int_equal(matches, (size_t)ROUNDS * RULES);
}

static bool count(void *arg, const struct policy_rule *rule)
{
	(void)rule;
	++*(size_t *)arg;
	return true;
}

#define LETTERS \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Rules behind one star are no list: the request meets its own one alone. */
static void test_behind_a_star(void **state)
{
	static struct path path;
	struct policy *p = NULL;
	struct diag diag;
	struct buf b;
	size_t n = 0;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_int_equal(buf_append(&b, STR("{\"network\":{\"allow_domain\":[{\"host\":\"h.example.com\",\"paths\":[")),
			 0);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(buf_printf(&b, "%s{\"method\":\"GET\",\"path\":\"/p/*/r%d/*\"}", i ? "," : "", i), 0);
	assert_int_equal(buf_append(&b, STR("]}]}}")), 0);
	assert_int_equal(policy_load("star", buf_str(&b), &p, &diag), 0);
	assert_int_equal(path_parse(STR("/p/7/r4711/x"), &path), WHY_allowed);
	trie_match(&p->routes[0], path.segments, path.n_segments, count, &n);
	assert_int_equal(n, 1);
	policy_unref(p);
	buf_done(&b);
}

/* More nodes that fit than are held at once: the rules are asked in turn, and each that fits is still met once. */
static void test_many_at_once(void **state)
{
	enum { MANY = 100 };
	static struct path path;
	struct policy *p = NULL;
	struct diag diag;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (int deep = 0; deep < 2; deep++) {
		size_t n = 0;

		buf_clear(&b);
		assert_int_equal(buf_append(&b, STR("{\"network\":{\"allow_domain\":[{\"host\":\"h.example.com\","
						    "\"paths\":[")),
				 0);
		for (int i = 0; i < MANY; i++)
			assert_int_equal(buf_printf(&b, "%s{\"method\":\"GET\",\"path\":\"/%.*s*%s/x\"}", i ? "," : "",
						    i, LETTERS, deep ? "/**" : ""),
					 0);
		assert_int_equal(buf_append(&b, STR("]}]}}")), 0);
		assert_int_equal(policy_load("many", buf_str(&b), &p, &diag), 0);
		assert_int_equal(path_parse(STR("/" LETTERS "/x"), &path), WHY_allowed);
		trie_match(&p->routes[0], path.segments, path.n_segments, count, &n);
		assert_int_equal(n, MANY);
		assert_int_equal(path_parse(STR("/" LETTERS "/y"), &path), WHY_allowed);
		trie_match(&p->routes[0], path.segments, path.n_segments, count, &n);
		assert_int_equal(n, MANY);
		p = policy_unref(p);
	}
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_behind_a_star),
		cmocka_unit_test(test_many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
