/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives a worker everything it may have, and nothing twice: a keeper channel of its own, the audit file opened for it,
 * the sandbox's sockets and maps. Believes the zygote about pids and ends only.
 */
#include "supervisor/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "audit/audit.h"
#include "base/log.h"
#include "base/util.h"
#include "base/zygote_msg.h"
#include "supervisor/audit_file.h"
#include "supervisor/cgroup.h"
#include "supervisor/keeper_link.h"
#include "supervisor/paths.h"
#include "supervisor/sandbox.h"

#define RETRY_MS 500

union zygote_message {
	struct msg_header header;
	struct zygote_spawned spawned;
	struct zygote_exited exited;
};

static int zygote_spawn_role(struct workers *w, char *reason);

void workers_init(struct workers *w)
{
	*w = (struct workers){ .zygote.channel = -1,
			       .audit_fd = -1,
			       .snapshot_fd = -1,
			       .flows_fd = -1,
			       .denials_fd = -1,
			       .counters_fd = -1 };
	log_pipe_init(&w->zygote_log);
	log_pipe_init(&w->worker_log);
}

void workers_fail(struct workers *w, const char *why)
{
	if (w->failed)
		return;
	w->failed = true;
	listeners_stop(&w->listeners);
	timer_clear(w->loop, &w->retry);
	/* refuse: nobody listens, so every connection of the sandbox ends in ECONNREFUSED */
	netns_close_sockets(w->netns);
	log_error("%s; every connection of the sandbox is refused from now on: start the sandbox again", why);
	w->on_failed(w->arg);
}

static void watch(struct workers *w)
{
	int r = w->failed ? 0 : listeners_watch(&w->listeners, w->netns);

	if (r < 0)
		workers_fail(w, "the sandbox's sockets cannot be watched");
}

/* Where the family is missing the worker gets a descriptor that never becomes ready. */
static int placeholder(int *ret)
{
	*ret = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return *ret < 0 ? -errno : 0;
}

static int send_spawn(struct workers *w, int keeper_fd, int audit_fd, int none)
{
	struct zygote_spawn m = { .header = { .type = ZYGOTE_SPAWN, .size = sizeof(m) }, .id = w->id, .uid = w->uid };
	const int *s = w->netns->sockets;
	const int fds[ZYGOTE_FDS] = {
		[ZYGOTE_FD_TCP4] = s[NETNS_TCP4],      [ZYGOTE_FD_TCP6] = s[NETNS_TCP6] < 0 ? none : s[NETNS_TCP6],
		[ZYGOTE_FD_DNS4] = s[NETNS_DNS4],      [ZYGOTE_FD_DNS6] = s[NETNS_DNS6] < 0 ? none : s[NETNS_DNS6],
		[ZYGOTE_FD_KEEPER] = keeper_fd,	       [ZYGOTE_FD_LOG] = w->worker_log.write_fd,
		[ZYGOTE_FD_FLOWS] = w->flows_fd,       [ZYGOTE_FD_DENIALS] = w->denials_fd,
		[ZYGOTE_FD_COUNTERS] = w->counters_fd, [ZYGOTE_FD_AUDIT] = audit_fd,
		[ZYGOTE_FD_SNAPSHOT] = w->snapshot_fd, [ZYGOTE_FD_CGROUP] = w->cgroup->worker_fd,
	};
	auto_fd int reader = audit_file_reopen(w->audit_fd, O_RDONLY);
	int r = reader < 0 ? reader : audit_find_position(reader, "worker", m.chain_before, sizeof(m.chain_before));

	if (r < 0 && r != -ENOENT)
		return r;
	return msg_send(w->zygote.channel, &m, sizeof(m), fds, ZYGOTE_FDS);
}

static int ask(struct workers *w)
{
	auto_fd int keeper_fd = -1;
	auto_fd int audit_fd = -1;
	auto_fd int none = -1;
	int r;

	/* its own open file description: what it does to its flags does nothing to ours */
	audit_fd = audit_file_reopen(w->audit_fd, O_WRONLY | O_APPEND);
	if (audit_fd < 0)
		return audit_fd;
	r = placeholder(&none);
	if (r == 0)
		r = keeper_link_add_worker(w->keeper, &keeper_fd);
	if (r < 0)
		return r;
	w->id++;
	w->pid = 0;
	r = send_spawn(w, keeper_fd, audit_fd, none);
	w->busy = r == 0;
	return r;
}

static void count_crash(struct workers *w, const char *what)
{
	char why[128];

	if (!restarts_count(&w->crashes, loop_now_ms(w->loop))) {
		/* not at once: what made it fail may pass */
		(void)timer_set(w->loop, &w->retry, RETRY_MS);
		return;
	}
	(void)snprintf(why, sizeof(why), "the worker %s %d times in %d s", what, RESTARTS_MAX,
		       RESTARTS_WINDOW_MS / 1000);
	workers_fail(w, why);
}

static void on_work(void *arg)
{
	struct workers *w = arg;
	int r;

	if (w->busy || w->failed)
		return;
	if (!w->keeper->ready)
		return; /* workers_keeper_ready() comes back to it */
	r = ask(w);
	if (r < 0) {
		log_error("cannot make a worker: %s", strerror(-r));
		count_crash(w, "could not be made");
	}
}

static void on_retry(struct timer *t)
{
	watch(container_of(t, struct workers, retry));
}

