/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the resolver, kept for their TTL: a set-associative table of fixed size; the oldest of a set gives way. */
#ifndef BRIDLE_DNS_CACHE_H
#define BRIDLE_DNS_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/why.h"
#include "dns/resolver.h"

#define CACHE_WAYS 4
#define CACHE_SETS (RESOLVER_CACHE_MAX / CACHE_WAYS)

/* One finished look-up. */
struct answer {
	enum why why;
	uint32_t ttl_s; /* clamped */
	uint16_t n;
	struct address addresses[RESOLVER_ADDRESSES_MAX];
};

struct cache_entry;

struct cache {
	struct cache_entry *at[CACHE_SETS][CACHE_WAYS]; /* owned */
};

void cache_done(struct cache *c);

/* true and *ret, with ttl_s what is left of it (at least 1), when the name is there and has not expired. */
bool cache_find(const struct cache *c, struct str name, uint64_t now_ms, struct answer *ret);

/* Keeps a copy for answer->ttl_s. Without memory nothing is kept. */
void cache_put(struct cache *c, struct str name, uint64_t now_ms, const struct answer *answer);

#endif
