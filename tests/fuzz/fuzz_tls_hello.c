/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first bytes of a connection as a ClientHello, at once and in two pieces: the same name, the same end. The keeper is asked for
 * the canonical server name and, without one, for the address alone; no input finishes a handshake.
 * Byte 0 chooses what the keeper does and whether the rest is the records themselves, or the contents of the extensions
 * server_name and ALPN in a hello that is otherwise good; byte 1 is where they are cut.
 */
#include "fuzz.h"

#include <openssl/err.h>

#include "tls/ca.h"
#include "tls/name.h"
#include "tls/server.h"

enum { INPUT_BUILT = 1, KEEPER_LATE = 2, KEEPER_REFUSES = 4, KEEPER_GONE = 8, NO_FALLBACK = 16, KEEPER_LIES = 32 };

#define FALLBACK "10.77.0.2"

static struct ca *ca;
static struct tls_server *server;
static uint8_t how;
static struct {
	uint32_t id;
	char name[TLS_NAME_MAX + 1];
	unsigned char spki[256];
	size_t spki_size;
	bool waits;
} asked;

static void answer(void)
{
	unsigned char *der = NULL;
	size_t size = 0;

	asked.waits = false;
	if (!(how & KEEPER_REFUSES))
		assert(ca_sign_leaf(ca, str_of(asked.name), asked.spki, asked.spki_size, &der, &size) == 0);
	if (how & KEEPER_LIES) { /* the CA's own: a certificate, and not of the worker's key */
		free(der);
		assert(ca_certificate(ca, &der, &size) == 0);
	}
	tls_server_put_leaf(server, asked.id, der, size);
	free(der);
}

static int need_leaf(void *arg, uint32_t id, struct str name, const unsigned char *spki, size_t n)
{
	struct tls_name again;

	(void)arg;
	assert(tls_name_parse(name, &again) == 0 && str_eq(tls_name_str(&again), name));
	assert(again.address_size == 0 || str_eq(name, STR(FALLBACK)));
	assert(n <= sizeof(asked.spki));
	if (how & KEEPER_GONE)
		return -1;
	asked.id = id;
	memcpy(asked.name, name.p, name.n);
	asked.name[name.n] = '\0';
	memcpy(asked.spki, spki, n);
	asked.spki_size = n;
	asked.waits = true;
	if (!(how & KEEPER_LATE))
		answer();
	return 0;
}

static size_t put16(uint8_t *out, size_t value)
{
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return 2;
}

static size_t put_extension(uint8_t *out, unsigned type, const uint8_t *data, size_t n)
{
	put16(out, type);
	put16(out + 2, n);
	memcpy(out + 4, data, n);
	return 4 + n;
}

/* A hello of TLS 1.3 and 1.2 with these contents of two extensions; an empty one is left out. out has room. */
static size_t build_hello(uint8_t *out, const uint8_t *name, size_t name_n, const uint8_t *alpn, size_t alpn_n)
{
	/* offers 1.2 alone: a key share would have to be a point on the curve */
	static const uint8_t start[] = { 0x03, 0x03 }, middle[] = { 0, 0, 4, 0xc0, 0x2b, 0xcc, 0xa9, 1, 0 };
	static const uint8_t groups[] = { 0, 4, 0, 29, 0, 23 }, signatures[] = { 0, 4, 4, 3, 8, 4 },
			     points[] = { 1, 0 };
	uint8_t *p = out + 9, *extensions;

	memcpy(p, start, sizeof(start));
	memset(p + 2, 0x42, 32);
	p += 34;
	memcpy(p, middle, sizeof(middle)); /* no session, two suites, no compression */
	p += sizeof(middle);
	extensions = p;
	p += 2;
	if (name_n)
		p += put_extension(p, 0, name, name_n);
	if (alpn_n)
		p += put_extension(p, 16, alpn, alpn_n);
	p += put_extension(p, 10, groups, sizeof(groups));
	p += put_extension(p, 11, points, sizeof(points));
	p += put_extension(p, 13, signatures, sizeof(signatures));
	put16(extensions, (size_t)(p - extensions) - 2);
	out[0] = 22;
	put16(out + 1, 0x0301);
	put16(out + 3, (size_t)(p - out) - 5);
	out[5] = 1;
	out[6] = 0;
	put16(out + 7, (size_t)(p - out) - 9);
	return (size_t)(p - out);
}

static int step(SSL *ssl)
{
	int r = SSL_do_handshake(ssl), error = SSL_get_error(ssl, r);

	assert(r != 1); /* no handshake ends without the client's last message */
	ERR_clear_error();
	if (error != SSL_ERROR_WANT_CLIENT_HELLO_CB)
		return error;
	assert(asked.waits && (how & KEEPER_LATE));
	answer();
	return step(ssl);
}

/* What came of it: SSL_get_error()'s number; the name in ret. */
static int feed(const uint8_t *data, size_t cut, size_t n, struct tls_name *ret)
{
	SSL *ssl = tls_server_ssl(server, str_of(how & NO_FALLBACK ? "" : FALLBACK));
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	struct str name;
	int error = SSL_ERROR_WANT_READ;

	assert(ssl && in && out);
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(ssl, in, out);
	if (cut > 0) {
		assert(BIO_write(in, data, (int)cut) == (int)cut);
		error = step(ssl);
	}
	if (error == SSL_ERROR_WANT_READ && n > cut) {
		assert(BIO_write(in, data + cut, (int)(n - cut)) == (int)(n - cut));
		error = step(ssl);
	}
	name = tls_server_name(ssl);
	memset(ret, 0, sizeof(*ret));
	if (name.n > 0)
		assert(tls_name_parse(name, ret) == 0 && ret->address_size == 0 && str_eq(tls_name_str(ret), name));
	assert(tls_server_failure(ssl) == WHY_tls_name_invalid || tls_server_failure(ssl) == WHY_tls_handshake);
	SSL_free(ssl);
	ERR_clear_error();
	return error;
}

static void free_all(void)
{
	server = tls_server_free(server);
	ca = ca_free(ca);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t built[2 * 16384 + 256];
	struct tls_name one, two;
	size_t cut;
	int error;

	if (!ca)
		assert(ca_make(STR("f"), &ca) == 0 && atexit(free_all) == 0);
	if (size < 2 || size > 16384)
		return 0;
	how = data[0];
	if (how & (KEEPER_LATE | KEEPER_REFUSES | KEEPER_GONE | KEEPER_LIES))
		server = tls_server_free(server);
	cut = data[1];
	data += 2;
	size -= 2;
	if (how & INPUT_BUILT) {
		cut = cut < size ? cut : size;
		size = build_hello(built, data, cut, data + cut, size - cut);
		data = built;
	}
	/* what a server remembers must not decide: only a keeper that always answers may find one that was used */
	if (!server)
		assert(tls_server_new(need_leaf, NULL, &server) == 0);
	error = feed(data, 0, size, &one);
	assert(feed(data, size * cut / 256, size, &two) == error);
	assert(strcmp(one.text, two.text) == 0);
	if (how & (KEEPER_LATE | KEEPER_REFUSES | KEEPER_GONE | KEEPER_LIES))
		server = tls_server_free(server);
	return 0;
}
