/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds where the last chain of a writer ends in an audit file, so that the next chain can name it. Trusts the file as
 * far as it goes: a line that is cut or not ours is passed over, and `audit verify` will report it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "audit/audit.h"
#include "base/util.h"

#define TAIL_MAX  ((size_t)1 << 20) /* how far back is looked */
#define CHAIN_HEX 16

/* Fields before "writer" hold nothing that anybody else chose, and a quote inside a value is escaped. */
static bool line_is_of(struct str line, const char *writer, struct str *ret_chain)
{
	static const char head[] = "{\"v\":1,\"chain\":\"";
	const size_t n = sizeof(head) - 1;
	char field[64];

	_Static_assert(AUDIT_VERSION == 1, "the head of a record");
	(void)snprintf(field, sizeof(field), ",\"writer\":\"%s\",", writer);
	if (line.n < n + CHAIN_HEX + 1 || memcmp(line.p, head, n) != 0 || line.p[n + CHAIN_HEX] != '"')
		return false;
	if (!memmem(line.p, line.n, field, strlen(field)))
		return false;
	*ret_chain = str_make(line.p + n, CHAIN_HEX);
	return true;
}

static int hash_hex(struct str line, char out[AUDIT_HASH_HEX + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(line.p, line.n, digest, &n, EVP_sha256(), NULL) != 1 || n != AUDIT_HASH_HEX / 2)
		return -EIO;
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static int find_in(struct str text, const char *writer, char *out, size_t size)
{
	char hash[AUDIT_HASH_HEX + 1];
	struct str chain;

	/* backwards, line by line; what stands behind the last line feed is cut */
	while (text.n > 0 && text.p[text.n - 1] != '\n')
		text.n--;
	while (text.n > 0) {
		size_t from = text.n - 1;
		struct str line;

		while (from > 0 && text.p[from - 1] != '\n')
			from--;
		line = str_make(text.p + from, text.n - 1 - from);
		text.n = from;
		if (!line_is_of(line, writer, &chain))
			continue;
		if (hash_hex(line, hash) < 0)
			return -EIO;
		if ((size_t)snprintf(out, size, "%.*s %s", CHAIN_HEX, chain.p, hash) >= size)
			return -ENOSPC;
		return 0;
	}
	return -ENOENT;
}

int audit_find_position(int fd, const char *writer, char *out, size_t size)
{
	auto_free char *text = NULL;
	struct stat st;
	off_t from;
	size_t n = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	from = st.st_size > (off_t)TAIL_MAX ? st.st_size - (off_t)TAIL_MAX : 0;
	text = malloc(TAIL_MAX);
	if (!text)
		return -ENOMEM;
	while (n < TAIL_MAX) {
		ssize_t r = pread(fd, text + n, TAIL_MAX - n, from + (off_t)n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	return find_in(str_make(text, n), writer, out, size);
}
