/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of the benchmark: TLS on both sides and nothing between. One thread, one epoll; every client connection has its
 * own verified one to the server; bytes are copied as they come, one record at a time, and what cannot be written is not read.
 *
 * usage: relay PORT CERTIFICATE KEY SERVER-ADDRESS SERVER-PORT SERVER-NAME CA ; serves 127.0.0.1 until it is killed
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define PIECE	16384
#define BATCH	64
#define TICKETS 1
#define BACKLOG 4096
#define MODES	(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS)
#define CIPHERS "TLS_AES_128_GCM_SHA256"

struct leg {
	struct pair *pair;
	struct leg *other;
	SSL *ssl;
	int fd;
	bool open;
	uint32_t events;
	char *data; /* read here, not yet written to `other`; NULL: nothing */
	size_t at, n;
};

struct pair {
	struct leg client, server;
	struct pair *next_dead;
	bool dead;
};

struct relay {
	int epoll;
	SSL_CTX *to_clients, *to_server;
	struct sockaddr_in server;
	const char *name;
	struct pair *dead; /* freed when the batch of events is over */
	char scratch[PIECE];
};

static void pair_end(struct relay *r, struct pair *p)
{
	if (p->dead)
		return;
	p->dead = true;
	p->next_dead = r->dead;
	r->dead = p;
}

static void free_dead(struct relay *r)
{
	while (r->dead) {
		struct pair *p = r->dead;
		struct leg *legs[] = { &p->client, &p->server };

		r->dead = p->next_dead;
		for (int i = 0; i < 2; i++) {
			if (legs[i]->open)
				(void)SSL_shutdown(legs[i]->ssl);
			SSL_free(legs[i]->ssl);
			if (legs[i]->fd >= 0)
				(void)close(legs[i]->fd);
			free(legs[i]->data);
		}
		free(p);
	}
}

static void watch(struct relay *r, struct leg *leg, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = leg };

	if (leg->events != events)
		(void)epoll_ctl(r->epoll, leg->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, leg->fd, &e);
	leg->events = events;
}

static bool would_block(struct leg *leg, int n)
{
	int e = SSL_get_error(leg->ssl, n);

	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

/* false: the pair is over. */
static bool write_on(struct leg *from, const char *data, size_t n, size_t *done)
{
	while (*done < n) {
		int w = SSL_write(from->other->ssl, data + *done, (int)(n - *done));

		if (w <= 0)
			return would_block(from->other, w);
		*done += (size_t)w;
	}
	return true;
}

/* Moves what there is from one leg to the other; false: the pair is over. */
static bool pump(struct relay *r, struct leg *from)
{
	if (!from->open || !from->other->open)
		return true;
	if (from->data) {
		if (!write_on(from, from->data, from->n, &from->at))
			return false;
		if (from->at < from->n)
			return true;
		free(from->data);
		from->data = NULL;
	}
	for (;;) {
		int n = SSL_read(from->ssl, r->scratch, PIECE);
		size_t done = 0;

		if (n <= 0)
			return would_block(from, n);
		if (!write_on(from, r->scratch, (size_t)n, &done))
			return false;
		if (done == (size_t)n)
			continue;
		from->data = malloc((size_t)n - done);
		if (!from->data)
			return false;
		memcpy(from->data, r->scratch + done, (size_t)n - done);
		from->n = (size_t)n - done;
		from->at = 0;
		return true;
	}
}

static bool advance(struct leg *leg)
{
	int n;

	if (leg->open)
		return true;
	n = SSL_do_handshake(leg->ssl);
	leg->open = n == 1;
	return leg->open || would_block(leg, n);
}

static void drive(struct relay *r, struct leg *leg)
{
	struct pair *p = leg->pair;
	struct leg *legs[] = { &p->client, &p->server };

	if (p->dead)
		return;
	if (!advance(leg) || !pump(r, &p->client) || !pump(r, &p->server)) {
		pair_end(r, p);
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct leg *l = legs[i];
		uint32_t events = l->data ? 0 : EPOLLIN;

		if (l->other->data || (!l->open && SSL_want_write(l->ssl)))
			events |= EPOLLOUT;
		watch(r, l, events ? events : EPOLLRDHUP);
	}
}

static bool make_leg(struct leg *leg, struct pair *p, struct leg *other, SSL_CTX *ctx, int fd)
{
	int one = 1;

	*leg = (struct leg){ .pair = p, .other = other, .fd = fd, .ssl = SSL_new(ctx) };
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd >= 0 && leg->ssl && SSL_set_fd(leg->ssl, fd) == 1;
}

static void accept_one(struct relay *r, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), up;
	struct pair *p = fd < 0 ? NULL : calloc(1, sizeof(*p));

	if (!p)
		return;
	up = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (!make_leg(&p->client, p, &p->server, r->to_clients, fd) ||
	    !make_leg(&p->server, p, &p->client, r->to_server, up) ||
	    (connect(up, (const struct sockaddr *)&r->server, sizeof(r->server)) < 0 && errno != EINPROGRESS) ||
	    SSL_set_tlsext_host_name(p->server.ssl, r->name) != 1 || SSL_set1_host(p->server.ssl, r->name) != 1) {
		pair_end(r, p);
		return;
	}
	SSL_set_accept_state(p->client.ssl);
	SSL_set_connect_state(p->server.ssl);
	watch(r, &p->client, EPOLLIN);
	watch(r, &p->server, EPOLLOUT);
}

static SSL_CTX *make_context(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, CIPHERS) != 1)
		exit(2);
	SSL_CTX_set_mode(ctx, MODES);
	return ctx;
}

static int make_listener(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, BACKLOG) < 0)
		exit(2);
	return fd;
}

int main(int argc, char **argv)
{
	static struct relay r;
	struct epoll_event batch[BATCH], e = { .events = EPOLLIN };
	int listener;

	if (argc != 8 || inet_pton(AF_INET, argv[4], &r.server.sin_addr) != 1) {
		(void)fprintf(stderr, "usage: relay PORT CERTIFICATE KEY SERVER-ADDRESS SERVER-PORT SERVER-NAME CA\n");
		return 2;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)signal(SIGPIPE, SIG_IGN);
	r.server.sin_family = AF_INET;
	r.server.sin_port = htons((uint16_t)atoi(argv[5]));
	r.name = argv[6];
	r.to_clients = make_context(TLS_server_method());
	r.to_server = make_context(TLS_client_method());
	(void)SSL_CTX_set_num_tickets(r.to_clients, TICKETS);
	SSL_CTX_set_verify(r.to_server, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_use_certificate_chain_file(r.to_clients, argv[2]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(r.to_clients, argv[3], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(r.to_server, argv[7], NULL) != 1)
		return 2;
	listener = make_listener(atoi(argv[1]));
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	(void)epoll_ctl(r.epoll, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(r.epoll, batch, BATCH, -1);

		for (int i = 0; i < n; i++) {
			if (batch[i].data.ptr)
				drive(&r, batch[i].data.ptr);
			else
				accept_one(&r, listener);
		}
		free_dead(&r);
	}
}
