/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one policy: handed out, never taken back alone. */
#include "policy/pool.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/util.h"
#include "policy/policy.h"

#define POOL_BLOCK 16384

struct pool_block {
	struct pool_block *next; /* owned */
	size_t used, size;
	max_align_t data[];
};

void *pool_alloc(struct pool *p, size_t n)
{
	struct pool_block *block = p->blocks;
	void *result;

	if (n > POLICY_TEXT_MAX * 64)
		return NULL;
	n = MAX((n + sizeof(max_align_t) - 1) / sizeof(max_align_t), (size_t)1) * sizeof(max_align_t);
	if (!block || block->size - block->used < n) {
		size_t size = MAX(n, (size_t)POOL_BLOCK);

		block = calloc(1, sizeof(*block) + size);
		if (!block)
			return NULL;
		block->size = size;
		block->next = p->blocks;
		p->blocks = block;
	}
	result = (char *)block->data + block->used;
	block->used += n;
	return result;
}

char *pool_str(struct pool *p, struct str s)
{
	char *copy = pool_alloc(p, s.n + 1);

	if (copy && s.n > 0)
		memcpy(copy, s.p, s.n);
	return copy;
}

void pool_done(struct pool *p)
{
	struct pool_block *block = p->blocks;

	while (block) {
		struct pool_block *next = block->next;

		free(block);
		block = next;
	}
	p->blocks = NULL;
}
