/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses for the worker (c-ares on our loop, resolvers from the machine's resolv.conf, /etc/hosts
 * too): one query for each name at a time, a small cache (TTL clamped to 5-60 s), bounded queries in flight.
 */
#ifndef BRIDLE_DNS_RESOLVER_H
#define BRIDLE_DNS_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"
#include "policy/policy.h"

#define RESOLVER_PENDING_MAX   128 /* names being asked for */
#define RESOLVER_WAITING_MAX   512 /* look-ups waiting for them */
#define RESOLVER_ADDRESSES_MAX 32
#define RESOLVER_CACHE_MAX     512
#define RESOLVER_TIMEOUT_MS    5000
#define RESOLVER_TTL_MIN_S     5
#define RESOLVER_TTL_MAX_S     60

struct loop;
struct resolver;
struct resolver_query;

/* why: WHY_allowed with n >= 1 addresses (borrowed for the call), or WHY_name_not_found, WHY_name_no_address, WHY_name_timeout, WHY_name_failed. */
typedef void (*resolver_fn)(void *arg, enum why why, const struct address *addresses, size_t n, uint32_t ttl_s);

/*
 * servers: NULL for the machine's, or "127.0.0.1:5353,…" (tests). Reads resolv.conf and /etc/hosts now, so before the
 * worker's seccomp; opens only sockets afterwards. 0 or -errno.
 */
int resolver_new(struct loop *l, const char *servers, struct resolver **ret);
/* The same with another hosts file (tests). */
int resolver_new_with_hosts(struct loop *l, const char *servers, const char *hosts_path, struct resolver **ret);
struct resolver *resolver_free(
	struct resolver *r); /* pending queries are dropped without a call; NULL is fine; returns NULL */

/*
 * Both families at once; fn is called exactly once, never before this returns. *ret stays valid until fn; cancel
 * with resolver_cancel(). 0 or -errno (fn is not called): -EBUSY when RESOLVER_PENDING_MAX or RESOLVER_WAITING_MAX is
 * reached (answer WHY_overload), -ENOMEM. An address as name is its own answer.
 */
int resolver_lookup(struct resolver *r, const struct host *name, resolver_fn fn, void *arg,
		    struct resolver_query **ret);
void resolver_cancel(struct resolver_query *q);

#endif
