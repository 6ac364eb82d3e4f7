/* SPDX-License-Identifier: Apache-2.0 */
/* Audit records in, a policy out that loads and allows exactly what was tried. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/diag.h"
#include "cli/learn.h"
#include "cli/user.h"
#include "policy/policy.h"

#define RECORD(host, method, path, code)                                                                              \
	"{\"v\":1,\"kind\":\"exchange\",\"scheme\":\"https\",\"host\":\"" host "\",\"port\":443,\"method\":\"" method \
	"\",\"path\":\"" path "\",\"decision\":\"deny\",\"code\":\"" code "\"}"

static const char *const records[] = {
	"{\"v\":1,\"kind\":\"chain\"}",
	RECORD("api.example.com", "GET", "/v1/items", "host_not_allowed"),
	RECORD("api.example.com", "GET", "/v1/items", "host_not_allowed"),
	RECORD("api.example.com", "POST", "/v1/items", "host_not_allowed"),
	RECORD("api.example.com", "GET", "/a%2Fb/star*", "path_not_allowed"),
	RECORD("other.example.com", "GET", "/", "host_not_allowed"),
	RECORD("api.example.com", "get", "/v1/items", "host_not_allowed"), /* no rule can name it */
	RECORD("169.254.169.254", "GET", "/latest/meta-data", "host_not_allowed"),
	RECORD("evil.example.com", "GET", "/x/../y", "host_not_allowed"),
	RECORD("bad.example.com", "GET", "/", "bad_host"),
	"not json at all",
	"{\"kind\":\"exchange\",\"code\":\"host_not_allowed\",\"host\":5}",
	"[]",
	"",
};

static enum why ask(const struct policy *p, const char *host, const char *method, const char *path)
{
	static struct path parsed;
	struct policy_origin origin = { .scheme = POLICY_HTTPS, .port = 443 };
	const struct policy_request request = { .origin = &origin, .method = str_of(method), .path = &parsed };
	struct policy_decision d;

	assert_int_equal(host_parse(str_of(host), &origin.host), 0);
	assert_int_equal(path_parse(str_of(path), &parsed), WHY_allowed);
	policy_decide(p, &request, &d);
	return d.why;
}

static void check(const struct learned *l)
{
	struct policy *p;
	struct diag d;

	assert_int_equal(l->requests, 4);
	assert_int_equal(policy_load("learned", buf_str(&l->text), &p, &d), 0);
	assert_int_equal(ask(p, "api.example.com", "GET", "/v1/items"), WHY_allowed);
	assert_int_equal(ask(p, "api.example.com", "POST", "/v1/items"), WHY_allowed);
	assert_int_equal(ask(p, "api.example.com", "GET", "/a%2Fb/star*"), WHY_allowed);
	assert_int_equal(ask(p, "other.example.com", "GET", "/"), WHY_allowed);
	assert_int_not_equal(ask(p, "api.example.com", "DELETE", "/v1/items"), WHY_allowed);
	assert_int_not_equal(ask(p, "api.example.com", "GET", "/v1"), WHY_allowed);
	assert_int_not_equal(ask(p, "evil.example.com", "GET", "/y"), WHY_allowed);
	assert_int_not_equal(ask(p, "169.254.169.254", "GET", "/latest/meta-data"), WHY_allowed);
	(void)policy_unref(p);
}

static void test_learner(void **state)
{
	struct learner *l = learner_new();
	struct learned out;

	(void)state;
	assert_non_null(l);
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		learner_take(l, str_of(records[i]));
	assert_int_equal(learner_render(l, &out), 0);
	check(&out);
	assert_true(out.left_out >= 3);
	learned_done(&out);
	assert_null(learner_free(l));
}

/* "get" is another method than GET, and no row can name it: a policy with it would not load. */
static void test_method_that_no_row_can_name(void **state)
{
	struct learner *l = learner_new();
	struct learned out;

	(void)state;
	learner_take(l, STR(RECORD("a.example.com", "get", "/", "host_not_allowed")));
	learner_take(l, STR(RECORD("a.example.com", "*", "/", "host_not_allowed")));
	assert_int_equal(learner_render(l, &out), 0);
	assert_int_equal(out.requests, 0);
	assert_int_equal(out.left_out, 2);
	learned_done(&out);
	assert_null(learner_free(l));
}

static void test_nothing_tried(void **state)
{
	struct learner *l = learner_new();
	struct learned out;

	(void)state;
	assert_int_equal(learner_render(l, &out), 0);
	assert_int_equal(out.requests, 0);
	assert_int_equal(buf_len(&out.text), 0);
	learned_done(&out);
	assert_null(learner_free(l));
}

static void test_limit(void **state)
{
	struct learner *l = learner_new();
	struct learned out;
	char line[512];

	(void)state;
	for (unsigned i = 0; i < LEARN_REQUESTS_MAX + 10; i++) {
		(void)snprintf(line, sizeof(line), RECORD("h%u.example.com", "GET", "/", "host_not_allowed"), i);
		learner_take(l, str_of(line));
	}
	assert_int_equal(learner_render(l, &out), 0);
	assert_int_equal(out.requests, LEARN_REQUESTS_MAX);
	assert_int_equal(out.left_out, 10);
	learned_done(&out);
	assert_null(learner_free(l));
}

/* The whole way: the file, from an offset, in the child. */
static void test_from_file(void **state)
{
	const struct cli_user user = { .uid = 1, .gid = 1 };
	int fd = memfd_create("audit", MFD_CLOEXEC);
	const char before[] = RECORD("before.example.com", "GET", "/", "host_not_allowed") "\n";
	struct learned out;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(write(fd, before, strlen(before)), strlen(before));
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		assert_true(dprintf(fd, "%s\n", records[i]) > 0);
	assert_int_equal(learn_from_audit(fd, strlen(before), &user, &out), 0);
	check(&out);
	assert_null(memmem(buf_data(&out.text), buf_len(&out.text), "before", 6));
	learned_done(&out);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learner),	      cmocka_unit_test(test_method_that_no_row_can_name),
		cmocka_unit_test(test_nothing_tried), cmocka_unit_test(test_limit),
		cmocka_unit_test(test_from_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
