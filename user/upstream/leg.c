/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a server, on the loop: TCP, TLS, and two bounded buffers. It reads only while its owner wants
 * and has room, so that a slow program slows the server down and not our memory. Nothing is handed to the owner from
 * inside its own calls: it is told by a deferred job.
 */
#include "upstream/leg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/util.h"
#include "tls/client.h"

/* What one read or write came to. */
enum io_result { IO_DONE, IO_AGAIN, IO_EOF, IO_TRUNCATED, IO_CLOSED, IO_BROKEN };

void leg_link(struct upstream **list, struct upstream *leg)
{
	leg->prev = NULL;
	leg->next = *list;
	if (leg->next)
		leg->next->prev = leg;
	*list = leg;
}

void leg_unlink(struct upstream **list, struct upstream *leg)
{
	if (leg->prev)
		leg->prev->next = leg->next;
	else
		*list = leg->next;
	if (leg->next)
		leg->next->prev = leg->prev;
	leg->prev = leg->next = NULL;
}

/* --- reading and writing ------------------------------------------------------------------------------------ */

static enum io_result plain_result(ssize_t n, bool reading)
{
	if (n > 0)
		return IO_DONE;
	if (n == 0)
		return reading ? IO_EOF : IO_AGAIN;
	if (errno == EAGAIN || errno == EINTR)
		return IO_AGAIN;
	return IO_CLOSED;
}

static enum io_result tls_result(struct upstream *leg, int n, bool reading)
{
	bool *wants_other = reading ? &leg->read_wants_write : &leg->write_wants_read;
	unsigned long err;

	*wants_other = false;
	if (n > 0)
		return IO_DONE;
	switch (SSL_get_error(leg->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		*wants_other = !reading;
		return IO_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		*wants_other = reading;
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return IO_EOF;
	case SSL_ERROR_SSL:
		err = ERR_peek_error();
		return ERR_GET_REASON(err) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? IO_TRUNCATED : IO_BROKEN;
	default: /* SSL_ERROR_SYSCALL: a reset, or an end without close_notify */
		return errno == 0 ? IO_TRUNCATED : IO_CLOSED;
	}
}

static enum io_result leg_recv(struct upstream *leg, char *to, size_t size, size_t *ret)
{
	enum io_result result;
	ssize_t n;

	if (!leg->ssl) {
		n = recv(leg->fd, to, size, MSG_DONTWAIT);
		result = plain_result(n, /* reading= */ true);
	} else {
		ERR_clear_error();
		errno = 0;
		n = SSL_read(leg->ssl, to, (int)size);
		result = tls_result(leg, (int)n, /* reading= */ true);
	}
	if (result == IO_DONE)
		*ret = (size_t)n;
	return result;
}

static enum io_result leg_send(struct upstream *leg, struct str s, size_t *ret)
{
	enum io_result result;
	ssize_t n;

