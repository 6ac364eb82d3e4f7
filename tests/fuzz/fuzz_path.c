/* SPDX-License-Identifier: Apache-2.0 */
/* A path: what is accepted has a wire form that is accepted again as itself, with the same segments and nothing ambiguous. */
#include "fuzz.h"

#include "policy/policy.h"

static struct path one, two;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	enum why why;

	assert(copy);
	copy[0] = '/';
	if (size)
		memcpy(copy + 1, data, size);
	if (memchr(copy, '?', size + 1) || size > 2 * PATH_MAX_BYTES) {
		free(copy);
		return 0;
	}
	why = path_parse(str_make(copy, size + 1), &one);
	if (why != WHY_allowed) {
		assert(why == WHY_bad_target || (why >= WHY_path_dot_segment && why <= WHY_path_too_long));
		free(copy);
		return 0;
	}
	assert(one.wire_len <= PATH_MAX_BYTES && one.n_segments > 0 && one.wire[0] == '/');
	assert(path_parse(str_make(one.wire, one.wire_len), &two) == WHY_allowed);
	assert(one.wire_len == two.wire_len && memcmp(one.wire, two.wire, one.wire_len) == 0);
	assert(one.n_segments == two.n_segments);
	for (size_t i = 0; i < one.n_segments; i++) {
		struct str s = one.segments[i];

		assert(str_eq(s, two.segments[i]));
		assert(!str_eq(s, STR(".")) && !str_eq(s, STR("..")));
		assert(!memchr(s.p ? s.p : "x", '\\', s.n) && !memchr(s.p ? s.p : "x", '\0', s.n));
	}
	free(copy);
	return 0;
}
