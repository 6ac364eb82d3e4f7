/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The benchmark's load over TLS 1.3: new connections (full or resumed), whole bodies both ways, connections that are held.
 * The keep-alive load is wrk's. It does not verify the server: what that costs falls on the load generator's core.
 *
 * usage: client MODE ADDRESS PORT NAME SECONDS
 *   full, resumed   a new connection, one GET /1k, close; as often as the time allows, on four threads
 *   same, fresh     the handshake alone, always under NAME, or under a name never seen before: nSTART-i.NAME
 *   down, up        GET /bulk, or PUT /up/bulk of the same size, again and again on one connection
 *   hold            SECONDS is a number of connections: one GET /1k on each; says so, holds them until standard input ends
 * Prints one line of JSON; exit status 1 when an answer was not a 2xx or a handshake of `full` was resumed.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define THREADS	  4
#define BULK	  (64UL << 20)
#define HEAD_MAX  8192
#define HOLD_MAX  4096
#define TIMEOUT_S 20

struct load {
	const char *mode, *name;
	struct sockaddr_in to;
	double seconds, start;
	SSL_CTX *ctx;
	atomic_ulong count, bytes, resumed, errors;
	atomic_uint serial;
};

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Keeps the newest session in the slot that its connection names. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION **slot = SSL_get_app_data(ssl);

	if (!slot)
		return 0;
	SSL_SESSION_free(*slot);
	*slot = session;
	return 1;
}

/* A finished handshake, or NULL. session: NULL for a full one. */
static SSL *dial(struct load *l, const char *name, SSL_SESSION **session)
{
	const struct timeval patience = { .tv_sec = TIMEOUT_S };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	SSL *ssl;

	if (fd < 0)
		return NULL;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	ssl = SSL_new(l->ctx);
	if (!ssl || connect(fd, (const struct sockaddr *)&l->to, sizeof(l->to)) < 0 || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_set_tlsext_host_name(ssl, name) != 1) {
		SSL_free(ssl);
		(void)close(fd);
		return NULL;
	}
	SSL_set_app_data(ssl, session);
	if (session && *session)
		(void)SSL_set_session(ssl, *session);
	if (SSL_connect(ssl) == 1)
		return ssl;
	SSL_free(ssl);
	(void)close(fd);
	return NULL;
}

static void hang_up(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
	(void)close(fd);
}

static bool write_all(SSL *ssl, const char *data, size_t n)
{
	while (n > 0) {
		int r = SSL_write(ssl, data, (int)(n < 16384 ? n : 16384));

		if (r <= 0)
			return false;
		data += r;
		n -= (size_t)r;
	}
	return true;
}

/* One answer with a Content-Length, or none: false when it is not a 2xx or not whole. */
static bool read_answer(SSL *ssl, size_t *ret_body)
{
	char head[HEAD_MAX + 1], piece[16384], *end = NULL;
	size_t have = 0, left;
	const char *field;

	while (!end) {
		int r = SSL_read(ssl, head + have, (int)(HEAD_MAX - have));

		if (r <= 0)
			return false;
		have += (size_t)r;
		head[have] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	field = strcasestr(head, "\r\nContent-Length:");
	left = field && field < end ? strtoul(field + 17, NULL, 10) : 0;
	if (strncmp(head, "HTTP/1.1 2", 10) != 0 || have - (size_t)(end + 4 - head) > left)
		return false;
	*ret_body = left;
	left -= have - (size_t)(end + 4 - head);
	while (left > 0) {
		int r = SSL_read(ssl, piece, (int)(left < sizeof(piece) ? left : sizeof(piece)));

		if (r <= 0)
			return false;
		left -= (size_t)r;
	}
	return true;
}

static bool get(struct load *l, SSL *ssl, const char *path, const char *more)
{
	char head[512];
	size_t n = 0;
	int len = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, l->name, more);

	if (!write_all(ssl, head, (size_t)len) || !read_answer(ssl, &n))
		return false;
	l->bytes += n;
	return true;
}

/* One connection of the modes full and resumed. */
static bool once(struct load *l, SSL_SESSION **session)
{
	SSL *ssl = dial(l, l->name, session);
	char byte;
	bool good;

	if (!ssl)
		return false;
	l->resumed += SSL_session_reused(ssl) == 1;
	good = get(l, ssl, "/1k", "Connection: close\r\n");
	while (good && SSL_read(ssl, &byte, 1) > 0)
		;
	hang_up(ssl);
	return good;
}

