/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the sandbox at the far end of a connection, and a plain http origin on loopback that it may ask. Where the
 * connection wanted to go is what the test says: original_dst_find() is here in place of the kernel's map.
 */
#ifndef BRIDLE_TESTS_WORKER_PROGRAM_H
#define BRIDLE_TESTS_WORKER_PROGRAM_H

#include "worker_child.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "worker/conn.h"
#include "worker/exchange.h"

#define PROGRAM_HEARD_MAX  ((size_t)1 << 20)
#define PROGRAM_ROUNDS_MAX 3000 /* milliseconds until something is said to be missing */
#define ORIGIN_PEERS_MAX   16

static struct original_dst program_dst;
static int program_dst_error; /* 0, or what looking for it says */
static int program_fd;	      /* the program's end */
static char program_text[PROGRAM_HEARD_MAX];
static size_t program_n;
static struct io origin_io;
static uint16_t origin_port;
static int origin_peers[ORIGIN_PEERS_MAX], origin_n; /* accepted, in order */
static char origin_text[PROGRAM_HEARD_MAX];
static size_t origin_text_n;

int original_dst_find(int flows_fd, uint64_t netns_cookie, int fd, struct original_dst *ret)
{
	(void)flows_fd;
	(void)netns_cookie;
	(void)fd;
	if (program_dst_error == 0)
		*ret = program_dst;
	return program_dst_error;
}

