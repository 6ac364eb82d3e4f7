/* SPDX-License-Identifier: Apache-2.0 */
/* What every cmocka program includes, in the order that cmocka asks for. */
#ifndef BRIDLE_TESTS_TEST_H
#define BRIDLE_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define assert_str_equal(s, text) \
	assert_true((s).n == strlen(text) && ((s).n == 0 || memcmp((s).p, (text), (s).n) == 0))

#endif
