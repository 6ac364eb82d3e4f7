/* SPDX-License-Identifier: Apache-2.0 */
/* A balanced tree by id, because ids in a file that was tampered with are anybody's choice; and a list for the order. */
#include "audit/chains.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/entry.h"
#include "base/percent.h"

struct chains {
	void *tree; /* of the chains of the list */
	struct chain *first, **last;
	uint32_t n;
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, CHAIN_ID_HEX); /* seen.id is what a chain begins with */
}

_Static_assert(offsetof(struct chain, seen) == 0 && offsetof(struct audit_chain, id) == 0,
	       "a chain is found by its id");

struct chains *chains_new(void)
{
	struct chains *c = calloc(1, sizeof(*c));

	if (c)
		c->last = &c->first;
	return c;
}

static void free_nothing(void *node)
{
	(void)node; /* the list owns it */
}

struct chains *chains_free(struct chains *c)
{
	if (!c)
		return NULL;
	tdestroy(c->tree, free_nothing);
	while (c->first) {
		struct chain *const chain = c->first;

		c->first = chain->next;
		free(chain);
	}
	free(c);
	return NULL;
}

struct chain *chains_find(const struct chains *c, const char *id)
{
	struct chain *const *node = tfind(id, &c->tree, compare);

	return node ? *node : NULL;
}

struct chain *chains_add(struct chains *c, const char *id)
{
	struct chain *chain = calloc(1, sizeof(*chain));

	if (!chain)
		return NULL;
	memcpy(chain->seen.id, id, CHAIN_ID_HEX);
	if (!tsearch(chain, &c->tree, compare)) {
		free(chain);
		return NULL;
	}
	*c->last = chain;
	c->last = &chain->next;
	c->n++;
	return chain;
}

uint32_t chains_count(const struct chains *c)
{
	return c->n;
}

struct chain *chains_first(const struct chains *c)
{
	return c->first;
}

bool chain_links(const struct chain *chain, struct str prev)
{
	return str_eq(prev, str_of(chain->seen.last_hash));
}

bool chain_links_aside(const struct chain *chain, const struct audit_entry *e)
{
	return chain->has_aside && e->seq == chain->aside_seq + 1 && str_eq(e->prev, str_of(chain->aside_hash));
}

/* 64 bits are enough to tell a hash of this file from another: who can choose 2^64 lines can rewrite the file. */
static uint64_t short_hash(struct str hash)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 16 && i < hash.n; i++)
		value = value << 4 | (uint64_t)(percent_digit(hash.p[i]) & 15);
	return value;
}

bool chain_holds(const struct chain *chain, struct str hash)
{
	const uint64_t wanted = short_hash(hash);

	if (chain_links(chain, hash))
		return true;
	for (uint64_t i = 0; i < chain->n_recent && i < CHAIN_KEEPS; i++)
		if (chain->recent[i] == wanted)
			return true;
	return false;
}

void chain_move(struct chain *chain, uint64_t seq, const char *hash, struct audit_place at)
{
	chain->seen.last_seq = seq;
	(void)snprintf(chain->seen.last_hash, sizeof(chain->seen.last_hash), "%s", hash);
	chain->seen.last = at;
	chain->recent[chain->n_recent++ % CHAIN_KEEPS] = short_hash(str_of(hash));
	chain->has_aside = false;
}

void chain_put_aside(struct chain *chain, uint64_t seq, const char *hash)
{
	chain->has_aside = true;
	chain->aside_seq = seq;
	(void)snprintf(chain->aside_hash, sizeof(chain->aside_hash), "%s", hash);
}
