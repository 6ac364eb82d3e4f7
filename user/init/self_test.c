/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves, from the command's own place (its namespaces, cgroup, user, filter, trust store), that the sandbox refuses and
 * that it serves: a datagram to nowhere must be refused with the errno of our programs, which an empty routing table does
 * not give, and a TLS connection to nowhere must be answered by the worker with a leaf that the sandbox's CA signed.
 * Nothing can leave even when the programs are missing: no datagram is sent, and no bytes before the certificate is checked.
 */
#include "init/self_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "base/buf.h"
#include "base/self_test.h"
#include "base/util.h"
#include "init/failure.h"
#include "tls/client.h"
#include "tls/trust_store.h"

#define CA_FILE	     "/etc/ssl/certs/" TRUST_STORE_CA
#define CA_SIZE_MAX  8192
#define STEP_LIMIT_S 5
#define HTTPS_PORT   443

/* What the child tells over the pipe. */
struct verdict {
	uint32_t refusals;
	bool passed;
	char text[256]; /* why not */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_of(int family, uint16_t port, union address *ret)
{
	*ret = (union address){ .any.sa_family = (sa_family_t)family };
	if (family == AF_INET) {
		ret->v4.sin_port = htons(port);
		(void)inet_pton(AF_INET, SELF_TEST_ADDRESS4, &ret->v4.sin_addr);
		return sizeof(ret->v4);
	}
	ret->v6.sin6_port = htons(port);
	(void)inet_pton(AF_INET6, SELF_TEST_ADDRESS6, &ret->v6.sin6_addr);
	return sizeof(ret->v6);
}

static bool fails(struct verdict *v, const char *what, const char *why)
{
	(void)snprintf(v->text, sizeof(v->text), "%s: %s", what, why);
	return false;
}

/* connect() on a datagram socket sends nothing, whatever it returns. */
static bool datagram_is_refused(int family, struct verdict *v)
{
	const char *what = family == AF_INET ? "a datagram to " SELF_TEST_ADDRESS4 " must be refused"
					     : "a datagram to " SELF_TEST_ADDRESS6 " must be refused";
	auto_fd int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union address to;
	socklen_t size = address_of(family, SELF_TEST_UDP_PORT, &to);

	if (fd < 0 && family == AF_INET6 && errno == EAFNOSUPPORT)
		return true; /* a kernel without IPv6 */
	if (fd < 0)
		return fails(v, "a socket of a family that the sandbox has cannot be made", strerror(errno));
	if (connect(fd, &to.any, size) == 0)
		return fails(v, what, "it was not");
	if (errno != ECONNREFUSED)
		return fails(v, what, strerror(errno));
	v->refusals++;
	return true;
}

/* The file is staged by the supervisor and read as the command will read it. */
static int read_ca(char *out, size_t size, struct str *ret)
{
	auto_fd int fd = open(CA_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size);

	if (n < 0)
		return -errno;
	*ret = str_make(out, (size_t)n);
	return n > 0 && (size_t)n < size ? 0 : -EBADMSG;
}

static bool exchange(SSL *ssl, const char *nonce, struct verdict *v)
{
	static const char expected[] = "HTTP/1.1 204 ";
	char text[256];
	int n = snprintf(text, sizeof(text), "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", nonce,
			 SELF_TEST_HOST);

	if (SSL_connect(ssl) != 1)
		return fails(v, "the TLS handshake with the worker failed", tls_client_failure_text(ssl));
	if (SSL_write(ssl, text, n) != n)
		return fails(v, "the worker took no request", tls_client_failure_text(ssl));
	n = SSL_read(ssl, text, sizeof(text));
	if (n < (int)sizeof(expected) - 1)
		return fails(v, "the worker gave no answer", tls_client_failure_text(ssl));
	if (memcmp(text, expected, sizeof(expected) - 1) != 0)
		return fails(v, "the worker gave another answer", "it does not know this self-test");
	return true;
}

static bool serve_over(struct tls_client *client, int fd, const char *nonce, struct verdict *v)
{
	SSL *ssl = tls_client_ssl(client, STR(SELF_TEST_HOST), STR(""));
	bool passed;

	passed = ssl && SSL_set_fd(ssl, fd) == 1 ? exchange(ssl, nonce, v) : fails(v, "TLS", "no memory");
	SSL_free(ssl);
	return passed;
}

/* The sandbox's own CA and no other: a worker that shows anything else is not ours. */
static bool worker_answers_over(int fd, const char *nonce, struct verdict *v)
{
	X509_STORE *none = X509_STORE_new();
	char pem[CA_SIZE_MAX], reason[128] = "";
	struct tls_client *client = NULL;
	struct str ca;
	int r = none ? read_ca(pem, sizeof(pem), &ca) : -ENOMEM;
	bool passed = false;

	if (r < 0)
		(void)fails(v, "the sandbox's CA cannot be read from " CA_FILE, strerror(-r));
	else if (tls_client_new(none, ca, &client, reason, sizeof(reason)) < 0)
		(void)fails(v, "the sandbox's CA in " CA_FILE " is not usable", reason);
	else
		passed = serve_over(client, fd, nonce, v);
	tls_client_free(client);
	X509_STORE_free(none);
	return passed;
}

static bool worker_answers(const char *nonce, struct verdict *v)
{
	const struct timeval limit = { .tv_sec = STEP_LIMIT_S };
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	union address to;
	socklen_t size = address_of(AF_INET, HTTPS_PORT, &to);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 || connect(fd, &to.any, size) < 0)
		return fails(v, "a connection to " SELF_TEST_ADDRESS4 ":443 must reach the worker", strerror(errno));
	return worker_answers_over(fd, nonce, v);
}

static _Noreturn void child_main(const char *nonce, int pipe)
{
	struct verdict v = { 0 };

	(void)signal(SIGPIPE, SIG_IGN);
	v.passed = datagram_is_refused(AF_INET, &v) && datagram_is_refused(AF_INET6, &v) && worker_answers(nonce, &v);
	_exit(write(pipe, &v, sizeof(v)) == (ssize_t)sizeof(v) ? 0 : 1);
}

/* A child that says nothing in time is as bad as one that says no. */
static void hear(int pipe, struct verdict *ret)
{
	struct pollfd p = { .fd = pipe, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, SELF_TEST_LIMIT_MS);
	while (r < 0 && errno == EINTR);
	if (r == 1 && read(pipe, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret)) {
		ret->text[sizeof(ret->text) - 1] = '\0';
		return;
	}
	*ret = (struct verdict){ 0 };
	(void)snprintf(ret->text, sizeof(ret->text), "%s",
		       r == 0 ? "it did not end in time" : "its process ended without a word");
}

int self_test_run(const char *nonce, uint32_t *ret_refusals, struct failure *reterr)
{
	struct verdict v;
	pid_t pid;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot make the self-test: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child_main(nonce, fds[1]);
	(void)close(fds[1]);
	if (pid < 0) {
		(void)close(fds[0]);
		return failure_set(reterr, EXIT_BRIDLE, "cannot make the self-test: fork: %s", strerror(errno));
	}
	hear(fds[0], &v);
	(void)close(fds[0]);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	if (!v.passed)
		return failure_set(
			reterr, EXIT_BRIDLE,
			"the sandbox's self-test failed, so the command was not started: %s; see `bridle doctor`",
			v.text);
	*ret_refusals = v.refusals;
	return 0;
}
