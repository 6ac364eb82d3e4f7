/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages the certificates of a sandbox: one bundle that has the system's roots and the CA (for programs that replace
 * their roots by a file), the CA alone (for those that add one), and OpenSSL's hash link (for those that read the
 * directory). Symbolic links are copied as they are, so they mean inside what they meant outside.
 */
#include "tls/trust_store.h"
#include "tls/java_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/util.h"
#include "tls/roots.h"
#include "tls/tree.h"

#define CERTS_DIR      "/etc/ssl/certs"
#define HASH_LINKS_MAX 64

static int fail(int r, char *reason, size_t size, const char *format, ...) __attribute__((format(printf, 4, 5)));
static int fail(int r, char *reason, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = size > 0 ? vsnprintf(reason, size, format, args) : -1;
	va_end(args);
	if (n >= 0 && (size_t)n < size)
		(void)snprintf(reason + n, size - (size_t)n, ": %s", strerror(-r));
	return r;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static int copy_bytes(int from, int to)
{
	char block[16384], last = '\n';
	size_t total = 0;

	for (;;) {
		ssize_t n = read(from, block, sizeof(block));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		total += (size_t)n;
		if (total > TREE_BYTES_MAX)
			return -E2BIG;
		r = write_all(to, block, (size_t)n);
		if (r < 0)
			return r;
		last = block[n - 1];
	}
	return last == '\n' ? 0 : write_all(to, "\n", 1); /* else the CA's first line would belong to the last root */
}

/* A new file with what is in `first` (NULL: nothing) and then the PEM of the CA. */
static int write_file(int dir, const char *name, const char *first, const BUF_MEM *pem)
{
	auto_fd int to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	auto_fd int from = -1;
	int r = 0;

	if (to < 0 || fchmod(to, 0644) < 0)
		return -errno;
	if (first) {
		from = open(first, O_RDONLY | O_CLOEXEC);
		r = from < 0 ? -errno : copy_bytes(from, to);
	}
	return r < 0 ? r : write_all(to, pem->data, pem->length);
}

static int add_hash_link(int dir, const X509 *ca)
{
	int ok = 0;
	unsigned long hash = X509_NAME_hash_ex(X509_get_subject_name(ca), NULL, NULL, &ok);
	char name[32];

	if (!ok)
		return -EINVAL;
	for (unsigned i = 0; i < HASH_LINKS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%08lx.%u", hash, i);
		if (symlinkat(TRUST_STORE_CA, dir, name) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* What a JDK reads, from the bundle that was just written; Debian's look for it under java/cacerts. */
static int add_java_store(int dir)
{
	auto_fd int bundle = openat(dir, TRUST_STORE_BUNDLE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	auto_fd int to = openat(dir, TRUST_STORE_JAVA, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	struct stat st;
	void *pem;
	int r;

	if (bundle < 0 || to < 0 || fstat(bundle, &st) < 0 || fchmod(to, 0644) < 0)
		return -errno;
	pem = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, bundle, 0);
	if (pem == MAP_FAILED)
		return -errno;
	r = java_store_write(to, str_make(pem, (size_t)st.st_size));
	(void)munmap(pem, (size_t)st.st_size);
	return r;
}

static int add_java_link(int dir)
{
	auto_fd int java = -1;

	if (mkdirat(dir, TRUST_STORE_JAVA_DIR, 0755) < 0 && errno != EEXIST)
		return -errno;
	java = openat(dir, TRUST_STORE_JAVA_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (java < 0 || fchmod(java, 0755) < 0 || (unlinkat(java, "cacerts", 0) < 0 && errno != ENOENT))
		return -errno;
	return symlinkat("../" TRUST_STORE_JAVA, java, "cacerts") < 0 ? -errno : 0;
}

static int fill(const char *certs, const char *bundle, int to, X509 *ca, const BUF_MEM *pem, char *reason, size_t size)
{
	static const char *const ours[] = { TRUST_STORE_BUNDLE, TRUST_STORE_CA, TRUST_STORE_JAVA, NULL };
	auto_fd int from = open(certs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (from < 0 && errno != ENOENT)
		return fail(-errno, reason, size, "cannot open %s", certs);
	if (from >= 0)
		r = tree_copy(from, to, ours);
	if (r < 0)
		return fail(r, reason, size, "cannot copy %s for the sandbox", certs);
	r = write_file(to, TRUST_STORE_BUNDLE, bundle, pem);
	if (r < 0)
		return fail(r, reason, size, "cannot write the sandbox's CA bundle from %s",
			    bundle ? bundle : "nothing");
	r = write_file(to, TRUST_STORE_CA, NULL, pem);
	if (r == 0)
		r = add_hash_link(to, ca);
	if (r == 0)
		r = add_java_store(to);
	if (r == 0)
		r = add_java_link(to);
	return r < 0 ? fail(r, reason, size, "cannot write the sandbox's CA certificate") : 0;
}

static bool is_empty(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *e = NULL;

	if (!d) {
		(void)fd_close(own);
		return false;
	}
	do {
		e = readdir(d);
	} while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	(void)closedir(d);
	return e == NULL;
}

static int make_directory(const char *dir, int *ret_fd)
{
	auto_fd int fd = -1;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (!is_empty(fd))
		return -ENOTEMPTY; /* refuse: it belongs to somebody, and a failure would remove it */
	if (fchmod(fd, 0755) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int trust_store_stage_from(const char *certs, const char *bundle, const char *dir, const unsigned char *ca_der,
			   size_t ca_size, char *reason, size_t reason_size)
{
	const unsigned char *at = ca_der;
	X509 *ca = ca_size > INT32_MAX ? NULL : d2i_X509(NULL, &at, (long)ca_size);
	BIO *bio = BIO_new(BIO_s_mem());
	auto_fd int to = -1;
	BUF_MEM *pem;
	int r;

	if (!ca || !bio || at != ca_der + ca_size || PEM_write_bio_X509(bio, ca) != 1 ||
	    BIO_get_mem_ptr(bio, &pem) != 1) {
		r = fail(-EINVAL, reason, reason_size, "the CA certificate of the sandbox cannot be read");
	} else {
		r = make_directory(dir, &to);
		if (r < 0)
			r = fail(r, reason, reason_size, "cannot make %s", dir);
		else
			r = fill(certs, bundle, to, ca, pem, reason, reason_size);
		if (r < 0 && to >= 0)
			(void)trust_store_remove(dir);
	}
	BIO_free(bio);
	X509_free(ca);
	return r;
}

int trust_store_stage(const char *dir, const unsigned char *ca_der, size_t ca_size, char *reason, size_t reason_size)
{
	return trust_store_stage_from(CERTS_DIR, tls_system_bundle(), dir, ca_der, ca_size, reason, reason_size);
}

int trust_store_remove(const char *dir)
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = tree_empty(fd);
	if (r < 0)
		return r;
	return rmdir(dir) < 0 ? -errno : 0;
}
