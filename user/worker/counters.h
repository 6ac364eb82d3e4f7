/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's cells of the sandbox's `counters` map, mapped once: bpftool reads them by name, also when every process of
 * ours is dead. A view only; the audit is what counts.
 */
#ifndef BRIDLE_WORKER_COUNTERS_H
#define BRIDLE_WORKER_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

struct sandbox_counters;

struct counters {
	struct sandbox_counters *cells; /* mapped; NULL: not counted */
};

/* Before the worker's seccomp. Without the mapping nothing is counted. */
void counters_map(struct counters *c, int map_fd);
void counters_unmap(struct counters *c);

/* An exchange has ended. bytes are body bytes from and to the program. */
void counters_add_exchange(const struct counters *c, bool refused, uint64_t bytes_in, uint64_t bytes_out);
/* A connection or a name was refused outside of any exchange. */
void counters_add_refusal(const struct counters *c);

#endif
