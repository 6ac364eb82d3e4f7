/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the roles' log pipes and shows their lines, one write each. Decides nothing. */
#include "supervisor/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/util.h"

#define READ_TURNS_MAX 16 /* reads in one turn of the loop: a flood must not hold up the rest */

void log_pipe_init(struct log_pipe *p)
{
	*p = (struct log_pipe){ .read_fd = -1, .write_fd = -1 };
}

static void show(const char *role, const char *text, size_t n)
{
	char escaped[4 * LOG_LINE_MAX + 1], line[sizeof(escaped) + 64];
	int length;

	(void)log_escape(escaped, sizeof(escaped), text, n);
	/* a role's own lines begin with "bridle-ROLE: "; a sanitizer's or libc's do not */
	if (strncmp(escaped, "bridle", 6) == 0)
		length = snprintf(line, sizeof(line), "%s\n", escaped);
	else
		length = snprintf(line, sizeof(line), "bridle-%s: %s\n", role, escaped);
	if (length > 0)
		(void)!write(STDERR_FILENO, line, MIN((size_t)length, sizeof(line) - 1));
}

static void end_line(struct log_pipe *p)
{
	const uint64_t second = loop_now_ms(p->loop) / 1000;

	if (second != p->second) {
		if (p->dropped)
			log_warning("%u lines of the %s were left out: it wrote too many at once", p->dropped, p->role);
		p->second = second;
		p->shown = p->dropped = 0;
	}
	if (p->shown < LOGS_LINES_MAX) {
		p->shown++;
		show(p->role, p->line, p->n);
	} else {
		p->dropped++;
	}
	p->n = 0;
}

/* false when the pipe is empty for now */
static bool read_once(struct log_pipe *p)
{
	char bytes[4096];
	ssize_t n = read(p->read_fd, bytes, sizeof(bytes));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			end_line(p);
		else if (p->n < sizeof(p->line))
			p->line[p->n++] = bytes[i];
		/* else: cut */
	}
	return true;
}

static void log_pipe_ready(struct io *io, uint32_t revents)
{
	struct log_pipe *p = container_of(io, struct log_pipe, io);

	(void)revents;
	for (int i = 0; i < READ_TURNS_MAX && read_once(p); i++)
		;
}

int log_pipe_open(struct log_pipe *p, struct loop *loop, const char *role)
{
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	p->loop = loop;
	p->role = role;
	p->read_fd = fds[0];
	p->write_fd = fds[1];
	p->io = (struct io){ .fd = fds[0], .events = EPOLLIN, .ready = log_pipe_ready };
	/* only our end: a role's write may wait */
	r = fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : loop_add(loop, &p->io);
	if (r < 0)
		log_pipe_done(p);
	return r;
}

void log_pipe_done(struct log_pipe *p)
{
	if (p->read_fd >= 0) {
		loop_remove(p->loop, &p->io);
		for (int i = 0; i < READ_TURNS_MAX && read_once(p); i++)
			;
		if (p->n)
			end_line(p);
		if (p->dropped)
			log_warning("%u lines of the %s were left out: it wrote too many at once", p->dropped, p->role);
	}
	(void)fd_close(p->read_fd);
	(void)fd_close(p->write_fd);
	log_pipe_init(p);
}
