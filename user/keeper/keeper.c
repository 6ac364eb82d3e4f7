/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: the process that holds the sandbox's CA key and its secrets. No network, no program, no file but those
 * beneath directories that the supervisor opened for it. It hands out leaves and rendered credentials to the workers
 * of its one sandbox, and ends when the supervisor does.
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/util.h"
#include "keeper/lockdown.h"
#include "keeper/private.h"
#include "tls/ca.h"

#define SUPERVISOR_FD	 3
#define SECURE_HEAP	 ((size_t)256 * 1024) /* the CA key's own memory: locked, guarded, not dumped */
#define SECURE_HEAP_UNIT 32

DEFINE_CLEANUP(struct keeper, keeper_free)

/* Larger than any message of the supervisor, so that one that is too large is seen as such. */
union supervisor_message {
	struct msg_header header;
	struct keeper_setup setup;
	struct keeper_directory directory;
	struct keeper_credential credential;
	unsigned char bytes[sizeof(struct keeper_setup) + sizeof(struct keeper_credential)];
};

static void on_supervisor(struct io *io, uint32_t revents)
{
	struct keeper *k = container_of(io, struct keeper, supervisor);
	union supervisor_message m;
	int fds[1] = { -1 }, r;
	size_t n_fds = ARRAY_SIZE(fds);
	long n;

	if (revents & EPOLLOUT)
		loop_defer(k->loop, &k->flush);
	if (!(revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = msg_recv(io->fd, &m, sizeof(m), fds, &n_fds);
	if (n == -EAGAIN)
		return;
	if (n == 0 || n == -ECONNRESET) {
		loop_stop(k->loop, 0); /* the supervisor is gone: so is the sandbox */
		return;
	}
	r = n < 0 ? (int)n : dispatch_supervisor(k, &m, (size_t)n, fds, n_fds);
	(void)fd_close(fds[0]);
	if (r < 0) {
		if (r == -EBADMSG || m.header.type != KEEPER_SETUP) /* a failed set-up has told its reason */
			log_error("message %u of the supervisor is refused: %s", n < 0 ? 0 : m.header.type,
				  strerror(-r));
		loop_stop(k->loop, 1);
	}
}

/* Which files changed does not matter: all are looked at, once, a moment later. */
static void on_inotify(struct io *io, uint32_t revents)
{
	struct keeper *k = container_of(io, struct keeper, inotify_io);
	char events[4096];

	(void)revents;
	while (read(io->fd, events, sizeof(events)) > 0)
		continue;
	if (k->soon.slot == 0)
		(void)timer_set(k->loop, &k->soon, KEEPER_SOON_MS);
}

static void on_soon(struct timer *t)
{
	credential_refresh_all(container_of(t, struct keeper, soon));
}

static void on_poll(struct timer *t)
{
	struct keeper *k = container_of(t, struct keeper, poll);

	credential_refresh_all(k);
	if (timer_set(k->loop, &k->poll, KEEPER_POLL_MS) < 0)
		loop_stop(k->loop, 1); /* refuse: without the poll a rotation may never be seen */
}

static void on_flush(struct job *j)
{
	struct keeper *k = container_of(j, struct keeper, flush);
	struct channel *ch, *next;

	/* first: if we die between the two, the next keeper must not use a generation again */
	if (supervisor_flush(k) < 0) {
		loop_stop(k->loop, 0);
		return;
	}
	for (ch = k->channels; ch; ch = next) {
		next = ch->next;
		channel_flush(ch);
	}
}

static struct scratch *scratch_new(void)
{
	struct scratch *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		return NULL;
	(void)mlock(s, sizeof(*s)); /* RLIMIT_MEMLOCK may say no: then it may be swapped, still never dumped */
	if (madvise(s, sizeof(*s), MADV_DONTDUMP) == 0)
		return s;
	(void)munmap(s, sizeof(*s));
	return NULL;
}

static int start_watching(struct keeper *k)
{
	int r = 0;

	k->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC); /* without it there is the poll */
	if (k->inotify >= 0) {
		k->inotify_io = (struct io){ .fd = k->inotify, .events = EPOLLIN, .ready = on_inotify };
		r = loop_add(k->loop, &k->inotify_io);
	}
	return r < 0 ? r : timer_set(k->loop, &k->poll, KEEPER_POLL_MS);
}

int keeper_new(int supervisor_fd, struct keeper **ret)
{
	auto_of(keeper_free) struct keeper *k = calloc(1, sizeof(*k));
	int r, flags;

	if (!k)
		return -ENOMEM;
	k->inotify = -1;
	k->phase = PHASE_NEW;
	k->poll.fire = on_poll;
	k->soon.fire = on_soon;
	k->flush.run = on_flush;
	k->supervisor = (struct io){ .fd = -1, .events = EPOLLIN, .ready = on_supervisor };
	flags = fcntl(supervisor_fd, F_GETFL);
	if (flags < 0 || fcntl(supervisor_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	k->scratch = scratch_new();
	if (!k->scratch)
		return -ENOMEM;
	r = loop_new(&k->loop);
	if (r < 0)
		return r;
	k->supervisor.fd = supervisor_fd;
	r = loop_add(k->loop, &k->supervisor);
	if (r == 0)
		r = start_watching(k);
	if (r < 0) {
		loop_remove(k->loop, &k->supervisor);
		k->supervisor.fd = -1; /* stays the caller's */
		return r;
	}
	*ret = TAKE(k);
	return 0;
}

struct keeper *keeper_free(struct keeper *k)
{
	if (!k)
		return NULL;
	while (k->channels)
		channel_close(k->channels);
	for (size_t i = 0; i < k->n_credentials; i++)
		credential_done(&k->credentials[i]);
	for (size_t i = 0; i < k->n_directories; i++)
		(void)fd_close(k->directories[i].fd);
	loop_free(k->loop);
	(void)fd_close(k->supervisor.fd);
	(void)fd_close(k->inotify);
	ca_free(k->ca);
	if (k->scratch) {
		explicit_bzero(k->scratch, sizeof(*k->scratch));
		(void)munmap(k->scratch, sizeof(*k->scratch));
	}
	free(k);
	return NULL;
}

int keeper_serve(struct keeper *k)
{
	int r = loop_run(k->loop);

	return r < 0 ? 1 : r;
}

/* The library reads its configuration and seeds itself while it still may. */
static bool prepare_library(void)
{
	unsigned char seed[16];
	bool ok = CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_HEAP_UNIT) > 0 &&
		  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) == 1 &&
		  RAND_bytes(seed, sizeof(seed)) == 1 && RAND_priv_bytes(seed, sizeof(seed)) == 1;

	OPENSSL_cleanse(seed, sizeof(seed));
	return ok;
}

int keeper_main(void)
{
	struct keeper *k = NULL;
	const char *reason = NULL;
	int r;

	log_set_role("keeper");
	if (lockdown_rights(&reason) < 0) {
		log_error("the keeper does not start: %s", reason);
		return 1;
	}
	if (!prepare_library()) {
		log_error("the keeper does not start: the cryptographic library failed");
		return 1;
	}
	r = keeper_new(SUPERVISOR_FD, &k);
	if (r < 0) {
		log_error("the keeper does not start: %s", strerror(-r));
		return 1;
	}
	r = lockdown_calls();
	if (r < 0)
		log_error("the keeper does not start: its filter of system calls: %s", strerror(-r));
	r = r < 0 ? 1 : keeper_serve(k);
	keeper_free(k);
	return r;
}
