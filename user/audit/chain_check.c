/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two things are held against each record: that "prev" is the hash of the line before in its chain, and that "seq" counts
 * on. Which of them fails tells a changed record from a missing or displaced one. After a break the check goes on from
 * what stands there, so that one change is one or two findings and not one for each later record.
 */
#include "audit/chain_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "audit/chains.h"
#include "audit/entry.h"
#include "base/util.h"

#define SHORT_HEX 16 /* how much of a hash a person is shown */

struct audit_check {
	bool is_partial;
	audit_finding_fn found;
	void *arg;
	EVP_MD *sha256;	       /* owned */
	struct chains *chains; /* owned */
	struct audit_totals totals;
	struct audit_entry entry;
};

static const struct {
	const char *symbol, *meaning;
} findings[] = {
#define FINDING(symbol, meaning) { #symbol, meaning },
#include "audit/finding.def"
#undef FINDING
};

const char *audit_finding_symbol(enum audit_finding_code code)
{
	return findings[code].symbol;
}

const char *audit_finding_meaning(enum audit_finding_code code)
{
	return findings[code].meaning;
}

struct audit_check *audit_check_new(bool is_partial, audit_finding_fn found, void *arg)
{
	struct audit_check *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->is_partial = is_partial;
	c->found = found;
	c->arg = arg;
	c->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	c->chains = chains_new();
	return c->sha256 && c->chains ? c : audit_check_free(c);
}

struct audit_check *audit_check_free(struct audit_check *c)
{
	if (!c)
		return NULL;
	(void)chains_free(c->chains);
	EVP_MD_free(c->sha256);
	free(c);
	return NULL;
}

/* One line of a check: where, of which chain (NULL: none known), what. */
struct site {
	struct audit_check *c;
	struct audit_place at;
	const char *chain;
};

static void __attribute__((format(printf, 3, 4)))
find(const struct site *s, enum audit_finding_code code, const char *format, ...)
{
	struct audit_finding finding = { .code = code, .at = s->at };
	va_list args;

	finding.is_note = code == AUDIT_FINDING_lost ||
			  (s->c->is_partial &&
			   (code == AUDIT_FINDING_starts_in_the_middle || code == AUDIT_FINDING_chain_missing));
	if (s->chain)
		(void)snprintf(finding.chain, sizeof(finding.chain), "%s", s->chain);
	va_start(args, format);
	(void)vsnprintf(finding.text, sizeof(finding.text), format, args);
	va_end(args);
	if (!finding.is_note)
		s->c->totals.problems++;
	s->c->found(s->c->arg, &finding);
}

