/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides how long a leaf is used and which one is given up for another. Names come from the sandbox, so the table
 * is bounded twice: in all, and in names that wait for the keeper; beyond the second the caller refuses.
 */
#include "tls/leaf_cache.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/rand.h>

#include "base/util.h"

#define BUCKETS 1024 /* power of two */

struct leaf {
	struct leaf *next;	    /* in its bucket */
	struct leaf *older, *newer; /* in order of use */
	X509 *cert;		    /* owned; NULL unless LEAF_READY */
	uint64_t since_ms;	    /* of the answer */
	enum leaf_state state;
	uint32_t id; /* of the question */
	size_t name_len;
	char name[];
};

struct leaf_cache {
	struct leaf *buckets[BUCKETS];
	struct leaf *oldest, *newest;
	size_t count, max, waiting, waiting_max;
	uint32_t next_id;
	uint32_t seed; /* so that nobody outside can aim at one bucket */
};

static struct leaf **bucket_of(struct leaf_cache *c, struct str name)
{
	uint32_t h = c->seed;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 16777619u;
	return &c->buckets[(h ^ h >> 15) & (BUCKETS - 1)];
}

static void unlink_use(struct leaf_cache *c, struct leaf *l)
{
	*(l->older ? &l->older->newer : &c->oldest) = l->newer;
	*(l->newer ? &l->newer->older : &c->newest) = l->older;
	l->older = l->newer = NULL;
}

static void link_newest(struct leaf_cache *c, struct leaf *l)
{
	l->older = c->newest;
	l->newer = NULL;
	*(c->newest ? &c->newest->newer : &c->oldest) = l;
	c->newest = l;
}

static void drop(struct leaf_cache *c, struct leaf *l)
{
	struct leaf **at = bucket_of(c, str_make(l->name, l->name_len));

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	unlink_use(c, l);
	if (l->state == LEAF_WAITING)
		c->waiting--;
	c->count--;
	X509_free(l->cert);
	free(l);
}

int leaf_cache_new(size_t leaves_max, size_t waiting_max, struct leaf_cache **ret)
{
	struct leaf_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	if (RAND_bytes((unsigned char *)&c->seed, sizeof(c->seed)) != 1) {
		free(c);
		return -EIO;
	}
	c->max = leaves_max;
	c->waiting_max = MIN(waiting_max, leaves_max - 1); /* one entry can always be given up */
	*ret = c;
	return 0;
}

struct leaf_cache *leaf_cache_free(struct leaf_cache *c)
{
	if (!c)
		return NULL;
	while (c->oldest)
		drop(c, c->oldest);
	free(c);
	return NULL;
}

static struct leaf *find(struct leaf_cache *c, struct str name)
{
	struct leaf *l = *bucket_of(c, name);

	while (l && !str_eq(str_make(l->name, l->name_len), name))
		l = l->next;
	return l;
}

enum leaf_state leaf_cache_get(struct leaf_cache *c, struct str name, uint64_t now_ms, X509 **ret_cert)
{
	struct leaf *l = find(c, name);

	if (!l)
		return LEAF_ABSENT;
	if (l->state != LEAF_WAITING &&
	    now_ms - l->since_ms >= (l->state == LEAF_READY ? LEAF_FRESH_MS : LEAF_REFUSED_MS)) {
		drop(c, l);
		return LEAF_ABSENT;
	}
	unlink_use(c, l);
	link_newest(c, l);
	if (l->state == LEAF_READY)
		*ret_cert = l->cert;
	return l->state;
}

static void make_room(struct leaf_cache *c)
{
	struct leaf *l = c->oldest;

	while (l && l->state == LEAF_WAITING)
		l = l->newer;
	if (l)
		drop(c, l);
}

int leaf_cache_wait(struct leaf_cache *c, struct str name, uint32_t *ret_id)
{
	struct leaf **at = bucket_of(c, name), *l;

	if (c->waiting >= c->waiting_max)
		return -EBUSY; /* refuse: too many names at once */
	if (c->count >= c->max)
		make_room(c);
	l = calloc(1, sizeof(*l) + name.n);
	if (!l)
		return -ENOMEM;
	memcpy(l->name, name.p, name.n);
	l->name_len = name.n;
	l->state = LEAF_WAITING;
	l->id = ++c->next_id;
	l->next = *at;
	*at = l;
	link_newest(c, l);
	c->count++;
	c->waiting++;
	*ret_id = l->id;
	return 0;
}

void leaf_cache_answer(struct leaf_cache *c, uint32_t id, X509 *cert, uint64_t now_ms)
{
	struct leaf *l = c->newest;

	while (l && !(l->state == LEAF_WAITING && l->id == id))
		l = l->older;
	if (!l)
		return; /* refuse: nobody asked */
	c->waiting--;
	l->state = cert && X509_up_ref(cert) ? LEAF_READY : LEAF_REFUSED;
	l->cert = l->state == LEAF_READY ? cert : NULL;
	l->since_ms = now_ms;
}

size_t leaf_cache_count(const struct leaf_cache *c)
{
	return c->count;
}
