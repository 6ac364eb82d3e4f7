/* SPDX-License-Identifier: Apache-2.0 */
/* The strict walk: recursive descent, bounded depth, each production of RFC 8259 one function. */
#include "policy/json_walk.h"

#include <errno.h>

#include "base/diag.h"
#include "base/utf8.h"
#include "policy/model.h"

struct key {
	struct key *next;
	struct str text; /* as written: escapes in keys are refused, so equal text is equal key */
};

struct walk {
	struct pool *pool;
	const char *file;
	struct str text;
	size_t at;
	unsigned line;
	size_t line_start;
	unsigned depth;
	struct json_places *places;
	struct diag *reterr;
};

static int fail(struct walk *w, const char *what)
{
	return diag_set(w->reterr, w->file, w->line, (unsigned)(w->at - w->line_start + 1), "%s", what);
}

static int peek(const struct walk *w)
{
	return w->at < w->text.n ? (unsigned char)w->text.p[w->at] : -1;
}

static void skip_space(struct walk *w)
{
	for (int c = peek(w); c == ' ' || c == '\t' || c == '\r' || c == '\n'; c = peek(w)) {
		w->at++;
		if (c == '\n') {
			w->line++;
			w->line_start = w->at;
		}
	}
}

static int note(struct walk *w, struct json_place **places, size_t *n, size_t *size)
{
	if (*n == *size) {
		size_t grown_size = *size ? 2 * *size : 64;
		struct json_place *grown = pool_alloc(w->pool, grown_size * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		if (*n > 0)
			memcpy(grown, *places, *n * sizeof(*grown));
		*places = grown;
		*size = grown_size;
	}
	(*places)[(*n)++] = (struct json_place){ w->line, (unsigned)(w->at - w->line_start + 1) };
	return 0;
}

static int hex4(struct walk *w, unsigned *ret)
{
	unsigned value = 0;

	for (int i = 0; i < 4; i++) {
		int c = peek(w);
		char low = ascii_lower((char)c);

		if (c >= '0' && c <= '9')
			value = value * 16 + (unsigned)(c - '0');
		else if (low >= 'a' && low <= 'f')
			value = value * 16 + (unsigned)(low - 'a' + 10);
		else
			return fail(w, "expected four hex digits after \\u");
		w->at++;
	}
	*ret = value;
	return 0;
}

static int walk_escape(struct walk *w)
{
	unsigned value, low;
	int c = peek(w), r;

	if (c <= 0 || !strchr("\"\\/bfnrtu", c)) /* strchr finds a NUL, too */
		return fail(w, "unknown escape in a string");
	w->at++;
	if (c != 'u')
		return 0;
	r = hex4(w, &value);
	if (r < 0)
		return r;
	if (value == 0)
		return fail(w, "a string must not hold NUL");
	if (value >= 0xdc00 && value <= 0xdfff)
		return fail(w, "a lone low surrogate is no character");
	if (value < 0xd800 || value > 0xdbff)
		return 0;
	if (peek(w) != '\\' || w->at + 1 >= w->text.n || w->text.p[w->at + 1] != 'u')
		return fail(w, "a high surrogate must be followed by a low one");
	w->at += 2;
	r = hex4(w, &low);
	if (r < 0)
		return r;
	return low >= 0xdc00 && low <= 0xdfff ? 0 : fail(w, "a high surrogate must be followed by a low one");
}

static int walk_string(struct walk *w, struct str *ret)
{
	size_t start = w->at + 1;

	if (peek(w) != '"')
		return fail(w, "expected a string in double quotes");
	w->at++;
	for (int c = peek(w); c != '"'; c = peek(w)) {
		size_t n;

		if (c < 0)
			return fail(w, "the string does not end");
		if (c < 0x20)
			return fail(w, "a control byte in a string must be escaped");
		if (c == '\\') {
			int r;

			w->at++;
			r = walk_escape(w);
			if (r < 0)
				return r;
			continue;
		}
		n = utf8_sequence(str_from(w->text, w->at));
		if (n == 0)
			return fail(w, "the text is not valid UTF-8");
		w->at += n;
	}
	*ret = str_make(w->text.p + start, w->at - start);
	w->at++;
	return 0;
}

static size_t walk_digits(struct walk *w)
{
	size_t n = 0;

	for (; peek(w) >= '0' && peek(w) <= '9'; n++)
		w->at++;
	return n;
}

/* No value begins like this; what editors and habit put there is named. */
static int fail_value(struct walk *w)
{
	const struct str rest = str_from(w->text, w->at);

	if (rest.n == 0)
		return fail(w, w->depth ? "expected a value, and the text ends here"
					: "expected a value, and there is none; the smallest policy is {}");
	if (str_starts(rest, STR("\xef\xbb\xbf")))
		return fail(w, "the text begins with a byte order mark; save it as UTF-8 without one");
	if (rest.p[0] == '/' || rest.p[0] == '#')
		return fail(w, "expected a value: JSON has no comments");
	return fail(w, rest.p[0] == '\'' ? "expected a value: strings stand in double quotes" : "expected a value");
}

static int walk_number(struct walk *w)
{
	if (peek(w) == '-')
		w->at++;
	if (peek(w) == '0')
		w->at++;
	else if (walk_digits(w) == 0)
		return fail_value(w);
	if (peek(w) == '.') {
		w->at++;
		if (walk_digits(w) == 0)
			return fail(w, "expected a digit");
	}
	if (peek(w) == 'e' || peek(w) == 'E') {
		w->at++;
		if (peek(w) == '+' || peek(w) == '-')
			w->at++;
		if (walk_digits(w) == 0)
			return fail(w, "expected a digit");
	}
	return 0;
}

static int walk_value(struct walk *w);

/* At the key that was walked last. */
static int fail_key(struct walk *w, struct str key, const char *what)
{
	const struct json_place *at = &w->places->keys[w->places->n_keys - 1];

	return diag_set(w->reterr, w->file, at->line, at->column, "the key \"%.*s\" %s", (int)key.n, key.p, what);
}

static int walk_member(struct walk *w, struct key **keys)
{
	struct key *key = pool_alloc(w->pool, sizeof(*key));
	size_t n = 0;
	int r;

	if (!key)
		return -ENOMEM;
	r = note(w, &w->places->keys, &w->places->n_keys, &w->places->size_keys);
	if (r == 0)
		r = walk_string(w, &key->text);
	if (r < 0)
		return r;
	if (str_find(key->text, '\\') < key->text.n)
		return fail_key(w, key->text, "must not hold escapes");
	for (const struct key *k = *keys; k; k = k->next, n++) {
		if (str_eq(k->text, key->text))
			return fail_key(w, key->text, "stands twice");
	}
	if (n == JSON_MEMBERS_MAX)
		return fail_key(w, key->text, "is one too many: an object has at most 10000 members");
	key->next = *keys;
	*keys = key;
	skip_space(w);
	if (peek(w) != ':')
		return fail(w, "expected a colon");
	w->at++;
	return walk_value(w);
}

/* An object or an array: the same but for the members. */
static int walk_container(struct walk *w, int close)
{
	struct key *keys = NULL;

	if (++w->depth > JSON_DEPTH_MAX)
		return fail(w, "nested deeper than 32 levels");
	w->at++;
	skip_space(w);
	while (peek(w) != close) {
		int r = close == '}' ? walk_member(w, &keys) : walk_value(w);

		if (r < 0)
			return r;
		skip_space(w);
		if (peek(w) == ',') {
			w->at++;
			skip_space(w);
			if (peek(w) == close)
				return fail(w, "a comma must be followed by another element");
		} else if (peek(w) != close) {
			return fail(w, close == '}' ? "expected , or }" : "expected , or ]");
		}
	}
	w->at++;
	w->depth--;
	return 0;
}

static int walk_value(struct walk *w)
{
	static const char *const words[] = { "true", "false", "null" };
	struct str ignored;
	int r;

	skip_space(w);
	r = note(w, &w->places->values, &w->places->n_values, &w->places->size_values);
	if (r < 0)
		return r;
	if (peek(w) == '{')
		return walk_container(w, '}');
	if (peek(w) == '[')
		return walk_container(w, ']');
	if (peek(w) == '"')
		return walk_string(w, &ignored);
	for (size_t i = 0; i < 3; i++) {
		if (str_starts(str_from(w->text, w->at), str_of(words[i]))) {
			w->at += strlen(words[i]);
			return 0;
		}
	}
	return walk_number(w);
}

int json_walk(struct pool *pool, const char *file, struct str text, struct json_places *ret, struct diag *reterr)
{
	struct json_places places = { 0 };
	struct walk w = { .pool = pool, .file = file, .text = text, .line = 1, .places = &places, .reterr = reterr };
	int r;

	if (str_starts(text, STR("\xef\xbb\xbf")))
		return fail(&w, "the file begins with a byte order mark; save it as UTF-8 without one");
	r = walk_value(&w);
	if (r < 0)
		return r;
	skip_space(&w);
	if (w.at != text.n)
		return fail(&w, "expected nothing behind the value");
	*ret = places;
	return 0;
}
