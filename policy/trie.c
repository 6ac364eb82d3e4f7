/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of one origin as a trie over their segments up to the first "**": literal ones by binary search, those with
 * a star one after the other. A rule hangs where its first "**" stands, or where it ends. Each node is visited at most
 * once, so a request costs its depth and the nodes that fit it, however many rules there are beside them; rules that
 * begin alike up to a "**" are held against it one by one.
 */
#include "policy/model.h"

#include <errno.h>
#include <stdlib.h>

struct trie_rule {
	const struct policy_rule *rule;
	struct trie_rule *next;
};

struct trie_glob {
	const struct segment *segment; /* borrowed from the first rule that has it */
	struct trie_node *node;
	struct trie_glob *next;
};

struct trie_node {
	struct str name;	     /* of the literal segment that leads here */
	struct trie_node **children; /* sorted by name */
	size_t n_children, size;
	struct trie_glob *globs;
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

static bool same_segment(const struct segment *a, const struct segment *b)
{
	if (a->n_parts != b->n_parts)
		return false;
	for (size_t i = 0; i < a->n_parts; i++) {
		if (!str_eq(a->parts[i], b->parts[i]))
			return false;
	}
	return true;
}

static struct trie_node *glob_add(struct pool *pool, struct trie_node *node, const struct segment *segment)
{
	struct trie_glob *glob = node->globs;

	while (glob && !same_segment(glob->segment, segment))
		glob = glob->next;
	if (glob)
		return glob->node;
	glob = pool_alloc(pool, sizeof(*glob));
	if (!glob)
		return NULL;
	glob->segment = segment;
	glob->node = pool_alloc(pool, sizeof(*glob->node));
	glob->next = node->globs;
	node->globs = glob->node ? glob : node->globs;
	return glob->node;
}

static struct trie_node *step(struct pool *pool, struct trie_node *node, const struct segment *segment)
{
	return segment->kind == SEGMENT_LITERAL ? child_add(pool, node, segment->parts[0])
						: glob_add(pool, node, segment);
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
			if (rule->pattern.segments[k].kind == SEGMENT_ANY_DEPTH)
				break;
			node = step(pool, node, &rule->pattern.segments[k]);
		}
		if (!node || !entry)
			return -ENOMEM;
		entry->rule = rule;
		entry->next = node->rules;
		node->rules = entry;
	}
	return 0;
}

struct walk {
	const struct path *path;
	trie_fn fn;
	void *arg;
};

/* false: fn said stop. Recursion is as deep as the longest pattern: PATTERN_SEGMENTS_MAX. */
static bool visit(const struct walk *w, const struct trie_node *node, size_t depth)
{
	for (const struct trie_rule *entry = node->rules; entry; entry = entry->next) {
		if (pattern_matches(&entry->rule->pattern, depth, w->path, depth) && !w->fn(w->arg, entry->rule))
			return false;
	}
	if (depth >= w->path->n_segments)
		return true;
	for (const struct trie_glob *glob = node->globs; glob; glob = glob->next) {
		if (segment_matches(glob->segment, w->path->segments[depth]) && !visit(w, glob->node, depth + 1))
			return false;
	}
	node = child_find(node, w->path->segments[depth]);
	return !node || visit(w, node, depth + 1);
}

void trie_match(const struct policy_route *route, const struct path *path, trie_fn fn, void *arg)
{
	const struct walk w = { path, fn, arg };

	(void)visit(&w, route->trie, 0);
}
