/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talks to the keeper. Trusts its messages' form no more than anybody's: what is malformed ends the keeper. A sandbox
 * whose keeper dies too often gets no worker any more, so nothing is allowed.
 */
#include "supervisor/keeper_link.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/keeper_msg.h"
#include "base/log.h"
#include "base/util.h"
#include "policy/policy.h"
#include "supervisor/paths.h"
#include "supervisor/sandbox.h"
#include "supervisor/secrets.h"

#define FILE_URI "file://"

union keeper_message {
	struct msg_header header;
	struct keeper_ready ready;
	struct keeper_failed failed;
	struct keeper_state state;
};

void keeper_link_init(struct keeper_link *k)
{
	*k = (struct keeper_link){ .role.channel = -1 };
	log_pipe_init(&k->log);
}

static int send_directory(const struct keeper_link *k, const struct secret_dir *dir)
{
	struct keeper_directory m = { .header = { .type = KEEPER_DIRECTORY, .size = sizeof(m) } };

	if ((size_t)snprintf(m.path, sizeof(m.path), "%s", dir->path) >= sizeof(m.path))
		return -ENAMETOOLONG;
	return msg_send(k->role.channel, &m, sizeof(m), &dir->fd, 1);
}

static int copy_file_uri(char *out, size_t size, const char *uri)
{
	const size_t n = sizeof(FILE_URI) - 1;

	if (!uri)
		return 0;
	if (strncmp(uri, FILE_URI, n) != 0)
		return -EOPNOTSUPP;
	return (size_t)snprintf(out, size, "%s", uri + n) >= size ? -ENAMETOOLONG : 0;
}

static int send_setup(const struct keeper_link *k)
{
	struct keeper_setup m = { .header = { .type = KEEPER_SETUP, .size = sizeof(m) } };
	int r = copy_file_uri(m.cert_path, sizeof(m.cert_path), policy_ca_cert_uri(k->policy));

	if (r == 0)
		r = copy_file_uri(m.key_path, sizeof(m.key_path), policy_ca_key_uri(k->policy));
	(void)snprintf(m.sandbox, sizeof(m.sandbox), "%s", k->sandbox);
	return r < 0 ? r : msg_send(k->role.channel, &m, sizeof(m), NULL, 0);
}

static int send_credential(const struct keeper_link *k, const struct policy_credential *c, uint32_t generation)
{
	struct keeper_credential m = { .header = { .type = KEEPER_CREDENTIAL, .size = sizeof(m) },
				       .watch = c->watch,
				       .generation = generation };

	if ((size_t)snprintf(m.name, sizeof(m.name), "%s", c->name) >= sizeof(m.name) ||
	    (size_t)snprintf(m.format, sizeof(m.format), "%s", c->format ? c->format : "{}") >= sizeof(m.format))
		return -ENAMETOOLONG;
	if (c->unavailable)
		(void)snprintf(m.reason, sizeof(m.reason), "this version of bridle cannot do \"%s\" yet",
			       c->unavailable);
	else if (!c->file)
		(void)snprintf(m.reason, sizeof(m.reason),
			       "this version of bridle cannot read this kind of credential_key yet");
	else if ((size_t)snprintf(m.path, sizeof(m.path), "%s", c->file) >= sizeof(m.path))
		return -ENAMETOOLONG;
	return msg_send(k->role.channel, &m, sizeof(m), NULL, 0);
}

static int send_all(const struct keeper_link *k)
{
	int r = 0;

	for (size_t i = 0; i < k->secrets->n_dirs && r == 0; i++)
		r = send_directory(k, &k->secrets->dirs[i]);
	if (r == 0)
		r = send_setup(k);
	return r;
}

static int send_credentials(const struct keeper_link *k)
{
	int r = 0;

	for (size_t i = 0; i < policy_credential_count(k->policy) && r == 0; i++)
		r = send_credential(k, policy_credential_at(k->policy, i), k->generations[i]);
	return r;
}

