/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks that speak with the worker. Trusts the sandbox's CA and nothing else, so that an answer which did not come
 * from this sandbox's worker is no answer. No bytes are sent before its certificate was checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/str.h"
#include "base/util.h"
#include "cli/prober.h"
#include "tls/client.h"
#include "tls/trust_store.h"

#define HOST	    "doctor.bridle.invalid"
#define CA_FILE	    "/etc/ssl/certs/" TRUST_STORE_CA
#define CA_SIZE_MAX 8192
#define HTTP_PORT   80
#define HTTPS_PORT  443

static const char request[] = "GET /doctor HTTP/1.1\r\nHost: " HOST "\r\nConnection: close\r\n\r\n";

struct session {
	X509_STORE *none;	   /* owned: no roots */
	struct tls_client *client; /* owned */
	SSL *ssl;		   /* owned */
	int fd;			   /* owned */
};

static void session_done(struct session *s)
{
	SSL_free(s->ssl);
	tls_client_free(s->client);
	X509_STORE_free(s->none);
	(void)fd_close(s->fd);
}

static int read_ca(char *out, size_t size, struct str *ret)
{
	auto_fd int fd = open(CA_FILE, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, out, size);

	if (n < 0)
		return -errno;
	*ret = str_make(out, (size_t)n);
	return n > 0 && (size_t)n < size ? 0 : -EBADMSG;
}

/* Connects and shakes hands; session_done() in any case. */
static bool session_open(int family, struct session *s, char *why)
{
	char pem[CA_SIZE_MAX], reason[128] = "";
	struct str ca;
	int r = read_ca(pem, sizeof(pem), &ca);

	if (r < 0)
		return prober_fails(why, "the sandbox's CA cannot be read from " CA_FILE ": %s", strerror(-r));
	s->none = X509_STORE_new();
	if (!s->none || tls_client_new(s->none, ca, &s->client, reason, sizeof(reason)) < 0)
		return prober_fails(why, "the sandbox's CA in " CA_FILE " is not usable: %s", reason);
	s->fd = prober_connect(family, HTTPS_PORT);
	if (s->fd < 0)
		return prober_fails(why, "connect: %s", strerror(errno));
	s->ssl = tls_client_ssl(s->client, STR(HOST), STR(""));
	if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
		return prober_fails(why, "no memory for TLS");
	if (SSL_connect(s->ssl) != 1)
		return prober_fails(why, "the TLS handshake failed: %s", tls_client_failure_text(s->ssl));
	return true;
}

static bool handshake_passes(int family, char *why)
{
	struct session s = { .fd = -1 };
	const bool passed = session_open(family, &s, why);

	session_done(&s);
	return passed;
}

bool check_tls_ipv4(char *why)
{
	return handshake_passes(AF_INET, why);
}

bool check_tls_ipv6(char *why)
{
	return handshake_passes(AF_INET6, why);
}

/* The head is enough; it names the code. */
static bool is_refusal(const char *answer, char *why)
{
	if (strncmp(answer, "HTTP/1.1 403 ", 13) != 0)
		return prober_fails(why, "the answer was not a 403: %.20s", answer);
	return strstr(answer, "host_not_allowed") != NULL ||
	       prober_fails(why, "the answer was a 403, but not for host_not_allowed");
}

static bool request_is_refused_inside_tls(int family, char *why)
{
	struct session s = { .fd = -1 };
	char answer[4096];
	bool passed = session_open(family, &s, why);

	if (passed && SSL_write(s.ssl, request, sizeof(request) - 1) != (int)sizeof(request) - 1)
		passed = prober_fails(why, "the worker took no request: %s", tls_client_failure_text(s.ssl));
	if (passed) {
		const int n = SSL_read(s.ssl, answer, sizeof(answer) - 1);

		answer[n < 0 ? 0 : n] = '\0';
		passed = n > 0 ? is_refusal(answer, why) : prober_fails(why, "the worker gave no answer");
	}
	session_done(&s);
	return passed;
}

bool check_https_ipv4(char *why)
{
	return request_is_refused_inside_tls(AF_INET, why);
}

bool check_https_ipv6(char *why)
{
	return request_is_refused_inside_tls(AF_INET6, why);
}

bool check_http(char *why)
{
	auto_fd int fd = prober_connect(AF_INET, HTTP_PORT);
	char answer[4096];
	ssize_t n;

	if (fd < 0)
		return prober_fails(why, "connect: %s", strerror(errno));
	if (write(fd, request, sizeof(request) - 1) != (ssize_t)sizeof(request) - 1)
		return prober_fails(why, "the worker took no request: %s", strerror(errno));
	n = read(fd, answer, sizeof(answer) - 1);
	if (n <= 0)
		return prober_fails(why, "the worker gave no answer: %s", n < 0 ? strerror(errno) : "it closed");
	answer[n] = '\0';
	return is_refusal(answer, why);
}
