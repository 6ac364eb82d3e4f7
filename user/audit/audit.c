/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the audit chain. A record is one line, made whole in memory and appended by one write(2), so that several
 * writers may share a file. "prev" is the SHA-256 of the line before it in the same chain, without its line feed. A
 * write that fails or is cut makes the audit unusable until a record of the loss succeeds: the caller refuses meanwhile.
 */
#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/util.h"

#define AUDIT_CHAIN_HEX 16
#define AUDIT_RESERVE	((off_t)64 * 1024) /* beyond what is owed, so that not every exchange asks the kernel */

struct audit {
	int fd; /* borrowed */
	unsigned tier;
	uint64_t seq;	/* of the next record */
	bool cut;	/* the file ends in a part of a line */
	uint64_t lost;	/* records since the last one that was written */
	off_t reserved; /* up to where the file has its blocks */
	const char *writer;
	char *sandbox;	  /* owned */
	EVP_MD *sha256;	  /* owned */
	EVP_MD_CTX *hash; /* owned */
	char chain[AUDIT_CHAIN_HEX + 1];
	char prev[AUDIT_HASH_HEX + 1];
	char position[AUDIT_CHAIN_HEX + 1 + AUDIT_HASH_HEX + 1];
	struct buf line;
};

static void hex_of(const unsigned char *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

/* ,"KEY": without a format: a record has some thirty of them. */
static int put_key(struct buf *b, const char *key)
{
	int r = buf_append(b, STR(",\""));

	if (r == 0)
		r = buf_append(b, str_of(key));
	return r == 0 ? buf_append(b, STR("\":")) : r;
}

static int put_text(struct buf *b, const char *key, struct str value)
{
	int r;

	if (value.n == 0)
		return 0;
	r = put_key(b, key);
	if (r == 0)
		r = buf_append(b, STR("\""));
	if (r == 0)
		r = buf_append_json(b, value);
	return r == 0 ? buf_append(b, STR("\"")) : r;
}

static int put_count(struct buf *b, const char *key, uint64_t value)
{
	int r = put_key(b, key);

	return r == 0 ? buf_append_u64(b, value) : r;
}

static int put_number(struct buf *b, const char *key, uint64_t value)
{
	return value == 0 ? 0 : put_count(b, key, value);
}

static int put_time(struct buf *b)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return -EINVAL;
	return buf_printf(b, ",\"time\":\"%s.%06ldZ\"", text, now.tv_nsec / 1000);
}

/* What every record begins with. */
static int put_head(struct audit *a, const char *kind)
{
	int r = buf_printf(&a->line, "{\"v\":%d,\"chain\":\"%s\",\"seq\":%" PRIu64 ",\"prev\":\"%s\"", AUDIT_VERSION,
			   a->chain, a->seq, a->prev);

	if (r == 0)
		r = put_time(&a->line);
	if (r == 0)
		r = put_text(&a->line, "kind", str_of(kind));
	if (r == 0)
		r = put_text(&a->line, "writer", str_of(a->writer));
	if (r == 0)
		r = buf_append(&a->line, STR(",\"tier\":\"T"));
	if (r == 0)
		r = buf_append_u64(&a->line, a->tier);
	if (r == 0)
		r = buf_append(&a->line, STR("\""));
	return r == 0 ? put_text(&a->line, "sandbox", str_of(a->sandbox)) : r;
}

static int hash_line(struct audit *a)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_DigestInit_ex(a->hash, a->sha256, NULL) != 1 ||
	    EVP_DigestUpdate(a->hash, buf_data(&a->line), buf_len(&a->line)) != 1 ||
	    EVP_DigestFinal_ex(a->hash, digest, &n) != 1 || n != AUDIT_HASH_HEX / 2)
		return -EIO;
	hex_of(digest, n, a->prev);
	return 0;
}

/* 0, or -errno with nothing or a part of it in the file. */
static int append(struct audit *a, struct str line)
{
	ssize_t n;

	do
		n = write(a->fd, line.p, line.n);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	a->cut = (size_t)n != line.n;
	return a->cut ? -ENOSPC : 0;
}

/* Appends the line that is ready in a->line; only then the chain moves on. */
static int finish_line(struct audit *a)
{
	int r = buf_append(&a->line, STR("}\n"));

	if (r == 0 && a->cut)
		r = append(a, STR("\n")); /* the cut line stands alone and `audit verify` reports it */
	if (r == 0)
		r = append(a, buf_str(&a->line));
	if (r < 0)
		return r;
	a->line.tail--; /* the hash is of the line without its line feed */
	r = hash_line(a);
	a->seq++;
	return r;
}

static int conclude(struct audit *a, int r)
{
	if (r == 0)
		r = finish_line(a);
	buf_clear(&a->line);
	return r;
}