static int handle_ready(struct keeper_link *k, const struct keeper_ready *m, size_t size, char *reason)
{
	int r;

	if (k->ready || size < offsetof(struct keeper_ready, cert) || m->cert_size == 0 ||
	    m->cert_size > sizeof(m->cert) || size != KEEPER_MSG_SIZE(struct keeper_ready, cert, m->cert_size))
		return reason_set(reason, -EBADMSG,
				  "the keeper sent a malformed message; report this as a defect of bridle");
	r = send_credentials(k);
	if (r < 0)
		return reason_set(reason, r,
				  "cannot tell the keeper its credentials: %s; shorten names and paths in the policy",
				  strerror(-r));
	r = k->on_ready(k->arg, m->cert, m->cert_size, reason);
	k->ready = r == 0;
	return r;
}

/* For the audit a generation means one value, also when a keeper dies and the next one reads the file again. */
static void note_generation(struct keeper_link *k, const struct keeper_state *m)
{
	for (size_t i = 0; i < policy_credential_count(k->policy) && i < ARRAY_SIZE(k->generations); i++)
		if (strcmp(policy_credential_at(k->policy, i)->name, m->name) == 0)
			k->generations[i] = MAX(k->generations[i], m->generation);
}

/* " (file:///path)": where the operator looks. Empty for a credential that is no single file. */
static const char *place_of(const struct keeper_link *k, const char *name, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < policy_credential_count(k->policy); i++) {
		const struct policy_credential *c = policy_credential_at(k->policy, i);

		if (c->file && strcmp(c->name, name) == 0)
			(void)snprintf(out, size, " (file://%s)", c->file);
	}
	return out;
}

static int handle_state(struct keeper_link *k, const struct keeper_state *m, size_t size, char *reason)
{
	char place[PATHS_MAX_BYTES];

	if (size != sizeof(*m) || strnlen(m->name, sizeof(m->name)) == sizeof(m->name) ||
	    strnlen(m->reason, sizeof(m->reason)) == sizeof(m->reason))
		return reason_set(reason, -EBADMSG,
				  "the keeper sent a malformed message; report this as a defect of bridle");
	note_generation(k, m);
	if (m->state == CREDENTIAL_READY && !m->reason[0])
		log_debug("credential %s: generation %u is ready", m->name, m->generation);
	else if (m->state == CREDENTIAL_READY)
		log_warning("credential %s: %s", m->name, m->reason);
	else if (!m->reason[0])
		log_debug("credential %s: is being read", m->name); /* young files are read twice, with a pause */
	else
		log_warning("credential %s%s is not available: %s", m->name, place_of(k, m->name, place, sizeof(place)),
			    m->reason);
	return 0;
}

static int describe_end(struct keeper_link *k, char *reason)
{
	char end[96] = "closed its channel";
	int status;

	loop_remove(k->loop, &k->io);
	if (role_reap(&k->role, &status) == 0)
		(void)role_describe_end(status, end, sizeof(end));
	return reason_set(reason, -EPIPE, "the keeper %s; if it gave a reason, it is in a line of bridle-keeper", end);
}

/* Without a CA there is nothing that the programs would trust. */
static int describe_failure(const struct keeper_link *k, const struct keeper_failed *m, char *reason)
{
	const char *cert = policy_ca_cert_uri(k->policy), *key = policy_ca_key_uri(k->policy);

	if (!cert || !key)
		return reason_set(reason, -EINVAL, "no CA could be made: %.*s; report this as a defect of bridle",
				  KEEPER_REASON_MAX, m->reason);
	return reason_set(reason, -EINVAL, "tls.ca of the policy (%s, %s): %.*s; correct it, or leave \"ca\" out", cert,
			  key, KEEPER_REASON_MAX, m->reason);
}

/* One message. 0, or -errno and reason: the keeper is of no use any more. */
static int receive(struct keeper_link *k, char *reason)
{
	union keeper_message m;
	size_t n_fds = 0;
	const long n = msg_recv(k->role.channel, &m, sizeof(m), NULL, &n_fds);

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n == 0 || n == -ECONNRESET)
		return describe_end(k, reason);
	if (n < 0)
		return reason_set(reason, (int)n, "cannot hear the keeper: %s; report this as a defect of bridle",
				  strerror((int)-n));
	switch (m.header.type) {
	case KEEPER_READY:
		return handle_ready(k, &m.ready, (size_t)n, reason);
	case KEEPER_STATE:
		return handle_state(k, &m.state, (size_t)n, reason);
	case KEEPER_FAILED:
		if ((size_t)n == sizeof(m.failed))
			return describe_failure(k, &m.failed, reason);
		break;
	default:
		break;
	}
	return reason_set(reason, -EBADMSG, "the keeper sent a malformed message; report this as a defect of bridle");
}

