/* SPDX-License-Identifier: Apache-2.0 */
/* Chains are found by their ids, kept in their order, and remember their last records and no more. */
#include "tests/lib/test.h"

#include <stdio.h>

#include "audit/chains.h"

#define MANY 3000

static void hash_of(unsigned i, char out[AUDIT_HASH_HEX + 1])
{
	(void)snprintf(out, AUDIT_HASH_HEX + 1, "%016x%048x", i, 7);
}

static void test_found_in_order(void **state)
{
	struct chains *c = chains_new();
	char id[CHAIN_ID_HEX + 1];
	unsigned n = 0;

	(void)state;
	assert_non_null(c);
	assert_null(chains_find(c, "0000000000000000"));
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(id, sizeof(id), "%016x", i * 2654435761U);
		assert_non_null(chains_add(c, id));
	}
	assert_int_equal(chains_count(c), MANY);
	for (const struct chain *chain = chains_first(c); chain; chain = chain->next, n++) {
		(void)snprintf(id, sizeof(id), "%016x", n * 2654435761U);
		assert_string_equal(chain->seen.id, id);
		assert_ptr_equal(chains_find(c, id), chain);
	}
	assert_int_equal(n, MANY);
	assert_null(chains_free(c));
	assert_null(chains_free(NULL));
}

static void test_remembers_the_last(void **state)
{
	struct chains *c = chains_new();
	struct chain *chain = chains_add(c, "0123456789abcdef");
	char hash[AUDIT_HASH_HEX + 1];

	(void)state;
	for (unsigned i = 0; i < 2 * CHAIN_KEEPS; i++) {
		hash_of(i, hash);
		chain_move(chain, i, hash, (struct audit_place){ "f", i + 1 });
	}
	assert_true(chain_links(chain, str_of(hash)));
	hash_of(CHAIN_KEEPS, hash);
	assert_true(chain_holds(chain, str_of(hash)));
	assert_false(chain_links(chain, str_of(hash)));
	hash_of(CHAIN_KEEPS - 1, hash);
	assert_false(chain_holds(chain, str_of(hash)));
	assert_int_equal(chain->seen.last_seq, 2 * CHAIN_KEEPS - 1);
	assert_int_equal(chain->seen.last.line, 2 * CHAIN_KEEPS);
	(void)chains_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_in_order),
		cmocka_unit_test(test_remembers_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