int audit_new(int fd, struct str sandbox, const char *writer, unsigned tier, const char *chain_before,
	      struct audit **ret)
{
	unsigned char id[AUDIT_CHAIN_HEX / 2];
	struct audit *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->fd = fd;
	a->tier = tier;
	a->writer = writer;
	buf_init(&a->line, AUDIT_RECORD_MAX);
	a->sandbox = str_dup(sandbox);
	a->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	a->hash = EVP_MD_CTX_new();
	if (!a->sandbox || !a->sha256 || !a->hash || getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id)) {
		audit_free(a);
		return -ENOMEM;
	}
	hex_of(id, sizeof(id), a->chain);
	memset(a->prev, '0', AUDIT_HASH_HEX);
	r = put_head(a, "chain");
	if (r == 0)
		r = put_text(&a->line, "before", str_of(chain_before));
	r = conclude(a, r);
	if (r < 0) {
		audit_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

struct audit *audit_free(struct audit *a)
{
	if (!a)
		return NULL;
	buf_done(&a->line);
	EVP_MD_CTX_free(a->hash);
	EVP_MD_free(a->sha256);
	free(a->sandbox);
	free(a);
	return NULL;
}

const char *audit_position(struct audit *a)
{
	(void)snprintf(a->position, sizeof(a->position), "%s %s", a->chain, a->prev);
	return a->position;
}

static int put_who(struct buf *b, const struct audit_record *record)
{
	int r = put_text(b, "id", record->request_id);

	if (r == 0)
		r = put_number(b, "pid", record->pid);
	if (r == 0)
		r = put_text(b, "exe", record->exe);
	if (r == 0)
		r = put_text(b, "destination", record->destination);
	if (r == 0)
		r = put_text(b, "sni", record->sni);
	return r == 0 ? put_number(b, "socket_cookie", record->socket_cookie) : r;
}

static int put_what(struct buf *b, const struct audit_record *record)
{
	int r = put_text(b, "scheme", record->scheme);

	if (r == 0)
		r = put_text(b, "host", record->host);
	if (r == 0)
		r = put_number(b, "port", record->port);
	if (r == 0)
		r = put_text(b, "method", record->method);
	if (r == 0)
		r = put_text(b, "path", record->path);
	return r == 0 ? put_text(b, "query_keys", record->query_keys) : r;
}

static int put_verdict(struct buf *b, const struct audit_record *record)
{
	int r = put_text(b, "decision", record->why == WHY_allowed ? STR("allow") : STR("refuse"));

	if (r == 0)
		r = put_text(b, "code", str_of(why_symbol(record->why)));
	if (r == 0)
		r = put_text(b, "rule", record->rule);
	if (r == 0)
		r = put_text(b, "policy", record->policy);
	if (r == 0)
		r = put_text(b, "credential", record->credential);
	if (r == 0)
		r = put_number(b, "credential_generation", record->credential_generation);
	return r;
}

static int put_outcome(struct buf *b, const struct audit_record *record)
{
	int r = put_number(b, "status", record->status);

	if (r == 0)
		r = put_count(b, "bytes_in", record->bytes_in);
	if (r == 0)
		r = put_count(b, "bytes_out", record->bytes_out);
	if (r == 0)
		r = put_count(b, "duration_us", record->duration_us);
	if (r == 0)
		r = put_number(b, "upstream_us", record->upstream_us);
	if (r == 0)
		r = put_number(b, "lost", record->lost);
	return r == 0 ? put_text(b, "detail", record->detail) : r;
}

static int write_one(struct audit *a, const struct audit_record *record)
{
	int r = put_head(a, record->kind);

	if (r == 0)
		r = put_who(&a->line, record);
	if (r == 0)
		r = put_what(&a->line, record);
	if (r == 0)
		r = put_verdict(&a->line, record);
	if (r == 0)
		r = put_outcome(&a->line, record);
	return conclude(a, r);
}

/* What could not be written is told by the next record that can, before anything else. */
int audit_tell_loss(struct audit *a)
{
	int r = a->lost == 0 ? 0
			     : write_one(a, &(struct audit_record){ .kind = "lost",
								    .why = WHY_audit_unavailable,
								    .lost = a->lost,
								    .detail = STR("records that could not be "
										  "written") });

	if (r == 0)
		a->lost = 0;
	return r;
}

void audit_lose(struct audit *a, uint64_t n)
{
	a->lost += n;
}

int audit_write(struct audit *a, const struct audit_record *record)
{
	int r = audit_tell_loss(a);

	if (r == 0)
		r = write_one(a, record);
	a->lost += r < 0;
	return r;
}

/*
 * Room for the records that are owed before anything is sent, because one that cannot be written afterwards would leave a
 * request without a record. Taken in advance in pieces; a file system that knows no such thing says so with the write itself.
 */
static bool has_room(struct audit *a, size_t owed)
{
	struct stat st;
	off_t need;

	if (fstat(a->fd, &st) < 0)
		return false;
	need = st.st_size + (off_t)owed;
	if (!S_ISREG(st.st_mode) || need <= a->reserved)
		return true;
	if (fallocate(a->fd, FALLOC_FL_KEEP_SIZE, st.st_size, (off_t)owed + AUDIT_RESERVE) < 0)
		return errno == EOPNOTSUPP || errno == ENOSYS; /* refuse: no space */
	a->reserved = need + AUDIT_RESERVE;
	return true;
}

bool audit_usable(struct audit *a, size_t owed)
{
	/* After a loss its record is the probe: it says how many, and proves that the file takes records again. */
	return has_room(a, owed) && audit_tell_loss(a) == 0;
}
