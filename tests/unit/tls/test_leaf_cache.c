/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "tls/leaf_cache.h"

#define MAX 8

static struct str name_of(int i)
{
	static char text[32];

	(void)snprintf(text, sizeof(text), "n%d.example", i);
	return str_of(text);
}

static void put(struct leaf_cache *c, int i, X509 *cert, uint64_t now)
{
	uint32_t id;

	assert_int_equal(leaf_cache_wait(c, name_of(i), &id), 0);
	leaf_cache_answer(c, id, cert, now);
}

static void gives_up_the_least_recently_used(void **state)
{
	X509 *cert = X509_new(), *got = NULL;
	struct leaf_cache *c = NULL;

	(void)state;
	assert_int_equal(leaf_cache_new(MAX, 4, &c), 0);
	for (int i = 0; i < MAX; i++)
		put(c, i, cert, 1);
	assert_int_equal(leaf_cache_get(c, name_of(0), 2, &got), LEAF_READY);
	assert_ptr_equal(got, cert);
	put(c, MAX, cert, 2);
	assert_int_equal(leaf_cache_count(c), MAX);
	assert_int_equal(leaf_cache_get(c, name_of(1), 2, &got), LEAF_ABSENT);
	assert_int_equal(leaf_cache_get(c, name_of(0), 2, &got), LEAF_READY);
	assert_int_equal(leaf_cache_get(c, name_of(MAX), 2, &got), LEAF_READY);
	leaf_cache_free(c);
	X509_free(cert);
}

static void names_that_wait_are_bounded_and_stay(void **state)
{
	X509 *cert = X509_new(), *got = NULL;
	struct leaf_cache *c = NULL;
	uint32_t id, first;

	(void)state;
	assert_int_equal(leaf_cache_new(MAX, 2, &c), 0);
	assert_int_equal(leaf_cache_wait(c, name_of(100), &first), 0);
	assert_int_equal(leaf_cache_wait(c, name_of(101), &id), 0);
	id = 12345;
	assert_int_equal(leaf_cache_wait(c, name_of(102), &id), -EBUSY);
	assert_int_equal(id, 12345);
	leaf_cache_answer(c, first + 1, cert, 1);
	for (int i = 0; i < 3 * MAX; i++)
		put(c, i, cert, 1);
	assert_int_equal(leaf_cache_count(c), MAX);
	assert_int_equal(leaf_cache_get(c, name_of(100), 2, &got), LEAF_WAITING);
	leaf_cache_answer(c, 999, cert, 1);
	assert_int_equal(leaf_cache_get(c, name_of(100), 2, &got), LEAF_WAITING);
	leaf_cache_answer(c, first, cert, 1);
	assert_int_equal(leaf_cache_get(c, name_of(100), 2, &got), LEAF_READY);
	leaf_cache_free(c);
	X509_free(cert);
}

static void leaves_and_refusals_age(void **state)
{
	X509 *cert = X509_new(), *got = NULL;
	struct leaf_cache *c = NULL;

	(void)state;
	assert_int_equal(leaf_cache_new(MAX, 4, &c), 0);
	put(c, 1, cert, 1000);
	put(c, 2, NULL, 1000);
	assert_int_equal(leaf_cache_get(c, name_of(2), 999 + LEAF_REFUSED_MS, &got), LEAF_REFUSED);
	assert_int_equal(leaf_cache_get(c, name_of(2), 1000 + LEAF_REFUSED_MS, &got), LEAF_ABSENT);
	assert_null(got);
	assert_int_equal(leaf_cache_get(c, name_of(1), 999 + LEAF_FRESH_MS, &got), LEAF_READY);
	assert_int_equal(leaf_cache_get(c, name_of(1), 1000 + LEAF_FRESH_MS, &got), LEAF_ABSENT);
	assert_int_equal(leaf_cache_count(c), 0);
	leaf_cache_free(c);
	X509_free(cert);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_up_the_least_recently_used),
		cmocka_unit_test(names_that_wait_are_bounded_and_stay),
		cmocka_unit_test(leaves_and_refusals_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
