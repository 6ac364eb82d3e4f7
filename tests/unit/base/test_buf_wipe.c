/* SPDX-License-Identifier: Apache-2.0 */
/* Every byte that a buffer ever held is wiped before its memory goes back, and not all of its memory. White box: the .c is in. */
#include "base/secret.h"

static size_t wiped;

/* A wipe that remembers how far it went. */
static void wipe(void *p, size_t n)
{
	secret_wipe(p, n);
	wiped = n;
}

#define secret_wipe wipe
#include "base/buf.c"
#undef secret_wipe

#include "tests/lib/test.h"

static char text[4000];

static void only_what_was_held_is_wiped(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	assert_non_null(buf_reserve(&b, 16384));
	assert_int_equal(buf_append(&b, STR("secret")), 0);
	buf_consume(&b, 6);
	assert_int_equal(wiped, 6);
}

static void what_was_moved_to_the_front_is_wiped_where_it_was(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(buf_append(&b, str_make(text, sizeof(text))), 0);
	buf_consume(&b, 3900);
	assert_non_null(buf_reserve(&b, 200));
	assert_int_equal(buf_len(&b), 100);
	buf_done(&b);
	assert_int_equal(wiped, sizeof(text));
}

static void what_was_cleared_is_wiped(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(buf_append(&b, str_make(text, 300)), 0);
	buf_clear(&b);
	assert_int_equal(buf_append(&b, str_make(text, 10)), 0);
	buf_done(&b);
	assert_int_equal(wiped, 300);
}

static void growth_wipes_the_old_memory(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	assert_int_equal(buf_append(&b, str_make(text, 3000)), 0);
	wiped = 0;
	assert_int_equal(buf_append(&b, str_make(text, 3000)), 0);
	assert_int_equal(wiped, 3000);
	buf_done(&b);
	assert_int_equal(wiped, 6000);
}

/* The beginning of a text that did not fit was printed all the same. */
static void a_print_that_did_not_fit_is_wiped(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(buf_append(&b, str_make(text, 4000)), 0);
	assert_int_equal(buf_printf(&b, "%0200d", 7), -ENOBUFS);
	assert_int_equal(buf_len(&b), 4000);
	buf_done(&b);
	assert_int_equal(wiped, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_was_held_is_wiped),
		cmocka_unit_test(what_was_moved_to_the_front_is_wiped_where_it_was),
		cmocka_unit_test(what_was_cleared_is_wiped),
		cmocka_unit_test(growth_wipes_the_old_memory),
		cmocka_unit_test(a_print_that_did_not_fit_is_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
