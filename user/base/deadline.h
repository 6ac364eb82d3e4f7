/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deadlines of a worker, in one list (deadline.def). The supervisor may hand other times to a worker in its snapshot; only tests
 * do, through their launcher: nothing that the sandbox can reach changes them.
 */
#ifndef BRIDLE_BASE_DEADLINE_H
#define BRIDLE_BASE_DEADLINE_H

#include <stdint.h>

#include "base/str.h"

enum deadline {
#define DEADLINE(name, ms, what) DEADLINE_##name,
#include "base/deadline.def"
#undef DEADLINE
	DEADLINE_COUNT_,
	DEADLINE_INVALID = -22
};

/* Times in ms; 0 means the default. */
struct deadlines {
	uint32_t ms[DEADLINE_COUNT_];
};

uint32_t deadline_ms(const struct deadlines *d, enum deadline which);
/* By name; DEADLINE_INVALID when there is none. */
enum deadline deadline_find(struct str name);

#endif
