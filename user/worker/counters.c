/* SPDX-License-Identifier: Apache-2.0 */
/* Relaxed atomic additions into a mapped BPF array (BPF_F_MMAPABLE); several workers of a sandbox share it. */
#include "worker/counters.h"

#include <stddef.h>
#include <sys/mman.h>

#include "bpf/abi.h"

void counters_map(struct counters *c, int map_fd)
{
	void *at = mmap(NULL, sizeof(struct sandbox_counters), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);

	c->cells = at == MAP_FAILED ? NULL : at;
}

void counters_unmap(struct counters *c)
{
	if (c->cells)
		(void)munmap(c->cells, sizeof(*c->cells));
	c->cells = NULL;
}

static void add(__u64 *cell, uint64_t n)
{
	(void)__atomic_fetch_add(cell, n, __ATOMIC_RELAXED);
}

void counters_add_exchange(const struct counters *c, bool refused, uint64_t bytes_in, uint64_t bytes_out)
{
	if (!c->cells)
		return;
	add(&c->cells->exchanges, 1);
	add(&c->cells->refusals_worker, refused);
	add(&c->cells->bytes_in, bytes_in);
	add(&c->cells->bytes_out, bytes_out);
}

void counters_add_refusal(const struct counters *c)
{
	if (c->cells)
		add(&c->cells->refusals_worker, 1);
}
