/* SPDX-License-Identifier: Apache-2.0 */
/* Which records `bridle audit show` shows. */
#ifndef BRIDLE_CLI_AUDIT_FILTER_H
#define BRIDLE_CLI_AUDIT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct audit_entry;

/* What people write for it; NULL: any. Borrowed. */
struct audit_filter_words {
	const char *sandbox, *host, *code, *decision, *kind, *since, *until;
};

struct audit_filter {
	const char *sandbox, *host, *code, *decision, *kind; /* as above */
	int64_t since_us, until_us;
};

/* Times are told from now_us. 0, or -EINVAL and a sentence in reason (COMMAND_REASON_MAX bytes). */
int audit_filter_make(const struct audit_filter_words *words, int64_t now_us, struct audit_filter *ret, char *reason);

/* host: the name itself in any case, or "*.name" for those below it; the SNI where a record has no host. */
bool audit_filter_matches(const struct audit_filter *f, const struct audit_entry *e);

#endif
