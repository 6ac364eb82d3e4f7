/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command shares our process group, so the terminal's own signals (^C, ^\, ^Z) reach it without us; passing them on
 * would deliver them twice. We only wait with them blocked: blocked, not ignored, because an ignored signal is
 * inherited by every program that we execute.
 */
#include "cli/run_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/util.h"

#define RT_FIRST 34 /* 32 and 33 are the C library's own */
#define RT_LAST	 64

enum forward { FORWARD_NEVER = 0, FORWARD_FROM_PROCESS, FORWARD_ALWAYS };

/*
 * What we take off the default path, and what becomes of it: everything that would end us, but for faults of our own.
 * ends: before the command runs, there is only us to be ended.
 */
static const struct {
	int first, last;
	enum forward forward;
	bool ends;
} handled[] = {
	{ SIGHUP, SIGHUP, FORWARD_ALWAYS, true },
	{ SIGTERM, SIGTERM, FORWARD_ALWAYS, true },
	{ SIGUSR1, SIGUSR1, FORWARD_ALWAYS, true },
	{ SIGUSR2, SIGUSR2, FORWARD_ALWAYS, true },
	{ SIGALRM, SIGALRM, FORWARD_ALWAYS, true },
	{ SIGVTALRM, SIGVTALRM, FORWARD_ALWAYS, true },
	{ SIGPROF, SIGPROF, FORWARD_ALWAYS, true },
	{ SIGIO, SIGIO, FORWARD_ALWAYS, true },
	{ SIGPWR, SIGPWR, FORWARD_ALWAYS, true },
	{ SIGSTKFLT, SIGSTKFLT, FORWARD_ALWAYS, true },
	{ RT_FIRST, RT_LAST, FORWARD_ALWAYS, true },
	{ SIGINT, SIGINT, FORWARD_FROM_PROCESS, true },
	{ SIGQUIT, SIGQUIT, FORWARD_FROM_PROCESS, true },
	{ SIGABRT, SIGABRT, FORWARD_FROM_PROCESS, true }, /* abort() unblocks it first */
	{ SIGXCPU, SIGXCPU, FORWARD_FROM_PROCESS, true }, /* the kernel's is about our own time */
	{ SIGTSTP, SIGTSTP, FORWARD_FROM_PROCESS, false },
	{ SIGWINCH, SIGWINCH, FORWARD_FROM_PROCESS, false },
	{ SIGURG, SIGURG, FORWARD_FROM_PROCESS, false },
	{ SIGTTIN, SIGTTIN, FORWARD_NEVER, false },
	{ SIGTTOU, SIGTTOU, FORWARD_NEVER, false },
	{ SIGPIPE, SIGPIPE, FORWARD_NEVER, false },
};

bool run_signals_is_delivered(const struct run_signals *s, int signal, bool from_process)
{
	for (size_t i = 0; i < ARRAY_SIZE(handled); i++) {
		if (signal < handled[i].first || signal > handled[i].last)
			continue;
		if (!s->command_runs)
			return handled[i].ends && !(s->ignored & 1ULL << (signal - 1));
		return handled[i].forward == FORWARD_ALWAYS ||
		       (handled[i].forward == FORWARD_FROM_PROCESS && from_process);
	}
	return false;
}

static void on_signal(struct io *io, uint32_t revents)
{
	struct run_signals *s = container_of(io, struct run_signals, io);
	struct signalfd_siginfo info;

	(void)revents;
	while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		/* SI_USER and its kin are 0 or below; what the terminal or the kernel sends is above */
		if (run_signals_is_delivered(s, (int)info.ssi_signo, info.ssi_code <= 0))
			s->deliver(s->arg, (int)info.ssi_signo);
}

static void record_inherited(struct run_signals *s)
{
	for (int n = 1; n <= 64; n++) {
		struct sigaction action;

		if (sigaction(n, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			s->ignored |= 1ULL << (n - 1);
		if (sigismember(&s->before, n) == 1)
			s->blocked |= 1ULL << (n - 1);
	}
}

int run_signals_init(struct run_signals *s, struct loop *loop, void (*deliver)(void *arg, int signal), void *arg)
{
	sigset_t set;
	int r;

	*s = (struct run_signals){ .io = { .fd = -1 }, .tty = -1, .loop = loop, .deliver = deliver, .arg = arg };
	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(handled); i++)
		for (int n = handled[i].first; n <= handled[i].last; n++)
			(void)sigaddset(&set, n);
	if (sigprocmask(SIG_BLOCK, &set, &s->before) < 0)
		return -errno;
	record_inherited(s);
	/* roles inherit both: a caller that ignores SIGCHLD would leave us without the end of any child, and a full
	 * file is an error to be told, not an end */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_IGN);
	s->tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	s->was_foreground = s->tty >= 0 && tcgetpgrp(s->tty) == getpgrp();
	s->io.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->io.fd < 0)
		return -errno;
	s->io.events = EPOLLIN;
	s->io.ready = on_signal;
	r = loop_add(loop, &s->io);
	return r;
}

/*
 * Whether a process group is one that the command made: its leader is in a PID namespace below ours. The shell's is not,
 * and has the terminal when the command was stopped in the background.
 */
static bool is_of_command(pid_t group)
{
	char path[64], theirs[64] = "", ours[64] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", group);
	return readlink(path, theirs, sizeof(theirs) - 1) > 0 &&
	       readlink("/proc/self/ns/pid", ours, sizeof(ours) - 1) > 0 && strcmp(theirs, ours) != 0;
}

void run_signals_stop(struct run_signals *s)
{
	const pid_t group = getpgrp();
	const pid_t before = s->tty >= 0 ? tcgetpgrp(s->tty) : -1;
	const bool commands = before > 0 && before != group && is_of_command(before);

	(void)kill(getpid(), SIGSTOP);
	/* here again when the shell says fg or bg */
	if (commands && tcgetpgrp(s->tty) == group)
		(void)tcsetpgrp(s->tty, before);
	s->deliver(s->arg, SIGCONT);
}

void run_signals_done(struct run_signals *s)
{
	if (s->io.fd < 0 && s->tty < 0)
		return;
	if (s->was_foreground && tcgetpgrp(s->tty) != getpgrp())
		(void)tcsetpgrp(s->tty, getpgrp()); /* SIGTTOU is still blocked */
	loop_remove(s->loop, &s->io);
	s->io.fd = fd_close(s->io.fd);
	s->tty = fd_close(s->tty);
	(void)sigprocmask(SIG_SETMASK, &s->before, NULL);
}
