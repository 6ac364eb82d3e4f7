/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a record. The file may have been changed by anybody who is root there, and the values were chosen by programs
 * in the sandbox: every byte is judged, and decoded text may hold any byte but is never longer than the line.
 */
#include "audit/entry.h"

#include <errno.h>
#include <stdbool.h>

#include "audit/when.h"
#include "base/percent.h"
#include "base/utf8.h"
#include "base/util.h"

#define CHAIN_HEX 16

struct cursor {
	struct str line;
	size_t at;
	const char *expected; /* set by the first that fails */
};

static const struct field {
	const char *name;
	bool is_text;
	size_t offset;
} fields[] = {
#define TEXT(name)   { #name, true, offsetof(struct audit_entry, name) },
#define NUMBER(name) { #name, false, offsetof(struct audit_entry, name) },
#include "audit/field.def"
#undef TEXT
#undef NUMBER
};

_Static_assert(ARRAY_SIZE(fields) <= 64, "a bit for each field");

static int fail(struct cursor *c, const char *expected)
{
	c->expected = expected;
	return -EINVAL;
}

static int next_byte(const struct cursor *c)
{
	return c->at < c->line.n ? (unsigned char)c->line.p[c->at] : -1;
}

static bool take(struct cursor *c, char byte)
{
	if (next_byte(c) != (unsigned char)byte)
		return false;
	c->at++;
	return true;
}

static void put(struct audit_entry *e, const char *p, size_t n)
{
	/* what is decoded is never longer than what it was decoded from, and the line is at most as long as text */
	memcpy(e->text + e->n_text, p, n);
	e->n_text += n;
}

static void put_utf8(struct audit_entry *e, uint32_t rune)
{
	char out[4];
	size_t n;

	if (rune < 0x80) {
		out[0] = (char)rune;
		n = 1;
	} else if (rune < 0x800) {
		out[0] = (char)(0xc0 | rune >> 6);
		out[1] = (char)(0x80 | (rune & 0x3f));
		n = 2;
	} else if (rune < 0x10000) {
		out[0] = (char)(0xe0 | rune >> 12);
		out[1] = (char)(0x80 | (rune >> 6 & 0x3f));
		out[2] = (char)(0x80 | (rune & 0x3f));
		n = 3;
	} else {
		out[0] = (char)(0xf0 | rune >> 18);
		out[1] = (char)(0x80 | (rune >> 12 & 0x3f));
		out[2] = (char)(0x80 | (rune >> 6 & 0x3f));
		out[3] = (char)(0x80 | (rune & 0x3f));
		n = 4;
	}
	put(e, out, n);
}

static int take_hex4(struct cursor *c, uint32_t *ret)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++, c->at++) {
		const int digit = c->at < c->line.n ? percent_digit(c->line.p[c->at]) : -1;

		if (digit < 0)
			return fail(c, "four hex digits behind \\u");
		value = value << 4 | (uint32_t)digit;
	}
	*ret = value;
	return 0;
}

/* Behind \u. RFC 8259 7: above U+FFFF as two halves, neither of which means anything alone. */
static int take_unicode(struct cursor *c, struct audit_entry *e)
{
	uint32_t high = 0, low = 0;

	if (take_hex4(c, &high) < 0)
		return -EINVAL;
	if (high < 0xd800 || high > 0xdfff) {
		put_utf8(e, high);
		return 0;
	}
	if (high > 0xdbff || !take(c, '\\') || !take(c, 'u') || take_hex4(c, &low) < 0 || low < 0xdc00 || low > 0xdfff)
		return fail(c, "both halves of a surrogate pair");
	put_utf8(e, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
	return 0;
}

static int take_escape(struct cursor *c, struct audit_entry *e)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const int byte = next_byte(c);
	const char *found = byte > 0 ? strchr(from, byte) : NULL;

	if (take(c, 'u'))
		return take_unicode(c, e);
	if (!found)
		return fail(c, "an escape that JSON knows");
	put(e, to + (found - from), 1);
	c->at++;
	return 0;
}

