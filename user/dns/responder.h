/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's name server (RFC 1035), as bytes in, bytes out: the sockets are the worker's. An allowed name's
 * A/AAAA comes from the caller; a refused fully qualified name gets a sink address and no upstream query, so that
 * the refusal arrives as the 403 that teaches and no data leaves in a name; single labels and reverse zones that are
 * refused get NXDOMAIN with Extended DNS Error 18 (RFC 8914); every other type NODATA.
 */
#ifndef BRIDLE_DNS_RESPONDER_H
#define BRIDLE_DNS_RESPONDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "policy/policy.h"

#define DNS_MESSAGE_MAX		 4096 /* bytes of a query or an answer of ours */
#define DNS_SINK_IPV4		 "192.0.2.1"
#define DNS_SINK_IPV6		 "2001:db8::1"
#define DNS_ANSWER_ADDRESSES_MAX 16
#define DNS_TTL_MAX_S		 60
#define DNS_SINK_TTL_S		 5

struct dns_query {
	uint16_t id;
	uint16_t type; /* QTYPE, host order */
	uint16_t class_;
	uint16_t udp_size; /* what the asker takes over UDP: 512, or its EDNS size */
	bool edns;
	bool recursion_desired;
	struct host name; /* canonical; valid when name_ok */
	bool name_ok;	  /* a host name: otherwise NXDOMAIN */
	bool is_single_label;
	bool is_reverse;      /* in-addr.arpa, ip6.arpa */
	bool is_root;	      /* the question is "." */
	bool bad_edns;	      /* an EDNS version other than 0: every answer becomes BADVERS (RFC 6891 6.1.3) */
	size_t question_size; /* bytes of the question section, right behind the 12-byte header; 0: it was not readable */
};

/*
 * 0; -EBADMSG: answer nothing; -EINVAL: the header is readable, answer FORMERR; -EOPNOTSUPP: answer NOTIMP. With the
 * last two *ret holds what the header said and no question, so that dns_write_answer() takes it.
 */
int dns_parse_query(const uint8_t *data, size_t n, struct dns_query *ret);

enum dns_answer {
	DNS_ADDRESSES = 0, /* the given addresses of the asked family; none: NODATA */
	DNS_SINK,	   /* the sink address of the asked family */
	DNS_NODATA,
	DNS_NXDOMAIN,	  /* the name does not exist */
	DNS_REFUSED_NAME, /* NXDOMAIN with EDE 18 (Prohibited) */
	DNS_REFUSED_TYPE, /* NODATA with EDE 18: another type than A and AAAA of a refused name */
	DNS_SERVFAIL,
	DNS_FORMERR,
	DNS_NOTIMP,
	DNS_LOOPBACK, /* localhost (RFC 6761 6.3): 127.0.0.1 or ::1 */
};

/*
 * What to answer when the policy is asked alone: DNS_ADDRESSES means "look it up" (pins included, by the caller).
 */
enum dns_answer dns_decide(const struct policy *p, const struct dns_query *q);

/*
 * Writes the answer into out. data/n is the query it answers (its question is copied). max: udp_size, or 65535
 * over TCP; when it does not fit, TC is set and no answer is in it. Returns its size, or -errno.
 */
long dns_write_answer(const struct dns_query *q, const uint8_t *data, size_t n, enum dns_answer answer,
		      const struct address *addresses, size_t n_addresses, uint32_t ttl_s, uint8_t *out,
		      size_t out_size, size_t max);

#endif