static int hash_line(const struct audit_check *c, struct str line, char out[AUDIT_HASH_HEX + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(line.p, line.n, digest, &n, c->sha256, NULL) != 1 || n != AUDIT_HASH_HEX / 2)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static bool is_zeros(struct str hash)
{
	for (size_t i = 0; i < hash.n; i++)
		if (hash.p[i] != '0')
			return false;
	return true;
}

/* "before" of a chain's first record: "id hash", or nothing. */
static void check_before(const struct site *s, const struct audit_entry *e)
{
	const struct str hash = str_from(e->before, CHAIN_ID_HEX + 1);
	struct chain *before;
	char id[CHAIN_ID_HEX + 1];

	if (e->before.n == 0)
		return;
	if (hash.n != AUDIT_HASH_HEX || e->before.p[CHAIN_ID_HEX] != ' ') {
		find(s, AUDIT_FINDING_bad_beginning,
		     "\"before\" has %zu bytes; expected the chain before as 16 hex digits, a space and 64 hex digits",
		     e->before.n);
		return;
	}
	(void)snprintf(id, sizeof(id), "%.*s", CHAIN_ID_HEX, e->before.p);
	before = chains_find(s->c->chains, id);
	if (!before) {
		find(s, AUDIT_FINDING_chain_missing,
		     "expected chain %s above, which this one names as the one before it; it was removed, or stands in "
		     "an "
		     "earlier file: name that file first",
		     id);
		return;
	}
	before->seen.is_named = true;
	if (!chain_holds(before, hash))
		find(s, AUDIT_FINDING_end_differs,
		     "expected chain %s to hold a record with the hash %.*s… as its last; its last is %" PRIu64
		     " (%s:%" PRIu64 ") with %.*s…: records behind it were removed, or it was changed",
		     id, SHORT_HEX, hash.p, before->seen.last_seq, before->seen.last.file, before->seen.last.line,
		     SHORT_HEX, before->seen.last_hash);
}

static void check_first(const struct site *s, const struct audit_entry *e)
{
	const bool is_chain = str_eq(e->kind, STR("chain"));

	if (e->seq > 0)
		find(s, AUDIT_FINDING_starts_in_the_middle,
		     "seq is %" PRIu64 ", expected 0: the first %" PRIu64
		     " records of the chain were removed, or stand "
		     "in an earlier file: name that file first",
		     e->seq, e->seq);
	if (e->seq == 0 && !is_chain)
		find(s, AUDIT_FINDING_bad_beginning, "kind is not \"chain\", as the first record of a chain has it");
	if (e->seq == 0 && !is_zeros(e->prev))
		find(s, AUDIT_FINDING_bad_beginning, "prev is %.*s…, expected zeros in the first record of a chain",
		     SHORT_HEX, e->prev.p);
	if (e->seq == 0 && is_chain)
		check_before(s, e);
}

/* Behind the record that stood last in its chain but does not link to it, or has another number. */
static void say_break(const struct site *s, const struct chain *chain, const struct audit_entry *e)
{
	const struct audit_chain *seen = &chain->seen;
	const uint64_t next = seen->last_seq + 1;

	if (chain_links(chain, e->prev))
		find(s, AUDIT_FINDING_changed,
		     "seq is %" PRIu64 ", expected %" PRIu64 " behind %s:%" PRIu64
		     ", to which prev links: the number was "
		     "changed",
		     e->seq, next, seen->last.file, seen->last.line);
	else if (e->seq == next)
		find(s, AUDIT_FINDING_changed,
		     "prev is %.*s…, expected %.*s…, the SHA-256 of %s:%" PRIu64 ": that line was changed, or this one",
		     SHORT_HEX, e->prev.p, SHORT_HEX, seen->last_hash, seen->last.file, seen->last.line);
	else
		find(s, AUDIT_FINDING_missing,
		     "seq is %" PRIu64 ", expected %" PRIu64 " behind %s:%" PRIu64 ": %" PRIu64 " missing", e->seq,
		     next, seen->last.file, seen->last.line, e->seq - next);
}

static void say_displaced(const struct site *s, struct chain *chain, const struct audit_entry *e, const char *hash)
{
	const struct audit_chain *seen = &chain->seen;

	if (chain_holds(chain, str_of(hash)))
		find(s, AUDIT_FINDING_duplicate,
		     "record %" PRIu64 " a second time, expected %" PRIu64 " behind %s:%" PRIu64, e->seq,
		     seen->last_seq + 1, seen->last.file, seen->last.line);
	else
		find(s, AUDIT_FINDING_out_of_order,
		     "seq is %" PRIu64 ", expected %" PRIu64 " behind %s:%" PRIu64 ": records were swapped or moved",
		     e->seq, seen->last_seq + 1, seen->last.file, seen->last.line);
}

static void check_next(const struct site *s, struct chain *chain, const struct audit_entry *e, const char *hash)
{
	const uint64_t next = chain->seen.last_seq + 1;
	const bool is_linked = chain_links(chain, e->prev);

	if (e->seq > 0 && str_eq(e->kind, STR("chain")))
		find(s, AUDIT_FINDING_bad_beginning,
		     "kind is \"chain\" in record %" PRIu64 "; expected it in the first alone", e->seq);
	if (is_linked && e->seq == next) {
		chain_move(chain, e->seq, hash, s->at);
		return;
	}
	if (chain_links_aside(chain, e)) { /* said already, with the record that it links to */
		chain_move(chain, e->seq, hash, s->at);
		return;
	}
	if (!is_linked && e->seq < next) {
		say_displaced(s, chain, e, hash);
		chain_put_aside(chain, e->seq, hash);
		return;
	}
	say_break(s, chain, e);
	chain_move(chain, is_linked ? next : e->seq, hash, s->at);
}

static int check_entry(struct site *s, const struct audit_entry *e, struct str line)
{
	char id[CHAIN_ID_HEX + 1], hash[AUDIT_HASH_HEX + 1];
	struct chain *chain;

	(void)snprintf(id, sizeof(id), "%.*s", CHAIN_ID_HEX, e->chain.p);
	s->chain = id;
	if (hash_line(s->c, line, hash) < 0)
		return -ENOMEM;
	s->c->totals.records++;
	if (str_eq(e->kind, STR("lost"))) {
		s->c->totals.lost += e->lost;
		find(s, AUDIT_FINDING_lost, "the writer could not write %" PRIu64 " record%s", e->lost,
		     e->lost == 1 ? "" : "s");
	}
	chain = chains_find(s->c->chains, id);
	if (chain) {
		check_next(s, chain, e, hash);
		chain->seen.records++;
		return 0;
	}
	if (chains_count(s->c->chains) == AUDIT_CHECK_CHAINS_MAX)
		return -E2BIG;
	check_first(s, e);
	chain = chains_add(s->c->chains, id);
	if (!chain)
		return -ENOMEM;
	(void)snprintf(chain->seen.writer, sizeof(chain->seen.writer), "%.*s", (int)MIN(e->writer.n, 15U), e->writer.p);
	chain_move(chain, e->seq, hash, s->at);
	chain->seen.records = 1;
	return 0;
}

int audit_check_line(struct audit_check *c, struct audit_place at, struct str line)
{
	struct site s = { .c = c, .at = at };
	struct audit_fault fault;
	const int r = audit_entry_parse(line, &c->entry, &fault);

	if (r == 0)
		return check_entry(&s, &c->entry, line);
	if (r == -EPROTONOSUPPORT)
		find(&s, AUDIT_FINDING_unknown_version,
		     "version %" PRIu64 ", expected %d: read it with the bridle that wrote it", c->entry.v,
		     AUDIT_VERSION);
	else
		find(&s, AUDIT_FINDING_not_a_record, "column %zu: expected %s", fault.column, fault.expected);
	return 0;
}

void audit_check_long_line(struct audit_check *c, struct audit_place at)
{
	const struct site s = { .c = c, .at = at };

	find(&s, AUDIT_FINDING_not_a_record, "the line is longer than %zu bytes, the longest that a record may be",
	     AUDIT_RECORD_MAX);
}

int audit_check_end_of_file(struct audit_check *c, struct audit_place at, struct str rest)
{
	const struct site s = { .c = c, .at = at };
	struct audit_fault fault;

	if (rest.n == 0)
		return 0;
	if (audit_entry_parse(rest, &c->entry, &fault) == 0) {
		find(&s, AUDIT_FINDING_cut_line, "expected a line feed at the end of the file behind this record");
		return audit_check_line(c, at, rest);
	}
	find(&s, AUDIT_FINDING_cut_line,
	     "expected a record and a line feed, found %zu bytes that end in the middle of one: the file was "
	     "truncated, or "
	     "its writer was stopped",
	     rest.n);
	return 0;
}

static void count_open(void *arg, const struct audit_chain *chain)
{
	struct audit_totals *totals = arg;

	totals->open_ends += !chain->is_named;
}

struct audit_totals audit_check_totals(const struct audit_check *c)
{
	struct audit_totals totals = c->totals;

	totals.chains = chains_count(c->chains);
	audit_check_each_chain(c, count_open, &totals);
	return totals;
}

void audit_check_each_chain(const struct audit_check *c, audit_chain_fn each, void *arg)
{
	for (const struct chain *chain = chains_first(c->chains); chain; chain = chain->next)
		each(arg, &chain->seen);
}
