/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forks workers. Single-threaded, with OpenSSL and the system's roots loaded once, so that a worker starts in
 * milliseconds. Root with SETUID, SETGID and SETPCAP; reads nothing but the supervisor's messages.
 */
#include "zygote/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "base/zygote_msg.h"
#include "tls/client.h"
#include "worker/worker.h"

#define ZYGOTE_CHANNEL	   3
#define ZYGOTE_WORKERS_MAX 64

struct child {
	pid_t pid; /* 0: free */
	uint32_t id;
};

struct zygote {
	struct loop *loop;
	struct io channel, signals;
	X509_STORE *roots;
	struct child children[ZYGOTE_WORKERS_MAX];
};

static int drop_privileges(uint32_t uid)
{
	const struct rlimit none = { 0, 0 };
	cap_t empty;
	int r;

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	}
	if (uid == 0 || setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return -EPERM;
	empty = cap_init();
	if (!empty)
		return -ENOMEM;
	r = cap_set_proc(empty) < 0 ? -errno : 0;
	(void)cap_free(empty);
	if (r == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
		       setrlimit(RLIMIT_CORE, &none) < 0))
		r = -errno;
	return r;
}

/* Everything but what the message brought goes: 0 is /dev/null, 1 and 2 the log pipe. */
static int place_descriptors(int fds[ZYGOTE_FDS])
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), low = 3;

	if (null < 0)
		return -errno;
	fds[ZYGOTE_FD_CGROUP] = fd_close(fds[ZYGOTE_FD_CGROUP]);
	if (dup2(null, 0) < 0 || dup2(fds[ZYGOTE_FD_LOG], 1) < 0 || dup2(fds[ZYGOTE_FD_LOG], 2) < 0)
		return -errno;
	fds[ZYGOTE_FD_LOG] = 2;
	/* above every target first, then down to 3…: no target can be a source that is still needed */
	for (int i = 0; i < ZYGOTE_FDS; i++) {
		if (fds[i] > 2) {
			fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3 + ZYGOTE_FDS);
			if (fds[i] < 0)
				return -errno;
		}
	}
	for (int i = 0; i < ZYGOTE_FDS; i++) {
		if (fds[i] > 2) {
			if (dup3(fds[i], low, O_CLOEXEC) < 0)
				return -errno;
			fds[i] = low++;
		}
	}
	return syscall(SYS_close_range, (unsigned)low, ~0u, 0) < 0 ? -errno : 0;
}

static int worker_child(struct zygote *z, int fds[ZYGOTE_FDS], const struct zygote_spawn *spawn)
{
	sigset_t none;
	int r;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	log_set_role("worker");
	(void)prctl(PR_SET_NAME, "bridle-worker");
	r = place_descriptors(fds);
	if (r == 0)
		r = drop_privileges(spawn->uid);
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = -errno;
	if (r < 0) { /* refuse: never serve with more than a worker may have */
		log_error("cannot become a worker: %s", strerror(-r));
		return 1;
	}
	return worker_main(fds, spawn, z->roots);
}

static pid_t clone_into(int cgroup_fd)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (__u64)cgroup_fd,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	return pid < 0 ? -errno : (pid_t)pid;
}

static void spawn_worker(struct zygote *z, const struct zygote_spawn *spawn, int fds[ZYGOTE_FDS])
{
	struct zygote_spawned reply = { { ZYGOTE_SPAWNED, sizeof(reply) }, .id = spawn->id, .pid = -EAGAIN };
	struct child *slot = NULL;

	for (size_t i = 0; i < ZYGOTE_WORKERS_MAX && !slot; i++)
		slot = z->children[i].pid == 0 ? &z->children[i] : NULL;
	if (slot)
		reply.pid = clone_into(fds[ZYGOTE_FD_CGROUP]);
	if (slot && reply.pid == 0)
		_exit(worker_child(z, fds, spawn));
	if (reply.pid > 0)
		*slot = (struct child){ reply.pid, spawn->id };
	(void)msg_send(ZYGOTE_CHANNEL, &reply, sizeof(reply), NULL, 0);
}

static void on_channel(struct io *io, uint32_t revents)
{
	struct zygote *z = container_of(io, struct zygote, channel);
	struct zygote_spawn spawn;
	int fds[MSG_FDS_MAX];
	size_t n_fds = MSG_FDS_MAX;
	long n = msg_recv(io->fd, &spawn, sizeof(spawn), fds, &n_fds);

	(void)revents;
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0) {
		loop_stop(z->loop, 0); /* the supervisor is gone */
		return;
	}
	spawn.chain_before[sizeof(spawn.chain_before) - 1] = '\0';
	if ((size_t)n == sizeof(spawn) && spawn.header.type == ZYGOTE_SPAWN && n_fds == ZYGOTE_FDS)
		spawn_worker(z, &spawn, fds);
	for (size_t i = 0; i < n_fds; i++)
		(void)fd_close(fds[i]);
}

static void on_signal(struct io *io, uint32_t revents)
{
	struct zygote *z = container_of(io, struct zygote, signals);
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	(void)revents;
	(void)!read(io->fd, &info, sizeof(info));
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < ZYGOTE_WORKERS_MAX; i++) {
			struct zygote_exited exited = {
				{ ZYGOTE_EXITED, sizeof(exited) }, z->children[i].id, pid, status
			};

			if (z->children[i].pid != pid)
				continue;
			z->children[i].pid = 0;
			(void)msg_send(ZYGOTE_CHANNEL, &exited, sizeof(exited), NULL, 0);
		}
	}
}

int zygote_main(void)
{
	static struct zygote z; /* the role's one context */
	sigset_t mask;
	int r;

	log_set_role("zygote");
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	r = tls_roots_load(&z.roots);
	if (r < 0) {
		log_error("the system's CA certificates cannot be loaded: %s; install the package ca-certificates",
			  strerror(-r));
		return 1;
	}
	r = loop_new(&z.loop);
	z.signals = (struct io){ .fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK),
				 .events = EPOLLIN,
				 .ready = on_signal };
	z.channel = (struct io){ .fd = ZYGOTE_CHANNEL, .events = EPOLLIN, .ready = on_channel };
	if (r == 0)
		r = loop_add(z.loop, &z.signals);
	if (r == 0)
		r = loop_add(z.loop, &z.channel);
	if (r == 0)
		r = loop_run(z.loop);
	X509_STORE_free(z.roots);
	return r < 0 ? 1 : 0;
}
