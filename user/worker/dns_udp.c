/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's name server over UDP (RFC 1035 4.2.1): one datagram, one question, one answer to where it came from. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/util.h"
#include "worker/context.h"
#include "worker/names.h"

#define DNS_BATCH 32 /* datagrams of one turn of the loop */

struct udp_ask {
	struct name_ask ask;
	int fd; /* borrowed */
	struct sockaddr_storage peer;
	socklen_t peer_size;
};

static void on_answered(struct name_ask *ask, const uint8_t *answer, size_t n)
{
	struct udp_ask *u = container_of(ask, struct udp_ask, ask);

	if (n > 0)
		(void)sendto(u->fd, answer, n, MSG_DONTWAIT, (const struct sockaddr *)&u->peer, u->peer_size);
	free(u);
}

/* false: nothing more to read now. */
static bool serve_one(struct worker *w, int fd)
{
	struct udp_ask *u = calloc(1, sizeof(*u));
	ssize_t n;

	if (!u)
		return false; /* refuse: no memory; the asker asks again */
	u->ask.worker = w;
	u->ask.answered = on_answered;
	u->fd = fd;
	u->peer_size = sizeof(u->peer);
	n = recvfrom(fd, u->ask.data, sizeof(u->ask.data), MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&u->peer,
		     &u->peer_size);
	if (n < 0 || (size_t)n > sizeof(u->ask.data)) { /* refuse: longer than any question */
		free(u);
		return n >= 0;
	}
	u->ask.size = (size_t)n;
	name_ask_start(&u->ask);
	return true;
}

static void serve(struct worker *w, int fd)
{
	worker_busy(w);
	for (int i = 0; i < DNS_BATCH; i++) {
		if (!serve_one(w, fd))
			return;
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
