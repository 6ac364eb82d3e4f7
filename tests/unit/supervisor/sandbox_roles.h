/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for the keeper, the zygote and the init: the test program, executed again, behaves as a file says. */
#ifndef BRIDLE_TESTS_SANDBOX_ROLES_H
#define BRIDLE_TESTS_SANDBOX_ROLES_H

#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/init_spec.h"
#include "base/keeper_msg.h"
#include "base/loop.h"
#include "base/self_test.h"
#include "base/snapshot.h"
#include "base/util.h"
#include "base/zygote_msg.h"
#include "policy/policy.h"
#include "supervisor/cgroup.h"
#include "supervisor/private.h"
#include "supervisor/spawn.h"
#include "tls/ca.h"

#define MODE_FILE PATHS_RUN "/unit-mode" /* root's directory: how the stand-ins behave */

static inline bool mode_is(const char *mode)
{
	char text[64] = "";
	int fd = open(MODE_FILE, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	(void)fd_close(fd);
	return strcmp(text, mode) == 0;
}

static inline int say_malformed(uint32_t type)
{
	const uint32_t m[3] = { type, sizeof(m), 0 };

	return msg_send(SPAWN_CHANNEL_FD, m, sizeof(m), NULL, 0);
}

static inline void keeper_say_ready(void)
{
	static struct keeper_ready m = { .header.type = KEEPER_READY };
	unsigned char *der = NULL;
	struct ca *ca = NULL;
	size_t n = 0;

	if (ca_make(STR("unit"), &ca) < 0 || ca_certificate(ca, &der, &n) < 0)
		exit(1);
	m.cert_size = (uint32_t)n;
	memcpy(m.cert, der, n);
	m.header.size = (uint32_t)KEEPER_MSG_SIZE(struct keeper_ready, cert, n);
	(void)msg_send(SPAWN_CHANNEL_FD, &m, m.header.size, NULL, 0);
	free(der);
	ca_free(ca);
}

static inline int keeper_role(void)
{
	static union {
		struct msg_header header;
		struct keeper_credential credential;
		char bytes[8192];
	} m;
	struct keeper_failed failed = { .header = { KEEPER_FAILED, sizeof(failed) },
					.reason = "the CA file is no certificate" };
	int fds[1];

	for (;;) {
		size_t n_fds = 1;
		long n = msg_recv(SPAWN_CHANNEL_FD, &m, sizeof(m), fds, &n_fds);

		if (n <= 0)
			return 0; /* with it go the workers' channels */
		if (m.header.type != KEEPER_SETUP)
			continue;
		if (mode_is("keeper-dies"))
			return 3;
		if (mode_is("keeper-fails"))
			(void)msg_send(SPAWN_CHANNEL_FD, &failed, sizeof(failed), NULL, 0);
		else if (mode_is("keeper-malformed"))
			(void)say_malformed(KEEPER_READY);
		else
			keeper_say_ready();
	}
}

/* A worker that lives until its keeper's channel closes, or dies at once. */
static inline int zygote_role(void)
{
	static struct zygote_spawn spawn;
	struct pollfd p[2] = { { .fd = SPAWN_CHANNEL_FD, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	struct zygote_exited exited = { .header = { ZYGOTE_EXITED, sizeof(exited) }, .pid = 1 };
	int fds[MSG_FDS_MAX];

	for (;;) {
		(void)poll(p, 2, -1);
		if (p[1].fd >= 0 && p[1].revents) {
			(void)close(p[1].fd);
			p[1].fd = -1;
			(void)msg_send(SPAWN_CHANNEL_FD, &exited, sizeof(exited), NULL, 0);
		}
		if (p[0].revents) {
			struct zygote_spawned spawned = { .header = { ZYGOTE_SPAWNED, sizeof(spawned) }, .pid = 1 };
			size_t n_fds = MSG_FDS_MAX;
			struct snapshot snapshot;

			if (msg_recv(SPAWN_CHANNEL_FD, &spawn, sizeof(spawn), fds, &n_fds) <= 0)
				return 0;
			if (n_fds != ZYGOTE_FDS || snapshot_map(fds[ZYGOTE_FD_SNAPSHOT], &snapshot) < 0)
				return 4;
			/* the chain of the run before is named only in a file that has one */
			if (!str_eq(snapshot.sandbox, STR("unit-sandbox")) || spawn.uid < UID_FIRST ||
			    spawn.chain_before[0])
				return 5;
			snapshot_unmap(&snapshot);
			spawned.id = exited.id = spawn.id;
			(void)msg_send(SPAWN_CHANNEL_FD, &spawned, sizeof(spawned), NULL, 0);
			for (size_t i = 0; i < n_fds; i++)
				if (i != ZYGOTE_FD_KEEPER)
					(void)close(fds[i]);
			p[1].fd = fds[ZYGOTE_FD_KEEPER];
			if (mode_is("worker-crashes")) {
				exited.status = SIGSEGV;
				(void)close(p[1].fd);
				p[1].fd = -1;
				(void)msg_send(SPAWN_CHANNEL_FD, &exited, sizeof(exited), NULL, 0);
			}
		}
	}
}

static inline int try_connect(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(443) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), r;

	(void)inet_pton(AF_INET, "10.77.0.99", &a.sin_addr);
	r = connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? errno : 0;
	(void)close(fd);
	return r;
}

static inline void init_exit_with(int code)
{
	const struct init_exited m = { .header = { INIT_EXITED, sizeof(m) }, .status = code << 8 };

	(void)msg_send(SPAWN_CHANNEL_FD, &m, sizeof(m), NULL, 0);
}

/* Connects until it is refused, at most 10 s; the number of connections that were turned round. */
static inline int connect_until_refused(void)
{
	int n = 0;

	for (int i = 0; i < 200; i++) {
		int r = try_connect();

		if (r == ECONNREFUSED)
			return n;
		n += r == 0;
		(void)usleep(50000);
	}
	return 99;
}

/* What init's probe does first: a datagram that the programs must refuse. The number of refusals. */
static inline uint32_t try_datagram(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(SELF_TEST_UDP_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), r;

	(void)inet_pton(AF_INET, SELF_TEST_ADDRESS4, &a.sin_addr);
	r = connect(fd, (struct sockaddr *)&a, sizeof(a));
	(void)close(fd);
	return r < 0;
}

/* The self-test as it should go, or told without having been made, or with a refusal too many. */
static inline bool init_test_role(void)
{
	struct init_tested tested = { .header = { INIT_TESTED, sizeof(tested) }, .refusals = 1 };
	struct init_test test;
	struct msg_header run;
	size_t n_fds = 0;

	if (msg_recv(SPAWN_CHANNEL_FD, &test, sizeof(test), NULL, &n_fds) != (long)sizeof(test) ||
	    test.header.type != INIT_TEST || strlen(test.nonce) != SELF_TEST_NONCE_SIZE - 1)
		return false;
	if (!mode_is("test-untried"))
		tested.refusals = try_datagram();
	if (mode_is("test-other"))
		(void)close(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP)); /* a refusal that is not the self-test's */
	if (mode_is("test-none"))
		tested.refusals = 0;
	(void)msg_send(SPAWN_CHANNEL_FD, &tested, sizeof(tested), NULL, 0);
	n_fds = 0;
	return msg_recv(SPAWN_CHANNEL_FD, &run, sizeof(run), NULL, &n_fds) == (long)sizeof(run) && run.type == INIT_RUN;
}

static inline int init_role(void)
{
	const struct msg_header started = { INIT_STARTED, sizeof(started) };
	struct init_failed failed = { .header = { INIT_FAILED, sizeof(failed) },
				      .exit_code = 127,
				      .text = "no such command" };
	struct init_spec spec;
	struct msg_header go;
	size_t n_fds = 0;

	if (init_spec_read(SPAWN_EXTRA_FD, &spec) < 0 || access(spec.certs_dir, R_OK) < 0 ||
	    access(spec.resolv_conf, R_OK) < 0)
		return 1;
	init_spec_done(&spec);
	if (msg_recv(SPAWN_CHANNEL_FD, &go, sizeof(go), NULL, &n_fds) <= 0 || go.type != INIT_GO)
		return 1;
	if (mode_is("init-silent"))
		return 0;
	if (!init_test_role())
		return 1;
	if (mode_is("init-fails"))
		(void)msg_send(SPAWN_CHANNEL_FD, &failed, sizeof(failed), NULL, 0);
	else if (mode_is("init-malformed"))
		(void)say_malformed(INIT_FAILED); /* of another size */
	else
		(void)msg_send(SPAWN_CHANNEL_FD, &started, sizeof(started), NULL, 0);
	if (mode_is("connects"))
		init_exit_with(try_connect());
	else if (mode_is("worker-crashes"))
		init_exit_with(connect_until_refused());
	else if (mode_is("signals")) {
		struct init_signal s;

		n_fds = 0;
		if (msg_recv(SPAWN_CHANNEL_FD, &s, sizeof(s), NULL, &n_fds) == (long)sizeof(s) &&
		    s.header.type == INIT_SIGNAL)
			init_exit_with(s.signal);
	} else {
		init_exit_with(5);
	}
	(void)pause();
	return 0;
}

#endif
