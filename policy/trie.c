/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of one origin as a trie over the segments of their patterns. A request goes down all edges that fit at once, segment
 * by segment; a node behind "**" stays once it is reached. Edges are found, not tried: literal ones by binary search,
 * those with a star by the text in front of it or behind it, whichever is longer. So a request costs its depth and the
 * nodes that fit it, however many rules stand beside them. Tried one by one are only stars with the same text around
 * them, as in "a*b*c" and "a*d*c".
 */
#include "policy/model.h"

#include <errno.h>

#include "base/util.h"

#define ACTIVE_MAX 64 /* nodes that fit at once; beyond, every rule is asked in turn */

struct trie_rule {
	const struct policy_rule *rule;
	struct trie_rule *next;
};

enum edge_kind { EDGE_LITERAL, EDGE_PREFIX, EDGE_SUFFIX, EDGE_KINDS };

struct edge {
	enum edge_kind kind;
	struct str key;		       /* the literal; the text before the first star; the text behind the last */
	const struct segment *segment; /* borrowed from the first rule that has it */
	struct trie_node *node;
};

/* Sorted by key; keys of EDGE_SUFFIX are read backwards. */
struct edge_list {
	struct edge **edges;
	size_t n, size;
};

struct trie_node {
	struct edge_list lists[EDGE_KINDS];
	struct trie_node *any;	 /* behind "**" */
	struct trie_rule *rules; /* that end here */
};

/* --- order ---------------------------------------------------------------------------------------------------- */

static unsigned char byte_at(struct str key, enum edge_kind kind, size_t i)
{
	return (unsigned char)(kind == EDGE_SUFFIX ? key.p[key.n - 1 - i] : key.p[i]);
}

static int compare_keys(struct str a, struct str b, enum edge_kind kind)
{
	const size_t n = MIN(a.n, b.n);
	int r = kind != EDGE_SUFFIX && n ? memcmp(a.p, b.p, n) : 0;

	for (size_t i = 0; kind == EDGE_SUFFIX && i < n && r == 0; i++)
		r = byte_at(a, kind, i) - byte_at(b, kind, i);
	return r ? r : (a.n > b.n) - (a.n < b.n);
}

static int compare_edges(const struct edge *a, const struct edge *b)
{
	int r = compare_keys(a->key, b->key, a->kind);

	if (r == 0)
		r = (a->segment->n_parts > b->segment->n_parts) - (a->segment->n_parts < b->segment->n_parts);
	for (size_t i = 0; r == 0 && i < a->segment->n_parts; i++)
		r = compare_keys(a->segment->parts[i], b->segment->parts[i], EDGE_LITERAL);
	return r;
}

static struct edge edge_of(const struct segment *segment)
{
	struct str first = segment->parts[0], last = segment->parts[segment->n_parts - 1];
	struct edge edge = { .kind = EDGE_LITERAL, .key = first, .segment = segment };

	if (segment->kind != SEGMENT_LITERAL)
		edge.kind = last.n > first.n ? EDGE_SUFFIX : EDGE_PREFIX;
	if (edge.kind == EDGE_SUFFIX)
		edge.key = last;
	return edge;
}

/* --- building ------------------------------------------------------------------------------------------------- */

static int list_grow(struct pool *pool, struct edge_list *list)
{
	const size_t size = list->size ? 2 * list->size : 4;
	struct edge **grown = pool_alloc(pool, size * sizeof(struct edge *));

	if (!grown)
		return -ENOMEM;
	if (list->n > 0)
		memcpy(grown, list->edges, list->n * sizeof(struct edge *));
	list->edges = grown;
	list->size = size;
	return 0;
}

/* The node behind the edge, which is made when there is none. NULL: no memory. */
static struct trie_node *step(struct pool *pool, struct trie_node *node, const struct segment *segment)
{
	struct edge wanted = edge_of(segment), *edge;
	struct edge_list *list = &node->lists[wanted.kind];
	size_t low = 0, high = list->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int r = compare_edges(list->edges[middle], &wanted);

		if (r == 0)
			return list->edges[middle]->node;
		low = r < 0 ? middle + 1 : low;
		high = r < 0 ? high : middle;
	}
	edge = pool_alloc(pool, sizeof(*edge));
	wanted.node = pool_alloc(pool, sizeof(*wanted.node));
	if (!edge || !wanted.node || (list->n == list->size && list_grow(pool, list) < 0))
		return NULL;
	*edge = wanted;
	memmove(list->edges + low + 1, list->edges + low, (list->n - low) * sizeof(struct edge *));
	list->edges[low] = edge;
	list->n++;
	return wanted.node;
}

static struct trie_node *step_any(struct pool *pool, struct trie_node *node)
{
	if (!node->any)
		node->any = pool_alloc(pool, sizeof(*node->any));
	return node->any;
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
			const struct segment *segment = &rule->pattern.segments[k];

