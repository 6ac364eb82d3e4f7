/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams between the roles over SOCK_SEQPACKET socket pairs, with descriptors. Formats are structs of fixed
 * layout in the *_msg.h files; each message begins with struct msg_header. Peers are of one build (one binary),
 * so nothing is versioned, but a receiver trusts no length and no number.
 */
#ifndef BRIDLE_BASE_MSG_H
#define BRIDLE_BASE_MSG_H

#include <stddef.h>
#include <stdint.h>

#define MSG_SIZE_MAX (64 * 1024)
#define MSG_FDS_MAX  16

struct msg_header {
	uint32_t type; /* an enum of the channel */
	uint32_t size; /* bytes of the whole message, header included */
};

/* A connected pair, close-on-exec, non-blocking if asked. 0 or -errno. */
int msg_pair(int fds[2], int nonblock);

/* One message. Descriptors stay the caller's. 0 or -errno (-EAGAIN when the peer's queue is full). */
int msg_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds);

/*
 * One message into data (size bytes). Returns its length, 0 when the peer is gone, or -errno; -EMSGSIZE when it
 * was cut, -EBADMSG when header.size is not its length or more than *n_fds descriptors came (all are closed).
 * On success *n_fds is the number received in fds, now owned by the caller, close-on-exec.
 */
long msg_recv(int fd, void *data, size_t size, int *fds, size_t *n_fds);

#endif
