/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of one origin as a trie over their leading literal segments. A rule hangs at the node where its first
 * segment with a star begins (or where it ends), so a request is held only against rules that share its beginning.
 */
#include "policy/model.h"

#include <errno.h>
#include <stdlib.h>

struct trie_rule {
	const struct policy_rule *rule;
	struct trie_rule *next;
};

struct trie_node {
	struct str name;	     /* of the segment that leads here */
	struct trie_node **children; /* sorted by name */
	size_t n_children, size;
	struct trie_rule *rules;
};

static int compare(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	return r ? r : (a.n > b.n) - (a.n < b.n);
}

/* Index of the first child whose name is not below `name`. */
static size_t child_slot(const struct trie_node *node, struct str name)
{
	size_t low = 0, high = node->n_children;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(node->children[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct trie_node *child_find(const struct trie_node *node, struct str name)
{
	size_t i = child_slot(node, name);

	return i < node->n_children && str_eq(node->children[i]->name, name) ? node->children[i] : NULL;
}

static struct trie_node *child_add(struct pool *pool, struct trie_node *node, struct str name)
{
	struct trie_node *child = child_find(node, name);
	size_t i = child_slot(node, name);

	if (child)
		return child;
	if (node->n_children == node->size) {
		size_t size = node->size ? 2 * node->size : 4;
		struct trie_node **grown = pool_alloc(pool, size * sizeof(struct trie_node *));

		if (!grown)
			return NULL;
		if (node->n_children > 0)
			memcpy(grown, node->children, node->n_children * sizeof(struct trie_node *));
		node->children = grown;
		node->size = size;
	}
	child = pool_alloc(pool, sizeof(*child));
	if (!child)
		return NULL;
	child->name = name;
	memmove(node->children + i + 1, node->children + i, (node->n_children - i) * sizeof(struct trie_node *));
	node->children[i] = child;
	node->n_children++;
	return child;
}

int trie_build(struct pool *pool, struct policy_route *route)
{
	route->trie = pool_alloc(pool, sizeof(*route->trie));
	if (!route->trie)
		return -ENOMEM;
	for (size_t i = 0; i < route->n_rules; i++) {
		const struct policy_rule *rule = &route->rules[i];
		struct trie_node *node = route->trie;
		struct trie_rule *entry = pool_alloc(pool, sizeof(*entry));

		for (size_t k = 0; node && k < rule->pattern.n; k++) {
			if (rule->pattern.segments[k].kind != SEGMENT_LITERAL)
				break;
			node = child_add(pool, node, rule->pattern.segments[k].parts[0]);
		}
		if (!node || !entry)
			return -ENOMEM;
		entry->rule = rule;
		entry->next = node->rules;
		node->rules = entry;
	}
	return 0;
}

void trie_match(const struct policy_route *route, const struct path *path, trie_fn fn, void *arg)
{
	const struct trie_node *node = route->trie;

	for (size_t depth = 0; node; depth++) {
		for (const struct trie_rule *entry = node->rules; entry; entry = entry->next) {
			if (pattern_matches(&entry->rule->pattern, depth, path, depth) && !fn(arg, entry->rule))
				return;
		}
		if (depth >= path->n_segments)
			return;
		node = child_find(node, path->segments[depth]);
	}
}
