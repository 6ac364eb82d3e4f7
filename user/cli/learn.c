/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the learner over this run's records in a child that has only the audit file, a pipe and the user's rights, and
 * a limit on time: the records hold names and paths that the sandbox chose. What comes back is text; it is escaped
 * before it reaches a terminal.
 */
#include "cli/learn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/util.h"
#include "cli/user.h"

#define CHILD_AUDIT_FD	3
#define CHILD_PIPE_FD	4
#define CHILD_SECONDS	10
#define CHILD_MEMORY	((rlim_t)256 << 20)
#define CHILD_BYTES_MAX ((uint64_t)256 << 20) /* of records; what comes behind is not looked at */

struct answer {
	uint32_t requests, left_out;
};

static void child_confine(int audit_fd, int pipe_fd, const struct cli_user *user)
{
	const struct rlimit seconds = { CHILD_SECONDS, CHILD_SECONDS };
	const int a = fcntl(audit_fd, F_DUPFD, 16), p = fcntl(pipe_fd, F_DUPFD, 16);

	if (a < 0 || p < 0 || dup2(a, CHILD_AUDIT_FD) < 0 || dup2(p, CHILD_PIPE_FD) < 0 ||
	    syscall(SYS_close_range, CHILD_PIPE_FD + 1, ~0U, 0) < 0)
		_exit(1);
	if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(1);
	(void)setrlimit(RLIMIT_CPU, &seconds);
}

/* Lines of the file from offset on, each once. */
static int child_read(struct learner *l, uint64_t offset)
{
	const uint64_t end = offset + CHILD_BYTES_MAX;
	auto_free char *mem = malloc(2 * AUDIT_RECORD_MAX);
	size_t n = 0;
	ssize_t got;

	if (!mem)
		return -ENOMEM;
	while (offset < end && (got = pread(CHILD_AUDIT_FD, mem + n, 2 * AUDIT_RECORD_MAX - n, (off_t)offset)) > 0) {
		struct str rest = { mem, n + (size_t)got };
		size_t length;

		offset += (uint64_t)got;
		while ((length = str_find(rest, '\n')) < rest.n) {
			learner_take(l, str_make(rest.p, length));
			rest = str_from(rest, length + 1);
		}
		if (rest.n > AUDIT_RECORD_MAX)
			return -EBADMSG;
		memmove(mem, rest.p, rest.n);
		n = rest.n;
	}
	return 0;
}

static int child_write(const void *p, size_t n)
{
	while (n > 0) {
		const ssize_t put = write(CHILD_PIPE_FD, p, n);

		if (put <= 0)
			return -1;
		p = (const char *)p + put;
		n -= (size_t)put;
	}
	return 0;
}

static _Noreturn void child_main(uint64_t offset)
{
	struct learner *l = learner_new();
	struct learned out;
	struct answer answer;

	if (!l || child_read(l, offset) < 0 || learner_render(l, &out) < 0)
		_exit(1);
	answer = (struct answer){ out.requests, out.left_out };
	if (child_write(&answer, sizeof(answer)) < 0 ||
	    (buf_len(&out.text) > 0 && child_write(buf_data(&out.text), buf_len(&out.text)) < 0))
		_exit(1);
	_exit(0);
}

static int read_all(int fd, struct buf *b)
{
	for (;;) {
		char *at = buf_reserve(b, 4096);
		ssize_t n;

		if (!at)
			return -E2BIG;
		n = read(fd, at, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		buf_commit(b, (size_t)n);
	}
}

static int collect(int fd, pid_t pid, struct learned *ret)
{
	struct learned out = { 0 };
	struct answer answer;
	int status = 0, r;

	buf_init(&out.text, LEARN_TEXT_MAX + 8192);
	r = read_all(fd, &out.text);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		r = -EBADMSG;
	if (r == 0 && buf_len(&out.text) < sizeof(answer))
		r = -EBADMSG;
	if (r < 0) {
		buf_done(&out.text);
		return r;
	}
	memcpy(&answer, buf_data(&out.text), sizeof(answer));
	buf_consume(&out.text, sizeof(answer));
	out.requests = answer.requests;
	out.left_out = answer.left_out;
	*ret = out;
	return 0;
}

int learn_from_audit(int audit_fd, uint64_t offset, const struct cli_user *user, struct learned *ret)
{
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		child_confine(audit_fd, fds[1], user);
		child_main(offset);
	}
	(void)close(fds[1]);
	r = pid < 0 ? -errno : collect(fds[0], pid, ret);
	(void)close(fds[0]);
	return r;
}

void learned_done(struct learned *l)
{
	buf_done(&l->text);
}
