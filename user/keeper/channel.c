/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channels to the workers of the sandbox. A worker parses hostile bytes, so here it is hostile: it may ask for
 * leaves, one at a time, and for nothing else; a worker that does not read its answers is not read either. It gets
 * every credential in full, in the newest version, and only once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/secret.h"
#include "base/util.h"
#include "keeper/private.h"
#include "tls/ca.h"

/* Larger than any message of a worker, so that one that is too large is seen as such. */
union worker_message {
	struct msg_header header;
	unsigned char bytes[sizeof(struct leaf_request) + 1];
};

void channel_close(struct channel *ch)
{
	struct keeper *k = ch->keeper;
	struct channel **at = &k->channels;

	while (*at && *at != ch)
		at = &(*at)->next;
	if (*at) {
		*at = ch->next;
		k->n_channels--;
	}
	loop_remove(k->loop, &ch->io);
	(void)fd_close(ch->io.fd);
	free(ch->reply);
	free(ch);
}

/* 0, or -EAGAIN when the worker has to read first, -errno. */
static int push(struct channel *ch, const struct credential *c)
{
	struct credential_push *p = &ch->keeper->scratch->push;
	struct str value = c->state == CREDENTIAL_READY && c->value ? secret_bytes(c->value) : (struct str){ NULL, 0 };
	size_t size = KEEPER_MSG_SIZE(struct credential_push, value, value.n);
	int r;

	memset(p, 0, offsetof(struct credential_push, value));
	p->header = (struct msg_header){ .type = CREDENTIAL_PUSH, .size = (uint32_t)size };
	p->state = c->state;
	p->generation = c->generation;
	p->value_size = (uint32_t)value.n;
	memcpy(p->name, c->row.name, sizeof(p->name));
	if (c->state != CREDENTIAL_READY)
		memcpy(p->reason, c->reason, sizeof(p->reason));
	if (value.n > 0)
		memcpy(p->value, value.p, value.n);
	r = msg_send(ch->io.fd, p, size, NULL, 0);
	secret_wipe(p->value, value.n);
	return r;
}

static int send_reply(struct channel *ch)
{
	int r = ch->reply_size > 0 ? msg_send(ch->io.fd, ch->reply, ch->reply_size, NULL, 0) : 0;

	if (r == 0)
		ch->reply_size = 0;
	return r;
}

static int send_all(struct channel *ch)
{
	struct keeper *k = ch->keeper;
	int r = send_reply(ch);

	for (size_t i = 0; r == 0 && i < k->n_credentials; i++) {
		if (ch->sent[i] == k->credentials[i].version)
			continue;
		r = push(ch, &k->credentials[i]);
		if (r == 0)
			ch->sent[i] = k->credentials[i].version;
	}
	return r;
}

void channel_flush(struct channel *ch)
{
	int r = send_all(ch);

	if (r == -EAGAIN)
		r = loop_modify(ch->keeper->loop, &ch->io, EPOLLOUT);
	else if (r == 0)
		r = loop_modify(ch->keeper->loop, &ch->io, EPOLLIN);
	if (r < 0)
		channel_close(ch);
}

static void on_ready(struct io *io, uint32_t revents)
{
	struct channel *ch = container_of(io, struct channel, io);
	union worker_message m;
	long n;
	int r = 0;

	if ((revents & EPOLLIN) && ch->reply_size == 0) {
		n = msg_recv(io->fd, &m, sizeof(m), NULL, NULL);
		if (n == -EAGAIN)
			return;
		r = n > 0 ? dispatch_worker(ch, &m, (size_t)n) : -EPIPE;
		if (r < 0) {
			channel_close(ch); /* refuse: a worker that says anything else is not ours any more */
			return;
		}
	} else if (revents & (EPOLLERR | EPOLLHUP)) {
		channel_close(ch);
		return;
	}
	channel_flush(ch);
}

static int check_socket(int fd)
{
	int type = 0, domain = 0, flags;
	socklen_t n = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_SEQPACKET)
		return -EBADMSG;
	n = sizeof(domain);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 || domain != AF_UNIX)
		return -EBADMSG;
	flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int channel_open(struct keeper *k, int fd)
{
	struct channel *ch;
	int r = check_socket(fd);

	if (r < 0)
		return r;
	if (k->n_channels == KEEPER_WORKERS_MAX)
		return -EBUSY; /* refuse: the supervisor never has so many */
	ch = calloc(1, sizeof(*ch));
	if (!ch)
		return -ENOMEM;
	ch->reply = calloc(1, sizeof(*ch->reply));
	ch->keeper = k;
	ch->io = (struct io){ .fd = fd, .events = EPOLLIN, .ready = on_ready };
	r = ch->reply ? loop_add(k->loop, &ch->io) : -ENOMEM;
	if (r < 0) {
		free(ch->reply);
		free(ch);
		return r;
	}
	ch->next = k->channels;
	k->channels = ch;
	k->n_channels++;
	channel_flush(ch);
	return 0;
}

int handle_leaf_request(struct channel *ch, const void *data, size_t size)
{
	const struct leaf_request *q = data;
	size_t head = offsetof(struct leaf_request, spki), n = 0, name_size = strnlen(q->name, sizeof(q->name));
	unsigned char *der = NULL;

	if (q->spki_size != size - head || name_size == sizeof(q->name))
		return -EBADMSG;
	if (ca_sign_leaf(ch->keeper->ca, str_make(q->name, name_size), q->spki, q->spki_size, &der, &n) < 0 ||
	    n > sizeof(ch->reply->cert))
		n = 0; /* refuse: told by the empty answer, the worker's handshake fails */
	ch->reply_size = KEEPER_MSG_SIZE(struct leaf_reply, cert, n);
	ch->reply->header = (struct msg_header){ .type = LEAF_REPLY, .size = (uint32_t)ch->reply_size };
	ch->reply->id = q->id;
	ch->reply->cert_size = (uint32_t)n;
	if (n > 0)
		memcpy(ch->reply->cert, der, n);
	free(der);
	return 0;
}
