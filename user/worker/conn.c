/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection: sniffing, the TLS handshake, one request after another; a second one waits in the kernel until the first
 * is answered. Bytes are moved by conn_io.c, deadlines are set by deadline.c.
 */
#include "worker/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "audit/audit.h"
#include "base/util.h"
#include "tls/server.h"
#include "worker/dns_stream.h"
#include "worker/exchange.h"
#include "worker/kernel_events.h"

/* A connection that ends without an exchange still has its record. */
static void record_failure(struct conn *c, enum why why)
{
	struct worker *w = c->worker;
	const struct audit_record record = {
		.kind = "connection",
		.pid = c->dst.pid,
		.exe = str_of(c->dst.exe),
		.destination = str_of(c->dst_text),
		.sni = conn_sni(c),
		.host = c->via_connect ? host_str(&c->authority) : STR(""),
		.port = c->via_connect ? c->authority_port : c->dst.port,
		.why = why,
		.duration_us = exchange_now_us() - c->started_us,
		.socket_cookie = c->dst.socket_cookie,
		.policy = str_of(policy_generation(w->policy)),
	};

	kernel_events_deny(w->fds[ZYGOTE_FD_DENIALS], ++w->denials, &c->dst, why);
	counters_add_refusal(&w->counters);
	(void)audit_write(w->audit, &record);
}

struct conn *conn_free(struct conn *c)
{
	struct worker *w;

	if (!c)
		return NULL;
	w = c->worker;
	if (c->exchange)
		exchange_abandon(c->exchange, WHY_client_closed);
	c->ask = dns_stream_drop(c->ask);
	loop_remove(w->loop, &c->io);
	timer_clear(w->loop, &c->timer);
	loop_undefer(w->loop, &c->resume);
	SSL_free(c->ssl);
	(void)fd_close(c->io.fd);
	buf_done(&c->in);
	buf_done(&c->out);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	w->n_conns--;
	worker_busy(w);
	free(c);
	return NULL;
}

void conn_fail(struct conn *c, enum why why)
{
	if (!c->exchange && c->served == 0)
		record_failure(c, why);
	conn_free(c);
}

struct str conn_sni(const struct conn *c)
{
	return c->ssl ? tls_server_name(c->ssl) : STR("");
}

void conn_kick(struct conn *c)
{
	loop_defer(c->worker->loop, &c->resume);
}

void conn_exchange_done(struct conn *c, bool close)
{
	c->served += c->state !=
		     CONN_SNIFF; /* behind a CONNECT it is as good as new: its failures have their records */
	if (close || c->eof)
		c->state = CONN_CLOSING;
	conn_kick(c);
}

void conn_restart(struct conn *c, const struct host *authority, uint16_t port)
{
	c->via_connect = true;
	c->authority = *authority;
	c->authority_port = port;
	c->state = CONN_SNIFF;
	c->waits_for = DEADLINE_INVALID;
}

/* The first byte: TLS begins with a handshake record, HTTP with a letter. WHY_undecided: not there yet. */
static enum why sniff(struct conn *c)
{
	unsigned char first;
	ssize_t n;

