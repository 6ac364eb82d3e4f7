/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record, read back. Strict: a flat JSON object as audit.c writes it, no space outside strings, each field once, "v"
 * first. What does not fit is no record; nothing is repaired.
 */
#ifndef BRIDLE_AUDIT_ENTRY_H
#define BRIDLE_AUDIT_ENTRY_H

#include <stdint.h>

#include "audit/audit.h"
#include "base/str.h"

/* Large (the decoded text is in it): one on the heap, used again for each line. Empty or 0: the record does not have it. */
struct audit_entry {
#define TEXT(name)   struct str name; /* borrowed from text */
#define NUMBER(name) uint64_t name;
#include "audit/field.def"
#undef TEXT
#undef NUMBER
	int64_t time_us; /* since 1970, from time */
	size_t n_text;
	char text[AUDIT_RECORD_MAX];
};

struct audit_fault {
	size_t column;	      /* from 1, in bytes */
	const char *expected; /* what should have stood there; static */
};

/*
 * line: without its line feed. 0; -EPROTONOSUPPORT: a version that is not ours, which is then in ret->v; -EINVAL: no
 * record. With an error *reterr is set and of *ret only v means anything.
 */
int audit_entry_parse(struct str line, struct audit_entry *ret, struct audit_fault *reterr);

#endif
