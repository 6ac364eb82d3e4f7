/* SPDX-License-Identifier: Apache-2.0 */
/* Deciding allocates nothing, whatever the request: malloc and its kin are counted in this program. */
#include "tests/lib/test.h"

#include <stdlib.h>

#include "base/diag.h"
#include "policy/policy.h"

static size_t n_allocations;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc says it */
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CAN_COUNT false /* the sanitizer has an allocator of its own */
#else
#define CAN_COUNT true
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	n_allocations++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	n_allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	n_allocations++;
	return __libc_realloc(p, n);
}
#endif

#define POLICY                                                                                                         \
	"{\"custom_credentials\":{\"x\":{\"upstream\":\"https://a.example.com/v1\",\"credential_key\":\"file:///"      \
	"x\"}},"                                                                                                       \
	"\"network\":{\"allow_domain\":[\"w.example.com\",\"*.example.net\",\"10.0.0.1\",\"[fd77::5]\",\"127.0.0.1\"," \
	"{\"host\":\"a.example.com\",\"paths\":[{\"method\":\"GET\",\"path\":\"/v1/**/x*z/*\",\"query\":[\"a b\"]},"   \
	"{\"method\":\"*\",\"path\":\"//**\"},{\"method\":\"PUT\",\"path\":\"/v1/no\",\"action\":\"deny\"}]}],"        \
	"\"allow_tcp\":[\"db.example.com:5432\"]}}"

static enum why decide(const struct policy *p, const char *method, const char *host, const char *raw, const char *query)
{
	static struct path path;
	struct policy_origin origin = { .port = 443 };
	struct policy_request request = { .origin = &origin,
					  .path = &path,
					  .method = str_of(method),
					  .query = str_of(query),
					  .has_query = *query != '\0' };
	struct policy_decision decision;
	size_t before;

	if (strcmp(host, "db.example.com") == 0)
		origin.port = 5432;
	assert_int_equal(host_parse(str_of(host), &origin.host), 0);
	before = n_allocations;
	assert_int_equal(path_parse(str_of(raw), &path), WHY_allowed);
	policy_decide(p, &request, &decision);
	assert_int_equal(n_allocations, before);
	return decision.why;
}

static void test_allocates_nothing(void **state)
{
	static const struct {
		const char *method, *host, *path, *query;
		enum why why;
	} rows[] = {
		{ "GET", "a.example.com", "/v1/a/b/xyz/%2F", "a+b=1&a%20b", WHY_allowed },
		{ "GET", "a.example.com", "/v1/a/b/xyz/c", "b", WHY_query_not_allowed },
		{ "PUT", "a.example.com", "/v1/no", "", WHY_rule_denies },
		{ "PUT", "a.example.com", "/v1//no", "", WHY_rule_denies },
		{ "PUT", "a.example.com", "//v2", "", WHY_allowed },
		{ "POST", "a.example.com", "//v1", "_method=x", WHY_method_override },
		{ "PUT", "a.example.com", "/v1/a", "", WHY_path_not_allowed },
		{ "GET", "w.example.com", "/", "", WHY_allowed },
		{ "GET", "a.b.c.example.net", "/", "", WHY_allowed },
		{ "GET", "a.b.c.example.org", "/", "", WHY_host_not_allowed },
		{ "GET", "10.0.0.1", "/", "", WHY_allowed },
		{ "GET", "fd77::5", "/", "", WHY_allowed },
		{ "GET", "127.0.0.1", "/", "", WHY_address_refused },
		{ "GET", "db.example.com", "/", "", WHY_feature_unavailable },
		{ "TRACE", "w.example.com", "/", "", WHY_trace_not_allowed },
	};
	struct policy *p = NULL;
	struct diag diag;

	(void)state;
	if (policy_load("p", STR(POLICY), &p, &diag) < 0)
		fail_msg("%s", diag.text);
	assert_true(n_allocations > 0 || !CAN_COUNT); /* the counter counts */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum why why = decide(p, rows[i].method, rows[i].host, rows[i].path, rows[i].query);

		if (why != rows[i].why)
			fail_msg("row %zu: %s", i, why_symbol(why));
	}
	policy_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
