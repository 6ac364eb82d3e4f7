/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its response: a table of stages and one driver. Any stage may end the exchange with a reason; the audit
 * record is written before the response ends, always.
 */
#ifndef BRIDLE_WORKER_EXCHANGE_H
#define BRIDLE_WORKER_EXCHANGE_H

#include "base/arena.h"
#include "http/form_walker.h"
#include "http/h1_body.h"
#include "http/message.h"
#include "upstream/upstream.h"
#include "worker/conn.h"

#define EXCHANGE_1XX_MAX 8

/* In the order in which they run. */
enum exchange_stage {
	STAGE_SELF_TEST = 0,
	STAGE_IDENTITY,
	STAGE_DECIDE,
	STAGE_CREDENTIAL,
	STAGE_UPSTREAM,
	STAGE_SEND,
	STAGE_RELAY,
	STAGE_COUNT,
};

enum step { STEP_NEXT = 0, STEP_WAIT, STEP_END };

struct exchange {
	struct conn *conn;     /* borrowed */
	struct worker *worker; /* borrowed */
	struct arena arena;    /* owned */
	unsigned stage;	       /* enum exchange_stage */
	char id[40];
	uint64_t started_us, upstream_us;
	struct http_request request;
	struct policy_origin origin;
	struct path path;
	bool path_is_good; /* read to its end */
	struct policy_decision decision;
	const struct credential *credential; /* borrowed from the worker */
	uint32_t credential_generation;
	char authority[HOST_MAX + 16]; /* canonical, for messages */
	char rule[512];
	enum why why;
	enum why refused; /* decided, but the body's beginning is still heard; WHY_undecided: no */
	const char *refused_detail;
	struct buf call;   /* owned; with refused: the body so far */
	struct str rpc_id; /* into call */
	unsigned status;
	bool audited;
	size_t record_owed; /* its part of the worker's records_owed */
	bool answered;	    /* a final response head is in conn->out */
	/* upstream */
	struct upstream_wait *wait; /* owned while the leg is made */
	struct upstream *leg;	    /* owned */
	bool fresh;
	bool request_sent; /* its head is in the leg */
	bool got_bytes;	   /* of a response */
	struct h1_body request_body, response_body;
	enum http_body_kind upstream_kind, client_kind;
	bool request_done, response_done;
	struct form_walker form;
	bool walk_form;
	struct h1_scan response_scan;
	struct http_response response;
	unsigned informational;
	uint64_t bytes_in, bytes_out;
};

/* head: bytes of a whole request head, copied. NULL when memory is short. */
struct exchange *exchange_new(struct conn *c, struct str head);
struct exchange *exchange_free(struct exchange *x);

/* Goes on where it stands. May end the exchange and free it: x is invalid afterwards. */
void exchange_run(struct exchange *x);

/* Answered: frees x, and closes the connection or lets it have its next request. */
void exchange_end(struct exchange *x);

/* The head could not be read: the answer says why. Frees x. */
void exchange_fail(struct exchange *x, enum why why);

/* The program is gone. Writes the audit record, with why or with what was refused before, and frees x. */
void exchange_abandon(struct exchange *x, enum why why);

/*
 * refuse.c: answers and ends. detail is static text of ours or NULL. exchange_refuse() first hears the beginning of a body that may be
 * a JSON-RPC call (STEP_WAIT), so that the answer can carry its id; it is for stages. The other never waits.
 */
enum step exchange_refuse(struct exchange *x, enum why why, const char *detail);
enum step exchange_refuse_now(struct exchange *x, enum why why, const char *detail);
enum step exchange_hear_call(struct exchange *x);
/* record.c: once; false when it could not be written. Before it is sent, room for its record is counted. */
bool exchange_audit(struct exchange *x);
/* As it was decided on; as it was written when it could not be read. Without query. */
struct str exchange_path(const struct exchange *x);
void exchange_owe_record(struct exchange *x);
void exchange_settle_record(struct exchange *x);
/* relay.c */
enum step exchange_relay(struct exchange *x);
/* self_test.c: answers the sandbox's own self-test, without a record; anything else goes on. */
enum step stage_self_test(struct exchange *x);
/* stages.c */
enum step stage_identity(struct exchange *x);
enum step stage_decide(struct exchange *x);
enum step stage_credential(struct exchange *x);
enum step stage_upstream(struct exchange *x);
enum step stage_send(struct exchange *x);

uint64_t exchange_now_us(void);

#endif
