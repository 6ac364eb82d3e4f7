/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes legs: a pooled one, or the name's addresses judged as a whole and dialled one after another. One bad address
 * in an answer refuses the whole answer: a name that mixes inside and outside is an attack or a mistake. Pinned
 * addresses are the policy's own words and are not judged. A few are made at once and the rest stand in line: a
 * thousand requests at the same moment are no reason to refuse any, nor to greet a server with a thousand handshakes.
 */
#include "upstream/upstream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/util.h"
#include "dns/resolver.h"
#include "upstream/leg.h"

struct upstream_wait {
	struct upstreams *u; /* borrowed */
	struct upstream_wait *next, **at;
	upstream_fn fn;
	void *arg;
	const struct policy_route *route; /* borrowed from the policy */
	struct policy_origin origin;
	char *key;		      /* owned */
	struct resolver_query *query; /* owned while it is looked up */
	struct address addresses[RESOLVER_ADDRESSES_MAX];
	size_t n, tried;
	bool pinned;
	struct upstream *leg; /* being made */
	struct timer one, total;
	struct job begin;
	bool fresh;
	bool connecting;    /* has its place; else it stands in line */
	enum why why;	    /* of the last address that failed */
	const char *detail; /* static or NULL */
};

enum why why_of_connect_errno(int err)
{
	switch (err) {
	case ECONNREFUSED:
		return WHY_upstream_refused;
	case ETIMEDOUT:
		return WHY_upstream_timeout;
	case ECONNRESET:
	case EPIPE:
		return WHY_upstream_closed;
	default:
		return WHY_upstream_unreachable;
	}
}

static void wait_link(struct upstream_wait **at, struct upstream_wait *w)
{
	w->at = at;
	w->next = *at;
	if (w->next)
		w->next->at = &w->next;
	*at = w;
}

static void wait_unlink(struct upstream_wait *w)
{
	if (w->next)
		w->next->at = w->at;
	else if (!w->connecting)
		w->u->line_end = w->at;
	*w->at = w->next;
}

static void stand_in_line(struct upstream_wait *w)
{
	wait_link(w->u->line_end, w);
	w->u->line_end = &w->next;
}

/* Out of no list yet, or of the line. */
static void take_place(struct upstream_wait *w)
{
	w->connecting = true;
	w->u->n_connecting++;
	wait_link(&w->u->waits, w);
}

static void next_in_line(struct upstreams *u)
{
	struct upstream_wait *w = u->line;

	if (!w || u->n_connecting >= UPSTREAM_CONNECTING_MAX)
		return;
	wait_unlink(w);
	take_place(w);
	loop_defer(u->loop, &w->begin);
	(void)timer_set(u->loop, &w->total, UPSTREAM_TOTAL_MS); /* it is set already: cannot fail */
}

static void wait_free(struct upstream_wait *w)
{
	struct upstreams *u = w->u;
	struct loop *loop = u->loop;

	if (w->query)
		resolver_cancel(w->query);
	timer_clear(loop, &w->one);
	timer_clear(loop, &w->total);
	loop_undefer(loop, &w->begin);
	leg_free(w->leg);
	wait_unlink(w);
	u->n_waits--;
	u->n_connecting -= w->connecting;
	free(w->key);
	free(w);
	next_in_line(u);
}

/* The one call of fn. leg is its owner's from here. */
static void deliver(struct upstream_wait *w, enum why why, struct upstream *leg, const char *detail)
{
	upstream_fn fn = w->fn;
	void *arg = w->arg;

	w->leg = NULL;
	if (leg)
		leg->wait = NULL;
	wait_free(w);
	fn(arg, why, leg, detail);
}

static enum why judge(const struct upstream_wait *w)
{
	for (size_t i = 0; i < w->n && !w->pinned; i++) {
		enum why why = policy_check_address(w->route, &w->addresses[i]);

		if (why != WHY_allowed)
			return why;
		if (node_has(&w->u->node, &w->addresses[i]) && !policy_address_is_listed(w->route, &w->addresses[i]))
			return WHY_address_refused;
	}
	return w->n ? WHY_allowed : WHY_name_not_found;
}

/* Families in turn, so that a broken one costs one attempt and not all of them. */
static void interleave(struct upstream_wait *w)
{
	for (size_t i = 1; i + 1 < w->n; i++) {
		size_t other = i;

		while (other < w->n && w->addresses[other].family == w->addresses[i - 1].family)
			other++;
		if (other < w->n && other > i) {
			struct address moved = w->addresses[other];

			memmove(&w->addresses[i + 1], &w->addresses[i], (other - i) * sizeof(moved));
			w->addresses[i] = moved;
		}
	}
}

static void try_next(struct upstream_wait *w)
{
	while (w->tried < w->n) {
		const struct address *to = &w->addresses[w->tried++];
		const struct host *name = w->origin.scheme == POLICY_HTTPS ? &w->origin.host : NULL;
		int r = leg_open(w->u, to, w->origin.port, w->key, name, &w->leg);

		if (r == 0) {
			w->leg->wait = w;
			if (timer_set(w->u->loop, &w->one, UPSTREAM_CONNECT_MS) == 0)
				return;
			leg_free(w->leg);
			r = -ENOMEM;
		}
		w->leg = NULL;
		w->why = r == -ENOMEM ? WHY_internal : why_of_connect_errno(-r);
		w->detail = NULL;
	}
	deliver(w, w->why, NULL, w->detail);
}

