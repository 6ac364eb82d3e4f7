/* SPDX-License-Identifier: Apache-2.0 */
/* Tells when a sandbox needs a worker. Decides nothing else. */
#include "supervisor/listeners.h"

#include <sys/epoll.h>

#include "base/util.h"

static void on_socket(struct io *io, uint32_t revents)
{
	struct listeners *l = container_of(io, struct watched, io)->owner;

	(void)revents;
	listeners_stop(l);
	l->on_work(l->arg);
}

void listeners_init(struct listeners *l, struct loop *loop, void (*on_work)(void *arg), void *arg)
{
	*l = (struct listeners){ .loop = loop, .on_work = on_work, .arg = arg };
	for (int i = 0; i < NETNS_SOCKETS; i++)
		l->sockets[i] = (struct watched){ .io = { .fd = -1, .events = EPOLLIN, .ready = on_socket },
						  .owner = l };
}

int listeners_watch(struct listeners *l, const struct netns *netns)
{
	for (int i = 0; i < NETNS_SOCKETS; i++) {
		struct io *io = &l->sockets[i].io;
		int r;

		if (netns->ports[i] == 0 || netns->sockets[i] < 0)
			continue; /* the family is missing */
		io->fd = netns->sockets[i];
		r = io->added ? 0 : loop_add(l->loop, io);
		if (r < 0)
			return r;
	}
	return 0;
}

void listeners_stop(struct listeners *l)
{
	for (int i = 0; l->loop && i < NETNS_SOCKETS; i++)
		loop_remove(l->loop, &l->sockets[i].io);
}
