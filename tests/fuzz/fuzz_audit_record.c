/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An audit file: each line is a record or is not, with a place; decoded values lie within the record and are no longer than
 * the line; what is found names a line of the file; and a file that is checked twice is found out twice the same.
 */
#include "fuzz.h"

#include <errno.h>

#include "audit/chain_check.h"
#include "audit/entry.h"
#include "audit/when.h"

static struct audit_entry entry;
static uint64_t n_lines, n_problems;

static void check_value(struct str value)
{
	assert(value.n == 0 || (value.p >= entry.text && value.p + value.n <= entry.text + entry.n_text));
}

static void check_record(struct str line)
{
	struct audit_fault fault = { 0 };
	const int r = audit_entry_parse(line, &entry, &fault);
	int64_t again;

	(void)audit_when_parse_ago(line, 0, &again);
	assert(r == 0 || r == -EINVAL || r == -EPROTONOSUPPORT);
	if (r < 0) {
		assert(fault.expected && fault.column >= 1 && fault.column <= line.n + 1);
		return;
	}
	assert(entry.v == AUDIT_VERSION && entry.chain.n == 16 && entry.prev.n == AUDIT_HASH_HEX &&
	       entry.n_text <= line.n);
#define TEXT(name) check_value(entry.name);
#define NUMBER(name)
#include "audit/field.def"
#undef TEXT
#undef NUMBER
	assert(audit_when_parse(entry.time, &again) == 0 && again == entry.time_us);
}

static void on_finding(void *arg, const struct audit_finding *f)
{
	(void)arg;
	assert(f->at.line >= 1 && f->at.line <= n_lines && f->text[0]);
	n_problems += !f->is_note;
}

static void on_chain(void *arg, const struct audit_chain *chain)
{
	uint64_t *const records = arg;

	assert(strlen(chain->id) == 16 && strlen(chain->last_hash) == AUDIT_HASH_HEX && chain->records > 0);
	*records += chain->records;
}

static struct audit_totals check_file(struct str text, bool is_partial)
{
	struct audit_check *c = audit_check_new(is_partial, on_finding, NULL);
	struct audit_totals totals;
	uint64_t records = 0;

	assert(c);
	n_problems = n_lines = 0;
	for (size_t n; (n = str_find(text, '\n')) < text.n; text = str_from(text, n + 1)) {
		const struct audit_place at = { "f", ++n_lines };

		check_record(str_make(text.p, n));
		if (n > AUDIT_RECORD_MAX)
			audit_check_long_line(c, at);
		else
			assert(audit_check_line(c, at, str_make(text.p, n)) == 0);
	}
	n_lines++;
	assert(audit_check_end_of_file(c, (struct audit_place){ "f", n_lines }, text) == 0);
	totals = audit_check_totals(c);
	assert(totals.problems == n_problems && totals.records <= n_lines && totals.open_ends <= totals.chains);
	audit_check_each_chain(c, on_chain, &records);
	assert(records == totals.records);
	audit_check_free(c);
	return totals;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(data, size);
	const struct audit_totals strict = check_file(str_make(copy, size), false);
	const struct audit_totals partial = check_file(str_make(copy, size), true);

	assert(partial.problems <= strict.problems && partial.records == strict.records && partial.lost == strict.lost);
	free(copy);
	return 0;
}
