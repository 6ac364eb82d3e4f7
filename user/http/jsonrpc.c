/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the members of the outermost object; values are skipped by depth and quotes alone. */
#include "http/jsonrpc.h"

static void skip_blanks(struct str *s)
{
	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t' || s->p[0] == '\r' || s->p[0] == '\n'))
		*s = str_from(*s, 1);
}

static bool take(struct str *s, char c)
{
	skip_blanks(s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_from(*s, 1);
	return true;
}

/* A string with its quotes. false: none, or it does not end here. */
static bool take_string(struct str *s, struct str *ret)
{
	skip_blanks(s);
	if (s->n == 0 || s->p[0] != '"')
		return false;
	for (size_t i = 1; i < s->n; i++) {
		if (s->p[i] == '\\') {
			i++;
		} else if (s->p[i] == '"') {
			*ret = str_make(s->p, i + 1);
			*s = str_from(*s, i + 1);
			return true;
		}
	}
	return false;
}

/* Any value, whole; what is inside is not judged. */
static bool take_value(struct str *s, struct str *ret)
{
	unsigned depth = 0;
	struct str text;

	skip_blanks(s);
	text = *s;
	while (s->n > 0) {
		char c = s->p[0];
		struct str ignored;

		if (c == '"') {
			if (!take_string(s, &ignored))
				return false;
		} else if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
			break;
		} else {
			depth += c == '{' || c == '[';
			depth -= c == '}' || c == ']';
			*s = str_from(*s, 1);
		}
		skip_blanks(s);
	}
	*ret = str_trim_ows(str_make(text.p, text.n - s->n));
	return s->n > 0 && ret->n > 0;
}

static bool is_plain_string(struct str s)
{
	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return false;
	for (size_t i = 1; i < s.n - 1; i++) {
		if (s.p[i] < 0x20 || s.p[i] > 0x7e || s.p[i] == '\\' || s.p[i] == '"')
			return false;
	}
	return true;
}

static bool is_integer(struct str s)
{
	if (s.n > 0 && s.p[0] == '-')
		s = str_from(s, 1);
	if (s.n == 0 || (s.p[0] == '0' && s.n > 1))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return true;
}

/* What may be said back as it came. */
static bool is_plain_id(struct str id)
{
	return id.n <= JSONRPC_ID_MAX && (is_plain_string(id) || is_integer(id));
}

bool jsonrpc_find_id(struct str body, struct str *ret_id)
{
	struct str id = STR("null"), key, value;
	bool is_batch = take(&body, '['), is_call = false;

	if (!take(&body, '{'))
		return false;
	while (take_string(&body, &key) && take(&body, ':') && take_value(&body, &value)) {
		if (str_eq(key, STR("\"jsonrpc\"")))
			is_call = str_eq(value, STR("\"2.0\""));
		else if (str_eq(key, STR("\"id\"")))
			id = !is_batch && is_plain_id(value) ? value : STR("null");
		if (!take(&body, ','))
			break;
	}
	if (is_call)
		*ret_id = id;
	return is_call;
}
