/* SPDX-License-Identifier: Apache-2.0 */
/* What a sandbox did so far, read from its pinned map: works while it lives and after its supervisor was killed. */
#ifndef BRIDLE_SUPERVISOR_PINNED_COUNTERS_H
#define BRIDLE_SUPERVISOR_PINNED_COUNTERS_H

#include <stdint.h>

struct pinned_counters {
	uint64_t connections; /* turned round to the worker */
	uint64_t exchanges;   /* requests, allowed and refused */
	uint64_t refused;     /* by the worker: requests, names, connections */
	uint64_t
		blocked; /* by the kernel programs: many are look-ups that only sort addresses (a datagram's connect) */
	uint64_t events_lost; /* refusals of the kernel that the audit does not have */
};

/* 0; -ENOENT: nothing is pinned; -ENOTSUP: by a build whose layout is another; or -errno. */
int pinned_counters_read(const char *pin_dir, struct pinned_counters *ret);

#endif
