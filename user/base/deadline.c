/* SPDX-License-Identifier: Apache-2.0 */
/* The list of deadlines as tables. */
#include "base/deadline.h"

static const struct {
	const char *name;
	uint32_t ms;
} rows[] = {
#define DEADLINE(name, ms, what) { #name, ms },
#include "base/deadline.def"
#undef DEADLINE
};

uint32_t deadline_ms(const struct deadlines *d, enum deadline which)
{
	if ((unsigned)which >= DEADLINE_COUNT_)
		return 1; /* refuse: nothing waits for what is not in the list */
	return d->ms[which] ? d->ms[which] : rows[which].ms;
}

enum deadline deadline_find(struct str name)
{
	for (unsigned i = 0; i < DEADLINE_COUNT_; i++) {
		if (str_eq(name, str_of(rows[i].name)))
			return (enum deadline)i;
	}
	return DEADLINE_INVALID;
}
