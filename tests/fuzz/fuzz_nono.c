/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A nono profile: whatever it is, a policy that loads comes out, with a line for each note, or a sentence that says why not
 * and nothing else; and what is taken for whole allows no less than what is not.
 */
#include "fuzz.h"

#include <errno.h>

#include "base/buf.h"
#include "base/diag.h"
#include "cli/nono.h"
#include "policy/policy.h"

/* How many origins the policy allows; 0 where there is none. */
static size_t convert(struct str text, bool is_whole, int *ret)
{
	struct buf policy, notes;
	struct policy *p = NULL;
	struct diag d = { 0 };
	size_t n_notes = 0, lines = 0, count = 0;

	buf_init(&policy, (size_t)64 << 20);
	buf_init(&notes, (size_t)64 << 20);
	*ret = nono_convert("f", text, is_whole, &policy, &notes, &n_notes, &d);
	assert(*ret == 0 || *ret == -EINVAL);
	if (*ret == 0) {
		assert(policy_load("p", buf_str(&policy), &p, &d) == 0);
		count = policy_route_count(p);
		p = policy_unref(p);
		for (size_t i = 0; i < buf_len(&notes); i++)
			lines += buf_data(&notes)[i] == '\n';
		assert(lines == n_notes);
	} else {
		assert(buf_len(&policy) == 0 && d.text[0]);
	}
	buf_done(&policy);
	buf_done(&notes);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(data, size);
	int strict, whole;
	size_t n_strict = convert(str_make(copy, size), false, &strict);
	size_t n_whole = convert(str_make(copy, size), true, &whole);

	assert(strict != 0 || whole != 0 || n_strict <= n_whole);
	free(copy);
	return 0;
}
