/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit: one JSON line for each exchange and each refused connection, appended in one write. Every record
 * holds the SHA-256 of the line before it in its chain ("prev"), so that a changed, missing or swapped record shows.
 * One chain for each writer; a new worker's chain starts with a record that names the chain before it.
 * Record format: docs/audit-record.md.
 */
#ifndef BRIDLE_AUDIT_AUDIT_H
#define BRIDLE_AUDIT_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"

#define AUDIT_VERSION	 1
#define AUDIT_RECORD_MAX ((size_t)64 * 1024) /* a target of 8 KiB in which every byte is escaped fits */
#define AUDIT_HASH_HEX	 64

struct audit;

/*
 * fd: opened for appending, borrowed until audit_free(). writer: "worker" or "kernel". tier 1 or 2. chain_before
 * as in zygote_msg.h, NULL or empty when first. Writes the chain's first record. 0 or -errno.
 */
int audit_new(int fd, struct str sandbox, const char *writer, unsigned tier, const char *chain_before,
	      struct audit **ret);
struct audit *audit_free(struct audit *a);

/* "chain-id last-hash" for the next chain's chain_before; lives as long as a. */
const char *audit_position(struct audit *a);

/*
 * The same for the last record of a writer in the last MiB of a file that is open for reading, into out (at least 82
 * bytes). 0, -ENOENT when there is none, or -errno.
 */
int audit_find_position(int fd, const char *writer, char *out, size_t size);

struct audit_record {
	const char *kind; /* "exchange", "connection", "kernel", "dns", "lost" */
	struct str request_id;
	uint32_t pid;		/* 0: unknown */
	struct str exe;		/* name of the program's executable; empty: unknown */
	struct str destination; /* original, "10.77.0.2:443"; empty: unknown */
	struct str sni;
	struct str scheme;
	struct str host; /* canonical */
	uint16_t port;
	struct str method;
	struct str path;       /* without query */
	struct str query_keys; /* comma-separated names, no values */
	struct str rule;
	enum why why;
	struct str credential; /* name */
	uint32_t credential_generation;
	unsigned status;      /* answered to the program; 0: none */
	uint64_t bytes_in;    /* body bytes from the program */
	uint64_t bytes_out;   /* body bytes to the program */
	uint64_t duration_us; /* of the whole exchange */
	uint64_t upstream_us; /* until upstream's head; 0: none */
	uint64_t socket_cookie;
	struct str policy; /* generation */
	uint64_t lost;	   /* with kind "lost": how many */
	struct str detail; /* our own words */
};

/* 0, or -errno: nothing (or a part that audit_verify reports) was written; the caller refuses the exchange (WHY_audit_unavailable). */
int audit_write(struct audit *a, const struct audit_record *record);

/*
 * Whether the file can take the records of `owed` bytes that are still to come, this one among them: asked before anything is
 * sent upstream. There is room, and the last write succeeded or a probe does.
 */
bool audit_usable(struct audit *a, size_t owed);

/* n records were lost before they came here: the next that is written tells it. */
void audit_lose(struct audit *a, uint64_t n);

/* Writes the record of kind "lost" now, when records were lost and none has told it. 0 or -errno. */
int audit_tell_loss(struct audit *a);

#endif
