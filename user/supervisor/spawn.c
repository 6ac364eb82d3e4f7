/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone3, drop, exec. Between clone and exec only system calls are made (the supervisor may have been in any state).
 * A role that must lose rights and cannot is not started: each step that fails ends the child before exec, and the
 * parent learns which over a pipe.
 */
#include "supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/msg.h"
#include "base/util.h"
#include "supervisor/paths.h"

#define FD_SAFE		 16 /* descriptors are moved above this before they are put in their places */
#define WAIT_STEP_MS	 2
#define END_GRACE_MS	 200 /* between a closed channel and the end of its process */
#define CAPABILITIES_END 64
#define LOCKABLE_BYTES	 ((rlim_t)8 << 20) /* more than all secrets of a role, twice */

enum spawn_step { STEP_DESCRIPTORS = 1, STEP_SESSION, STEP_NETNS, STEP_CREDENTIALS, STEP_PARENT, STEP_EXEC };

static const char *const step_texts[] = {
	[STEP_DESCRIPTORS] = "cannot put its descriptors in place",    [STEP_SESSION] = "cannot start its session",
	[STEP_NETNS] = "cannot enter the sandbox's network namespace", [STEP_CREDENTIALS] = "cannot give up its rights",
	[STEP_PARENT] = "cannot be tied to the life of its parent",    [STEP_EXEC] = "cannot execute /proc/self/exe",
};

struct spawn_failure {
	int step;
	int error;
};

struct spawn_child {
	const struct spawn_options *options;
	int channel, parent_channel, null, status;
	char *argv[2];
	char *envp[2];
};

void role_init(struct role *r)
{
	*r = (struct role){ .channel = -1 };
}

static int child_fd(int from, int to)
{
	int fd = fcntl(from, F_DUPFD, FD_SAFE);

	if (fd < 0)
		return -1;
	if (dup2(fd, to) < 0)
		return -1;
	(void)close(fd);
	return 0;
}

/* 0-2, 3, 4 and the status pipe; nothing else survives, whatever the caller of bridle left open. */
static int child_descriptors(struct spawn_child *c)
{
	const struct spawn_options *o = c->options;
	int status = fcntl(c->status, F_DUPFD_CLOEXEC, FD_SAFE);
	int channel = fcntl(c->channel, F_DUPFD_CLOEXEC, FD_SAFE);
	int extra = o->extra_fd < 0 ? -1 : fcntl(o->extra_fd, F_DUPFD_CLOEXEC, FD_SAFE);

	if (status < 0 || channel < 0 || (o->extra_fd >= 0 && extra < 0))
		return -1;
	c->status = status;
	if (o->log_fd >= 0 && (child_fd(o->log_fd, 1) < 0 || child_fd(1, 2) < 0 || child_fd(c->null, 0) < 0))
		return -1;
	if (child_fd(channel, SPAWN_CHANNEL_FD) < 0 || (extra >= 0 && child_fd(extra, SPAWN_EXTRA_FD) < 0))
		return -1;
	(void)close(c->parent_channel);
	return (int)syscall(SYS_close_range, extra >= 0 ? SPAWN_EXTRA_FD + 1 : SPAWN_CHANNEL_FD + 1, ~0U,
			    CLOSE_RANGE_CLOEXEC);
}

