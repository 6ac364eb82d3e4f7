/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cache for each worker, so for one sandbox: what it learns tells no other sandbox anything. Entries are made
 * when they are first needed, at most RESOLVER_CACHE_MAX of them.
 */
#include "dns/cache.h"

#include "base/util.h"

struct cache_entry {
	uint64_t expires_ms;
	uint16_t len;
	char name[HOST_MAX + 1];
	struct answer answer;
};

static size_t set_of(struct str name)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (uint8_t)name.p[i]) * 16777619u;
	return h % CACHE_SETS;
}

static bool entry_is(const struct cache_entry *e, struct str name)
{
	return e && str_eq(str_make(e->name, e->len), name);
}

void cache_done(struct cache *c)
{
	for (size_t set = 0; set < CACHE_SETS; set++) {
		for (size_t way = 0; way < CACHE_WAYS; way++) {
			free(c->at[set][way]);
			c->at[set][way] = NULL;
		}
	}
}

bool cache_find(const struct cache *c, struct str name, uint64_t now_ms, struct answer *ret)
{
	struct cache_entry *const *set = c->at[set_of(name)];

	for (size_t way = 0; way < CACHE_WAYS; way++) {
		const struct cache_entry *e = set[way];

		if (!entry_is(e, name) || e->expires_ms <= now_ms)
			continue;
		*ret = e->answer;
		ret->ttl_s = (uint32_t)MAX((e->expires_ms - now_ms) / 1000, 1);
		return true;
	}
	return false;
}

void cache_put(struct cache *c, struct str name, uint64_t now_ms, const struct answer *answer)
{
	struct cache_entry **set = c->at[set_of(name)];
	size_t victim = 0;

	if (name.n > HOST_MAX)
		return;
	for (size_t way = 0; way < CACHE_WAYS; way++) {
		if (entry_is(set[way], name)) {
			victim = way;
			break;
		}
		if (!set[victim])
			continue;
		if (!set[way] || set[way]->expires_ms < set[victim]->expires_ms)
			victim = way;
	}
	if (!set[victim])
		set[victim] = malloc(sizeof(*set[victim]));
	if (!set[victim])
		return;
	set[victim]->expires_ms = now_ms + (uint64_t)answer->ttl_s * 1000;
	set[victim]->len = (uint16_t)name.n;
	memcpy(set[victim]->name, name.p, name.n);
	set[victim]->answer = *answer;
}
