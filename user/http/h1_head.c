/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, fields and framing of HTTP/1.1 heads (RFC 9112), strictly: one reading or none. */
#include "http/h1_head.h"

enum scan_state { SCAN_LINE = 0, SCAN_CR };

void h1_scan_init(struct h1_scan *s)
{
	*s = (struct h1_scan){ 0 };
}

enum h1_result h1_find_head(struct h1_scan *s, const char *data, size_t n, size_t *ret_start, size_t *ret_size,
			    enum why *ret_why)
{
	for (; s->offset < n; s->offset++) {
		char c = data[s->offset];

		if (s->offset >= HTTP_HEAD_MAX) {
			*ret_why = WHY_head_too_large;
			return H1_BAD;
		}
		if (s->state == SCAN_LINE) {
			if (c == '\r') {
				s->state = SCAN_CR;
			} else if (c == '\n' || c == '\0') {
				*ret_why = c ? WHY_bad_line_end : WHY_bad_field_value;
				return H1_BAD;
			}
			continue;
		}
		if (c != '\n') {
			*ret_why = WHY_bad_line_end;
			return H1_BAD;
		}
		s->state = SCAN_LINE;
		if (s->offset - 1 == s->line_start && s->lines > 0) {
			*ret_start = data[0] == '\r' ? 2 : 0;
			*ret_size = ++s->offset;
			return H1_DONE;
		}
		if (s->offset - 1 == s->line_start && s->line_start != 0) {
			*ret_why = WHY_bad_request_line; /* refuse: a second empty line before the request line */
			return H1_BAD;
		}
		if (s->offset - 1 != s->line_start)
			s->lines++;
		s->line_start = s->offset + 1;
	}
	return H1_MORE;
}

struct str h1_take_line(struct str *lines)
{
	size_t end = str_find(*lines, '\r');
	struct str line = str_make(lines->p, end);

	*lines = str_from(*lines, end + 2);
	return line;
}

static enum why parse_field(struct str line, enum h1_class allowed, struct http_field *ret)
{
	size_t colon = str_find(line, ':');
	struct str value;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return WHY_field_fold;
	if (colon == 0 || colon == line.n)
		return WHY_bad_field_name;
	for (size_t i = 0; i < colon; i++) {
		if (!h1_is((unsigned char)line.p[i], allowed))
			return WHY_bad_field_name;
	}
	value = str_trim_ows(str_from(line, colon + 1));
	if (value.n > HTTP_VALUE_MAX)
		return WHY_head_too_large;
	for (size_t i = 0; i < value.n; i++) {
		if (!h1_is((unsigned char)value.p[i], H1_VALUE))
			return WHY_bad_field_value;
	}
	*ret = (struct http_field){ str_make(line.p, colon), value };
	return WHY_allowed;
}

/* The caller's buffer is writable: its contract says that names are lowered in place. */
static void lower(struct str name)
{
	char *p;

	memcpy(&p, &name.p, sizeof(p));
	for (size_t i = 0; i < name.n; i++)
		p[i] = ascii_lower(p[i]);
}

enum why h1_parse_fields(struct str lines, enum h1_class allowed, struct http_fields *ret)
{
	ret->n = 0;
	while (true) {
		struct str line = h1_take_line(&lines);
		enum why why;

		if (line.n == 0)
			return WHY_allowed;
		if (ret->n == HTTP_FIELDS_MAX)
			return WHY_head_too_large;
		why = parse_field(line, allowed, &ret->at[ret->n]);
		if (why != WHY_allowed)
			return why;
		lower(ret->at[ret->n++].name);
	}
}

enum why h1_parse_framing(const struct http_fields *fields, unsigned minor, struct http_body *ret)
{
	const struct http_field *length = http_field_find(fields, STR("content-length"));
	const struct http_field *coding = http_field_find(fields, STR("transfer-encoding"));

	*ret = (struct http_body){ .kind = HTTP_BODY_NONE };
	if (length && coding)
		return WHY_framing_conflict; /* refuse: RFC 9112 6.3 lets one win, and readers disagree which */
	if (coding) {
		if (minor == 0 || http_field_count(fields, STR("transfer-encoding")) != 1 ||
		    !str_eq_nocase(coding->value, STR("chunked")))
			return WHY_bad_transfer_encoding;
		ret->kind = HTTP_BODY_CHUNKED;
	} else if (length) {
		if (http_field_count(fields, STR("content-length")) != 1 || length->value.n > 18 ||
		    str_to_u64(length->value, &ret->length) < 0)
			return WHY_bad_content_length;
		ret->kind = HTTP_BODY_LENGTH;
	}
	return WHY_allowed;
}

enum why h1_check_connection(const struct http_fields *fields)
{
	static const char *const needed[] = { "host",	    "content-length", "transfer-encoding", "authorization",
					      "cookie",	    "content-type",   "private-token",	   "x-api-key",
					      "connection", "date",	      "content-encoding",  "set-cookie",
					      "location" };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (http_list_has(fields, STR("connection"), str_of(needed[i])))
			return WHY_bad_connection;
	}
	return WHY_allowed;
}

bool h1_parse_version(struct str s, uint8_t *ret_minor, bool *ret_is_http)
{
	*ret_is_http = str_starts(s, STR("HTTP/"));
	if (s.n != 8 || !str_starts(s, STR("HTTP/1.")) || (s.p[7] != '0' && s.p[7] != '1'))
		return false;
	*ret_minor = (uint8_t)(s.p[7] - '0');
	return true;
}
