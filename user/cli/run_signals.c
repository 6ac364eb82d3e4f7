/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command shares our process group, so the terminal's own signals (^C, ^\, ^Z) reach it without us; passing them on
 * would deliver them twice. We only wait with them blocked: blocked, not ignored, because an ignored signal is
 * inherited by every program that we execute.
 */
#include "cli/run_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/util.h"

enum forward { FORWARD_NEVER = 0, FORWARD_FROM_PROCESS, FORWARD_ALWAYS };

/* What we take off the default path, and what becomes of it. */
static const struct {
	int number;
	enum forward forward;
} handled[] = {
	{ SIGHUP, FORWARD_ALWAYS },	   { SIGTERM, FORWARD_ALWAYS },	     { SIGUSR1, FORWARD_ALWAYS },
	{ SIGUSR2, FORWARD_ALWAYS },	   { SIGINT, FORWARD_FROM_PROCESS }, { SIGQUIT, FORWARD_FROM_PROCESS },
	{ SIGTSTP, FORWARD_FROM_PROCESS }, { SIGTTIN, FORWARD_NEVER },	     { SIGTTOU, FORWARD_NEVER },
	{ SIGPIPE, FORWARD_NEVER },
};

bool run_signals_is_forwarded(int signal, bool from_process)
{
	for (size_t i = 0; i < ARRAY_SIZE(handled); i++)
		if (handled[i].number == signal)
			return handled[i].forward == FORWARD_ALWAYS ||
			       (handled[i].forward == FORWARD_FROM_PROCESS && from_process);
	return false;
}

static void on_signal(struct io *io, uint32_t revents)
{
	struct run_signals *s = container_of(io, struct run_signals, io);
	struct signalfd_siginfo info;

	(void)revents;
	while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		/* SI_USER and its kin are 0 or below; what the terminal or the kernel sends is above */
		if (run_signals_is_forwarded((int)info.ssi_signo, info.ssi_code <= 0))
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
		(void)sigaddset(&set, handled[i].number);
	if (sigprocmask(SIG_BLOCK, &set, &s->before) < 0)
		return -errno;
	record_inherited(s);
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

void run_signals_stop(struct run_signals *s)
{
	const pid_t group = getpgrp();
	const pid_t before = s->tty >= 0 ? tcgetpgrp(s->tty) : -1;

	(void)kill(getpid(), SIGSTOP);
	/* here again when the shell says fg or bg */
	if (before > 0 && before != group && tcgetpgrp(s->tty) == group)
		(void)tcsetpgrp(s->tty, before); /* a group that the command made had the terminal */
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
