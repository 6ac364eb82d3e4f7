/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JKS: magic, version, entries (tag 2: a trusted certificate), and a SHA-1 over the password in UTF-16, a fixed phrase and
 * all that stands before. Numbers are big-endian, texts have two bytes of length. As sun.security.provider.JavaKeyStore
 * reads it.
 */
#include "tls/java_store.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/util.h"

#define JKS_MAGIC	0xfeedfeedu
#define JKS_VERSION	2u
#define JKS_TAG_TRUSTED 2u
#define JKS_PHRASE	"Mighty Aphrodite"

struct writer {
	BIO *out; /* in memory */
	int failed;
};

static void put(struct writer *w, const void *p, size_t n)
{
	if (n > INT32_MAX || BIO_write(w->out, p, (int)n) != (int)n)
		w->failed = 1;
}

static void put_number(struct writer *w, uint64_t value, unsigned bytes)
{
	uint8_t b[8];

	for (unsigned i = 0; i < bytes; i++)
		b[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	put(w, b, bytes);
}

static void put_text(struct writer *w, const char *text)
{
	put_number(w, strlen(text), 2);
	put(w, text, strlen(text));
}

/* One CERTIFICATE block after the other, decoded from base64 and no further. Returns how many, or -errno. */
static int put_entries(struct writer *w, BIO *pem)
{
	int n = 0;

	while (n < JAVA_STORE_ROOTS_MAX) {
		char *name = NULL, *header = NULL, alias[32];
		unsigned char *der = NULL;
		long size = 0;

		if (PEM_read_bio(pem, &name, &header, &der, &size) != 1) {
			unsigned long e = ERR_peek_last_error();

			ERR_clear_error();
			return ERR_GET_REASON(e) == PEM_R_NO_START_LINE ? n : -EINVAL;
		}
		if (strcmp(name, PEM_STRING_X509) == 0) {
			(void)snprintf(alias, sizeof(alias), "bridle-%d", n++);
			put_number(w, JKS_TAG_TRUSTED, 4);
			put_text(w, alias);
			put_number(w, 0, 8); /* made at no particular time: the same roots give the same file */
			put_text(w, "X.509");
			put_number(w, (uint64_t)size, 4);
			put(w, der, (size_t)size);
		}
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	return -E2BIG;
}

static int digest(const char *body, size_t n, uint8_t *ret)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	static const char password[] = JAVA_STORE_PASSWORD, phrase[] = JKS_PHRASE;
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1;

	for (size_t i = 0; ok && i + 1 < sizeof(password); i++) {
		const char utf16[2] = { 0, password[i] };

		ok = EVP_DigestUpdate(ctx, utf16, sizeof(utf16)) == 1;
	}
	ok = ok && EVP_DigestUpdate(ctx, phrase, sizeof(phrase) - 1) == 1 && EVP_DigestUpdate(ctx, body, n) == 1 &&
	     EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

static int write_out(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* The store in memory: the count stands in front of the entries, and the digest behind them. */
static int finish(BIO *entries, int count, int fd)
{
	struct writer w = { .out = BIO_new(BIO_s_mem()) };
	uint8_t sum[EVP_MAX_MD_SIZE];
	BUF_MEM *body = NULL;
	int r = -ENOMEM;

	if (w.out && BIO_get_mem_ptr(entries, &body) == 1) {
		put_number(&w, JKS_MAGIC, 4);
		put_number(&w, JKS_VERSION, 4);
		put_number(&w, (uint64_t)count, 4);
		put(&w, body->data, body->length);
		if (!w.failed && BIO_get_mem_ptr(w.out, &body) == 1)
			r = digest(body->data, body->length, sum);
		if (r == 0)
			r = write_out(fd, body->data, body->length);
		if (r == 0)
			r = write_out(fd, (const char *)sum, 20);
	}
	BIO_free(w.out);
	return r;
}

int java_store_write(int fd, struct str pem)
{
	struct writer w = { .out = BIO_new(BIO_s_mem()) };
	BIO *in = pem.n > INT32_MAX ? NULL : BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
	int r = -ENOMEM;

	if (w.out && in)
		r = put_entries(&w, in);
	if (r >= 0)
		r = w.failed ? -ENOMEM : finish(w.out, r, fd);
	BIO_free(in);
	BIO_free(w.out);
	return r;
}
