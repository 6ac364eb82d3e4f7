/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams with descriptors between the roles. A descriptor that a sender slips in where none is expected is
 * closed at once and the message refused.
 */
#include "base/msg.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/util.h"

union control {
	char space[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int msg_pair(int fds[2], int nonblock)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0), 0, fds) < 0)
		return -errno;
	return 0;
}

int msg_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds)
{
	union control control = { 0 };
	struct iovec iov = { .iov_len = size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > MSG_FDS_MAX || size > MSG_SIZE_MAX)
		return -EINVAL;
	memcpy(&iov.iov_base, &data, sizeof(data)); /* iovec has no const member */
	if (n_fds > 0) {
		struct cmsghdr *c;

		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EMSGSIZE;
}

/* Takes every descriptor out of m; those that do not fit into fds are closed. Returns how many came. */
static size_t take_fds(struct msghdr *m, int *fds, size_t max)
{
	size_t came = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (came < max)
				fds[came] = fd;
			else
				(void)fd_close(fd);
			came++;
		}
	}
	return came;
}

static long refuse_fds(const int *fds, size_t n, long error)
{
	for (size_t i = 0; i < n; i++)
		(void)fd_close(fds[i]);
	return error;
}

long msg_recv(int fd, void *data, size_t size, int *fds, size_t *n_fds)
{
	size_t max = n_fds ? *n_fds : 0;
	union control control = { 0 };
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct msg_header header;
	size_t came, kept;
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	came = take_fds(&m, fds, max);
	kept = MIN(came, max);
	if (m.msg_flags & MSG_TRUNC)
		return refuse_fds(fds, kept, -EMSGSIZE);
	if (came > max || (m.msg_flags & MSG_CTRUNC))
		return refuse_fds(fds, kept, -EBADMSG);
	if (n == 0)
		return refuse_fds(fds, kept, 0);
	if ((size_t)n < sizeof(header))
		return refuse_fds(fds, kept, -EBADMSG);
	memcpy(&header, data, sizeof(header));
	if (header.size != (size_t)n)
		return refuse_fds(fds, kept, -EBADMSG);
	if (n_fds)
		*n_fds = came;
	return n;
}
