/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a connection, in clear or through TLS, and how it ends: with close_notify and a wait for the program when an
 * answer is whole, with a reset when it is not.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/util.h"
#include "worker/conn.h"

/* Reads what fits. 1: some bytes, 0: none now, -1: the end or an error. */
static int read_some(struct conn *c)
{
	size_t room = MIN(buf_room(&c->in), (size_t)16384);
	char *to = room ? buf_reserve(&c->in, room) : NULL;
	ssize_t n;

	if (!to)
		return 0;
	if (!c->ssl) {
		n = recv(c->io.fd, to, room, 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
	} else {
		ERR_clear_error();
		n = SSL_read(c->ssl, to, (int)room);
		if (n <= 0) {
			int e = SSL_get_error(c->ssl, (int)n);

			c->tls_wants_write = e == SSL_ERROR_WANT_WRITE;
			if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
				return 0;
			n = 0;
		}
	}
	if (n == 0)
		return -1;
	buf_commit(&c->in, (size_t)n);
	c->total_in += (uint64_t)n;
	if ((size_t)n < MIN(room, (size_t)CONN_READ_SMALL))
		c->readable =
			false; /* a small message: the loop says when there is more, a read() that finds nothing is saved */
	return 1;
}

int conn_flush(struct conn *c)
{
	while (buf_len(&c->out) > 0) {
		size_t want = MIN(buf_len(&c->out), (size_t)16384);
		ssize_t n;

		if (!c->ssl) {
			n = send(c->io.fd, buf_data(&c->out), want, MSG_NOSIGNAL);
			if (n < 0)
				return errno == EAGAIN || errno == EINTR ? 0 : -1;
		} else {
			int e;

			ERR_clear_error();
			n = SSL_write(c->ssl, buf_data(&c->out), (int)want);
			e = n > 0 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, (int)n);
			if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
				return 0;
			if (e != SSL_ERROR_NONE)
				return -1;
		}
		buf_consume(&c->out, (size_t)n);
		c->total_out += (uint64_t)n;
	}
	return 0;
}

void conn_fill(struct conn *c)
{
	int r = 1;

	while (r > 0 && buf_room(&c->in) > 0 && (c->readable || (c->ssl && SSL_has_pending(c->ssl))))
		r = read_some(c);
	if (r == 0)
		c->readable = false;
	if (r < 0)
		c->eof = true;
}

bool conn_end(struct conn *c)
{
	const struct linger reset = { .l_onoff = 1 };

	if (c->broken) { /* a reset, which no reader takes for an end */
		(void)setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return true;
	}
	if (c->ssl)
		(void)SSL_shutdown(c->ssl);
	if (c->eof || shutdown(c->io.fd, SHUT_WR) < 0)
		return true;
	c->state = CONN_LINGER;
	return false;
}

bool conn_linger(struct conn *c)
{
	char dropped[4096];
	ssize_t n;

	while ((n = recv(c->io.fd, dropped, sizeof(dropped), 0)) > 0) {
		c->lingered += (size_t)n;
		if (c->lingered > CONN_LINGER_MAX)
			return true;
	}
	return n == 0 || (errno != EAGAIN && errno != EINTR);
}
