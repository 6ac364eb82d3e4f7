/* SPDX-License-Identifier: Apache-2.0 */
/* Main of a worker: set up, lock down, serve, go when idle. */
#include "worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "audit/audit.h"
#include "base/diag.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/util.h"
#include "dns/resolver.h"
#include "tls/client.h"
#include "tls/server.h"
#include "upstream/upstream.h"
#include "worker/conn.h"

static union {
	struct msg_header header;
	struct leaf_reply leaf;
	struct credential_push push;
} keeper_message; /* a worker has one; too large for the stack */

static int need_leaf(void *arg, uint32_t id, struct str name, const unsigned char *spki, size_t spki_size)
{
	struct worker *w = arg;
	struct leaf_request request = { .header.type = LEAF_REQUEST, .id = id, .spki_size = (uint32_t)spki_size };

	if (name.n >= sizeof(request.name) || spki_size > sizeof(request.spki))
		return -EINVAL;
	memcpy(request.name, name.p, name.n);
	memcpy(request.spki, spki, spki_size);
	request.header.size = (uint32_t)KEEPER_MSG_SIZE(struct leaf_request, spki, spki_size);
	return msg_send(w->fds[ZYGOTE_FD_KEEPER], &request, request.header.size, NULL, 0);
}

static void on_keeper(struct io *io, uint32_t revents)
{
	struct worker *w = container_of(io, struct worker, keeper);
	long n;

	(void)revents;
	while ((n = msg_recv(io->fd, &keeper_message, sizeof(keeper_message), NULL, NULL)) > 0) {
		const struct leaf_reply *leaf = &keeper_message.leaf;

		if (keeper_message.header.type == CREDENTIAL_PUSH) {
			credentials_push(w, &keeper_message.push, (size_t)n);
		} else if (keeper_message.header.type == LEAF_REPLY && leaf->cert_size <= KEEPER_CERT_MAX &&
			   (size_t)n == KEEPER_MSG_SIZE(struct leaf_reply, cert, leaf->cert_size)) {
			tls_server_put_leaf(w->tls_server, leaf->id, leaf->cert, leaf->cert_size);
			conns_drive_handshakes(w);
		}
		secret_wipe(&keeper_message, (size_t)n);
	}
	if (n != -EAGAIN)
		loop_stop(w->loop, 0); /* without the keeper nothing can be served: the supervisor starts both anew */
}

static void on_idle(struct timer *t)
{
	struct worker *w = container_of(t, struct worker, idle);

	if (w->n_conns == 0 && w->n_lookups == 0)
		loop_stop(w->loop, 0);
	else
		worker_busy(w);
}

static int start_policy(struct worker *w)
{
	char file[256];
	struct diag diag;
	int r = snapshot_map(w->fds[ZYGOTE_FD_SNAPSHOT], &w->snapshot);

	if (r < 0)
		return r;
	(void)log_escape(file, sizeof(file), w->snapshot.policy_file.p, w->snapshot.policy_file.n);
	r = policy_load(file, w->snapshot.policy_text, &w->policy, &diag);
	for (size_t i = 0; r == 0 && i < SNAPSHOT_PROXY_PORTS_MAX && w->snapshot.proxy_ports[i]; i++)
		(void)policy_add_proxy_port(w->policy, w->snapshot.proxy_ports[i]);
	return r;
}

static int start_upstream(struct worker *w, X509_STORE *roots)
{
	char reason[256] = "";
	struct upstreams_options options;
	int r = tls_client_new(roots, w->snapshot.trust_pem, &w->tls_client, reason, sizeof(reason));

	if (r < 0) {
		log_error("tls.trust: %s", reason);
		return r;
	}
	r = resolver_new(w->loop, NULL, &w->resolver);
	options = (struct upstreams_options){ w->loop, w->policy, w->resolver, w->tls_client };
	return r < 0 ? r : upstreams_new(&options, &w->upstreams);
}

static int start(struct worker *w, const struct zygote_spawn *spawn, X509_STORE *roots)
{
	int r = start_policy(w);

	if (r == 0)
		r = audit_new(w->fds[ZYGOTE_FD_AUDIT], w->snapshot.sandbox, "worker", w->snapshot.tier,
			      spawn->chain_before, &w->audit);
	if (r == 0)
		r = loop_new(&w->loop);
	if (r == 0)
		r = tls_server_new(need_leaf, w, &w->tls_server);
	if (r == 0)
		r = start_upstream(w, roots);
	if (r < 0)
		return r;
	credentials_init(w);
	w->idle.fire = on_idle;
	worker_busy(w);
	w->keeper = (struct io){ .fd = w->fds[ZYGOTE_FD_KEEPER], .events = EPOLLIN, .ready = on_keeper };
	counters_map(&w->counters, w->fds[ZYGOTE_FD_COUNTERS]);
	r = loop_add(w->loop, &w->keeper);
	listeners_reserve(w);
	if (r == 0)
		r = worker_lockdown(w); /* before the first byte of a sandbox is read */
	if (r == 0)
		r = listeners_start(w);
	return r == 0 ? dns_start(w) : r;
}

static void stop(struct worker *w)
{
	struct conn *c = w->conns;

	while (c) {
		struct conn *next = c->next;

		conn_free(c);
		c = next;
	}
	upstreams_free(w->upstreams);
	resolver_free(w->resolver);
	tls_client_free(w->tls_client);
	tls_server_free(w->tls_server);
	credentials_done(w);
	if (w->audit)
		(void)audit_tell_loss(w->audit);
	audit_free(w->audit);
	loop_free(w->loop);
	policy_unref(w->policy);
	snapshot_unmap(&w->snapshot);
	counters_unmap(&w->counters);
	free(w);
}

int worker_main(const int fds[ZYGOTE_FDS], const struct zygote_spawn *spawn, X509_STORE *roots)
{
	struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return 1;
	log_set_role("worker");
	memcpy(w->fds, fds, sizeof(w->fds));
	if (getrandom(&w->boot_id, sizeof(w->boot_id), 0) != (ssize_t)sizeof(w->boot_id))
		return 1;
	r = start(w, spawn, roots);
	if (r == 0)
		r = loop_run(w->loop);
	if (r < 0)
		log_error("the worker could not start or go on: %s", strerror(-r));
	stop(w);
	return r < 0 ? 1 : 0;
}
