/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is handed out piece by piece and taken back at once. */
#ifndef BRIDLE_POLICY_POOL_H
#define BRIDLE_POLICY_POOL_H

#include <stddef.h>

#include "base/str.h"

struct pool_block;

struct pool {
	struct pool_block *blocks; /* owned */
};

/* Zeroed memory that lives as long as the pool; NULL when memory is short. */
void *pool_alloc(struct pool *p, size_t n);
/* A NUL-terminated copy. */
char *pool_str(struct pool *p, struct str s);
void pool_done(struct pool *p);

#endif
