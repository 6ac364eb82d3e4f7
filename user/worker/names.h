/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's names, whatever brought the question (dns_udp.c, dns_stream.c): the policy is asked first; only names that it
 * names are looked up, and a refused one has its record.
 */
#ifndef BRIDLE_WORKER_NAMES_H
#define BRIDLE_WORKER_NAMES_H

#include "dns/responder.h"
#include "worker/original_dst.h"

struct resolver_query;
struct worker;

#define NAME_ANSWER_STREAM 65535 /* `max` over TCP */

/* One question on its way to its answer. The caller owns the memory until `answered` is called, which happens once. */
struct name_ask {
	struct worker *worker; /* borrowed */
	/* n is 0 when nothing is to be answered. May be called before name_ask_start() returns. */
	void (*answered)(struct name_ask *ask, const uint8_t *answer, size_t n);
	size_t max;		       /* bytes of an answer; 0: what the question says (UDP) */
	struct original_dst from;      /* who asked, for the record; zeroed when unknown */
	struct resolver_query *lookup; /* while it waits; NULL otherwise */
	struct dns_query query;
	size_t size;
	uint8_t data[DNS_MESSAGE_MAX];
};

/* worker, answered, max, data and size are set; from may be. */
void name_ask_start(struct name_ask *ask);
/* `answered` is not called any more. */
void name_ask_cancel(struct name_ask *ask);

#endif
