/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one exchange, in blocks, freed together. */
#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"

#define ARENA_BLOCK 4096

struct arena_block {
	struct arena_block *next; /* owned */
	size_t used;
	size_t size;
	max_align_t data[];
};

void arena_init(struct arena *a)
{
	*a = (struct arena){ 0 };
}

void arena_done(struct arena *a)
{
	struct arena_block *block = a->blocks;

	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
	arena_init(a);
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_block *block = a->blocks;
	void *p;

	if (n > ARENA_MAX)
		return NULL;
	n = MAX((n + sizeof(max_align_t) - 1) / sizeof(max_align_t), (size_t)1) * sizeof(max_align_t);
	if (a->used + n > ARENA_MAX)
		return NULL;
	if (!block || block->size - block->used < n) {
		size_t size = MAX(n, (size_t)ARENA_BLOCK);

		block = calloc(1, sizeof(*block) + size);
		if (!block)
			return NULL;
		block->size = size;
		block->next = a->blocks;
		a->blocks = block;
	}
	p = (char *)block->data + block->used;
	block->used += n;
	a->used += n;
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *copy = arena_alloc(a, s.n + 1);

	if (!copy)
		return (struct str){ NULL, 0 };
	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	return str_make(copy, s.n);
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (!text)
		return (struct str){ NULL, 0 };
	va_start(args, format);
	(void)vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return str_make(text, (size_t)n);
}
