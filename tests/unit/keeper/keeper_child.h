/* SPDX-License-Identifier: Apache-2.0 */
/* A keeper in a child of the test, seen from the supervisor's and the workers' ends of its channels. */
#ifndef BRIDLE_TESTS_KEEPER_CHILD_H
#define BRIDLE_TESTS_KEEPER_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/keeper_msg.h"
#include "base/util.h"
#include "keeper/private.h"

#define ANSWER_MS 4000

struct keeper_child {
	pid_t pid;
	int fd;	      /* supervisor's end */
	char dir[64]; /* the directory with the secrets */
	int dir_fd;
};

static inline uint64_t child_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* run(fd) is the child's life; its result the exit status. */
static inline void child_start(struct keeper_child *c, int (*run)(int fd))
{
	int fds[2];

	(void)snprintf(c->dir, sizeof(c->dir), "/tmp/bridle-keeper-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	assert_int_equal(chmod(c->dir, 0711), 0);
	c->dir_fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(msg_pair(fds, 0), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		(void)close(fds[0]);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(run(fds[1]));
	}
	(void)close(fds[1]);
	c->fd = fds[0];
}

/* Closes the channel and returns the exit status, or 128 + the signal. */
static inline int child_end(struct keeper_child *c)
{
	int status = -1;

	c->fd = fd_close(c->fd);
	for (int i = 0; i < 500; i++) {
		if (waitpid(c->pid, &status, WNOHANG) == c->pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		(void)usleep(10000);
	}
	(void)kill(c->pid, SIGKILL);
	(void)waitpid(c->pid, &status, 0);
	return -1;
}

static inline void child_write(const struct keeper_child *c, const char *name, const char *text)
{
	int fd = openat(c->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static inline void child_send(const struct keeper_child *c, void *message, uint32_t type, size_t size, int fd)
{
	struct msg_header *h = message;

	h->type = type;
	h->size = (uint32_t)size;
	assert_int_equal(msg_send(c->fd, message, size, &fd, fd >= 0), 0);
}

static inline void child_setup(const struct keeper_child *c, const char *cert, const char *key)
{
	static struct keeper_setup m;

	memset(&m, 0, sizeof(m));
	(void)snprintf(m.sandbox, sizeof(m.sandbox), "unit");
	(void)snprintf(m.cert_path, sizeof(m.cert_path), "%s", cert ? cert : "");
	(void)snprintf(m.key_path, sizeof(m.key_path), "%s", key ? key : "");
	child_send(c, &m, KEEPER_SETUP, sizeof(m), -1);
}

static inline void child_directory(const struct keeper_child *c, const char *path, int fd)
{
	static struct keeper_directory m;

	memset(&m, 0, sizeof(m));
	(void)snprintf(m.path, sizeof(m.path), "%s", path);
	child_send(c, &m, KEEPER_DIRECTORY, sizeof(m), fd);
}

static inline void child_credential(const struct keeper_child *c, const char *name, const char *file,
				    const char *format, bool watch)
{
	static struct keeper_credential m;

	memset(&m, 0, sizeof(m));
	(void)snprintf(m.name, sizeof(m.name), "%s", name);
	if (file)
		(void)snprintf(m.path, sizeof(m.path), "%s/%s", c->dir, file);
	else
		(void)snprintf(m.reason, sizeof(m.reason), "not built yet");
	(void)snprintf(m.format, sizeof(m.format), "%s", format);
	m.watch = watch;
	child_send(c, &m, KEEPER_CREDENTIAL, sizeof(m), -1);
}

static inline int child_worker(const struct keeper_child *c)
{
	struct msg_header m = { 0 };
	int fds[2];

	assert_int_equal(msg_pair(fds, 0), 0);
	child_send(c, &m, KEEPER_WORKER, sizeof(m), fds[1]);
	(void)close(fds[1]);
	return fds[0];
}

/* One message within ms; its size, 0 at the end of the channel, -ETIMEDOUT. */
static inline long child_receive(int fd, void *buf, size_t size, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, ms) <= 0)
		return -ETIMEDOUT;
	return msg_recv(fd, buf, size, NULL, NULL);
}

/* Nothing comes for so long. */
static inline bool child_is_quiet(int worker, int ms)
{
	struct pollfd p = { .fd = worker, .events = POLLIN };

	return poll(&p, 1, ms) == 0;
}

/* The next push on a worker's channel; there must be one. */
static inline struct credential_push *child_push(int worker)
{
	static struct credential_push p;
	long n;

	memset(&p, 0, sizeof(p));
	n = child_receive(worker, &p, sizeof(p), ANSWER_MS);
	assert_true(n >= (long)offsetof(struct credential_push, value));
	assert_int_equal(p.header.type, CREDENTIAL_PUSH);
	assert_int_equal(n, offsetof(struct credential_push, value) + p.value_size);
	return &p;
}

static inline void child_expect_value(int worker, const char *value, uint32_t generation)
{
	uint64_t end = child_now_ms() + ANSWER_MS;
	struct credential_push *p;

	do {
		p = child_push(worker);
	} while (p->state != CREDENTIAL_READY && child_now_ms() < end);
	assert_int_equal(p->state, CREDENTIAL_READY);
	assert_int_equal(p->value_size, strlen(value));
	assert_memory_equal(p->value, value, strlen(value));
	assert_int_equal(p->generation, generation);
	assert_string_equal(p->reason, "");
}

/* The next state with these words in its reason. */
static inline void child_expect_state(const struct keeper_child *c, enum credential_state state, const char *word)
{
	struct keeper_state m;
	long n;

	do {
		n = child_receive(c->fd, &m, sizeof(m), ANSWER_MS);
		if (n != (long)sizeof(m))
			fail_msg("no state %d with \"%s\"", state, word);
	} while (m.header.type != KEEPER_STATE || m.state != state || !strstr(m.reason, word));
}

/* The CA's certificate in DER; its size. */
static inline size_t child_ready(const struct keeper_child *c, unsigned char *der, size_t max)
{
	static struct keeper_ready m;
	long n = child_receive(c->fd, &m, sizeof(m), ANSWER_MS);

	assert_true(n > (long)offsetof(struct keeper_ready, cert));
	assert_int_equal(m.header.type, KEEPER_READY);
	assert_int_equal(n, offsetof(struct keeper_ready, cert) + m.cert_size);
	if (der) {
		assert_true(m.cert_size <= max);
		memcpy(der, m.cert, m.cert_size);
	}
	return m.cert_size;
}

/* What a keeper does between its descriptors and its end, without the lockdown of its main. */
static inline int child_run(int fd)
{
	struct keeper *k = NULL;
	int r;

	if (keeper_new(fd, &k) < 0)
		return 9;
	r = keeper_serve(k);
	keeper_free(k);
	return r;
}

#endif
