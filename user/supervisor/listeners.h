/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches the sandbox's sockets while no worker does. They are polled and never read here: the first byte of a sandbox
 * is for a worker.
 */
#ifndef BRIDLE_SUPERVISOR_LISTENERS_H
#define BRIDLE_SUPERVISOR_LISTENERS_H

#include "base/loop.h"
#include "supervisor/netns.h"

struct listeners {
	struct loop *loop; /* borrowed */
	struct watched {
		struct io io;
		struct listeners *owner;
	} sockets[NETNS_SOCKETS];
	void (*on_work)(void *arg); /* somebody connects or asks; watching has stopped */
	void *arg;
};

void listeners_init(struct listeners *l, struct loop *loop, void (*on_work)(void *arg), void *arg);

/* 0 or -errno. */
int listeners_watch(struct listeners *l, const struct netns *netns);
void listeners_stop(struct listeners *l);

#endif
