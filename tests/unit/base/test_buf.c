/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers never pass their maximum and lose nothing; arenas stop at theirs. */
#include "tests/lib/test.h"

#include <errno.h>

#include "base/arena.h"
#include "base/buf.h"

static void test_maximum(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	assert_int_equal(buf_append(&b, STR("12345678")), 0);
	assert_int_equal(buf_append(&b, STR("9")), -ENOBUFS);
	assert_null(buf_reserve(&b, 1));
	buf_consume(&b, 3);
	assert_int_equal(buf_append(&b, STR("abc")), 0);
	assert_str_equal(buf_str(&b), "45678abc");
	assert_int_equal(buf_room(&b), 0);
	buf_consume(&b, 8);
	assert_null(b.mem);
	assert_int_equal(buf_printf(&b, "%d", 12345678), 0);
	assert_int_equal(buf_printf(&b, "%d", 1), -ENOBUFS);
	assert_str_equal(buf_str(&b), "12345678");
	buf_done(&b);
}

static void test_decimal(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	assert_int_equal(buf_append_u64(&b, 0), 0);
	assert_int_equal(buf_append(&b, STR(" ")), 0);
	assert_int_equal(buf_append_u64(&b, 1234567890), 0);
	assert_int_equal(buf_append(&b, STR(" ")), 0);
	assert_int_equal(buf_append_u64(&b, UINT64_MAX), 0);
	assert_str_equal(buf_str(&b), "0 1234567890 18446744073709551615");
	buf_done(&b);
}

static void test_stream(void **state)
{
	unsigned char next_in = 0, next_out = 0;
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	for (int round = 0; round < 5000; round++) {
		size_t in = (size_t)(round * 7 % 97), out;
		char *to = buf_reserve(&b, in);

		if (to) {
			for (size_t i = 0; i < in; i++)
				to[i] = (char)next_in++;
			buf_commit(&b, in);
		}
		out = buf_len(&b) < 50 ? buf_len(&b) : 50;
		for (size_t i = 0; i < out; i++)
			assert_int_equal((unsigned char)buf_data(&b)[i], next_out++);
		if (out > 0)
			buf_consume(&b, out);
	}
	buf_done(&b);
}

static void test_arena(void **state)
{
	struct arena a;
	size_t n = 0;

	(void)state;
	arena_init(&a);
	assert_str_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
	assert_str_equal(arena_str(&a, STR("abc")), "abc");
	while (arena_alloc(&a, 1000))
		n += 1000;
	assert_true(n <= ARENA_MAX);
	assert_true(n > ARENA_MAX / 2);
	assert_null(arena_alloc(&a, SIZE_MAX));
	arena_done(&a);
	assert_non_null(arena_alloc(&a, 1));
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maximum),
		cmocka_unit_test(test_decimal),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
