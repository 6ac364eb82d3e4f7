/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups: address literals, then /etc/hosts, then the cache, then c-ares; callers who ask for the same name share
 * one "flight". c-ares cannot drop a single query, so a flight lives until c-ares reports, also when all its callers
 * have gone or timed out; their number is bounded. Whether an address may be dialled is not decided here.
 */
#include "dns/resolver.h"

#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "base/util.h"
#include "dns/cache.h"
#include "dns/hosts.h"

#define ARES_TIMEOUT_MS 1500 /* of the first try at one server; doubled for each round */
#define ARES_TRIES	2
#define HOSTS_PATH	"/etc/hosts"

/* A descriptor of c-ares in our loop. */
struct watch {
	struct io io;
	struct resolver *resolver; /* borrowed */
	struct watch *next;
};

/* One name being asked for. */
struct flight {
	struct resolver *resolver; /* borrowed */
	struct flight *next;
	struct resolver_query *queries; /* borrowed: owned by the resolver */
	struct timer deadline;
	struct host name;
};

struct resolver_query {
	struct resolver *resolver; /* borrowed */
	struct flight *flight;	   /* borrowed; NULL once the answer is here */
	struct resolver_query *next_in_flight;
	struct resolver_query *prev, *next; /* all of the resolver's */
	resolver_fn fn;
	void *arg;
	struct job job;
	struct answer answer;
};

struct resolver {
	struct loop *loop; /* borrowed */
	ares_channel channel;
	bool channel_ok;
	bool library_ok;
	struct hosts *hosts;		/* owned */
	struct watch *watches;		/* owned */
	struct flight *flights;		/* owned */
	struct resolver_query *queries; /* owned */
	size_t n_flights;
	size_t n_queries;
	struct timer tick; /* c-ares' next timeout */
	struct cache cache;
};

/* --- queries ------------------------------------------------------------------------------------------------ */

static void query_unlink_flight(struct resolver_query *q)
{
	if (!q->flight)
		return;
	for (struct resolver_query **p = &q->flight->queries; *p; p = &(*p)->next_in_flight) {
		if (*p != q)
			continue;
		*p = q->next_in_flight;
		break;
	}
	q->flight = NULL;
}

static void query_free(struct resolver_query *q)
{
	struct resolver *r = q->resolver;

	query_unlink_flight(q);
	loop_undefer(r->loop, &q->job);
	if (q->prev)
		q->prev->next = q->next;
	else
		r->queries = q->next;
	if (q->next)
		q->next->prev = q->prev;
	r->n_queries--;
	free(q);
}

static void query_report(struct job *j)
{
	struct resolver_query *q = container_of(j, struct resolver_query, job);
	struct answer answer = q->answer;
	resolver_fn fn = q->fn;
	void *arg = q->arg;

	query_free(q);
	fn(arg, answer.why, answer.addresses, answer.n, answer.ttl_s);
}

/* The answer is told from the loop, never from inside the caller's own call. */
static void query_answer(struct resolver_query *q, const struct answer *answer)
{
	query_unlink_flight(q);
	q->answer = *answer;
	loop_defer(q->resolver->loop, &q->job);
}

static struct resolver_query *query_new(struct resolver *r, resolver_fn fn, void *arg)
{
	struct resolver_query *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->resolver = r;
	q->fn = fn;
	q->arg = arg;
	q->job.run = query_report;
	q->next = r->queries;
	if (q->next)
		q->next->prev = q;
	r->queries = q;
	r->n_queries++;
	return q;
}

void resolver_cancel(struct resolver_query *q)
{
	query_free(q);
}

/* --- flights ------------------------------------------------------------------------------------------------ */

static void flight_answer(struct flight *f, const struct answer *answer)
{
	timer_clear(f->resolver->loop, &f->deadline);
	while (f->queries)
		query_answer(f->queries, answer);
}

/* The callers give up; the flight stays until c-ares does, and later callers may still join it. */
static void flight_timeout(struct timer *t)
{
	struct flight *f = container_of(t, struct flight, deadline);

	flight_answer(f, &(struct answer){ .why = WHY_name_timeout });
}

static void flight_free(struct flight *f)
{
	struct resolver *r = f->resolver;

	for (struct flight **p = &r->flights; *p; p = &(*p)->next) {
		if (*p != f)
			continue;
		*p = f->next;
		r->n_flights--;
		break;
	}
	timer_clear(r->loop, &f->deadline);
	free(f);
}

