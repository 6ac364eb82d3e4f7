/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's name server over UDP: the policy is asked first; only names that it names are looked up. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/util.h"
#include "dns/resolver.h"
#include "dns/responder.h"
#include "worker/context.h"

#define DNS_BATCH 32

struct lookup {
	struct worker *worker; /* borrowed */
	int fd;		       /* borrowed */
	struct sockaddr_storage peer;
	socklen_t peer_size;
	struct dns_query query;
	size_t size;
	uint8_t data[DNS_MESSAGE_MAX];
};

static void reply(const struct lookup *l, enum dns_answer answer, const struct address *addresses, size_t n,
		  uint32_t ttl_s)
{
	uint8_t out[DNS_MESSAGE_MAX];
	long size = dns_write_answer(&l->query, l->data, l->size, answer, addresses, n, ttl_s, out, sizeof(out),
				     l->query.udp_size);

	if (size > 0)
		(void)sendto(l->fd, out, (size_t)size, MSG_DONTWAIT, (const struct sockaddr *)&l->peer, l->peer_size);
}

static void on_resolved(void *arg, enum why why, const struct address *addresses, size_t n, uint32_t ttl_s)
{
	struct lookup *l = arg;

	l->worker->n_lookups--;
	if (why == WHY_allowed)
		reply(l, DNS_ADDRESSES, addresses, n, ttl_s);
	else
		reply(l, why == WHY_name_not_found ? DNS_NXDOMAIN : DNS_SERVFAIL, NULL, 0, 0);
	free(l);
}

static void look_up(struct worker *w, const struct lookup *l)
{
	const struct address *pins = NULL;
	size_t n = policy_resolve_pins(w->policy, &l->query.name, &pins);
	struct resolver_query *query = NULL;
	struct lookup *kept;

	if (n > 0) {
		reply(l, DNS_ADDRESSES, pins, n, DNS_TTL_MAX_S);
		return;
	}
	kept = w->n_lookups < WORKER_LOOKUPS_MAX ? malloc(sizeof(*kept)) : NULL;
	if (!kept) {
		reply(l, DNS_SERVFAIL, NULL, 0, 0);
		return;
	}
	*kept = *l;
	if (resolver_lookup(w->resolver, &l->query.name, on_resolved, kept, &query) < 0) {
		reply(l, DNS_SERVFAIL, NULL, 0, 0);
		free(kept);
		return;
	}
	w->n_lookups++;
}

static void answer_one(struct worker *w, struct lookup *l)
{
	int r = dns_parse_query(l->data, l->size, &l->query);
	enum dns_answer answer;

	if (r == -EINVAL || r == -EOPNOTSUPP) {
		reply(l, r == -EINVAL ? DNS_FORMERR : DNS_NOTIMP, NULL, 0, 0);
		return;
	}
	if (r < 0)
		return;
	answer = dns_decide(w->policy, &l->query);
	if (answer == DNS_ADDRESSES)
		look_up(w, l);
	else
		reply(l, answer, NULL, 0, DNS_SINK_TTL_S);
}

static void serve(struct worker *w, int fd)
{
	struct lookup l;

	worker_busy(w);
	for (int i = 0; i < DNS_BATCH; i++) {
		ssize_t n;

		l.worker = w;
		l.fd = fd;
		l.peer_size = sizeof(l.peer);
		n = recvfrom(fd, l.data, sizeof(l.data), MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&l.peer,
			     &l.peer_size);
		if (n < 0)
			return;
		l.size = (size_t)n;
		if (l.size <= sizeof(l.data))
			answer_one(w, &l);
	}
}

static void on_dns4(struct io *io, uint32_t revents)
{
	(void)revents;
	serve(container_of(io, struct worker, dns[0]), io->fd);
}

static void on_dns6(struct io *io, uint32_t revents)
{
	(void)revents;
	serve(container_of(io, struct worker, dns[1]), io->fd);
}

int dns_start(struct worker *w)
{
	for (int i = 0; i < 2; i++) {
		int r;

		w->dns[i] = (struct io){ .fd = w->fds[ZYGOTE_FD_DNS4 + i],
					 .events = EPOLLIN,
					 .ready = i ? on_dns6 : on_dns4 };
		r = loop_add(w->loop, &w->dns[i]);
		if (r < 0)
			return r;
	}
	return 0;
}