			node = segment->kind == SEGMENT_ANY_DEPTH ? step_any(pool, node) : step(pool, node, segment);
		}
		if (!node || !entry)
			return -ENOMEM;
		entry->rule = rule;
		entry->next = node->rules;
		node->rules = entry;
	}
	return 0;
}

/* --- matching ------------------------------------------------------------------------------------------------- */

/*
 * Where a request stands. A node that is not behind "**" has one way to it, from one node, so none stands here twice; one
 * behind "**" is reached again whenever its parent is, and is looked for.
 */
struct active {
	const struct trie_node *now[ACTIVE_MAX], *next[ACTIVE_MAX], *any[ACTIVE_MAX];
	size_t n_now, n_next, n_any;
	bool overflow;
};

static void add_any(struct active *a, const struct trie_node *node)
{
	for (; node; node = node->any) {
		for (size_t i = 0; i < a->n_any; i++) {
			if (a->any[i] == node)
				return; /* with all behind it */
		}
		if (a->n_any == ACTIVE_MAX) {
			a->overflow = true;
			return;
		}
		a->any[a->n_any++] = node;
	}
}

static void add(struct active *a, const struct trie_node *node)
{
	if (a->n_next == ACTIVE_MAX)
		a->overflow = true;
	else
		a->next[a->n_next++] = node;
}

static void follow_literal(struct active *a, const struct edge_list *list, struct str s)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int r = compare_keys(list->edges[middle]->key, s, EDGE_LITERAL);

		if (r == 0) {
			add(a, list->edges[middle]->node);
			return;
		}
		low = r < 0 ? middle + 1 : low;
		high = r < 0 ? high : middle;
	}
}

/* The first edge of low..high, which agree up to byte i and are longer, whose byte i is not below c. */
static size_t bound(const struct edge_list *list, enum edge_kind kind, size_t low, size_t high, size_t i, unsigned c)
{
	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (byte_at(list->edges[middle]->key, kind, i) < c)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Every edge whose key s begins (ends) with: low..high are those that agree with s so far, the shortest first. */
static void follow_globs(struct active *a, const struct edge_list *list, enum edge_kind kind, struct str s)
{
	size_t low = 0, high = list->n;

	for (size_t i = 0; low < high; i++) {
		for (; low < high && list->edges[low]->key.n == i; low++) {
			if (segment_matches(list->edges[low]->segment, s))
				add(a, list->edges[low]->node);
		}
		if (i == s.n)
			return;
		low = bound(list, kind, low, high, i, byte_at(s, kind, i));
		high = bound(list, kind, low, high, i, byte_at(s, kind, i) + 1u);
	}
}

static void follow(struct active *a, const struct trie_node *node, struct str s)
{
	follow_literal(a, &node->lists[EDGE_LITERAL], s);
	follow_globs(a, &node->lists[EDGE_PREFIX], EDGE_PREFIX, s);
	follow_globs(a, &node->lists[EDGE_SUFFIX], EDGE_SUFFIX, s);
}

static void walk(struct active *a, const struct str *segments, size_t n)
{
	for (size_t i = 0; i < n && !a->overflow; i++) {
		a->n_next = 0;
		for (size_t k = 0; k < a->n_now; k++)
			follow(a, a->now[k], segments[i]);
		for (size_t k = 0; k < a->n_any; k++)
			follow(a, a->any[k], segments[i]);
		memcpy(a->now, a->next, a->n_next * sizeof(struct trie_node *));
		a->n_now = a->n_next;
		for (size_t k = 0; k < a->n_now; k++)
			add_any(a, a->now[k]->any);
	}
}

static bool report(const struct trie_node *const nodes[], size_t n, trie_fn fn, void *arg)
{
	for (size_t i = 0; i < n; i++) {
		for (const struct trie_rule *entry = nodes[i]->rules; entry; entry = entry->next) {
			if (!fn(arg, entry->rule))
				return false;
		}
	}
	return true;
}

void trie_match(const struct policy_route *route, const struct str *segments, size_t n, trie_fn fn, void *arg)
{
	struct active a;

	a.now[0] = route->trie;
	a.n_now = 1;
	a.n_next = a.n_any = 0;
	a.overflow = false;
	add_any(&a, route->trie->any);
	walk(&a, segments, n);
	if (!a.overflow) {
		if (report(a.now, a.n_now, fn, arg))
			(void)report(a.any, a.n_any, fn, arg);
		return;
	}
	for (size_t i = 0; i < route->n_rules; i++) {
		if (pattern_matches(&route->rules[i].pattern, segments, n) && !fn(arg, &route->rules[i]))
			return;
	}
}