void workers_keeper_ready(struct workers *w)
{
	if (!w->busy && w->zygote.pid > 0 && w->retry.slot == 0 && w->listeners.loop)
		watch(w);
}

static void worker_ended(struct workers *w, int status)
{
	char end[96];

	w->busy = false;
	w->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		watch(w);
		return;
	}
	log_error("the worker %s", role_describe_end(status, end, sizeof(end)));
	count_crash(w, "crashed");
}

static void zygote_lost(struct workers *w, const char *why)
{
	char reason[SANDBOX_REASON_MAX];
	int r;

	loop_remove(w->loop, &w->io);
	role_end(&w->zygote, 0);
	/* nobody waits for its worker any more */
	r = cgroup_renew_worker(w->cgroup);
	w->busy = false;
	w->pid = 0;
	if (w->failed)
		return;
	if (restarts_count(&w->zygote_restarts, loop_now_ms(w->loop))) {
		workers_fail(w, "the zygote ended too often");
		return;
	}
	log_error("%s; it is started again", why);
	if (r < 0)
		workers_fail(w, "the worker's cgroup cannot be made again");
	else if (zygote_spawn_role(w, reason) < 0)
		workers_fail(w, reason);
	else
		watch(w);
}

static int receive(struct workers *w)
{
	union zygote_message m;
	size_t n_fds = 0;
	const long n = msg_recv(w->zygote.channel, &m, sizeof(m), NULL, &n_fds);

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n <= 0)
		return n == 0 ? -EPIPE : (int)n;
	if (m.header.type == ZYGOTE_SPAWNED && n == (long)sizeof(m.spawned)) {
		if (m.spawned.id != w->id || !w->busy)
			return -EBADMSG;
		w->pid = m.spawned.pid > 0 ? m.spawned.pid : 0;
		if (m.spawned.pid < 0) {
			w->busy = false;
			log_error("the zygote cannot make a worker: %s", strerror(-m.spawned.pid));
			count_crash(w, "could not be made");
		}
		return 0;
	}
	if (m.header.type == ZYGOTE_EXITED && n == (long)sizeof(m.exited)) {
		if (m.exited.id == w->id && w->busy)
			worker_ended(w, m.exited.status);
		return 0;
	}
	return -EBADMSG;
}

static void on_channel(struct io *io, uint32_t revents)
{
	struct workers *w = container_of(io, struct workers, io);
	int r;

	(void)revents;
	r = receive(w);
	if (r < 0)
		zygote_lost(w, r == -EPIPE ? "the zygote ended" : "the zygote sent a malformed message");
}

static int zygote_spawn_role(struct workers *w, char *reason)
{
	const struct spawn_options options = {
		.name = "bridle-zygote",
		.cgroup_fd = -1,
		.netns_fd = -1,
		.log_fd = w->zygote_log.write_fd,
		.extra_fd = -1,
		.confine = true,
		.uid = 0,
		/* to make a worker less than itself; cloning into the worker's cgroup rests on its uid */
		.capabilities = 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETPCAP,
	};
	int r = spawn_role(&options, &w->zygote, reason);

	if (r < 0)
		return r;
	w->io = (struct io){ .fd = w->zygote.channel, .events = EPOLLIN, .ready = on_channel };
	r = loop_add(w->loop, &w->io);
	return r < 0 ? reason_set(reason, r, "cannot watch the zygote: %s; raise the limit of open files", strerror(-r))
		     : 0;
}

int workers_start(struct workers *w, char *reason)
{
	int r = log_pipe_open(&w->zygote_log, w->loop, "zygote");

	if (r == 0)
		r = log_pipe_open(&w->worker_log, w->loop, "worker");
	if (r < 0)
		return reason_set(reason, r, "cannot make pipes for the roles' logs: %s; raise the limit of open files",
				  strerror(-r));
	w->retry.fire = on_retry;
	return zygote_spawn_role(w, reason);
}

int workers_serve(struct workers *w, char *reason)
{
	int r;

	listeners_init(&w->listeners, w->loop, on_work, w);
	r = listeners_watch(&w->listeners, w->netns);
	return r < 0 ? reason_set(reason, r, "cannot watch the sandbox's sockets: %s; raise the limit of open files",
				  strerror(-r))
		     : 0;
}

/* Its clients and its keeper are gone: it writes what it owes to the audit and ends. */
static void await_worker(struct workers *w)
{
	for (int waited = 0; w->busy && waited < WORKERS_END_MS; waited += 20) {
		struct pollfd p = { .fd = w->zygote.channel, .events = POLLIN };

		if (poll(&p, 1, 20) > 0 && receive(w) < 0)
			return;
	}
	if (w->busy)
		log_warning("the worker did not end within %d s and is killed; its last audit records may be missing",
			    WORKERS_END_MS / 1000);
}

void workers_done(struct workers *w)
{
	listeners_stop(&w->listeners);
	if (w->loop)
		timer_clear(w->loop, &w->retry);
	w->failed = true; /* whatever ends from here on is not started again */
	if (w->zygote.pid > 0) {
		loop_remove(w->loop, &w->io);
		await_worker(w);
		role_end(&w->zygote, w->busy ? 0 : 500);
	}
	log_pipe_done(&w->zygote_log);
	log_pipe_done(&w->worker_log);
}