static bool handshake_only(struct load *l, bool fresh)
{
	char name[256];
	SSL *ssl;

	(void)snprintf(name, sizeof(name), "n%.0f-%u.%s", l->start * 1e6, l->serial++, l->name);
	ssl = dial(l, fresh ? name : l->name, NULL);
	if (!ssl)
		return false;
	hang_up(ssl);
	return true;
}

static void *work(void *arg)
{
	struct load *l = arg;
	double end = now_s() + l->seconds;
	SSL_SESSION *session = NULL;
	bool handshakes = strcmp(l->mode, "same") == 0 || strcmp(l->mode, "fresh") == 0;

	while (now_s() < end) {
		bool good = handshakes ? handshake_only(l, l->mode[0] == 'f')
				       : once(l, strcmp(l->mode, "resumed") == 0 ? &session : NULL);

		l->count += good;
		l->errors += !good;
		if (!good)
			(void)usleep(1000);
	}
	SSL_SESSION_free(session);
	return NULL;
}

static bool put(struct load *l, SSL *ssl, const char *body)
{
	char head[512];
	size_t n;
	int len = snprintf(head, sizeof(head),
			   "PUT /up/bulk HTTP/1.1\r\nHost: %s\r\nContent-Type: "
			   "application/octet-stream\r\nContent-Length: %lu\r\n\r\n",
			   l->name, BULK);

	if (!write_all(ssl, head, (size_t)len) || !write_all(ssl, body, BULK) || !read_answer(ssl, &n))
		return false;
	l->bytes += BULK;
	return true;
}

static void bulk(struct load *l)
{
	SSL *ssl = dial(l, l->name, NULL);
	char *body = calloc(1, BULK);
	double end = now_s() + l->seconds;
	bool good = ssl && body;

	while (good && now_s() < end) {
		good = strcmp(l->mode, "up") == 0 ? put(l, ssl, body) : get(l, ssl, "/bulk", "");
		l->count += good;
	}
	l->errors += !good;
	if (ssl)
		hang_up(ssl);
	free(body);
}

static void hold(struct load *l)
{
	static SSL *held[HOLD_MAX];
	size_t wanted = (size_t)l->seconds;

	for (size_t i = 0; i < wanted && i < HOLD_MAX; i++) {
		held[i] = dial(l, l->name, NULL);
		if (held[i] && get(l, held[i], "/1k", ""))
			l->count++;
		else
			l->errors++;
	}
	printf("{\"held\": %lu, \"errors\": %lu}\n", l->count, l->errors);
	(void)fflush(stdout);
	while (getchar() != EOF)
		;
	for (size_t i = 0; i < wanted && i < HOLD_MAX; i++) {
		if (held[i])
			hang_up(held[i]);
	}
}

static SSL_CTX *make_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "X25519") != 1)
		return NULL;
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	return ctx;
}

static bool as_the_mode_says(const struct load *l)
{
	return l->errors == 0 && l->count > 0 && (strcmp(l->mode, "full") != 0 || l->resumed == 0);
}

int main(int argc, char **argv)
{
	static struct load l;
	pthread_t threads[THREADS];

	if (argc != 6 || inet_pton(AF_INET, argv[2], &l.to.sin_addr) != 1) {
		(void)fprintf(stderr, "usage: client MODE ADDRESS PORT NAME SECONDS\n");
		return 2;
	}
	l.start = now_s();
	l.mode = argv[1];
	l.to.sin_family = AF_INET;
	l.to.sin_port = htons((uint16_t)atoi(argv[3]));
	l.name = argv[4];
	l.seconds = strtod(argv[5], NULL);
	l.ctx = make_context();
	if (!l.ctx)
		return 2;
	if (strcmp(l.mode, "hold") == 0) {
		hold(&l);
	} else if (strcmp(l.mode, "up") == 0 || strcmp(l.mode, "down") == 0) {
		bulk(&l);
	} else {
		for (int i = 0; i < THREADS; i++) {
			if (pthread_create(&threads[i], NULL, work, &l) != 0)
				return 2;
		}
		for (int i = 0; i < THREADS; i++)
			(void)pthread_join(threads[i], NULL);
	}
	printf("{\"count\": %lu, \"bytes\": %lu, \"resumed\": %lu, \"errors\": %lu, \"seconds\": %.6f}\n", l.count,
	       l.bytes, l.resumed, l.errors, now_s() - l.start);
	SSL_CTX_free(l.ctx);
	return as_the_mode_says(&l) || strcmp(l.mode, "hold") == 0 ? 0 : 1;
}
