/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in pages of their own: locked, left out of core dumps, zero in a forked child, wiped before they are given
 * back. memfd_secret(2) is not used: it blocks hibernation and cannot be counted on below Linux 6.5.
 */
#include "base/secret.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct secret {
	size_t size; /* of the mapping */
	size_t n;
	char bytes[];
};

void secret_wipe(void *p, size_t n)
{
	if (p && n > 0)
		explicit_bzero(p, n);
}

int secret_new(struct str s, struct secret **ret)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct secret *secret;
	size_t size;

	if (s.n > SECRET_MAX)
		return -EMSGSIZE;
	size = (sizeof(*secret) + s.n + page - 1) / page * page;
	secret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret == MAP_FAILED)
		return -ENOMEM;
	(void)mlock(secret, size); /* RLIMIT_MEMLOCK may say no: then it may be swapped, still never dumped */
	if (madvise(secret, size, MADV_DONTDUMP) < 0 || madvise(secret, size, MADV_WIPEONFORK) < 0) {
		(void)munmap(secret, size);
		return -ENOMEM;
	}
	secret->size = size;
	secret->n = s.n;
	if (s.n > 0)
		memcpy(secret->bytes, s.p, s.n);
	*ret = secret;
	return 0;
}

struct secret *secret_free(struct secret *s)
{
	size_t size;

	if (!s)
		return NULL;
	size = s->size;
	secret_wipe(s, size);
	(void)munmap(s, size);
	return NULL;
}

struct str secret_bytes(const struct secret *s)
{
	return str_make(s->bytes, s->n);
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	size_t n = a->n > b->n ? a->n : b->n;
	unsigned char diff = a->n != b->n;

	for (size_t i = 0; i < n; i++) {
		unsigned char x = i < a->n ? (unsigned char)a->bytes[i] : 0;
		unsigned char y = i < b->n ? (unsigned char)b->bytes[i] : 0;

		diff |= x ^ y;
	}
	return diff == 0;
}
