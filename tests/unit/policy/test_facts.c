/* SPDX-License-Identifier: Apache-2.0 */
/* The ports that the kernel programs are given: what the policy names, and what every sandbox has. */
#include "tests/lib/test.h"

#include "base/diag.h"
#include "policy/policy.h"

static size_t ports_of(const char *text, uint16_t extra, uint16_t *out, size_t max)
{
	struct policy *p = NULL;
	struct diag diag;
	size_t n;

	assert_int_equal(policy_load("test", str_of(text), &p, &diag), 0);
	if (extra)
		assert_int_equal(policy_add_proxy_port(p, extra), 0);
	n = policy_ports(p, out, max);
	for (size_t i = 0; i < n && i < max; i++)
		assert_int_equal(policy_is_proxy_port(p, out[i]), out[i] == 3128 || out[i] == 8080 || out[i] == extra);
	policy_unref(p);
	return n;
}

static void web_and_proxy_ports_are_always_there(void **state)
{
	static const uint16_t want[] = { 80, 443, 3128, 8080 };
	uint16_t got[8];

	(void)state;
	assert_int_equal(ports_of("{}", 0, got, 8), 4);
	assert_memory_equal(got, want, sizeof(want));
}

static void named_ports_are_added_once_and_in_order(void **state)
{
	static const uint16_t want[] = { 22, 80, 443, 3128, 8080, 8443, 9000 };
	uint16_t got[8] = { 0 };

	(void)state;
	assert_int_equal(ports_of("{\"network\":{\"allow_domain\":[\"a.example.com:8443\",\"b.example.com:8443\","
				  "\"c.example.com:22\",\"d.example.com\",\"http://e.example.com\"]}}",
				  9000, got, 8),
			 7);
	assert_memory_equal(got, want, sizeof(want));
	/* no more is written than there is room for, and what did not fit is counted */
	got[2] = 7;
	assert_true(ports_of("{\"network\":{\"allow_domain\":[\"a.example.com:8443\"]}}", 0, got, 2) > 2);
	assert_int_equal(got[2], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(web_and_proxy_ports_are_always_there),
		cmocka_unit_test(named_ports_are_added_once_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