static enum why why_of_status(int status)
{
	switch (status) {
	case ARES_SUCCESS:
	case ARES_ENODATA:
		return WHY_name_no_address;
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return WHY_name_not_found;
	case ARES_ETIMEOUT:
		return WHY_name_timeout;
	default:
		return WHY_name_failed;
	}
}

static void read_addrinfo(const struct ares_addrinfo *info, struct answer *a)
{
	uint32_t ttl_s = RESOLVER_TTL_MAX_S;

	for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
		struct address *out = &a->addresses[a->n];

		if (a->n == RESOLVER_ADDRESSES_MAX)
			break;
		if (n->ai_family == AF_INET)
			memcpy(out->bytes, &((const struct sockaddr_in *)(const void *)n->ai_addr)->sin_addr, 4);
		else if (n->ai_family == AF_INET6)
			memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)n->ai_addr)->sin6_addr, 16);
		else
			continue;
		out->family = (uint8_t)n->ai_family;
		a->n++;
		ttl_s = MIN(ttl_s, (uint32_t)MAX(n->ai_ttl, 0));
	}
	for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
		ttl_s = MIN(ttl_s, (uint32_t)MAX(c->ttl, 0));
	a->ttl_s = MAX(ttl_s, RESOLVER_TTL_MIN_S);
}

static void flight_landed(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct flight *f = arg;
	struct resolver *r = f->resolver;
	struct answer answer = { .why = why_of_status(status), .ttl_s = RESOLVER_TTL_MIN_S };

	(void)timeouts;
	if (status == ARES_SUCCESS && info)
		read_addrinfo(info, &answer);
	if (answer.n > 0)
		answer.why = WHY_allowed;
	if (info)
		ares_freeaddrinfo(info);
	if (status != ARES_EDESTRUCTION) {
		/* Failures are not kept: the next look-up tries again. */
		if (answer.why == WHY_allowed || answer.why == WHY_name_not_found || answer.why == WHY_name_no_address)
			cache_put(&r->cache, host_str(&f->name), loop_now_ms(r->loop), &answer);
		flight_answer(f, &answer);
	}
	flight_free(f);
}

static struct flight *flight_find(struct resolver *r, const struct host *name)
{
	struct flight *f = r->flights;

	while (f && !str_eq(host_str(&f->name), host_str(name)))
		f = f->next;
	return f;
}

static struct flight *flight_new(struct resolver *r, const struct host *name)
{
	struct flight *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->resolver = r;
	f->name = *name;
	f->deadline.fire = flight_timeout;
	f->next = r->flights;
	r->flights = f;
	r->n_flights++;
	return f;
}

/* --- c-ares on the loop ------------------------------------------------------------------------------------- */

