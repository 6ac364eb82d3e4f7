/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The insides of user/upstream/, shared by its own files only: one leg (leg.c), the pool of idle ones (pool.c) and
 * the making of one (upstream.c).
 */
#ifndef BRIDLE_UPSTREAM_LEG_H
#define BRIDLE_UPSTREAM_LEG_H

#include <openssl/ssl.h>

#include "base/loop.h"
#include "policy/policy.h"
#include "upstream/node.h"
#include "upstream/upstream.h"

#define LEG_BUFFER_MAX		  ((size_t)64 * 1024)
#define LEG_READ_FIRST		  ((size_t)4 * 1024)
#define LEG_READ_SMALL		  LEG_READ_FIRST      /* a read of less took all there was */
#define LEG_READ_MORE		  ((size_t)16 * 1024) /* one TLS record */
#define UPSTREAM_IDLE_PER_KEY_MAX 128 /* fewer than work at once are a new handshake for nearly every exchange */
#define UPSTREAM_CREDENTIAL_MAX	  255 /* bytes of a credential's name */
#define LEG_ADDRESS_TEXT_MAX	  64

enum leg_state { LEG_CONNECTING = 0, LEG_HANDSHAKE, LEG_OPEN, LEG_IDLE };

struct upstream {
	struct upstreams *u;	      /* borrowed */
	struct upstream *prev, *next; /* in u->active or u->idle */
	struct upstream_wait *wait;   /* borrowed; who makes it, until it is open */
	enum leg_state state;
	char *key; /* owned: "https://host:port|credential" */
	char address[LEG_ADDRESS_TEXT_MAX];
	int fd;	  /* owned */
	SSL *ssl; /* owned; NULL: plain http */
	struct io io;
	struct timer idle;
	struct job notify;
	upstream_event_fn fn;
	void *arg;
	struct buf in, out;
	enum why error; /* 0: none */
	bool want_read;
	bool readable; /* the loop said so, and it was not read empty since */
	bool eof;
	bool truncated;	 /* TLS ended without close_notify */
	bool read_done;	 /* nothing more can be read */
	bool write_done; /* nothing more can be written */
	bool read_wants_write, write_wants_read;
	bool pooled, forgotten;
};

struct upstreams {
	struct loop *loop;	   /* borrowed */
	struct policy *policy;	   /* borrowed */
	struct resolver *resolver; /* borrowed */
	struct tls_client *tls;	   /* borrowed */
	struct node node;
	struct upstream *active;     /* being made or in use: the owner's */
	struct upstream *idle;	     /* owned; the last used first */
	struct upstream_wait *waits; /* owned; those that are being connected */
	struct upstream_wait *line;  /* owned; those that wait for a place among them, the first first */
	struct upstream_wait **line_end;
	size_t n_idle;
	size_t n_waits; /* in both lists */
	size_t n_connecting;
};

/* --- leg.c --- */

/* A socket on its way to the address. TLS for `name` when it is not NULL. 0 or -errno; in u->active afterwards. */
int leg_open(struct upstreams *u, const struct address *to, uint16_t port, const char *key, const struct host *name,
	     struct upstream **ret);
/* Says close_notify where that makes sense, closes, frees. Out of whichever list it is in. NULL is fine. */
void leg_free(struct upstream *leg);
void leg_link(struct upstream **list, struct upstream *leg);
void leg_unlink(struct upstream **list, struct upstream *leg);
/* Nothing to read and not closed. Eats TLS messages without content (tickets). */
bool leg_is_quiet(struct upstream *leg);

/* --- pool.c --- */

/* The leg becomes the pool's, which keeps or frees it. */
void pool_put(struct upstreams *u, struct upstream *leg);
/* The last used live leg of the key, now active; or NULL. */
struct upstream *pool_take(struct upstreams *u, const char *key);
/* The loop says that something happened to an idle leg. */
void pool_idle_ready(struct upstream *leg);
bool leg_key_has_credential(const char *key, struct str credential);

/* --- upstream.c: what a leg tells its maker --- */

/* TCP is there. false: the leg was refused and freed. */
bool wait_leg_connected(struct upstream_wait *w);
void wait_leg_done(struct upstream_wait *w);
/* The leg is freed by this call. detail is static text or NULL. */
void wait_leg_failed(struct upstream_wait *w, enum why why, const char *detail);

enum why why_of_connect_errno(int err);

#endif
