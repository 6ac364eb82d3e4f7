/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Legs towards upstream: look the name up (pins first), judge the addresses, connect to one after another, TLS,
 * and a pool of idle ones keyed by origin and credential. One object for each worker. A leg carries one exchange at a time.
 */
#ifndef BRIDLE_UPSTREAM_UPSTREAM_H
#define BRIDLE_UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"

struct loop;
struct policy;
struct policy_origin;
struct policy_route;
struct resolver;
struct tls_client;
struct upstreams;
struct upstream;      /* a leg, connected */
struct upstream_wait; /* a leg that is being made */

#define UPSTREAM_CONNECTING_MAX 128  /* legs being made at once */
#define UPSTREAM_WAITING_MAX	1024 /* those, and who stands in line behind them */
#define UPSTREAM_IDLE_MAX	256  /* in all; per key 128 */
#define UPSTREAM_IDLE_MS	60000
#define UPSTREAM_CONNECT_MS	10000 /* one address, TCP and TLS */
#define UPSTREAM_TOTAL_MS	20000 /* all addresses */

struct upstreams_options {
	struct loop *loop;
	struct policy *policy;	   /* borrowed */
	struct resolver *resolver; /* borrowed */
	struct tls_client *tls;	   /* borrowed */
};
int upstreams_new(const struct upstreams_options *options, struct upstreams **ret);
struct upstreams *upstreams_free(struct upstreams *u); /* closes idle legs */

/*
 * why WHY_allowed: leg is the caller's until upstream_release(); otherwise leg is NULL and why says what failed, with
 * one static sentence in detail (may be NULL).
 */
typedef void (*upstream_fn)(void *arg, enum why why, struct upstream *leg, const char *detail);

/*
 * credential: name of the bound credential, or empty. fn is called exactly once, never before this returns, unless upstream_cancel() comes first. 0, or -EBUSY (UPSTREAM_WAITING_MAX), -ENOMEM. Who finds UPSTREAM_CONNECTING_MAX
 * others stands in line for UPSTREAM_TOTAL_MS at most, then WHY_overload; the time to connect begins afterwards.
 * fresh: do not take a pooled leg (after a pooled one died before its first response byte).
 */
int upstream_acquire(struct upstreams *u, const struct policy_route *route, const struct policy_origin *origin,
		     struct str credential, bool fresh, upstream_fn fn, void *arg, struct upstream_wait **ret);
void upstream_cancel(struct upstream_wait *w);

/* Whether the leg came out of the pool: its first write may find it closed, then a retry with `fresh` is in order. */
bool upstream_was_pooled(const struct upstream *leg);

/*
 * The owner's callback: data arrived in upstream_in(), room appeared in upstream_out(), or the leg ended.
 */
typedef void (*upstream_event_fn)(void *arg);
void upstream_set_owner(struct upstream *leg, upstream_event_fn fn, void *arg);

/* Bytes from the server (consume with buf_consume, then upstream_update) and towards it (append, then upstream_update). 64 KiB at most each. */
struct buf *upstream_in(struct upstream *leg);
struct buf *upstream_out(struct upstream *leg);

/* Says what the owner wants now: reads only while want_read and there is room; writes what is in out. */
void upstream_update(struct upstream *leg, bool want_read);

/* The server closed its side (cleanly: close_notify or FIN). Bytes may still be in upstream_in(). */
bool upstream_eof(const struct upstream *leg);
/* TLS ended without close_notify: a body that ends with the connection may have been cut. */
bool upstream_truncated(const struct upstream *leg);
/* 0, or what broke: WHY_upstream_closed, WHY_upstream_tls. */
enum why upstream_error(const struct upstream *leg);

/* Text of the address that was dialled, "10.77.0.2:443". Lives as long as the leg. */
const char *upstream_address(const struct upstream *leg);

/*
 * Gives the leg back. reusable: the response ended exactly, nothing is in the buffers and the server keeps it alive; else it is closed.
 */
void upstream_release(struct upstream *leg, bool reusable);

/* Closes idle legs that carried this credential, and marks those in use as not reusable (rotation, revocation). */
void upstreams_forget_credential(struct upstreams *u, struct str credential);

#endif
