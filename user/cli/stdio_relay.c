/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The carrier is a process of its own, so that bridle's own messages on a full standard error cannot block the loop
 * that would have to empty it. It copies bytes, looks at none, and ends with the last of its streams.
 */
#include "cli/stdio_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/user.h"

#define RELAY_CHUNK 16384

struct stream {
	int from, to;	   /* owned; -1: closed */
	size_t head, tail; /* what is read and not written */
	bool ended;	   /* nothing more comes */
	char bytes[RELAY_CHUNK];
};

struct relay {
	struct stream streams[3]; /* by descriptor; unused: closed */
	int pipe_ends[3];	  /* what replaces the descriptor; -1: it stays */
	ino_t inodes[3];
};

static bool is_unix_stream(int fd)
{
	int domain = 0, type = 0;
	socklen_t n = sizeof(domain), m = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &m) == 0 && domain == AF_UNIX && type == SOCK_STREAM;
}

/* Never blocks, whether the descriptor does or not: the mode of a socket is shared with who gave it to us. */
static ssize_t read_some(int fd, void *p, size_t n)
{
	const ssize_t got = recv(fd, p, n, MSG_DONTWAIT);

	return got < 0 && errno == ENOTSOCK ? read(fd, p, n) : got;
}

static ssize_t write_some(int fd, const void *p, size_t n)
{
	const ssize_t put = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	return put < 0 && errno == ENOTSOCK ? write(fd, p, n) : put;
}

static void stream_close(struct stream *s)
{
	s->from = fd_close(s->from);
	s->to = fd_close(s->to);
}

static bool would_wait(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void stream_move(struct stream *s)
{
	ssize_t n;

	if (s->head == s->tail && !s->ended) {
		n = read_some(s->from, s->bytes, sizeof(s->bytes));
		if (n < 0 && would_wait())
			return;
		s->ended = n <= 0;
		s->head = 0;
		s->tail = n > 0 ? (size_t)n : 0;
	}
	while (s->head < s->tail) {
		n = write_some(s->to, s->bytes + s->head, s->tail - s->head);
		if (n < 0 && would_wait())
			return;
		if (n < 0) {
			stream_close(s);
			return;
		}
		s->head += (size_t)n;
	}
	if (s->ended)
		stream_close(s);
}

static _Noreturn void carry(struct relay *relay)
{
	for (;;) {
		struct pollfd p[6];
		nfds_t n = 0;
		bool open = false;

		for (int i = 0; i < 3; i++) {
			const struct stream *s = &relay->streams[i];
			const bool empty = s->head == s->tail;

			open |= s->from >= 0;
			p[n++] = (struct pollfd){ .fd = empty ? s->from : -1, .events = POLLIN };
			/* also while it is empty: a reader that is gone ends the stream */
			p[n++] = (struct pollfd){ .fd = s->to, .events = empty ? 0 : POLLOUT };
		}
		if (!open)
			_exit(0);
		if (poll(p, n, -1) < 0 && errno != EINTR)
			_exit(1);
		for (int i = 0; i < 3; i++) {
			if (p[2 * i + 1].revents & POLLERR)
				stream_close(&relay->streams[i]);
			else if (p[2 * i].revents || p[2 * i + 1].revents)
				stream_move(&relay->streams[i]);
		}
	}
}

static void drop_to(const struct cli_user *u)
{
	if (setgroups(0, NULL) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 || setresuid(u->uid, u->uid, u->uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(1);
}

static _Noreturn void carrier_main(struct relay *relay, const struct cli_user *user)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)setsid(); /* terminal signals are not for us; the last bytes still have to pass */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	for (int fd = 0; fd < 3; fd++) {
		relay->pipe_ends[fd] = fd_close(relay->pipe_ends[fd]);
		if (null < 0 || dup2(null, fd) < 0)
			_exit(1);
	}
	drop_to(user);
	carry(relay);
}

/* The descriptor's pipe. One that is the same socket as an earlier output shares its pipe, so that order is kept. */
static int prepare(struct relay *relay, int fd)
{
	struct stream *s = &relay->streams[fd];
	struct stat st;
	int fds[2];

	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) || !is_unix_stream(fd))
		return 0;
	if (fd == 2 && relay->pipe_ends[1] >= 0 && relay->inodes[1] == st.st_ino) {
		relay->pipe_ends[2] = fcntl(relay->pipe_ends[1], F_DUPFD_CLOEXEC, 3);
		return relay->pipe_ends[2] < 0 ? -errno : 0;
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	relay->inodes[fd] = st.st_ino;
	relay->pipe_ends[fd] = fds[fd == 0 ? 0 : 1];
	s->from = fd == 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : fds[0];
	s->to = fd == 0 ? fds[1] : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (s->from < 0 || s->to < 0)
		return -errno;
	return fcntl(fd == 0 ? fds[1] : fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int replace(struct relay *relay, const struct cli_user *user)
{
	const pid_t pid = fork();

	if (pid == 0)
		carrier_main(relay, user);
	if (pid < 0)
		return -errno;
	for (int fd = 0; fd < 3; fd++)
		if (relay->pipe_ends[fd] >= 0 && dup2(relay->pipe_ends[fd], fd) < 0)
			return -errno;
	return 0;
}

int stdio_relay_start(const struct cli_user *user)
{
	auto_free struct relay *relay = calloc(1, sizeof(*relay));
	bool any = false;
	int r = 0;

	if (!relay)
		return -ENOMEM;
	for (int fd = 0; fd < 3; fd++) {
		relay->pipe_ends[fd] = -1;
		relay->streams[fd].from = relay->streams[fd].to = -1;
	}
	for (int fd = 0; fd < 3 && r == 0; fd++)
		r = prepare(relay, fd);
	for (int fd = 0; fd < 3; fd++)
		any |= relay->pipe_ends[fd] >= 0;
	if (r == 0 && any)
		r = replace(relay, user);
	for (int fd = 0; fd < 3; fd++) {
		(void)fd_close(relay->pipe_ends[fd]);
		stream_close(&relay->streams[fd]);
	}
	return r;
}
