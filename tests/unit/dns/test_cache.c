/* SPDX-License-Identifier: Apache-2.0 */
/* Answers live for their TTL and no longer; a full set gives up the one that would have expired first. */
#include "tests/lib/test.h"

#include <stdio.h>

#include "dns/cache.h"

static struct answer answer_of(uint32_t ttl_s, uint8_t last)
{
	struct answer a = { .why = WHY_allowed, .ttl_s = ttl_s, .n = 1 };

	a.addresses[0] = (struct address){ .family = 2, .bytes = { 10, 77, 0, last } };
	return a;
}

static void answers_expire(void **state)
{
	struct answer in = answer_of(30, 2), out;
	struct cache c = { 0 };

	(void)state;
	cache_put(&c, STR("a.example.com"), 1000, &in);
	assert_true(cache_find(&c, STR("a.example.com"), 1000, &out));
	assert_int_equal(out.ttl_s, 30);
	assert_int_equal(out.addresses[0].bytes[3], 2);
	assert_true(cache_find(&c, STR("a.example.com"), 30999, &out));
	assert_int_equal(out.ttl_s, 1); /* what is left, never 0 */
	assert_false(cache_find(&c, STR("a.example.com"), 31000, &out));
	assert_false(cache_find(&c, STR("b.example.com"), 1000, &out));
	assert_false(cache_find(&c, STR("a.example.co"), 1000, &out));
	cache_done(&c);
}

static void a_newer_answer_replaces_the_older(void **state)
{
	struct answer first = answer_of(60, 2), second = answer_of(5, 3), out;
	struct cache c = { 0 };

	(void)state;
	cache_put(&c, STR("a.example.com"), 0, &first);
	cache_put(&c, STR("a.example.com"), 0, &second);
	assert_true(cache_find(&c, STR("a.example.com"), 4000, &out));
	assert_int_equal(out.addresses[0].bytes[3], 3);
	assert_false(cache_find(&c, STR("a.example.com"), 6000, &out)); /* the older one does not come back */
	cache_done(&c);
}

/* Far more names than there is room for: memory is bounded, and of what is kept nothing is mixed up. */
static void a_flood_of_names_stays_bounded(void **state)
{
	struct cache c = { 0 };
	struct answer out;
	size_t kept = 0;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 4 * RESOLVER_CACHE_MAX; i++) {
		struct answer in = answer_of(60, (uint8_t)i);

		(void)snprintf(name, sizeof(name), "n%u.example.com", i);
		cache_put(&c, str_of(name), i, &in);
	}
	for (unsigned i = 0; i < 4 * RESOLVER_CACHE_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example.com", i);
		if (!cache_find(&c, str_of(name), 0, &out))
			continue;
		assert_int_equal(out.addresses[0].bytes[3], (uint8_t)i);
		kept++;
	}
	assert_in_range(kept, RESOLVER_CACHE_MAX / 2, RESOLVER_CACHE_MAX);
	(void)snprintf(name, sizeof(name), "n%u.example.com", 4 * RESOLVER_CACHE_MAX - 1);
	assert_true(cache_find(&c, str_of(name), 0, &out)); /* the newest is there */
	cache_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_expire),
		cmocka_unit_test(a_newer_answer_replaces_the_older),
		cmocka_unit_test(a_flood_of_names_stays_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
