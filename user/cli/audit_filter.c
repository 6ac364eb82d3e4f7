/* SPDX-License-Identifier: Apache-2.0 */
/* A word that no record could have is refused, with the nearest one that could: an empty answer would look like good news. */
#include "cli/audit_filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit/entry.h"
#include "audit/when.h"
#include "base/why.h"
#include "cli/command.h"

static const char *const kinds[] = { "chain", "exchange", "connection", "kernel", "dns", "lost", "" };
static const char *const decisions[] = { "allow", "refuse", "" };

/* Whether the word is in the list, which "" ends. */
static int check_word(const char *option, const char *word, const char *const *list, char *reason)
{
	const char *near;

	if (!word)
		return 0;
	for (size_t i = 0; *list[i]; i++)
		if (strcmp(word, list[i]) == 0)
			return 0;
	near = name_nearest(word, list);
	(void)snprintf(reason, COMMAND_REASON_MAX, "no record has the %s %.64s%s%s%s", option, word,
		       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return -EINVAL;
}

static int check_code(const char *word, char *reason)
{
	const char *codes[WHY_COUNT_ + 1];

	for (unsigned i = 0; i < WHY_COUNT_; i++)
		codes[i] = why_symbol(i);
	codes[WHY_COUNT_] = "";
	return check_word("code", word, codes, reason);
}

static int parse_time(const char *option, const char *word, int64_t now_us, int64_t *ret, char *reason)
{
	if (!word || audit_when_parse_ago(str_of(word), now_us, ret) == 0)
		return 0;
	(void)snprintf(reason, COMMAND_REASON_MAX,
		       "--%s %.64s is no time; write 2026-11-25T17:03:00Z (with Z or an offset), or how long ago: 30s, "
		       "10m, 2h, "
		       "1d, 1w",
		       option, word);
	return -EINVAL;
}

int audit_filter_make(const struct audit_filter_words *words, int64_t now_us, struct audit_filter *ret, char *reason)
{
	struct audit_filter f = {
		.sandbox = words->sandbox,
		.host = words->host,
		.code = words->code,
		.decision = words->decision,
		.kind = words->kind,
		.since_us = INT64_MIN,
		.until_us = INT64_MAX,
	};

	if (check_word("kind", f.kind, kinds, reason) < 0 ||
	    check_word("decision", f.decision, decisions, reason) < 0 || check_code(f.code, reason) < 0 ||
	    parse_time("since", words->since, now_us, &f.since_us, reason) < 0 ||
	    parse_time("until", words->until, now_us, &f.until_us, reason) < 0)
		return -EINVAL;
	if (f.since_us > f.until_us) {
		(void)snprintf(reason, COMMAND_REASON_MAX, "--since is after --until; nothing lies between them");
		return -EINVAL;
	}
	*ret = f;
	return 0;
}

static bool is_word(const char *word, struct str value)
{
	return !word || str_eq(value, str_of(word));
}

static bool is_host(const char *word, const struct audit_entry *e)
{
	const struct str host = e->host.n ? e->host : e->sni;
	const struct str name = str_of(word);

	if (!word || str_eq_nocase(host, name))
		return true;
	/* "*.name": what ends with ".name" and has something in front of it */
	return name.n > 2 && str_starts(name, STR("*.")) && host.n > name.n - 1 &&
	       str_eq_nocase(str_from(host, host.n - (name.n - 1)), str_from(name, 1));
}

bool audit_filter_matches(const struct audit_filter *f, const struct audit_entry *e)
{
	return is_word(f->sandbox, e->sandbox) && is_word(f->kind, e->kind) && is_word(f->decision, e->decision) &&
	       is_word(f->code, e->code) && is_host(f->host, e) && e->time_us >= f->since_us &&
	       e->time_us <= f->until_us;
}