static void keeper_lost(struct keeper_link *k, const char *why);

static void on_channel(struct io *io, uint32_t revents)
{
	struct keeper_link *k = container_of(io, struct keeper_link, io);
	char reason[SANDBOX_REASON_MAX];

	(void)revents;
	if (receive(k, reason) < 0)
		keeper_lost(k, reason);
}

static int spawn(struct keeper_link *k, char *reason)
{
	const struct spawn_options options = {
		.name = "bridle-keeper",
		/* it has no business on any network */
		.namespaces = CLONE_NEWNET,
		.cgroup_fd = -1,
		.netns_fd = -1,
		.log_fd = k->log.write_fd,
		.extra_fd = -1,
		.confine = true,
		.uid = k->uid,
		.capabilities = 1ULL << CAP_DAC_READ_SEARCH,
	};
	int r = spawn_role(&options, &k->role, reason);

	if (r < 0)
		return r;
	k->io = (struct io){ .fd = k->role.channel, .events = EPOLLIN, .ready = on_channel };
	r = loop_add(k->loop, &k->io);
	if (r == 0)
		r = send_all(k);
	if (r < 0)
		return reason_set(reason, r,
				  "cannot tell the keeper what to do: %s; shorten paths in the policy, and use file:// "
				  "for tls.ca",
				  strerror(-r));
	return 0;
}

static void keeper_stop(struct keeper_link *k, unsigned timeout_ms)
{
	loop_remove(k->loop, &k->io);
	k->ready = false;
	role_end(&k->role, timeout_ms);
}

/* A new keeper has a new CA: what runs already will not trust it, what starts later will. */
static void keeper_lost(struct keeper_link *k, const char *why)
{
	char reason[SANDBOX_REASON_MAX];
	bool too_often = restarts_count(&k->restarts, loop_now_ms(k->loop));

	keeper_stop(k, 0);
	log_error("%s", why);
	if (!too_often && spawn(k, reason) < 0) {
		log_error("%s", reason);
		keeper_stop(k, 0);
		too_often = true;
	}
	k->given_up = too_often;
	k->on_lost(k->arg, too_often);
}

static int await_ready(struct keeper_link *k, char *reason)
{
	struct timespec from, now;

	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	while (!k->ready) {
		struct pollfd p = { .fd = k->role.channel, .events = POLLIN };
		long waited;
		int r;

		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		waited = (now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000;
		if (waited >= KEEPER_READY_MS)
			return reason_set(reason, -ETIMEDOUT,
					  "the keeper made no CA within %d s; the machine is overloaded, try again",
					  KEEPER_READY_MS / 1000);
		if (poll(&p, 1, (int)(KEEPER_READY_MS - waited)) <= 0)
			continue;
		r = receive(k, reason);
		if (r < 0)
			return r;
	}
	return 0;
}

int keeper_link_start(struct keeper_link *k, char *reason)
{
	int r = log_pipe_open(&k->log, k->loop, "keeper");

	if (r < 0)
		return reason_set(reason, r,
				  "cannot make a pipe for the keeper's log: %s; raise the limit of open files",
				  strerror(-r));
	r = spawn(k, reason);
	return r < 0 ? r : await_ready(k, reason);
}

int keeper_link_add_worker(struct keeper_link *k, int *ret_fd)
{
	const struct msg_header m = { .type = KEEPER_WORKER, .size = sizeof(m) };
	int fds[2], r;

	if (!k->ready)
		return -EAGAIN;
	r = msg_pair(fds, 1);
	if (r < 0)
		return r;
	r = msg_send(k->role.channel, &m, sizeof(m), &fds[1], 1);
	(void)fd_close(fds[1]);
	if (r < 0) {
		(void)fd_close(fds[0]);
		return r;
	}
	*ret_fd = fds[0];
	return 0;
}

void keeper_link_send_directory(struct keeper_link *k, const struct secret_dir *dir)
{
	int r = k->role.channel < 0 ? 0 : send_directory(k, dir);

	if (r < 0)
		log_warning("cannot tell the keeper of the new directory %s: %s", dir->path, strerror(-r));
}

void keeper_link_done(struct keeper_link *k)
{
	if (k->role.pid > 0)
		keeper_stop(k, 1000);
	log_pipe_done(&k->log);
}