	if (buf_len(&c->in) > 0)
		return WHY_protocol_unknown; /* refuse: bytes behind a CONNECT that was not answered yet */
	n = recv(c->io.fd, &first, 1, MSG_PEEK);
	if (n < 0)
		return errno == EAGAIN ? WHY_undecided : WHY_client_closed;
	if (n == 0)
		return WHY_client_closed;
	if (first == 0x16) {
		const struct host *name = c->via_connect ? &c->authority : &c->dst_host;

		c->ssl = tls_server_ssl(c->worker->tls_server, host_str(name));
		if (!c->ssl || SSL_set_fd(c->ssl, c->io.fd) != 1)
			return WHY_internal;
		c->state = CONN_HANDSHAKE;
		return WHY_allowed;
	}
	if (!((first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z') || first == '\r'))
		return WHY_protocol_unknown;
	c->state = CONN_SERVE;
	return WHY_allowed;
}

/* WHY_undecided: goes on later. */
static enum why handshake(struct conn *c)
{
	int r, e;

	ERR_clear_error();
	r = SSL_accept(c->ssl);
	if (r == 1) {
		c->state = CONN_SERVE;
		return WHY_allowed;
	}
	e = SSL_get_error(c->ssl, r);
	c->tls_wants_write = e == SSL_ERROR_WANT_WRITE;
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_CLIENT_HELLO_CB)
		return WHY_undecided;
	return tls_server_failure(c->ssl);
}

/* One head out of `in`: starts an exchange. */
static void take_request(struct conn *c)
{
	struct http_request request;
	enum why why = WHY_undecided;
	size_t size = 0;
	enum h1_result r = H1_MORE;

	if (buf_len(&c->in) > 0)
		r = h1_parse_request(&c->scan, buf_data(&c->in), buf_len(&c->in), &request, &size, &why);
	if (r == H1_MORE)
		return;
	h1_scan_init(&c->scan);
	c->waits_for = DEADLINE_INVALID;
	c->exchange = exchange_new(c, r == H1_DONE ? str_make(buf_data(&c->in), size) : STR(""));
	if (!c->exchange) {
		c->state = CONN_CLOSING; /* refuse: no memory for it */
		return;
	}
	if (r == H1_BAD) {
		buf_clear(&c->in);
		exchange_fail(c->exchange, why);
		return;
	}
	buf_consume(&c->in, size);
	exchange_run(c->exchange);
}

static void update(struct conn *c)
{
	uint32_t events = 0;

	if (c->state == CONN_LINGER || (!c->eof && c->state != CONN_CLOSING && buf_room(&c->in) > 0))
		events |= EPOLLIN;
	if (c->state != CONN_LINGER && (buf_len(&c->out) > 0 || c->tls_wants_write))
		events |= EPOLLOUT;
	(void)loop_modify(c->worker->loop, &c->io, events);
	conn_watch(c);
}

/* Serves what is there; frees c when it is over. */
static void serve(struct conn *c)
{
	enum why why = WHY_undecided;
	bool asked = false;

	if ((c->state == CONN_SERVE || c->state == CONN_DNS) && !c->eof)
		conn_fill(c);
	if (c->exchange) {
		exchange_run(c->exchange);
	} else if (c->state == CONN_SERVE && buf_len(&c->out) == 0) { /* the answer before it is out */
		take_request(c);
		asked = true;
	} else if (c->state == CONN_DNS) {
		why = dns_stream_take(c);
	}
	if (why != WHY_undecided && why != WHY_allowed) {
		conn_fail(c, why);
		return;
	}
	if (conn_flush(c) < 0) {
		conn_free(c);
		return;
	}
	if (c->state == CONN_SNIFF) {
		update(c);
		return;
	}
	if (!c->exchange && !c->ask && buf_len(&c->out) == 0) {
		if (c->state == CONN_CLOSING || (c->eof && why != WHY_allowed)) {
			if (conn_end(c))
				conn_free(c);
			else
				update(c);
			return;
		}
		if (c->state == CONN_SERVE && buf_len(&c->in) > 0 && !asked)
			conn_kick(c);
	} else if (c->exchange && c->eof && !c->exchange->leg && !c->exchange->wait) {
		conn_free(c);
		return;
	} else if (c->exchange && c->exchange->leg && c->exchange->answered && buf_len(&c->out) == 0 &&
		   buf_len(upstream_in(c->exchange->leg)) > 0) {
		conn_kick(c); /* everything went out: what waited in the leg has room now */
	}
	update(c);
}

static void conn_drive(struct conn *c)
{
	enum why why = WHY_allowed;

	if (c->state == CONN_LINGER) {
		if (conn_linger(c))
			conn_free(c);
		return;
	}
	if (c->state == CONN_SNIFF) {
		if (conn_flush(c) < 0)
			why = WHY_client_closed;
		else
			why = sniff(c);
	}
	if (why == WHY_allowed && c->state == CONN_HANDSHAKE)
		why = handshake(c);
	if (why == WHY_undecided) {
		update(c);
		return;
	}
	if (why != WHY_allowed) {
		conn_fail(c, why);
		return;
	}
	serve(c);
}

static void on_ready(struct io *io, uint32_t revents)
{
	struct conn *c = container_of(io, struct conn, io);

	if ((revents & (EPOLLERR | EPOLLHUP)) && !(revents & EPOLLIN)) {
		conn_fail(c, WHY_client_closed);
		return;
	}
	c->readable |= (revents & EPOLLIN) || c->tls_wants_write;
	conn_drive(c);
}

static void on_resume(struct job *job)
{
	conn_drive(container_of(job, struct conn, resume));
}

void conns_drive_handshakes(struct worker *w)
{
	for (struct conn *c = w->conns; c; c = c->next) {
		if (c->state == CONN_HANDSHAKE)
			conn_kick(c);
	}
}

static void describe(struct conn *c)
{
	bool v6 = c->dst.family == AF_INET6;

	host_from_address(c->dst.family, c->dst.bytes, &c->dst_host);
	(void)snprintf(c->dst_text, sizeof(c->dst_text), v6 ? "[%s]:%u" : "%s:%u", c->dst_host.text, c->dst.port);
}

int conn_new(struct worker *w, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	int one = 1, r;

	if (!c) {
		(void)fd_close(fd);
		return -ENOMEM;
	}
	c->worker = w;
	c->started_us = exchange_now_us();
	buf_init(&c->in, CONN_BUFFER_MAX);
	buf_init(&c->out, CONN_BUFFER_MAX);
	h1_scan_init(&c->scan);
	c->io = (struct io){ .fd = fd, .events = EPOLLIN, .ready = on_ready };
	c->timer.fire = conn_timeout;
	c->waits_for = DEADLINE_INVALID;
	c->resume.run = on_resume;
	c->next = w->conns;
	c->at = &w->conns;
	if (c->next)
		c->next->at = &c->next;
	w->conns = c;
	w->n_conns++;
	worker_busy(w);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r = original_dst_find(w->fds[ZYGOTE_FD_FLOWS], w->snapshot.netns_cookie, fd, &c->dst);
	if (r < 0) { /* refuse: nobody knows where it wanted to go */
		record_failure(c, WHY_no_original_dst);
		conn_free(c);
		return r;
	}
	describe(c);
	if (w->n_conns > w->conns_max) {
		conn_fail(c, WHY_overload);
		return -EBUSY;
	}
	if (c->dst.port == DNS_STREAM_PORT)
		c->state = CONN_DNS;
	r = loop_add(w->loop, &c->io);
	if (r < 0)
		conn_free(c);
	else
		conn_watch(c);
	return r;
}
