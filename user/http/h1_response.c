/* SPDX-License-Identifier: Apache-2.0 */
/* Response heads: as strict as requests, because a server may be an attacker's, too. */
#include "http/h1_head.h"

static bool parse_status_line(struct str line, struct http_response *ret)
{
	struct str rest;
	bool is_http;

	if (line.n < 12 || line.p[8] != ' ' || !h1_parse_version(str_make(line.p, 8), &ret->minor_version, &is_http))
		return false;
	for (size_t i = 9; i < 12; i++) {
		if (line.p[i] < '0' || line.p[i] > '9')
			return false;
	}
	ret->status = (uint16_t)((line.p[9] - '0') * 100 + (line.p[10] - '0') * 10 + (line.p[11] - '0'));
	rest = str_from(line, 12);
	if (rest.n > 0 && rest.p[0] != ' ')
		return false;
	for (size_t i = 0; i < rest.n; i++) {
		if (!h1_is((unsigned char)rest.p[i], H1_VALUE))
			return false;
	}
	return ret->status >= 100 && ret->status <= 599;
}

static bool parse_head(struct str head, bool to_head, struct http_response *r)
{
	struct http_body framing;

	if (!parse_status_line(h1_take_line(&head), r) || h1_parse_fields(head, H1_TOKEN, &r->fields) != WHY_allowed ||
	    h1_parse_framing(&r->fields, r->minor_version, &framing) != WHY_allowed ||
	    h1_check_connection(&r->fields) != WHY_allowed)
		return false;
	r->keep_alive = r->minor_version == 1 && !http_list_has(&r->fields, STR("connection"), STR("close"));
	r->body = (struct http_body){ .kind = HTTP_BODY_NONE };
	if (r->status < 200 || r->status == 204)
		return framing.kind == HTTP_BODY_NONE || /* refuse: a body where there is none */
		       (framing.kind == HTTP_BODY_LENGTH && framing.length == 0);
	if (to_head || r->status == 304)
		return true;
	r->body = framing;
	if (framing.kind == HTTP_BODY_NONE) {
		r->body.kind = HTTP_BODY_EOF;
		r->keep_alive = false;
	}
	return true;
}

enum h1_result h1_parse_response(struct h1_scan *s, char *data, size_t n, bool to_head, struct http_response *ret,
				 size_t *ret_size, enum why *ret_why)
{
	size_t start = 0, size = 0;
	enum h1_result r = h1_find_head(s, data, n, &start, &size, ret_why);

	if (r == H1_MORE)
		return r;
	memset(ret, 0, sizeof(*ret));
	if (r == H1_BAD || start != 0 || !parse_head(str_make(data, size), to_head, ret)) {
		*ret_why = WHY_upstream_malformed;
		return H1_BAD;
	}
	*ret_size = size;
	return H1_DONE;
}
