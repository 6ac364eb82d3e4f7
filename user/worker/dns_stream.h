/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's name server over TCP (RFC 7766): what went to port 53 is DNS and nothing else. Questions of one connection
 * are answered one after the other; the next one waits in the kernel.
 */
#ifndef BRIDLE_WORKER_DNS_STREAM_H
#define BRIDLE_WORKER_DNS_STREAM_H

#include "base/why.h"

#define DNS_STREAM_PORT	   53
#define DNS_STREAM_IDLE_MS 10000

struct conn;
struct name_ask;

/* Takes the next whole question out of c->in. WHY_allowed, WHY_undecided (more bytes are needed), or why the connection ends. */
enum why dns_stream_take(struct conn *c);
struct name_ask *dns_stream_drop(struct name_ask *ask); /* NULL is fine; returns NULL */

#endif
