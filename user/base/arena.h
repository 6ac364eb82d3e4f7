/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one exchange: allocate freely, free all at once. Never for secrets.
 */
#ifndef BRIDLE_BASE_ARENA_H
#define BRIDLE_BASE_ARENA_H

#include <stddef.h>

#include "base/str.h"

#define ARENA_MAX ((size_t)256 * 1024) /* bytes that one arena may hand out */

struct arena_block;

struct arena {
	struct arena_block *blocks; /* owned */
	size_t used;		    /* bytes handed out */
};

void arena_init(struct arena *a);
void arena_done(struct arena *a);

/* Zeroed, aligned for any type; NULL when ARENA_MAX is passed or memory is short. */
void *arena_alloc(struct arena *a, size_t n);

/* Copy with a NUL behind it (not counted in n). .p is NULL on failure. */
struct str arena_str(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
