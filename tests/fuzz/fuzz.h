/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target begins with. assert() is always on here: an invariant that does not hold is a finding. */
#ifndef BRIDLE_TESTS_FUZZ_H
#define BRIDLE_TESTS_FUZZ_H

#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly n bytes, so that the sanitizer sees a read behind its end. */
static inline char *fuzz_copy(const uint8_t *data, size_t n)
{
	char *copy = malloc(n ? n : 1);

	assert(copy);
	if (n)
		memcpy(copy, data, n);
	return copy;
}

#endif
