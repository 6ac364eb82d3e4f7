/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of the machine itself: a name that resolves to one of them would make the proxy talk to its own
 * node's services on behalf of the sandbox (SSRF), so they are refused unless the policy lists them.
 */
#ifndef BRIDLE_UPSTREAM_NODE_H
#define BRIDLE_UPSTREAM_NODE_H

#include <stdbool.h>
#include <stddef.h>

struct address;

#define NODE_ADDRESSES_MAX 16384

struct node {
	struct address *at; /* owned */
	size_t n;
};

/* As they are now; needs a netlink socket. 0 or -errno; -E2BIG with more than NODE_ADDRESSES_MAX. */
int node_init(struct node *node);
void node_done(struct node *node);

/* Whether packets to it would stay on this machine: an interface's, loopback, or the unspecified address; v4-mapped, v4-compatible and NAT64 forms too. */
bool node_has(const struct node *node, const struct address *a);

/* Whether a connected socket has the same address at both ends: an address of this machine that node_init() did not see. true when that cannot be told. */
bool node_is_self_connection(int fd);

#endif