static inline int loopback_listen(uint16_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = sizeof(at);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static inline int loopback_connect(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* Both ends of one TCP connection: ret[0] is the program's, ret[1] ours. */
static inline void loopback_pair(int ret[2])
{
	uint16_t port;
	int listener = loopback_listen(&port);

	ret[0] = loopback_connect(port);
	ret[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(ret[1] >= 0);
	(void)close(listener);
}

static inline void origin_accept(struct io *io, uint32_t revents)
{
	(void)revents;
	assert_true(origin_n < ORIGIN_PEERS_MAX);
	origin_peers[origin_n] = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(origin_peers[origin_n] >= 0);
	origin_n++;
}

/* origin.example.com is the origin: everything below /ok is allowed there. 3128 is a proxy port. */
static inline int program_start(void **state)
{
	char text[1024];

	(void)state;
	origin_io = (struct io){ .fd = loopback_listen(&origin_port), .events = EPOLLIN, .ready = origin_accept };
	(void)snprintf(
		text, sizeof(text),
		"{\"custom_credentials\":{\"key\":{\"upstream\":\"https://api.example.com\","
		"\"credential_key\":\"file:///s/key\",\"inject_header\":\"X-Key\"}},\"network\":{\"allow_domain\":["
		"{\"host\":\"http://origin.example.com:%u\",\"paths\":["
		"{\"method\":\"GET\",\"path\":\"/ok/**\"},{\"method\":\"HEAD\",\"path\":\"/ok/**\"},"
		"{\"method\":\"POST\",\"path\":\"/ok/**\"},{\"method\":\"PUT\",\"path\":\"/ok/**\"}]},"
		"\"api.example.com\",\"http://[fd77::1]:8080\"],"
		"\"resolve\":{\"origin.example.com\":[\"127.0.0.1\"]}}}",
		origin_port);
	(void)worker_make(text);
	assert_int_equal(policy_add_proxy_port(worker->policy, 3128), 0);
	assert_int_equal(loop_add(worker->loop, &origin_io), 0);
	program_dst = (struct original_dst){
		.family = AF_INET, .bytes = { 10, 77, 0, 2 }, .port = origin_port, .pid = 41, .socket_cookie = 99
	};
	memcpy(program_dst.exe, "agent", 6);
	program_dst_error = 0;
	program_n = origin_text_n = 0;
	program_text[0] = origin_text[0] = '\0';
	program_fd = -1;
	origin_n = 0;
	return 0;
}

static inline int program_stop(void **state)
{
	while (worker->conns)
		(void)conn_free(worker->conns);
	assert_int_equal(worker->n_conns, 0);
	if (program_fd >= 0)
		(void)close(program_fd);
	while (origin_n > 0)
		(void)close(origin_peers[--origin_n]);
	loop_remove(worker->loop, &origin_io);
	(void)close(origin_io.fd);
	return worker_unmake(state);
}

static inline void program_tick(struct timer *t)
{
	(void)t;
	loop_stop(worker->loop, 0);
}

/* Lets the loop do what is there to be done for so long. */
static inline void program_wait(unsigned ms)
{
	struct timer tick = { .fire = program_tick };

	assert_int_equal(timer_set(worker->loop, &tick, ms), 0);
	assert_int_equal(loop_run(worker->loop), 0);
	timer_clear(worker->loop, &tick);
}

static inline void program_settle(void)
{
	for (int i = 0; i < 15; i++)
		program_wait(1);
}

/* What conn_new() says to a connection whose other end is program_fd. */
static inline int program_try(void)
{
	int pair[2];

	loopback_pair(pair);
	program_fd = pair[0];
	return conn_new(worker, pair[1]);
}

static inline struct conn *program_connect(void)
{
	assert_int_equal(program_try(), 0);
	return worker->conns;
}

static inline void program_say_bytes(const void *bytes, size_t n)
{
	assert_int_equal(send(program_fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

static inline void program_say(const char *text)
{
	program_say_bytes(text, strlen(text));
}

static inline ssize_t hear(int fd, char *text, size_t *n)
{
	ssize_t got = recv(fd, text + *n, PROGRAM_HEARD_MAX - 1 - *n, MSG_DONTWAIT);

	*n += got > 0 ? (size_t)got : 0;
	text[*n] = '\0';
	return got;
}

/* Whether the text came, or comes. */
static inline bool program_heard(const char *text)
{
	for (int i = 0; i < PROGRAM_ROUNDS_MAX; i++) {
		(void)hear(program_fd, program_text, &program_n);
		if (strstr(program_text, text))
			return true;
		program_wait(1);
	}
	return false;
}

/* What the end looks like to the program: 0, or the errno of a reset; -1: it does not end. */
static inline int program_end(void)
{
	for (int i = 0; i < PROGRAM_ROUNDS_MAX; i++) {
		ssize_t got = hear(program_fd, program_text, &program_n);

		if (got == 0)
			return 0;
		if (got < 0 && errno != EAGAIN)
			return errno;
		program_wait(1);
	}
	return -1;
}

static inline bool origin_heard(const char *text)
{
	for (int i = 0; i < PROGRAM_ROUNDS_MAX; i++) {
		if (origin_n > 0)
			(void)hear(origin_peers[origin_n - 1], origin_text, &origin_text_n);
		if (strstr(origin_text, text))
			return true;
		program_wait(1);
	}
	return false;
}

/* On its last connection. */
static inline void origin_say(const char *text)
{
	assert_true(origin_n > 0);
	assert_int_equal(send(origin_peers[origin_n - 1], text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static inline void origin_close(void)
{
	assert_true(origin_n > 0);
	(void)shutdown(origin_peers[origin_n - 1], SHUT_RDWR);
}

/* "METHOD /path HTTP/1.1" with the origin's Host, more fields (each with CR LF) and a body. */
static inline const char *to_origin(const char *line, const char *fields, const char *body)
{
	static char text[65536];

	(void)snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: origin.example.com:%u\r\n%s\r\n%s", line, origin_port,
		       fields, body);
	return text;
}

/* An exchange that no stage has seen. */
static inline struct exchange *program_exchange(struct conn *c, const char *head)
{
	c->state = CONN_SERVE;
	c->exchange = exchange_new(c, str_of(head));
	assert_non_null(c->exchange);
	return c->exchange;
}

/* What the keeper says of the policy's one credential. */
static inline void keeper_push(enum credential_state state, uint32_t generation, const char *value)
{
	static struct credential_push p;

	p = (struct credential_push){ .header.type = CREDENTIAL_PUSH, .state = state, .generation = generation };
	p.value_size = (uint32_t)strlen(value);
	memcpy(p.name, "key", 4);
	memcpy(p.value, value, strlen(value));
	credentials_push(worker, &p, KEEPER_MSG_SIZE(struct credential_push, value, p.value_size));
}

/* From now on the audit cannot be written; what was is gone for worker_recorded(), too. */
static inline void audit_break(void)
{
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);

	assert_true(full >= 0);
	assert_true(dup3(full, worker->fds[ZYGOTE_FD_AUDIT], O_CLOEXEC) >= 0);
	(void)close(full);
}

/* How many times the audit holds the text. */
static inline unsigned worker_records(const char *text)
{
	static char all[1 << 18];
	ssize_t n = pread(worker->fds[ZYGOTE_FD_AUDIT], all, sizeof(all) - 1, 0);
	unsigned found = 0;

	assert_true(n > 0);
	all[n] = '\0';
	for (const char *at = strstr(all, text); at; at = strstr(at + 1, text))
		found++;
	return found;
}

#endif
