/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's one context, for the files of this folder alone. */
#ifndef BRIDLE_WORKER_CONTEXT_H
#define BRIDLE_WORKER_CONTEXT_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/keeper_msg.h"
#include "base/loop.h"
#include "base/snapshot.h"
#include "base/zygote_msg.h"
#include "policy/policy.h"
#include "worker/counters.h"

#define WORKER_CONNECTIONS_MAX 1024
#define WORKER_FDS_MAX	       (2 * WORKER_CONNECTIONS_MAX + 512) /* both legs; idle ones, look-ups, what it was born with */
#define WORKER_IDLE_MS	       60000
#define WORKER_LOOKUPS_MAX     128

struct audit;
struct conn;
struct resolver;
struct secret;
struct tls_client;
struct tls_server;
struct upstreams;

/* One credential of the sandbox, as the keeper last pushed it. */
struct credential {
	const struct policy_credential *policy; /* borrowed from the policy */
	enum credential_state state;
	uint32_t generation;
	struct secret *value; /* owned; only with CREDENTIAL_READY */
};

struct worker {
	struct loop *loop; /* owned, like all below */
	struct snapshot snapshot;
	struct policy *policy;
	struct audit *audit;
	struct tls_server *tls_server;
	struct tls_client *tls_client;
	struct resolver *resolver;
	struct upstreams *upstreams;
	struct credential credentials[KEEPER_CREDENTIALS_MAX];
	size_t n_credentials;
	int fds[ZYGOTE_FDS];
	struct io tcp[2], dns[2], keeper;
	struct timer idle;
	struct conn *conns; /* list */
	size_t n_conns, n_lookups;
	size_t conns_max; /* WORKER_CONNECTIONS_MAX, or what the limit of descriptors allows */
	uint64_t request_seq;
	uint64_t boot_id; /* random: request ids differ between workers */
	uint64_t denials; /* rows written */
	struct counters counters;
	size_t records_owed; /* bytes of the audit records that exchanges under way will write, at most */
};

/* credential.c */
void credentials_init(struct worker *w);
void credentials_push(struct worker *w, const struct credential_push *push, size_t size);
struct credential *credential_find(struct worker *w, const struct policy_credential *policy);
void credentials_done(struct worker *w);

/* listener.c */
void listeners_reserve(struct worker *w); /* before the lockdown */
int listeners_start(struct worker *w);
void worker_busy(struct worker *w); /* something lives: the idle timer starts anew */

/* dns_udp.c */
int dns_start(struct worker *w);

/* lockdown.c: no way back. */
int worker_lockdown(const struct worker *w);

#endif
