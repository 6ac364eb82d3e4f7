/* SPDX-License-Identifier: Apache-2.0 */
/* Request heads: the request line in its four forms, Host, framing, Expect and Upgrade. */
#include "http/h1_head.h"

static enum why parse_origin_form(struct str target, struct http_request *ret)
{
	size_t question = str_find(target, '?');

	ret->path = str_make(target.p, question);
	ret->has_query = question < target.n;
	ret->query = str_from(target, question + 1);
	return ret->path.n > 0 && ret->path.p[0] == '/' ? WHY_allowed : WHY_bad_target;
}

static enum why parse_absolute_form(struct str rest, bool is_https, struct http_request *ret)
{
	size_t end = 0;

	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	ret->form = HTTP_TARGET_ABSOLUTE;
	ret->scheme_is_https = is_https;
	ret->authority = str_make(rest.p, end);
	if (end == 0)
		return WHY_bad_target;
	if (end == rest.n) {
		ret->path = STR("/");
		return WHY_allowed;
	}
	return parse_origin_form(str_from(rest, end), ret);
}

static enum why parse_target(struct str target, struct http_request *ret)
{
	if (target.n == 0)
		return WHY_bad_request_line;
	if (target.n > HTTP_TARGET_MAX)
		return WHY_target_too_long;
	for (size_t i = 0; i < target.n; i++) {
		if (!h1_is((unsigned char)target.p[i], H1_TARGET))
			return WHY_bad_target;
	}
	if (str_eq(ret->method, STR("CONNECT"))) {
		ret->form = HTTP_TARGET_AUTHORITY;
		ret->authority = target;
		return str_find(target, '/') == target.n ? WHY_allowed : WHY_bad_target;
	}
	if (str_eq(target, STR("*"))) {
		ret->form = HTTP_TARGET_ASTERISK;
		ret->path = target;
		return str_eq(ret->method, STR("OPTIONS")) ? WHY_allowed : WHY_bad_target;
	}
	if (target.p[0] == '/')
		return parse_origin_form(target, ret);
	if (str_starts(target, STR("http://")))
		return parse_absolute_form(str_from(target, 7), false, ret);
	if (str_starts(target, STR("https://")))
		return parse_absolute_form(str_from(target, 8), true, ret);
	return WHY_bad_target;
}

static enum why parse_request_line(struct str line, struct http_request *ret)
{
	size_t first = str_find(line, ' '), second;
	struct str rest = str_from(line, first + 1);
	bool is_http;

	second = str_find(rest, ' ');
	if (first == line.n || second == rest.n)
		return WHY_bad_request_line;
	ret->method = str_make(line.p, first);
	if (first == 0 || first > HTTP_METHOD_MAX)
		return WHY_bad_method;
	for (size_t i = 0; i < first; i++) {
		if (!h1_is((unsigned char)line.p[i], H1_TOKEN))
			return WHY_bad_method;
	}
	if (!h1_parse_version(str_from(rest, second + 1), &ret->minor_version, &is_http))
		return is_http ? WHY_bad_version : WHY_bad_request_line;
	return parse_target(str_make(rest.p, second), ret);
}

static enum why check_host(struct http_request *r)
{
	size_t n = http_field_count(&r->fields, STR("host"));
	const struct http_field *host = http_field_find(&r->fields, STR("host"));

	if (n > 1 || (n == 0 && r->minor_version == 1))
		return WHY_bad_host;
	if (!host)
		return WHY_allowed;
	r->host = host->value;
	for (size_t i = 0; i < r->host.n; i++) {
		unsigned char c = (unsigned char)r->host.p[i];

		if (c <= ' ' || c >= 0x7f || memchr(",@/?#\\", c, 6))
			return WHY_bad_host;
	}
	return r->host.n > 0 ? WHY_allowed : WHY_bad_host;
}

static enum why check_expect(struct http_request *r)
{
	const struct http_field *expect = http_field_find(&r->fields, STR("expect"));

	if (!expect)
		return WHY_allowed;
	if (http_field_count(&r->fields, STR("expect")) != 1 || !str_eq_nocase(expect->value, STR("100-continue")))
		return WHY_bad_expect;
	r->expect_continue = r->minor_version == 1 && r->body.kind != HTTP_BODY_NONE &&
			     !(r->body.kind == HTTP_BODY_LENGTH && r->body.length == 0);
	return WHY_allowed;
}

/* h2c and TLS upgrades are never asked for further on; whatever else is asked for is for the policy to judge. */
static enum why check_upgrade(struct http_request *r)
{
	const struct http_field *upgrade = http_field_find(&r->fields, STR("upgrade"));

	if (!upgrade || http_list_has(&r->fields, STR("upgrade"), STR("h2c")) ||
	    http_list_has(&r->fields, STR("upgrade"), STR("tls/1.0")))
		return WHY_allowed;
	if (!str_eq(r->method, STR("GET")) || r->body.kind == HTTP_BODY_CHUNKED || r->body.length > 0)
		return WHY_bad_upgrade;
	r->wants_upgrade = http_list_has(&r->fields, STR("connection"), STR("upgrade"));
	return WHY_allowed;
}

static enum why parse_head(struct str head, struct http_request *r)
{
	enum why why = parse_request_line(h1_take_line(&head), r);

	if (why == WHY_allowed)
		why = h1_parse_fields(head, H1_NAME, &r->fields);
	if (why == WHY_allowed)
		why = check_host(r);
	if (why == WHY_allowed && (http_field_count(&r->fields, STR("content-type")) > 1 ||
				   http_field_count(&r->fields, STR("content-encoding")) > 1))
		why = WHY_bad_field_value; /* refuse: which one holds differs between servers */
	if (why == WHY_allowed)
		why = h1_parse_framing(&r->fields, r->minor_version, &r->body);
	if (why == WHY_allowed)
		why = h1_check_connection(&r->fields);
	if (why == WHY_allowed)
		why = check_expect(r);
	if (why == WHY_allowed)
		why = check_upgrade(r);
	if (why == WHY_allowed && r->form == HTTP_TARGET_AUTHORITY && r->body.kind != HTTP_BODY_NONE)
		why = WHY_framing_conflict; /* refuse: CONNECT has no body (RFC 9110 9.3.6) */
	if (r->minor_version == 1)
		r->keep_alive = !http_list_has(&r->fields, STR("connection"), STR("close"));
	else
		r->keep_alive = false; /* HTTP/1.0 keep-alive was never specified well enough to rely on */
	return why;
}

enum h1_result h1_parse_request(struct h1_scan *s, char *data, size_t n, struct http_request *ret, size_t *ret_size,
				enum why *ret_why)
{
	size_t start = 0, size = 0;
	enum h1_result r = h1_find_head(s, data, n, &start, &size, ret_why);
	enum why why;

	if (r != H1_DONE)
		return r;
	memset(ret, 0, offsetof(struct http_request, fields));
	ret->fields.n = 0;
	ret->body = (struct http_body){ 0 };
	ret->keep_alive = ret->expect_continue = ret->wants_upgrade = false;
	why = parse_head(str_make(data + start, size - start), ret);
	if (why != WHY_allowed) {
		*ret_why = why;
		return H1_BAD;
	}
	*ret_size = size;
	return H1_DONE;
}
