/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealed memfd by which a worker gets its policy: the policy text as the user wrote it, its file name for
 * messages, the PEM certificates of tls.trust, and the sandbox's own facts. Written by the supervisor, sealed
 * against every change, read by the worker.
 */
#ifndef BRIDLE_BASE_SNAPSHOT_H
#define BRIDLE_BASE_SNAPSHOT_H

#include <stdint.h>

#include "base/deadline.h"
#include "base/str.h"

#define SNAPSHOT_PROXY_PORTS_MAX 8

struct snapshot {
	struct str policy_file; /* name for messages */
	struct str policy_text;
	struct str trust_pem;				/* concatenated PEM, perhaps empty */
	struct str sandbox;				/* its name */
	struct str self_test;				/* nonce of the self-test; empty: none is answered */
	uint64_t netns_cookie;				/* of the sandbox's network namespace: part of the flow key */
	uint16_t proxy_ports[SNAPSHOT_PROXY_PORTS_MAX]; /* of the caller's proxy variables; 0 ends the list */
	uint16_t listen_port[2];			/* of our TCP listeners: IPv4, IPv6 */
	uint32_t tier;					/* 1 or 2: named in audit records */
	struct deadlines deadlines;
	void *map; /* set by snapshot_map(): owned */
	size_t map_size;
};

/* A sealed memfd, close-on-exec; the spans are copied. fd or -errno. */
int snapshot_create(const struct snapshot *s);

/* Checks the seals and maps. The spans point into the map. 0 or -errno. */
int snapshot_map(int fd, struct snapshot *ret);
void snapshot_unmap(struct snapshot *s);

#endif
