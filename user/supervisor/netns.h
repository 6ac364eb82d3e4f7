/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network namespace of a sandbox and our sockets in it. A thread enters (or makes) the namespace and ends; the
 * sockets stay, and carry the supervisor's cgroup, so that the sandbox's programs do not apply to them.
 */
#ifndef BRIDLE_SUPERVISOR_NETNS_H
#define BRIDLE_SUPERVISOR_NETNS_H

#include <stdint.h>

/* One address of each family besides loopback, on lo: or AI_ADDRCONFIG hides the family. */
#define NETNS_IPV4 "192.0.0.2" /* RFC 7335, the host's own end of nothing */
#define NETNS_IPV6 "fd62:7269:646c:6500::1"

enum netns_socket { NETNS_TCP4 = 0, NETNS_TCP6, NETNS_DNS4, NETNS_DNS6, NETNS_SOCKETS };

struct netns {
	int fd;			       /* owned: the namespace; -1: none */
	int sockets[NETNS_SOCKETS];    /* owned: bound (TCP: listening), non-blocking; -1 where the family is missing */
	uint16_t ports[NETNS_SOCKETS]; /* 0 where the family is missing */
	uint64_t cookie;
};

void netns_init(struct netns *n);

/* fd -1: makes a private namespace with loopback only; else uses that one as it is. 0 or -errno and reason. */
int netns_open(int fd, struct netns *ret, char *reason);

/* Closes the sockets: connections are refused from here on. */
void netns_close_sockets(struct netns *n);
void netns_done(struct netns *n);

#endif