static void tick_arm(struct resolver *r)
{
	struct timeval tv;

	if (ares_timeout(r->channel, NULL, &tv))
		(void)timer_set(r->loop, &r->tick, (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1);
	else
		timer_clear(r->loop, &r->tick);
}

static void tick_fire(struct timer *t)
{
	struct resolver *r = container_of(t, struct resolver, tick);

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	tick_arm(r);
}

static void watch_ready(struct io *io, uint32_t revents)
{
	struct resolver *r = container_of(io, struct watch, io)->resolver;
	int fd = io->fd;
	bool broken = revents & (EPOLLERR | EPOLLHUP);

	ares_process_fd(r->channel, broken || revents & EPOLLIN ? fd : ARES_SOCKET_BAD,
			broken || revents & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	tick_arm(r);
}

static void watch_remove(struct resolver *r, struct watch **place)
{
	struct watch *w = *place;

	*place = w->next;
	loop_remove(r->loop, &w->io);
	free(w);
}

/* Called by c-ares. Without memory the descriptor is not watched, and the query ends by its timeout. */
static void watch_update(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
	struct watch **p = &r->watches, *w;

	while (*p && (*p)->io.fd != fd)
		p = &(*p)->next;
	if (events == 0) {
		if (*p)
			watch_remove(r, p);
		return;
	}
	if (*p) {
		(void)loop_modify(r->loop, &(*p)->io, events);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return;
	w->resolver = r;
	w->io = (struct io){ .fd = fd, .events = events, .ready = watch_ready };
	w->next = r->watches;
	if (loop_add(r->loop, &w->io) < 0) {
		free(w);
		return;
	}
	r->watches = w;
}

/* --- the resolver ------------------------------------------------------------------------------------------- */

static int channel_open(struct resolver *r, const char *servers)
{
	/*
	 * "b": DNS only, because c-ares would open /etc/hosts for each look-up; NOALIASES: nor $HOSTALIASES. No domains
	 * and ndots 0: a name of the policy is complete.
	 */
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = ARES_TIMEOUT_MS,
		.tries = ARES_TRIES,
		.ndots = 0,
		.domains = NULL,
		.ndomains = 0,
		.lookups = (char[]){ "b" },
		.sock_state_cb = watch_update,
		.sock_state_cb_data = r,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_DOMAINS |
		   ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;

	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -ENOMEM;
	r->library_ok = true;
	if (ares_init_options(&r->channel, &options, mask) != ARES_SUCCESS)
		return -EIO;
	r->channel_ok = true;
	if (servers && ares_set_servers_ports_csv(r->channel, servers) != ARES_SUCCESS)
		return -EINVAL;
	return 0;
}

int resolver_new_with_hosts(struct loop *l, const char *servers, const char *hosts_path, struct resolver **ret)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->loop = l;
	r->tick.fire = tick_fire;
	err = hosts_load(hosts_path, &r->hosts);
	if (err == 0)
		err = channel_open(r, servers);
	if (err < 0) {
		resolver_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

int resolver_new(struct loop *l, const char *servers, struct resolver **ret)
{
	return resolver_new_with_hosts(l, servers, HOSTS_PATH, ret);
}

struct resolver *resolver_free(struct resolver *r)
{
	if (!r)
		return NULL;
	while (r->queries)
		query_free(r->queries);
	/* Ends every flight with ARES_EDESTRUCTION and every watch. */
	if (r->channel_ok)
		ares_destroy(r->channel);
	while (r->flights)
		flight_free(r->flights);
	while (r->watches)
		watch_remove(r, &r->watches);
	if (r->library_ok)
		ares_library_cleanup();
	timer_clear(r->loop, &r->tick);
	cache_done(&r->cache);
	hosts_free(r->hosts);
	free(r);
	return NULL;
}

/* What is known without asking anybody. */
static bool answer_local(struct resolver *r, const struct host *name, struct answer *a)
{
	if (name->is_address) {
		*a = (struct answer){ .why = WHY_allowed, .ttl_s = RESOLVER_TTL_MAX_S, .n = 1 };
		a->addresses[0].family = name->family;
		memcpy(a->addresses[0].bytes, name->bytes, sizeof(name->bytes));
		return true;
	}
	a->n = (uint16_t)hosts_find(r->hosts, host_str(name), a->addresses, RESOLVER_ADDRESSES_MAX);
	if (a->n > 0) {
		a->why = WHY_allowed;
		a->ttl_s = RESOLVER_TTL_MAX_S;
		return true;
	}
	return cache_find(&r->cache, host_str(name), loop_now_ms(r->loop), a);
}

/* Puts q into the flight of its name. false: no room or no memory. */
static bool query_join(struct resolver_query *q, const struct host *name)
{
	struct resolver *r = q->resolver;
	struct flight *f = flight_find(r, name);
	bool is_new = !f;

	if (!f && r->n_flights < RESOLVER_PENDING_MAX)
		f = flight_new(r, name);
	if (!f)
		return false;
	if (!f->queries && timer_set(r->loop, &f->deadline, RESOLVER_TIMEOUT_MS) < 0) {
		if (is_new)
			flight_free(f);
		return false;
	}
	q->flight = f;
	q->next_in_flight = f->queries;
	f->queries = q;
	if (is_new) {
		struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT };

		/* May land at once. NOSORT: sorting would connect a socket to each address. */
		ares_getaddrinfo(r->channel, f->name.text, NULL, &hints, flight_landed, f);
		tick_arm(r);
	}
	return true;
}

int resolver_lookup(struct resolver *r, const struct host *name, resolver_fn fn, void *arg, struct resolver_query **ret)
{
	struct answer answer = { 0 };
	struct resolver_query *q;

	/* refuse: more callers than this are no ordinary program */
	if (r->n_queries >= RESOLVER_WAITING_MAX)
		return -EBUSY;
	q = query_new(r, fn, arg);
	if (!q)
		return -ENOMEM;
	if (answer_local(r, name, &answer)) {
		query_answer(q, &answer);
	} else if (!query_join(q, name)) {
		query_free(q);
		return -EBUSY;
	}
	*ret = q;
	return 0;
}