	if (!leg->ssl) {
		n = send(leg->fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		result = plain_result(n, /* reading= */ false);
	} else {
		ERR_clear_error();
		errno = 0;
		n = SSL_write(leg->ssl, s.p, (int)MIN(s.n, LEG_BUFFER_MAX));
		result = tls_result(leg, (int)n, /* reading= */ false);
	}
	if (result == IO_DONE)
		*ret = (size_t)n;
	return result;
}

/* Returns whether something happened that the owner should look at. */
static bool pump_out(struct upstream *leg)
{
	bool moved = false;

	while (!leg->write_done && buf_len(&leg->out) > 0) {
		enum io_result result;
		size_t n = 0;

		result = leg_send(leg, buf_str(&leg->out), &n);
		if (result == IO_AGAIN)
			break;
		moved = true;
		if (result == IO_DONE) {
			buf_consume(&leg->out, n);
			continue;
		}
		/* The answer may be there already (413 and close): the end is reported when all of it was read. */
		leg->write_done = true;
		leg->readable = true;
		if (result == IO_BROKEN)
			leg->error = WHY_upstream_tls;
	}
	return moved;
}

static void read_ended(struct upstream *leg, enum io_result result)
{
	leg->read_done = true;
	leg->eof = result == IO_EOF || result == IO_TRUNCATED;
	leg->truncated = result == IO_TRUNCATED;
	if (!leg->eof)
		leg->error = result == IO_BROKEN ? WHY_upstream_tls : WHY_upstream_closed;
}

/* A leg that left the loop is told nothing: only a read finds out. */
static bool may_have_bytes(const struct upstream *leg)
{
	return leg->readable || !leg->io.added || (leg->ssl && SSL_has_pending(leg->ssl));
}

static bool pump_in(struct upstream *leg)
{
	size_t step = LEG_READ_FIRST;
	bool moved = false;

	while (!leg->read_done && leg->want_read && buf_room(&leg->in) > 0 && may_have_bytes(leg)) {
		size_t size = MIN(step, buf_room(&leg->in)), n = 0;
		char *to = buf_reserve(&leg->in, size);
		enum io_result result;

		/* No memory counts as a broken connection: the exchange ends, the worker lives. */
		result = to ? leg_recv(leg, to, size, &n) : IO_CLOSED;
		if (result == IO_DONE ? n < MIN(size, LEG_READ_SMALL) : result == IO_AGAIN)
			leg->readable = false;
		if (result == IO_AGAIN)
			break;
		moved = true;
		if (result == IO_DONE)
			buf_commit(&leg->in, n);
		else
			read_ended(leg, result);
		step = LEG_READ_MORE;
	}
	/* Memory that was reserved and not used goes back. */
	if (buf_len(&leg->in) == 0)
		buf_done(&leg->in);
	return moved;
}

static void set_events(struct upstream *leg)
{
	bool may_read = !leg->read_done && leg->want_read && buf_room(&leg->in) > 0;
	bool may_write = !leg->write_done && buf_len(&leg->out) > 0;
	uint32_t events = 0;

	if ((may_read && !leg->read_wants_write) || (may_write && leg->write_wants_read))
		events |= EPOLLIN;
	if ((may_write && !leg->write_wants_read) || (may_read && leg->read_wants_write))
		events |= EPOLLOUT;
	if (leg->io.added)
		(void)loop_modify(leg->u->loop, &leg->io, events);
}

static void leg_pump(struct upstream *leg)
{
	bool moved = pump_out(leg);

	moved |= pump_in(leg);
	set_events(leg);
	if (moved)
		loop_defer(leg->u->loop, &leg->notify);
}

static void leg_notify(struct job *j)
{
	struct upstream *leg = container_of(j, struct upstream, notify);

	if (leg->fn)
		leg->fn(leg->arg);
}

bool leg_is_quiet(struct upstream *leg)
{
	char byte;
	int n;

	if (!leg->ssl)
		return recv(leg->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
	ERR_clear_error();
	n = SSL_peek(leg->ssl, &byte, 1);
	return n <= 0 && SSL_get_error(leg->ssl, n) == SSL_ERROR_WANT_READ;
}

/* --- making one --------------------------------------------------------------------------------------------- */

static void handshake(struct upstream *leg)
{
	int n;

	ERR_clear_error();
	n = SSL_do_handshake(leg->ssl);
	if (n == 1) {
		/* refuse: OpenSSL has checked this already; a context without SSL_VERIFY_PEER would be our defect */
		if (SSL_get_verify_result(leg->ssl) != X509_V_OK) {
			wait_leg_failed(leg->wait, WHY_upstream_cert_invalid, NULL);
			return;
		}
		leg->state = LEG_OPEN;
		wait_leg_done(leg->wait);
		return;
	}
	switch (SSL_get_error(leg->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		(void)loop_modify(leg->u->loop, &leg->io, EPOLLIN);
		return;
	case SSL_ERROR_WANT_WRITE:
		(void)loop_modify(leg->u->loop, &leg->io, EPOLLOUT);
		return;
	default:
		wait_leg_failed(leg->wait, tls_client_failure(leg->ssl), tls_client_failure_text(leg->ssl));
	}
}

static void connected(struct upstream *leg)
{
	socklen_t size = sizeof(int);
	int err = 0;

	if (getsockopt(leg->fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0)
		err = errno;
	if (err) {
		wait_leg_failed(leg->wait, why_of_connect_errno(err), NULL);
		return;
	}
	if (!wait_leg_connected(leg->wait))
		return;
	if (leg->ssl) {
		leg->state = LEG_HANDSHAKE;
		handshake(leg);
	} else {
		leg->state = LEG_OPEN;
		wait_leg_done(leg->wait);
	}
}

static void leg_ready(struct io *io, uint32_t revents)
{
	struct upstream *leg = container_of(io, struct upstream, io);

	switch (leg->state) {
	case LEG_CONNECTING:
		connected(leg);
		return;
	case LEG_HANDSHAKE:
		handshake(leg);
		return;
	case LEG_IDLE:
		pool_idle_ready(leg);
		return;
	case LEG_OPEN:
	default:
		/* A dead socket reports for ever; the owner finds out when it reads or writes, which needs no event. */
		if (revents & (EPOLLERR | EPOLLHUP))
			loop_remove(leg->u->loop, &leg->io);
		leg->readable |= (revents & EPOLLIN) || leg->read_wants_write;
		leg_pump(leg);
	}
}

static socklen_t make_sockaddr(const struct address *a, uint16_t port, struct sockaddr_storage *ret)
{
	*ret = (struct sockaddr_storage){ .ss_family = a->family };
	if (a->family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof(*in6);
}

static void print_address(struct upstream *leg, const struct address *a, uint16_t port)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(a->family, a->bytes, text, sizeof(text));
	(void)snprintf(leg->address, sizeof(leg->address), a->family == AF_INET ? "%s:%u" : "[%s]:%u", text, port);
}

/* The socket, on its way. fd or -errno. */
static int start_connect(const struct address *to, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t size = make_sockaddr(to, port, &sa);
	auto_fd int fd = -1;
	int one = 1;

	if (to->family != AF_INET && to->family != AF_INET6)
		return -EAFNOSUPPORT;
	fd = socket(to->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&sa, size) < 0 && errno != EINPROGRESS)
		return -errno;
	return TAKE_FD(fd);
}

/* The session is kept for host, port and credential: what stands behind the scheme. */
static int start_tls(struct upstream *leg, const struct host *name)
{
	const char *rest = strstr(leg->key, "://");

	if (!rest)
		return -EINVAL;
	leg->ssl = tls_client_ssl(leg->u->tls, host_str(name), str_of(rest + 3));
	if (!leg->ssl || !SSL_set_fd(leg->ssl, leg->fd))
		return -ENOMEM;
	SSL_set_mode(leg->ssl,
		     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_set_connect_state(leg->ssl);
	return 0;
}

int leg_open(struct upstreams *u, const struct address *to, uint16_t port, const char *key, const struct host *name,
	     struct upstream **ret)
{
	struct upstream *leg = calloc(1, sizeof(*leg));
	int r;

	if (!leg)
		return -ENOMEM;
	leg->u = u;
	leg->fd = -1;
	leg->notify.run = leg_notify;
	buf_init(&leg->in, LEG_BUFFER_MAX);
	buf_init(&leg->out, LEG_BUFFER_MAX);
	print_address(leg, to, port);
	leg_link(&u->active, leg);
	leg->key = strdup(key);
	r = leg->key ? start_connect(to, port) : -ENOMEM;
	if (r >= 0) {
		leg->fd = r;
		r = name ? start_tls(leg, name) : 0;
	}
	if (r == 0) {
		leg->io = (struct io){ .fd = leg->fd, .events = EPOLLOUT, .ready = leg_ready };
		r = loop_add(u->loop, &leg->io);
	}
	if (r < 0) {
		leg_free(leg);
		return r;
	}
	*ret = leg;
	return 0;
}

void leg_free(struct upstream *leg)
{
	if (!leg)
		return;
	leg_unlink(leg->state == LEG_IDLE ? &leg->u->idle : &leg->u->active, leg);
	loop_remove(leg->u->loop, &leg->io);
	loop_undefer(leg->u->loop, &leg->notify);
	timer_clear(leg->u->loop, &leg->idle);
	if (leg->ssl && leg->state >= LEG_OPEN && !leg->error && !leg->truncated) {
		ERR_clear_error();
		(void)SSL_shutdown(leg->ssl);
	}
	SSL_free(leg->ssl);
	fd_close(leg->fd);
	buf_done(&leg->in);
	buf_done(&leg->out);
	free(leg->key);
	free(leg);
}

/* --- the owner's side --------------------------------------------------------------------------------------- */

bool upstream_was_pooled(const struct upstream *leg)
{
	return leg->pooled;
}

void upstream_set_owner(struct upstream *leg, upstream_event_fn fn, void *arg)
{
	leg->fn = fn;
	leg->arg = arg;
}

struct buf *upstream_in(struct upstream *leg)
{
	return &leg->in;
}

struct buf *upstream_out(struct upstream *leg)
{
	return &leg->out;
}

void upstream_update(struct upstream *leg, bool want_read)
{
	leg->want_read = want_read;
	leg_pump(leg);
}

bool upstream_eof(const struct upstream *leg)
{
	return leg->eof;
}

bool upstream_truncated(const struct upstream *leg)
{
	return leg->truncated;
}

enum why upstream_error(const struct upstream *leg)
{
	return leg->error;
}

const char *upstream_address(const struct upstream *leg)
{
	return leg->address;
}
