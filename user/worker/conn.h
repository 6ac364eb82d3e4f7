/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the sandbox: sniffed, opened, and read one request at a time. Owns its socket, SSL and buffers; conn_free() is
 * the only place where they are closed.
 */
#ifndef BRIDLE_WORKER_CONN_H
#define BRIDLE_WORKER_CONN_H

#include "base/deadline.h"
#include "http/h1.h"
#include "worker/context.h"
#include "worker/original_dst.h"

#define CONN_BUFFER_MAX	 ((size_t)64 * 1024)
#define CONN_READ_SMALL	 4096		    /* a read of less took all there was */
#define CONN_LINGER_MAX	 ((size_t)16 << 20) /* bytes that are dropped behind the last answer */
#define CONN_BODY_WINDOW 1024		    /* bytes of a body of known length, per deadline */

struct exchange;
struct name_ask;

enum conn_state {
	CONN_SNIFF = 0, /* waiting for the first byte */
	CONN_HANDSHAKE,
	CONN_SERVE,
	CONN_DNS,     /* port 53: questions, and nothing else */
	CONN_CLOSING, /* what is in out goes, then the end */
	CONN_LINGER,  /* all is said; what the program still sends is dropped until it closes too */
};

struct conn {
	struct worker *worker; /* borrowed */
	struct conn *next, **at;
	struct io io;
	struct timer timer;
	struct job resume; /* looks at the buffers again, outside of any callback */
	enum conn_state state;
	SSL *ssl; /* owned; NULL in clear */
	struct buf in, out;
	struct h1_scan scan;
	struct exchange *exchange; /* owned; NULL between exchanges */
	struct name_ask *ask;	   /* owned; NULL between questions */
	uint64_t started_us;	   /* accepted */
	struct original_dst dst;
	struct host dst_host;  /* the original address */
	char dst_text[64];     /* "10.77.0.2:443" */
	bool via_connect;      /* behind a CONNECT: authority is what it named */
	struct host authority; /* with via_connect */
	uint16_t authority_port;
	bool eof;    /* the program closed its side */
	bool broken; /* an answer was begun and cannot be ended */
	bool tls_wants_write;
	bool readable;		      /* the loop said so, and it was not read empty since */
	unsigned served;	      /* requests */
	uint64_t total_in, total_out; /* bytes, after TLS */
	size_t lingered;
	enum deadline waits_for; /* what the timer runs for */
	uint64_t waits_since;	 /* the bytes that had moved when it was set */
};

/* fd is owned from here, also on failure. 0 or -errno. */
int conn_new(struct worker *w, int fd);
struct conn *conn_free(struct conn *c);

/* Every connection that waits for a leaf is driven again. */
void conns_drive_handshakes(struct worker *w);

/* Sends what is in out and looks at the exchange again; safe from any callback. */
void conn_kick(struct conn *c);

/* The exchange ended; close: no further request on this connection. */
void conn_exchange_done(struct conn *c, bool close);

/* After a CONNECT was answered: what follows is a fresh connection to that authority. */
void conn_restart(struct conn *c, const struct host *authority, uint16_t port);

/* The name by which the program called the server: SNI, CONNECT's authority, or empty. */
struct str conn_sni(const struct conn *c);

/* Ends it; a record is written when no exchange was. */
void conn_fail(struct conn *c, enum why why);

/* --- conn_io.c --- */

/* Reads what fits; sets eof at the end. */
void conn_fill(struct conn *c);
/* 0, or -1: nothing can be written any more. */
int conn_flush(struct conn *c);
/* Everything was written. true: to be freed; false: it lingers. */
bool conn_end(struct conn *c);
/* true: to be freed. */
bool conn_linger(struct conn *c);

/* --- deadline.c --- */

/* Sets the timer for what is waited for now; bytes that moved set it anew. */
void conn_watch(struct conn *c);
void conn_timeout(struct timer *t);

#endif
