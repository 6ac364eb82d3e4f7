/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of DNS over TCP: two bytes of length, then the message (RFC 1035 4.2.2, RFC 7766 8). */
#include "worker/dns_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "worker/conn.h"
#include "worker/names.h"

#define DNS_HEADER_SIZE 12

struct stream_ask {
	struct name_ask ask;
	struct conn *conn; /* borrowed */
};

static void on_answered(struct name_ask *ask, const uint8_t *answer, size_t n)
{
	struct stream_ask *s = container_of(ask, struct stream_ask, ask);
	struct conn *c = s->conn;
	const char length[2] = { (char)(n >> 8), (char)(n & 0xff) };

	c->ask = NULL;
	free(s);
	if (n == 0 || buf_append(&c->out, str_make(length, 2)) < 0 ||
	    buf_append(&c->out, str_make((const char *)answer, n)) < 0)
		c->state = CONN_CLOSING; /* refuse: no answer can be given, and the stream has no other way to say so */
	c->served++;
	(void)timer_set(c->worker->loop, &c->timer, DNS_STREAM_IDLE_MS);
	conn_kick(c);
}

enum why dns_stream_take(struct conn *c)
{
	const unsigned char *in;
	struct stream_ask *s;
	size_t n;

	if (c->ask || buf_len(&c->in) < 2)
		return WHY_undecided;
	in = (const unsigned char *)buf_data(&c->in);
	n = (size_t)in[0] << 8 | in[1];
	if (n < DNS_HEADER_SIZE || n > DNS_MESSAGE_MAX)
		return WHY_dns_malformed; /* refuse: no question is so short or so long */
	if (buf_len(&c->in) < 2 + n)
		return WHY_undecided;
	s = calloc(1, sizeof(*s));
	if (!s)
		return WHY_overload; /* refuse: no memory for it */
	s->ask.worker = c->worker;
	s->ask.answered = on_answered;
	s->ask.max = NAME_ANSWER_STREAM;
	s->ask.from = c->dst;
	s->ask.size = n;
	memcpy(s->ask.data, in + 2, n);
	s->conn = c;
	buf_consume(&c->in, 2 + n);
	c->ask = &s->ask;
	name_ask_start(&s->ask);
	return WHY_allowed;
}

struct name_ask *dns_stream_drop(struct name_ask *ask)
{
	if (ask) {
		name_ask_cancel(ask);
		free(container_of(ask, struct stream_ask, ask));
	}
	return NULL;
}