static int child_capabilities(uint64_t set, bool ambient)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const uint32_t low = (uint32_t)set, high = (uint32_t)(set >> 32);
	struct __user_cap_data_struct data[2] = {
		{ .effective = low, .permitted = low, .inheritable = low },
		{ .effective = high, .permitted = high, .inheritable = high },
	};

	if (syscall(SYS_capset, &header, data) < 0)
		return -1;
	for (unsigned long i = 0; ambient && i < CAPABILITIES_END; i++)
		if ((set >> i & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return -1;
	return 0;
}

static int child_credentials(const struct spawn_options *o)
{
	for (unsigned long i = 0; i < CAPABILITIES_END; i++)
		if (!(o->capabilities >> i & 1) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno != EINVAL)
			return -1;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || syscall(SYS_setgroups, 0, NULL) < 0)
		return -1;
	if (syscall(SYS_setresgid, o->uid, o->uid, o->uid) < 0 || syscall(SYS_setresuid, o->uid, o->uid, o->uid) < 0)
		return -1;
	if (child_capabilities(o->capabilities, o->uid != 0) < 0)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* The signal was armed too late if the parent is gone already; the channel's other end tells, in any PID namespace. */
static int child_tie_to_parent(void)
{
	struct pollfd p = { .fd = SPAWN_CHANNEL_FD };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -1;
	if (poll(&p, 1, 0) < 0)
		return -1;
	if (p.revents & (POLLHUP | POLLERR)) {
		errno = EPIPE;
		return -1;
	}
	return 0;
}

static _Noreturn void child_fail(const struct spawn_child *c, int step)
{
	const struct spawn_failure failure = { .step = step, .error = errno };

	(void)!write(c->status, &failure, sizeof(failure));
	_exit(125);
}

/* Secrets are locked into memory: as much as is needed, or as the caller of bridle may. If not, never dumped all the same. */
static void child_lockable_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur >= LOCKABLE_BYTES)
		return;
	limit.rlim_cur = MIN(limit.rlim_max, LOCKABLE_BYTES);
	(void)setrlimit(RLIMIT_MEMLOCK, &limit);
	limit = (struct rlimit){ LOCKABLE_BYTES, MAX(limit.rlim_max, LOCKABLE_BYTES) };
	(void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

static _Noreturn void child_main(struct spawn_child *c)
{
	const struct spawn_options *o = c->options;
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (o->netns_fd >= 0 && setns(o->netns_fd, CLONE_NEWNET) < 0)
		child_fail(c, STEP_NETNS);
	if (child_descriptors(c) < 0)
		child_fail(c, STEP_DESCRIPTORS);
	/* terminal signals are for the command */
	if (o->log_fd >= 0 && setsid() < 0)
		child_fail(c, STEP_SESSION);
	if (o->confine)
		child_lockable_memory();
	if (o->confine && child_credentials(o) < 0)
		child_fail(c, STEP_CREDENTIALS);
	/* last: a change of credentials disarms it */
	if (child_tie_to_parent() < 0)
		child_fail(c, STEP_PARENT);
	(void)execve("/proc/self/exe", c->argv, c->envp);
	child_fail(c, STEP_EXEC);
}

static pid_t clone_child(const struct spawn_options *o)
{
	struct clone_args args = { .flags = o->namespaces, .exit_signal = SIGCHLD };

	if (o->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)o->cgroup_fd;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Waits for exec (end of file) or for what went wrong before it. */
static int await_exec(int fd, struct spawn_failure *ret)
{
	struct spawn_failure failure;
	ssize_t n;

	do
		n = read(fd, &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(failure) || failure.step < STEP_DESCRIPTORS || failure.step > STEP_EXEC)
		failure = (struct spawn_failure){ .step = STEP_EXEC, .error = EIO };
	*ret = failure;
	return -1;
}

static int spawn_with(const struct spawn_options *o, struct spawn_child *c, struct role *ret, char *reason)
{
	auto_fd int status_read = -1;
	auto_fd int status_write = -1;
	struct spawn_failure failure;
	struct role role;
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return reason_set(reason, -errno, "cannot start %s: %s; raise the limit of open files", o->name,
				  strerror(errno));
	status_read = pipe_fds[0];
	status_write = c->status = pipe_fds[1];
	role = (struct role){ .pid = clone_child(o), .channel = -1 };
	if (role.pid == 0)
		child_main(c);
	if (role.pid < 0)
		return reason_set(
			reason, -errno,
			"cannot start %s: clone3: %s; run bridle as root on Linux 6.1 or newer, outside of containers "
			"that forbid namespaces",
			o->name, strerror(errno));
	status_write = fd_close(status_write);
	if (await_exec(status_read, &failure) < 0) {
		role_end(&role, 0);
		return reason_set(reason, -failure.error,
				  "cannot start %s: it %s: %s; check that the bridle program is executable "
				  "for everybody and that this is root",
				  o->name, step_texts[failure.step], strerror(failure.error));
	}
	*ret = role;
	return 0;
}

int spawn_role(const struct spawn_options *options, struct role *ret, char *reason)
{
	const struct timeval timeout = { .tv_sec = SPAWN_SEND_TIMEOUT_MS / 1000 };
	static char debug[] = "BRIDLE_DEBUG=1";
	char name[32];
	struct spawn_child c = { .options = options };
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[2], r;

	if (null < 0)
		return reason_set(reason, -errno, "cannot open /dev/null: %s; mount /dev", strerror(errno));
	r = msg_pair(fds, 0);
	if (r < 0)
		return reason_set(reason, r, "cannot make a channel to %s: %s; raise the limit of open files",
				  options->name, strerror(-r));
	(void)snprintf(name, sizeof(name), "%s", options->name);
	c.argv[0] = name;
	c.envp[0] = getenv("BRIDLE_DEBUG") ? debug : NULL;
	c.null = null;
	c.parent_channel = fds[0];
	c.channel = fds[1];
	/* a role that reads nothing any more must not hold up the others */
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	r = spawn_with(options, &c, ret, reason);
	(void)fd_close(fds[1]);
	if (r < 0)
		(void)fd_close(fds[0]);
	else
		ret->channel = fds[0];
	return r;
}

/* Whether the child ended by itself within the time. */
static bool await_end(pid_t pid, unsigned timeout_ms)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000L };
	siginfo_t info;

	for (unsigned waited = 0;; waited += WAIT_STEP_MS) {
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid)
			return true;
		if (waited >= timeout_ms)
			return false;
		(void)nanosleep(&step, NULL);
	}
}

static int reap(struct role *r, unsigned timeout_ms, int *ret_status)
{
	pid_t pid;

	r->channel = fd_close(r->channel);
	if (r->pid <= 0)
		return -ECHILD;
	if (!await_end(r->pid, timeout_ms))
		(void)kill(r->pid, SIGKILL);
	do
		pid = waitpid(r->pid, ret_status, 0);
	while (pid < 0 && errno == EINTR);
	r->pid = 0;
	return pid < 0 ? -errno : 0;
}

int role_reap(struct role *r, int *ret_status)
{
	return reap(r, END_GRACE_MS, ret_status);
}

void role_end(struct role *r, unsigned timeout_ms)
{
	int status;

	(void)reap(r, timeout_ms, &status);
}

const char *role_describe_end(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		(void)snprintf(out, size, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
	return out;
}
