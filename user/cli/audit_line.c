/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of a line are rows of a table; what a record does not have leaves no gap. Escape sequences are ours alone. */
#include "cli/audit_line.h"

#include <inttypes.h>

#include "audit/entry.h"
#include "base/buf.h"
#include "base/util.h"

#define SHORT_TIME 23 /* "2026-11-25T17:03:00.123" */

static int put_escaped(struct buf *out, struct str s, bool with_spaces)
{
	int r = 0;

	for (size_t i = 0; i < s.n && r == 0; i++) {
		const unsigned char c = (unsigned char)s.p[i];

		if (c == '\\')
			r = buf_append(out, STR("\\\\"));
		else if (c > 0x20 && c < 0x7f)
			r = buf_append(out, str_make(s.p + i, 1));
		else if (c == ' ' && with_spaces)
			r = buf_append(out, STR(" "));
		else
			r = buf_printf(out, "\\x%02x", c);
	}
	return r;
}

/* One word: a value with spaces must not look like several columns. */
static int put_word(struct buf *out, const char *before, struct str s)
{
	int r = s.n == 0 ? 0 : buf_printf(out, " %s", before);

	return r == 0 ? put_escaped(out, s, false) : r;
}

static int put_time(struct buf *out, const struct audit_entry *e)
{
	const bool is_ours = e->time.n > SHORT_TIME && str_ends(e->time, STR("Z"));
	int r = put_escaped(out, is_ours ? str_make(e->time.p, SHORT_TIME) : e->time, false);

	return r == 0 && is_ours ? buf_append(out, STR("Z")) : r;
}

static int put_sandbox(struct buf *out, const struct audit_entry *e)
{
	return put_word(out, "", e->sandbox);
}

/* The usual kind goes without saying. */
static int put_kind(struct buf *out, const struct audit_entry *e)
{
	return str_eq(e->kind, STR("exchange")) ? 0 : put_word(out, "", e->kind);
}

static int put_verdict(struct buf *out, const struct audit_entry *e)
{
	return put_word(out, "", e->decision);
}

static int put_status(struct buf *out, const struct audit_entry *e)
{
	return e->status == 0 ? 0 : buf_printf(out, " %" PRIu64, e->status);
}

static int put_code(struct buf *out, const struct audit_entry *e)
{
	return str_eq(e->code, STR("allowed")) ? 0 : put_word(out, "", e->code);
}

static int put_method(struct buf *out, const struct audit_entry *e)
{
	return put_word(out, "", e->method);
}

static bool port_is_usual(const struct audit_entry *e)
{
	return e->port == 0 || (e->port == 443 && str_eq(e->scheme, STR("https"))) ||
	       (e->port == 80 && str_eq(e->scheme, STR("http")));
}

/* scheme://host:port/path?keys as far as they are known. */
static int put_target(struct buf *out, const struct audit_entry *e)
{
	int r = 0;

	if (e->host.n == 0 && e->path.n == 0)
		return 0;
	r = put_word(out, "", e->scheme);
	if (r == 0)
		r = buf_append(out, e->scheme.n ? STR("://") : STR(" "));
	if (r == 0)
		r = put_escaped(out, e->host, false);
	if (r == 0 && e->host.n > 0 && !port_is_usual(e))
		r = buf_printf(out, ":%" PRIu64, e->port);
	if (r == 0)
		r = put_escaped(out, e->path, false);
	if (r == 0 && e->query_keys.n > 0)
		r = buf_append(out, STR("?"));
	return r == 0 ? put_escaped(out, e->query_keys, false) : r;
}

static int put_destination(struct buf *out, const struct audit_entry *e)
{
	int r = e->host.n > 0 ? 0 : put_word(out, "to ", e->destination);

	return r == 0 && e->host.n == 0 ? put_word(out, "sni=", e->sni) : r;
}

static int put_program(struct buf *out, const struct audit_entry *e)
{
	int r = put_word(out, "", e->exe);

	return r == 0 && e->pid > 0 ? buf_printf(out, "%s[%" PRIu64 "]", e->exe.n ? "" : " ", e->pid) : r;
}

static int put_numbers(struct buf *out, const struct audit_entry *e)
{
	int r = e->duration_us == 0 ? 0
				    : buf_printf(out, " %" PRIu64 ".%" PRIu64 "ms", e->duration_us / 1000,
						 e->duration_us / 100 % 10);

	if (r == 0 && (e->bytes_in > 0 || e->bytes_out > 0))
		r = buf_printf(out, " in=%" PRIu64 " out=%" PRIu64, e->bytes_in, e->bytes_out);
	return r == 0 && e->lost > 0 ? buf_printf(out, " lost=%" PRIu64, e->lost) : r;
}

static int put_credential(struct buf *out, const struct audit_entry *e)
{
	int r = put_word(out, "credential=", e->credential);

	return r == 0 && e->credential.n > 0 ? buf_printf(out, "#%" PRIu64, e->credential_generation) : r;
}

static int put_quoted(struct buf *out, const char *before, struct str s)
{
	int r = s.n == 0 ? 0 : buf_printf(out, " %s", before);

	return r == 0 ? put_escaped(out, s, true) : r;
}

static int put_words(struct buf *out, const struct audit_entry *e)
{
	int r = put_quoted(out, "rule: ", e->rule);

	return r == 0 ? put_quoted(out, "", e->detail) : r;
}

static int put_chain(struct buf *out, const struct audit_entry *e)
{
	int r;

	if (!str_eq(e->kind, STR("chain")))
		return put_word(out, "id=", e->id);
	r = put_word(out, "", e->chain);
	if (r == 0)
		r = put_word(out, "of ", e->writer);
	if (r == 0)
		r = put_word(out, "", e->tier);
	return r == 0 ? put_word(out, "behind ", str_make(e->before.p, str_find(e->before, ' '))) : r;
}

static int (*const columns[])(struct buf *out, const struct audit_entry *e) = {
	put_time,   put_sandbox,     put_kind,	  put_verdict, put_status,     put_code,  put_method,
	put_target, put_destination, put_program, put_numbers, put_credential, put_chain, put_words,
};

/* SGR of a whole line, by the first row whose word is the record's kind or decision. */
static const struct {
	const char *word, *sgr;
} colours[] = { { "chain", "\033[2m" }, { "lost", "\033[33m" }, { "allow", "\033[32m" }, { "refuse", "\033[31m" } };

static struct str colour_of(const struct audit_entry *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (str_eq(e->kind, str_of(colours[i].word)) || str_eq(e->decision, str_of(colours[i].word)))
			return str_of(colours[i].sgr);
	return STR("");
}

int audit_line_put(struct buf *out, const struct audit_entry *e, bool in_colour)
{
	const struct str colour = in_colour ? colour_of(e) : STR("");
	int r = buf_append(out, colour);

	for (size_t i = 0; i < ARRAY_SIZE(columns) && r == 0; i++)
		r = columns[i](out, e);
	if (r == 0 && colour.n > 0)
		r = buf_append(out, STR("\033[0m"));
	return r == 0 ? buf_append(out, STR("\n")) : r;
}
