/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer that says no, written for the program that reads it (RFC 9457): what was refused, by which rule, that
 * it is policy and not an outage, what is allowed instead, the JSON that would allow it, and the request id that the audit has too.
 */
#ifndef BRIDLE_HTTP_REFUSAL_H
#define BRIDLE_HTTP_REFUSAL_H

#include <stdbool.h>

#include "base/str.h"
#include "base/why.h"

struct buf;
struct http_fields;
struct arena;

struct refusal {
	enum why why;
	struct str method;    /* as sent; escaped and cut here */
	struct str scheme;    /* "https", "http" */
	struct str authority; /* canonical host:port; empty when unknown */
	struct str path;      /* without the query; empty when unknown */
	struct str rule;      /* text of the rule that decided; empty: none */
	struct str fix;	      /* the JSON that would allow it; empty: none */
	struct str detail;    /* one more sentence of ours (never of a peer); empty: none */
	struct str request_id;
	struct str user_agent;	 /* git/… gets text/plain */
	struct str content_type; /* of the request: application/grpc… gets a gRPC status */
	struct str rpc_id;	 /* of a JSON-RPC call, as JSON text: gets an error with it; empty: it is none */
};

#define REFUSAL_RPC_CODE (-32001) /* of JSON-RPC errors */

/* The HTTP status of the answer: why_status(), but 200 where the protocol inside says no by itself (gRPC, JSON-RPC). */
unsigned refusal_status(const struct refusal *r);

/*
 * "Forbidden (bridle: path_not_allowed)": many clients show nothing else. Empty (take the registered phrase) where the
 * status says that all went well, or without memory. In the arena.
 */
struct str refusal_phrase(const struct refusal *r, struct arena *a);

/*
 * Fields (allocated in a) and body of the answer. Sets content-type, content-length is
 * the session's. Always sets bridle-decision, bridle-request-id, cache-control: no-store; 429 and 503 set retry-after. 0 or -errno.
 */
int refusal_write(const struct refusal *r, struct arena *a, struct http_fields *ret_fields, struct buf *ret_body);

#endif
