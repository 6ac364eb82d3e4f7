/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one path into its two forms. Refuses whatever two servers could read differently: dot segments in any
 * encoding and at any depth of decoding, bad escapes, controls, backslashes, text that is not UTF-8, text that is
 * encoded twice. %2F is a slash inside its segment and stays one (GitLab and npm need it).
 */
#include "policy/policy.h"

#include "base/percent.h"
#include "base/utf8.h"

#define DECODE_ROUNDS 8

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

/* "." or "..", alone or before a ';' (path parameters), or between encoded slashes and backslashes. */
static bool has_dots(struct str s)
{
	while (true) {
		size_t end = 0;
		struct str piece;

		while (end < s.n && s.p[end] != '/' && s.p[end] != '\\')
			end++;
		piece = str_make(s.p, end);
		piece.n = str_find(piece, ';');
		if (str_eq(piece, STR(".")) || str_eq(piece, STR("..")))
			return true;
		if (end == s.n)
			return false;
		s = str_from(s, end + 1);
	}
}

/*
 * Decodes again and again until nothing changes: a server further on may. Whatever changes after the first round is refused
 * as encoded twice in any case, so the rounds only choose the reason, and are few. scratch holds segment.n bytes.
 */
static bool is_dot_segment(struct str segment, char *scratch)
{
	struct str s = str_make(scratch, segment.n);
	bool changed = true;

	memcpy(scratch, segment.p, segment.n);
	for (int round = 0; changed && round < DECODE_ROUNDS; round++) {
		size_t used = 0;

		if (has_dots(s))
			return true;
		changed = false;
		for (size_t i = 0; i < s.n;) {
			int value = percent_byte(str_from(s, i));

			scratch[used++] = value >= 0 ? (char)value : s.p[i];
			changed |= value >= 0;
			i += value >= 0 ? 3 : 1;
		}
		s.n = used;
	}
	return false;
}

/* One byte or escape of raw into decoded (returned as *ret_byte) and its wire form, which is never longer than raw. */
static enum why take_one(struct str raw, struct path *path, unsigned char *ret_byte, size_t *ret_used)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char c = (unsigned char)raw.p[0];
	int value = -1;

	if (c == '%') {
		value = percent_byte(raw);
		if (value < 0)
			return WHY_path_bad_escape;
		c = (unsigned char)value;
	}
	if (c < 0x20 || c == 0x7f)
		return WHY_path_control;
	if (c == '\\')
		return WHY_path_backslash;
	if (value < 0 && (c >= 0x80 || c == ' ' || c == '#' || c == '?'))
		return WHY_bad_target;
	if (value >= 0 && !is_unreserved(c)) {
		path->wire[path->wire_len++] = '%';
		path->wire[path->wire_len++] = hex[c >> 4];
		path->wire[path->wire_len++] = hex[c & 15];
	} else {
		path->wire[path->wire_len++] = (char)c;
	}
	*ret_byte = c;
	*ret_used = value >= 0 ? 3 : 1;
	return WHY_allowed;
}

/*
 * A % and two hex digits in what was decoded: a second decoder would see another byte. Looked for there and not in raw, where
 * the digits may be escaped themselves (%25%36%31).
 */
static bool has_escape(struct str decoded)
{
	for (size_t i = 0; i + 2 < decoded.n; i++) {
		if (decoded.p[i] == '%' && percent_digit(decoded.p[i + 1]) >= 0 && percent_digit(decoded.p[i + 2]) >= 0)
			return true;
	}
	return false;
}

/* One segment, up to the next '/' or the end. */
static enum why take_segment(struct str raw, struct path *path, size_t *decoded_len)
{
	struct str segment = str_make(path->decoded + *decoded_len, 0);
	char scratch[PATH_MAX_BYTES];
	enum why why = WHY_allowed;

	for (size_t i = 0, used; i < raw.n && why == WHY_allowed; i += used) {
		unsigned char byte = 0;

		used = 1;
		why = take_one(str_from(raw, i), path, &byte, &used);
		if (why == WHY_allowed) {
			path->decoded[(*decoded_len)++] = (char)byte;
			segment.n++;
		}
	}
	if (why == WHY_allowed && has_escape(segment))
		why = WHY_path_double_encoded;
	if (why != WHY_allowed && why != WHY_path_double_encoded && why != WHY_path_backslash)
		return why;
	if (is_dot_segment(raw, scratch))
		return WHY_path_dot_segment; /* the clearest of the reasons that apply */
	if (why != WHY_allowed)
		return why;
	if (!utf8_is_valid(segment))
		return WHY_path_not_utf8;
	if (path->n_segments == PATH_SEGMENTS_MAX)
		return WHY_path_too_long;
	path->segments[path->n_segments++] = segment;
	return WHY_allowed;
}

enum why path_parse(struct str raw, struct path *ret)
{
	size_t decoded_len = 0;

	ret->n_segments = 0;
	ret->wire_len = 0;
	ret->has_empty_segment = false;
	if (raw.n == 0 || raw.p[0] != '/')
		return WHY_bad_target;
	if (raw.n > PATH_MAX_BYTES)
		return WHY_path_too_long;
	while (raw.n > 0) {
		struct str rest = str_from(raw, 1);
		size_t end = str_find(rest, '/');
		enum why why;

		ret->wire[ret->wire_len++] = '/';
		why = take_segment(str_make(rest.p, end), ret, &decoded_len);
		if (why != WHY_allowed)
			return why;
		if (end == 0 && rest.n > 0)
			ret->has_empty_segment = true;
		raw = str_from(rest, end);
	}
	return WHY_allowed;
}
