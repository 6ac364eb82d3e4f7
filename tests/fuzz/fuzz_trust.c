/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of trusted certificates: taken whole or refused with a reason, as a store and as a Java key store. What is written for Java has as many
 * entries as its head says, and fills the file.
 */
#include "fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tls/client.h"
#include "tls/java_store.h"
#include "tls/roots.h"

#define DIGEST_SIZE 20

static uint32_t get(const uint8_t *p, size_t bytes)
{
	uint32_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | p[i];
	return value;
}

/* JKS version 2: magic, version, count, entries of type 2 {alias, time, "X.509", certificate}, digest. */
static void check_java(const uint8_t *p, size_t n)
{
	size_t at = 12;
	uint32_t count;

	assert(n >= 12 + DIGEST_SIZE && get(p, 4) == 0xfeedfeed && get(p + 4, 4) == 2);
	count = get(p + 8, 4);
	assert(count <= JAVA_STORE_ROOTS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		assert(n - at > 6 && get(p + at, 4) == 2);
		at += 6 + get(p + at + 4, 2); /* the alias */
		assert(n - at > 10 + 5 && get(p + at + 8, 2) == 5 && memcmp(p + at + 10, "X.509", 5) == 0);
		at += 15;
		assert(n - at > 4 && get(p + at, 4) <= n - at - 4);
		at += 4 + get(p + at, 4);
	}
	assert(n - at == DIGEST_SIZE);
}

static void try_java(struct str pem)
{
	static uint8_t bytes[1 << 20];
	int fd = memfd_create("fuzz", MFD_CLOEXEC), r;
	ssize_t n;

	assert(fd >= 0);
	r = java_store_write(fd, pem);
	assert(r == 0 || r == -EINVAL || r == -E2BIG);
	n = pread(fd, bytes, sizeof(bytes), 0);
	assert(n >= 0);
	if (r == 0 && (size_t)n < sizeof(bytes))
		check_java(bytes, (size_t)n);
	(void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static X509_STORE *system_roots;
	X509_STORE *store = NULL;
	char *copy = fuzz_copy(data, size), reason[128] = "";
	const struct str pem = str_make(copy, size);
	int r;

	if (!system_roots)
		assert(tls_roots_load(&system_roots) == 0);
	r = tls_roots_combine(system_roots, pem, &store, reason, sizeof(reason));
	assert(r == 0 || r == -EINVAL);
	if (r == 0)
		assert(store && (size == 0) == (store == system_roots));
	else
		assert(!store && reason[0]);
	X509_STORE_free(store);
	try_java(pem);
	free(copy);
	return 0;
}
