/* SPDX-License-Identifier: Apache-2.0 */
/* The chains that a check has met, and what of each it remembers: its last record and the hashes of a few before. */
#ifndef BRIDLE_AUDIT_CHAINS_H
#define BRIDLE_AUDIT_CHAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/chain_check.h"

#define CHAIN_ID_HEX 16
#define CHAIN_KEEPS  64 /* records; a chain may be written on while the next one, which names its last, begins */

struct audit_entry;

struct chain {
	struct audit_chain seen;
	struct chain *next;	      /* in the order of first records */
	uint64_t recent[CHAIN_KEEPS]; /* the first 64 bits of their hashes, a ring */
	uint64_t n_recent;	      /* ever kept */
	bool has_aside;		      /* a displaced record: what links to it goes on from there */
	uint64_t aside_seq;
	char aside_hash[AUDIT_HASH_HEX + 1];
};

struct chains;

struct chains *chains_new(void);
struct chains *chains_free(struct chains *c);
struct chain *chains_find(const struct chains *c, const char *id);
/* An empty one of that id, which must not be there yet; owned by c. NULL when memory is short. */
struct chain *chains_add(struct chains *c, const char *id);
uint32_t chains_count(const struct chains *c);
struct chain *chains_first(const struct chains *c);

/* Whether prev is the hash of the chain's last record; of the one put aside, with the number behind its own. */
bool chain_links(const struct chain *chain, struct str prev);
bool chain_links_aside(const struct chain *chain, const struct audit_entry *e);

/* Whether the last CHAIN_KEEPS records hold one of this hash. */
bool chain_holds(const struct chain *chain, struct str hash);

/* The record is the chain's last from now on; nothing is aside any more. */
void chain_move(struct chain *chain, uint64_t seq, const char *hash, struct audit_place at);

/* The record is not where it belongs; the chain's last stays what it was. */
void chain_put_aside(struct chain *chain, uint64_t seq, const char *hash);

#endif