static int take_string(struct cursor *c, struct audit_entry *e, struct str *ret)
{
	const size_t from = e->n_text;

	if (!take(c, '"'))
		return fail(c, "a quoted string");
	while (!take(c, '"')) {
		const size_t n = utf8_sequence(str_from(c->line, c->at));

		if (n == 0)
			return fail(c, c->at < c->line.n ? "valid UTF-8" : "the end of the string");
		if (next_byte(c) < 0x20)
			return fail(c, "no control byte in a string");
		if (take(c, '\\')) {
			if (take_escape(c, e) < 0)
				return -EINVAL;
			continue;
		}
		put(e, c->line.p + c->at, n);
		c->at += n;
	}
	*ret = str_make(e->text + from, e->n_text - from);
	return 0;
}

static int take_number(struct cursor *c, uint64_t *ret)
{
	const size_t from = c->at;

	while (next_byte(c) >= '0' && next_byte(c) <= '9')
		c->at++;
	if (str_to_u64(str_make(c->line.p + from, c->at - from), ret) < 0 ||
	    (c->line.p[from] == '0' && c->at > from + 1))
		return fail(c, "a whole number of at most 19 digits");
	return 0;
}

static int take_unknown(struct cursor *c, struct audit_entry *e)
{
	uint64_t number;
	struct str text;

	return next_byte(c) == '"' ? take_string(c, e, &text) : take_number(c, &number);
}

static int take_member(struct cursor *c, struct audit_entry *e, uint64_t *seen)
{
	struct str key;

	if (take_string(c, e, &key) < 0)
		return -EINVAL;
	if (!take(c, ':'))
		return fail(c, "a colon");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		void *const to = (char *)e + fields[i].offset;

		if (!str_eq(key, str_of(fields[i].name)))
			continue;
		if (*seen & UINT64_C(1) << i) /* two readers could each believe another one */
			return fail(c, "each field once");
		*seen |= UINT64_C(1) << i;
		return fields[i].is_text ? take_string(c, e, to) : take_number(c, to);
	}
	return take_unknown(c, e);
}

/* The version stands first, so that a later version may change all that follows. */
static int take_version(struct cursor *c, struct audit_entry *e, uint64_t *seen)
{
	static const char head[] = "{\"v\":";

	for (size_t i = 0; head[i]; i++)
		if (!take(c, head[i]))
			return fail(c, "a record, which begins with {\"v\":1,");
	c->at -= strlen("\"v\":");
	if (take_member(c, e, seen) < 0)
		return -EINVAL;
	if (e->v != AUDIT_VERSION) {
		(void)fail(c, "version 1");
		return -EPROTONOSUPPORT;
	}
	return 0;
}

static bool is_hex(struct str s, size_t n)
{
	for (size_t i = 0; i < s.n; i++)
		if (percent_digit(s.p[i]) < 0 || (s.p[i] >= 'A' && s.p[i] <= 'F'))
			return false;
	return s.n == n;
}

static int check_fields(struct cursor *c, struct audit_entry *e, uint64_t seen)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strcmp(fields[i].name, "seq") == 0 && !(seen & UINT64_C(1) << i))
			return fail(c, "a field \"seq\"");
	if (!is_hex(e->chain, CHAIN_HEX))
		return fail(c, "a field \"chain\" of 16 hex digits");
	if (!is_hex(e->prev, AUDIT_HASH_HEX))
		return fail(c, "a field \"prev\" of 64 hex digits");
	if (audit_when_parse(e->time, &e->time_us) < 0)
		return fail(c, "a field \"time\" as RFC 3339 says");
	if (e->kind.n == 0)
		return fail(c, "a field \"kind\"");
	return 0;
}

static int parse(struct cursor *c, struct audit_entry *e)
{
	uint64_t seen = 0;
	int r;

	if (c->line.n > sizeof(e->text))
		return fail(c, "a line of at most 16384 bytes");
	r = take_version(c, e, &seen);
	while (r == 0 && take(c, ','))
		r = take_member(c, e, &seen);
	if (r < 0)
		return r;
	if (!take(c, '}'))
		return fail(c, "a comma, or the brace that ends the record");
	if (c->at != c->line.n)
		return fail(c, "nothing behind the record");
	return check_fields(c, e, seen);
}

int audit_entry_parse(struct str line, struct audit_entry *ret, struct audit_fault *reterr)
{
	struct cursor c = { .line = line };
	int r;

	memset(ret, 0, offsetof(struct audit_entry, text));
	r = parse(&c, ret);
	if (r < 0)
		*reterr = (struct audit_fault){ c.at + 1, c.expected };
	return r;
}