static void dial(struct upstream_wait *w)
{
	enum why why = judge(w);

	if (why != WHY_allowed) {
		deliver(w, why, NULL, NULL);
		return;
	}
	interleave(w);
	try_next(w);
}

bool wait_leg_connected(struct upstream_wait *w)
{
	if (w->pinned || !node_is_self_connection(w->leg->fd) ||
	    policy_address_is_listed(w->route, &w->addresses[w->tried - 1]))
		return true;
	wait_leg_failed(w, WHY_address_refused, NULL); /* refuse: an address of this machine that is new */
	return false;
}

void wait_leg_done(struct upstream_wait *w)
{
	deliver(w, WHY_allowed, w->leg, NULL);
}

void wait_leg_failed(struct upstream_wait *w, enum why why, const char *detail)
{
	leg_free(w->leg);
	w->leg = NULL;
	timer_clear(w->u->loop, &w->one);
	w->why = why;
	w->detail = detail;
	try_next(w);
}

static void on_one(struct timer *t)
{
	wait_leg_failed(container_of(t, struct upstream_wait, one), WHY_upstream_timeout, NULL);
}

static void on_total(struct timer *t)
{
	struct upstream_wait *w = container_of(t, struct upstream_wait, total);

	leg_free(w->leg);
	deliver(w, w->connecting ? WHY_upstream_timeout : WHY_overload, NULL, NULL);
}

static void on_resolved(void *arg, enum why why, const struct address *addresses, size_t n, uint32_t ttl_s)
{
	struct upstream_wait *w = arg;

	(void)ttl_s;
	w->query = NULL;
	if (why != WHY_allowed) {
		deliver(w, why, NULL, NULL);
		return;
	}
	w->n = MIN(n, (size_t)RESOLVER_ADDRESSES_MAX);
	memcpy(w->addresses, addresses, w->n * sizeof(*addresses));
	dial(w);
}

/* Pins, the address itself, or the resolver. */
static void find_addresses(struct upstream_wait *w)
{
	const struct host *host = &w->origin.host;
	const struct address *pins = NULL;
	size_t n = policy_resolve_pins(w->u->policy, host, &pins);

	if (n > 0) {
		w->pinned = true;
		w->n = MIN(n, (size_t)RESOLVER_ADDRESSES_MAX);
		memcpy(w->addresses, pins, w->n * sizeof(*pins));
		dial(w);
	} else if (host->is_address) {
		w->n = 1;
		w->addresses[0].family = host->family;
		memcpy(w->addresses[0].bytes, host->bytes, sizeof(host->bytes));
		dial(w);
	} else if (resolver_lookup(w->u->resolver, host, on_resolved, w, &w->query) < 0) {
		deliver(w, WHY_overload, NULL, NULL);
	}
}

static void on_begin(struct job *job)
{
	struct upstream_wait *w = container_of(job, struct upstream_wait, begin);
	struct upstream *leg = w->fresh ? NULL : pool_take(w->u, w->key);

	if (leg)
		deliver(w, WHY_allowed, leg, NULL);
	else if (w->connecting)
		find_addresses(w);
}

/* "https://host:port|credential": legs, sessions and the pool go by it. */
static char *make_key(const struct policy_origin *origin, struct str credential)
{
	char *key = NULL;
	int n = asprintf(&key, "%s://%s:%u|%.*s", origin->scheme == POLICY_HTTPS ? "https" : "http", origin->host.text,
			 origin->port, (int)credential.n, credential.n ? credential.p : "");

	return n < 0 ? NULL : key;
}

int upstream_acquire(struct upstreams *u, const struct policy_route *route, const struct policy_origin *origin,
		     struct str credential, bool fresh, upstream_fn fn, void *arg, struct upstream_wait **ret)
{
	struct upstream_wait *w;

	if (u->n_waits >= UPSTREAM_WAITING_MAX)
		return -EBUSY;
	if (credential.n > UPSTREAM_CREDENTIAL_MAX)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct upstream_wait){ .u = u, .fn = fn, .arg = arg, .route = route, .origin = *origin, .fresh = fresh };
	w->why = WHY_upstream_unreachable;
	w->one.fire = on_one;
	w->total.fire = on_total;
	w->begin.run = on_begin;
	u->n_waits++;
	if (u->n_connecting < UPSTREAM_CONNECTING_MAX)
		take_place(w);
	else
		stand_in_line(w);
	w->key = make_key(origin, credential);
	if (!w->key || timer_set(u->loop, &w->total, UPSTREAM_TOTAL_MS) < 0) {
		wait_free(w);
		return -ENOMEM;
	}
	loop_defer(u->loop, &w->begin); /* in line too: the pool may have what it needs */
	*ret = w;
	return 0;
}

void upstream_cancel(struct upstream_wait *w)
{
	if (w)
		wait_free(w);
}

int upstreams_new(const struct upstreams_options *options, struct upstreams **ret)
{
	struct upstreams *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->loop = options->loop;
	u->policy = options->policy;
	u->resolver = options->resolver;
	u->tls = options->tls;
	u->line_end = &u->line;
	r = node_init(&u->node);
	if (r < 0) {
		free(u);
		return r;
	}
	*ret = u;
	return 0;
}

struct upstreams *upstreams_free(struct upstreams *u)
{
	if (!u)
		return NULL;
	while (u->line) /* first: nobody steps forward */
		wait_free(u->line);
	while (u->waits)
		wait_free(u->waits);
	while (u->idle)
		leg_free(u->idle);
	while (u->active)
		leg_free(u->active);
	node_done(&u->node);
	free(u);
	return NULL;
}
