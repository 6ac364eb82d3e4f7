/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts the sandbox's connections; several workers may share the listeners (EPOLLEXCLUSIVE, never SO_REUSEPORT). */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/util.h"
#include "worker/conn.h"

#define ACCEPT_BATCH 32

void worker_busy(struct worker *w)
{
	(void)timer_set(w->loop, &w->idle, WORKER_IDLE_MS);
}

static void accept_all(struct worker *w, int listener)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		(void)conn_new(w, fd);
	}
}

/*
 * Without a descriptor accept4() would fail for ever on a listener that stays readable. So the limit of whoever started us is
 * raised as far as it may be, and connections beyond it are refused one by one while a descriptor is left for each.
 */
void listeners_reserve(struct worker *w)
{
	struct rlimit limit;

	w->conns_max = WORKER_CONNECTIONS_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= WORKER_FDS_MAX)
		return;
	limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)WORKER_FDS_MAX);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < WORKER_FDS_MAX)
		w->conns_max = limit.rlim_cur / 4;
}

static void on_accept4(struct io *io, uint32_t revents)
{
	(void)revents;
	accept_all(container_of(io, struct worker, tcp[0]), io->fd);
}

static void on_accept6(struct io *io, uint32_t revents)
{
	(void)revents;
	accept_all(container_of(io, struct worker, tcp[1]), io->fd);
}

int listeners_start(struct worker *w)
{
	for (int i = 0; i < 2; i++) {
		int r;

		w->tcp[i] = (struct io){ .fd = w->fds[ZYGOTE_FD_TCP4 + i],
					 .events = EPOLLIN | EPOLLEXCLUSIVE,
					 .ready = i ? on_accept6 : on_accept4 };
		r = loop_add(w->loop, &w->tcp[i]);
		if (r < 0)
			return r;
	}
	return 0;
}
