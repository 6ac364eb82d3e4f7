/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor tells the keeper, and what it is told. The supervisor is trusted, but a message it got wrong
 * is a defect that must not be guessed at: every error here ends the keeper.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "base/secret.h"
#include "base/util.h"
#include "keeper/private.h"
#include "tls/ca.h"

DEFINE_CLEANUP(struct ca, ca_free)

static bool is_text(const char *s, size_t size)
{
	return strnlen(s, size) < size;
}

/* One file of tls.ca, whole, into buf. */
static int read_pem(struct keeper *k, const char *path, unsigned char *buf, size_t max, struct str *ret, char *reason)
{
	struct source_stamp stamp;
	struct directory *d;
	const char *file;
	size_t n, size;
	int r;

	r = directory_split(path, &n, &file);
	d = r < 0 ? NULL : directory_find(k, path, n);
	r = r < 0 ? r : d ? source_file_read(d->fd, file, buf, max, NULL, &size, &stamp) : -ENOENT;
	if (r < 0) {
		(void)snprintf(reason, KEEPER_REASON_MAX, "cannot read the CA file %.128s: %s", path,
			       source_file_error(r));
		return r;
	}
	*ret = str_make((const char *)buf, size);
	return 0;
}

static int load_ca(struct keeper *k, const struct keeper_setup *m, struct ca **ret, char *reason)
{
	unsigned char *cert = malloc(KEEPER_CERT_MAX);
	struct str cert_pem, key_pem;
	int r = cert ? 0 : -ENOMEM;

	if (r == 0)
		r = read_pem(k, m->cert_path, cert, KEEPER_CERT_MAX, &cert_pem, reason);
	if (r == 0)
		r = read_pem(k, m->key_path, k->scratch->raw, sizeof(k->scratch->raw), &key_pem, reason);
	if (r == 0)
		r = ca_load(cert_pem, key_pem, ret, reason, KEEPER_REASON_MAX);
	secret_wipe(k->scratch->raw, sizeof(k->scratch->raw));
	free(cert);
	return r;
}

static int send_ready(struct keeper *k, const struct ca *ca, char *reason)
{
	struct keeper_ready *m = calloc(1, sizeof(*m));
	unsigned char *der = NULL;
	size_t n = 0, size;
	int r = m ? ca_certificate(ca, &der, &n) : -ENOMEM;

	if (r == 0 && n > sizeof(m->cert)) {
		(void)snprintf(reason, KEEPER_REASON_MAX, "the CA certificate is too large");
		r = -EFBIG;
	}
	if (r == 0) {
		size = KEEPER_MSG_SIZE(struct keeper_ready, cert, n);
		m->header = (struct msg_header){ .type = KEEPER_READY, .size = (uint32_t)size };
		m->cert_size = (uint32_t)n;
		memcpy(m->cert, der, n);
		r = msg_send(k->supervisor.fd, m, size, NULL, 0);
	}
	free(der);
	free(m);
	return r;
}

static int send_failed(struct keeper *k, int error, const char *reason)
{
	struct keeper_failed m = { .header = { .type = KEEPER_FAILED, .size = sizeof(m) } };

	(void)snprintf(m.reason, sizeof(m.reason), "%s", reason[0] ? reason : strerror(-error));
	(void)msg_send(k->supervisor.fd, &m, sizeof(m), NULL, 0);
	return error;
}

int handle_setup(struct keeper *k, const void *data, size_t size, int *fd)
{
	const struct keeper_setup *m = data;
	auto_of(ca_free) struct ca *ca = NULL;
	char reason[KEEPER_REASON_MAX] = "";
	int r;

	(void)size;
	(void)fd;
	if (!is_text(m->sandbox, sizeof(m->sandbox)) || !is_text(m->cert_path, sizeof(m->cert_path)) ||
	    !is_text(m->key_path, sizeof(m->key_path)))
		return -EBADMSG;
	r = m->cert_path[0] ? load_ca(k, m, &ca, reason) : ca_make(str_of(m->sandbox), &ca);
	if (r == 0)
		r = send_ready(k, ca, reason);
	if (r < 0)
		return send_failed(k, r, reason);
	k->ca = TAKE(ca);
	k->phase = PHASE_READY;
	return 0;
}

int handle_directory(struct keeper *k, const void *data, size_t size, int *fd)
{
	const struct keeper_directory *m = data;

	(void)size;
	return is_text(m->path, sizeof(m->path)) ? directory_put(k, m->path, fd) : -EBADMSG;
}

int handle_credential(struct keeper *k, const void *data, size_t size, int *fd)
{
	const struct keeper_credential *m = data;

	(void)size;
	(void)fd;
	if (!is_text(m->name, sizeof(m->name)) || !m->name[0] || !is_text(m->path, sizeof(m->path)) ||
	    !is_text(m->format, sizeof(m->format)) || !is_text(m->reason, sizeof(m->reason)))
		return -EBADMSG;
	return credential_add(k, m);
}

int handle_worker(struct keeper *k, const void *data, size_t size, int *fd)
{
	int r = channel_open(k, *fd);

	(void)data;
	(void)size;
	if (r == -EBADMSG)
		return r;
	k->phase = PHASE_SERVING;
	if (r == 0)
		*fd = -1; /* the channel's now */
	else
		log_warning("a worker is refused: %s", strerror(-r));
	return 0;
}

int handle_revoke(struct keeper *k, const void *data, size_t size, int *fd)
{
	const struct keeper_revoke *m = data;

	(void)size;
	(void)fd;
	return is_text(m->name, sizeof(m->name)) ? credential_revoke(k, m->name) : -EBADMSG;
}

static int send_state(const struct keeper *k, const struct credential *c)
{
	struct keeper_state m = { .header = { .type = KEEPER_STATE, .size = sizeof(m) } };

	m.state = c->state;
	m.generation = c->generation;
	memcpy(m.name, c->row.name, sizeof(m.name));
	memcpy(m.reason, c->reason, sizeof(m.reason));
	return msg_send(k->supervisor.fd, &m, sizeof(m), NULL, 0);
}

int supervisor_flush(struct keeper *k)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < k->n_credentials; i++) {
		struct credential *c = &k->credentials[i];

		if (c->notice_sent == c->notice)
			continue;
		r = send_state(k, c);
		if (r == 0)
			c->notice_sent = c->notice;
	}
	if (r == -EAGAIN)
		return loop_modify(k->loop, &k->supervisor, EPOLLIN | EPOLLOUT);
	return r < 0 ? r : loop_modify(k->loop, &k->supervisor, EPOLLIN);
}
