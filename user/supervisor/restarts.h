/* SPDX-License-Identifier: Apache-2.0 */
/* How often something may fail: the third time within 60 s is once too often. */
#ifndef BRIDLE_SUPERVISOR_RESTARTS_H
#define BRIDLE_SUPERVISOR_RESTARTS_H

#include <stdbool.h>
#include <stdint.h>

#define RESTARTS_MAX	   3
#define RESTARTS_WINDOW_MS 60000

struct restarts {
	uint64_t at_ms[RESTARTS_MAX]; /* of the last failures; slot n % RESTARTS_MAX */
	unsigned n;
};

/* Counts a failure at now_ms; true when it is one too many. */
static inline bool restarts_count(struct restarts *r, uint64_t now_ms)
{
	const uint64_t oldest = r->at_ms[(r->n + 1) % RESTARTS_MAX];

	r->at_ms[r->n % RESTARTS_MAX] = now_ms;
	r->n++;
	return r->n >= RESTARTS_MAX && now_ms - oldest < RESTARTS_WINDOW_MS;
}

#endif
