/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path patterns: `*` is at least one byte inside one segment, `**` zero or more whole segments. Matching remembers
 * only the last `**` (and inside a segment the last `*`), which is enough for one pattern and keeps the cost at
 * segments x segments.
 */
#include "policy/model.h"

#include <errno.h>

#include "base/percent.h"

/* Decodes one literal run of a pattern. */
static int decode(struct pool *pool, struct str s, struct str *ret, const char **ret_error)
{
	char *out = pool_alloc(pool, s.n + 1);
	size_t n = 0;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '%') {
			int value = percent_byte(str_from(s, i));

			if (value < 0) {
				*ret_error = "% must be followed by two hex digits";
				return -EINVAL;
			}
			c = (unsigned char)value;
			i += 2;
		} else if (c == '?' || c == '[' || c == ']' || c == '{' || c == '}') {
			*ret_error =
				"? [ ] { } mean nothing in a path pattern; use * for a part of one segment, ** for "
				"whole segments, and the key \"query\" for queries";
			return -EINVAL;
		} else if (c == '\\' || c == '#' || c == ' ') {
			*ret_error = "a path cannot hold a backslash, # or space; write it percent-encoded";
			return -EINVAL;
		}
		if (c < 0x20 || c == 0x7f) {
			*ret_error = "a path cannot hold control bytes";
			return -EINVAL;
		}
		out[n++] = (char)c;
	}
	*ret = str_make(out, n);
	return 0;
}

static int compile_segment(struct pool *pool, struct str s, struct segment *ret, const char **ret_error)
{
	size_t stars = 0, used = 0;

	if (str_eq(s, STR("**"))) {
		ret->kind = SEGMENT_ANY_DEPTH;
		return 0;
	}
	for (size_t i = 0; i < s.n; i++) {
		stars += s.p[i] == '*';
		if (s.p[i] == '*' && i + 1 < s.n && s.p[i + 1] == '*') {
			*ret_error = "** must be a whole segment";
			return -EINVAL;
		}
	}
	if (stars > PATTERN_STARS_MAX) {
		*ret_error = "too many * in one segment";
		return -EINVAL;
	}
	ret->kind = stars ? SEGMENT_GLOB : SEGMENT_LITERAL;
	ret->parts = pool_alloc(pool, (stars + 1) * sizeof(*ret->parts));
	if (!ret->parts)
		return -ENOMEM;
	do {
		size_t star = str_find(s, '*');
		int r = decode(pool, str_make(s.p, star), &ret->parts[used++], ret_error);

		if (r < 0)
			return r;
		s = star < s.n ? str_from(s, star + 1) : str_make(NULL, 0);
	} while (used <= stars);
	ret->n_parts = used;
	if (ret->kind == SEGMENT_LITERAL && (str_eq(ret->parts[0], STR(".")) || str_eq(ret->parts[0], STR("..")))) {
		*ret_error = "dot segments never match: such requests are refused before";
		return -EINVAL;
	}
	return 0;
}

int pattern_compile(struct pool *pool, struct str text, struct pattern *ret, const char **ret_error)
{
	struct pattern p = { 0 };
	size_t slashes = 0;

	if (text.n == 0 || text.p[0] != '/') {
		*ret_error = "a path begins with /";
		return -EINVAL;
	}
	for (size_t i = 0; i < text.n; i++)
		slashes += text.p[i] == '/';
	p.segments = pool_alloc(pool, slashes * sizeof(*p.segments));
	if (!p.segments)
		return -ENOMEM;
	while (text.n > 0) {
		struct str rest = str_from(text, 1);
		size_t end = str_find(rest, '/');
		int r;

		if (p.n == PATTERN_SEGMENTS_MAX) {
			*ret_error = "the path has too many segments";
			return -EINVAL;
		}
		r = compile_segment(pool, str_make(rest.p, end), &p.segments[p.n++], ret_error);
		if (r < 0)
			return r;
		p.has_empty_segment |= end == 0 && rest.n > 0;
		text = str_from(rest, end);
	}
	*ret = p;
	return 0;
}

static size_t find_text(struct str s, struct str what)
{
	for (size_t i = 0; i + what.n <= s.n; i++) {
		if (what.n == 0 || memcmp(s.p + i, what.p, what.n) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* Leftmost match of each middle part is always enough: a later one leaves less for the rest. */
bool segment_matches(const struct segment *g, struct str s)
{
	struct str last = g->n_parts ? g->parts[g->n_parts - 1] : STR("");

	if (g->kind == SEGMENT_LITERAL)
		return str_eq(g->parts[0], s);
	if (!str_starts(s, g->parts[0]))
		return false;
	s = str_from(s, g->parts[0].n);
	for (size_t i = 1; i + 1 < g->n_parts; i++) {
		size_t at = s.n ? find_text(str_from(s, 1), g->parts[i]) : SIZE_MAX;

		if (at == SIZE_MAX)
			return false;
		s = str_from(s, 1 + at + g->parts[i].n);
	}
	return s.n > last.n && str_ends(s, last);
}

bool pattern_matches(const struct pattern *pattern, const struct str *segments, size_t n)
{
	size_t from = 0, at = 0, retry_from = SIZE_MAX, retry_at = 0;

	while (at < n) {
		if (from < pattern->n && pattern->segments[from].kind == SEGMENT_ANY_DEPTH) {
			retry_from = ++from;
			retry_at = at;
			continue;
		}
		if (from < pattern->n && segment_matches(&pattern->segments[from], segments[at])) {
			from++;
			at++;
			continue;
		}
		if (retry_from == SIZE_MAX)
			return false;
		from = retry_from;
		at = ++retry_at;
	}
	while (from < pattern->n && pattern->segments[from].kind == SEGMENT_ANY_DEPTH)
		from++;
	return from == pattern->n;
}
