/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that chains of records are whole: each record links to the one before it in its chain, each chain to the one
 * before it. Pure: lines in, findings out. Memory is bounded for each chain and does not grow with its records.
 * What no chain can show: records cut off the end of a chain that no later one names, and a file written anew as a whole.
 */
#ifndef BRIDLE_AUDIT_CHAIN_CHECK_H
#define BRIDLE_AUDIT_CHAIN_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/str.h"

#define AUDIT_CHECK_CHAINS_MAX (1U << 20)

enum audit_finding_code {
#define FINDING(symbol, meaning) AUDIT_FINDING_##symbol,
#include "audit/finding.def"
#undef FINDING
	AUDIT_FINDING_COUNT_
};

const char *audit_finding_symbol(enum audit_finding_code code);
const char *audit_finding_meaning(enum audit_finding_code code);

struct audit_place {
	const char *file; /* borrowed, as long as the check lives */
	uint64_t line;
};

struct audit_finding {
	enum audit_finding_code code;
	bool is_note; /* worth saying, and no break */
	struct audit_place at;
	char chain[17]; /* empty: no chain is known */
	char text[512]; /* what is there and what was expected; not escaped */
};

struct audit_chain {
	char id[17];
	char writer[16]; /* cut; as the chain's first record says */
	uint64_t records;
	uint64_t last_seq;
	char last_hash[AUDIT_HASH_HEX + 1];
	struct audit_place last;
	bool is_named; /* by a later chain as the one before it */
};

typedef void (*audit_finding_fn)(void *arg, const struct audit_finding *finding);
typedef void (*audit_chain_fn)(void *arg, const struct audit_chain *chain);

struct audit_check;

/*
 * is_partial: earlier files are known to be gone, so that what begins in the middle or names an absent chain is a note.
 * NULL when memory is short.
 */
struct audit_check *audit_check_new(bool is_partial, audit_finding_fn found, void *arg);
struct audit_check *audit_check_free(struct audit_check *c);

/* One line without its line feed, in the order of the files. 0, -ENOMEM, or -E2BIG (AUDIT_CHECK_CHAINS_MAX). */
int audit_check_line(struct audit_check *c, struct audit_place at, struct str line);

/* A line that is longer than any record; the end of a file behind its last line feed (empty: as it should be). */
void audit_check_long_line(struct audit_check *c, struct audit_place at);
int audit_check_end_of_file(struct audit_check *c, struct audit_place at, struct str rest);

struct audit_totals {
	uint64_t records, problems, lost;
	uint32_t chains, open_ends; /* open: named by no later chain */
};
struct audit_totals audit_check_totals(const struct audit_check *c);

/* Each chain in the order of its first record. */
void audit_check_each_chain(const struct audit_check *c, audit_chain_fn each, void *arg);

#endif
