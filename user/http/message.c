/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a message, and which of them never pass to the next hop. */
#include "http/message.h"

#include <errno.h>

const struct http_field *http_field_find(const struct http_fields *f, struct str name)
{
	for (size_t i = 0; i < f->n; i++) {
		if (str_eq(f->at[i].name, name))
			return &f->at[i];
	}
	return NULL;
}

size_t http_field_count(const struct http_fields *f, struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += str_eq(f->at[i].name, name);
	return n;
}

int http_field_add(struct http_fields *f, struct str name, struct str value)
{
	if (f->n == HTTP_FIELDS_MAX)
		return -ENOBUFS;
	f->at[f->n++] = (struct http_field){ name, value };
	return 0;
}

/* Equal without case, and with '_' read as '-', as CGI-like servers do. */
static bool is_twin(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		char x = a.p[i] == '_' ? '-' : ascii_lower(a.p[i]);
		char y = b.p[i] == '_' ? '-' : ascii_lower(b.p[i]);

		if (x != y)
			return false;
	}
	return true;
}

size_t http_field_remove(struct http_fields *f, struct str name)
{
	size_t kept = 0, n = f->n;

	for (size_t i = 0; i < n; i++) {
		if (!is_twin(f->at[i].name, name))
			f->at[kept++] = f->at[i];
	}
	f->n = kept;
	return n - kept;
}

/* Cuts the next member off a comma-separated list; false at the end. */
static bool next_member(struct str *list, struct str *ret)
{
	size_t comma;

	if (list->n == 0)
		return false;
	comma = str_find(*list, ',');
	*ret = str_trim_ows(str_make(list->p, comma));
	*list = str_from(*list, comma + 1);
	return true;
}

bool http_list_has(const struct http_fields *f, struct str name, struct str token)
{
	for (size_t i = 0; i < f->n; i++) {
		struct str list = f->at[i].value, member;

		if (!str_eq(f->at[i].name, name))
			continue;
		while (next_member(&list, &member)) {
			if (str_eq_nocase(member, token))
				return true;
		}
	}
	return false;
}

/* Whatever is said to a proxy ends here, known or not. */
static void remove_proxy_fields(struct http_fields *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (!str_starts(f->at[i].name, STR("proxy-")) && !str_starts(f->at[i].name, STR("proxy_")))
			f->at[kept++] = f->at[i];
	}
	f->n = kept;
}

void http_fields_strip_hop(struct http_fields *f)
{
	static const char *const hop[] = { "connection",     "keep-alive",	  "te",
					   "trailer",	     "transfer-encoding", "upgrade",
					   "http2-settings", "content-length",	  "expect" };
	struct str lists[HTTP_FIELDS_MAX], member;
	size_t n = 0;

	/* all of them first: a list may name Connection's own twin */
	for (size_t i = 0; i < f->n; i++) {
		if (str_eq(f->at[i].name, STR("connection")))
			lists[n++] = f->at[i].value;
	}
	for (size_t i = 0; i < n; i++) {
		while (next_member(&lists[i], &member))
			(void)http_field_remove(f, member);
	}
	for (size_t i = 0; i < sizeof(hop) / sizeof(hop[0]); i++)
		(void)http_field_remove(f, str_of(hop[i]));
	remove_proxy_fields(f);
}

size_t http_fields_strip_override(struct http_fields *f)
{
	static const char *const names[] = { "x-http-method-override", "x-http-method",	     "x-method-override",
					     "x-original-url",	       "x-rewrite-url",	     "x-original-method",
					     "x-original-uri",	       "x-forwarded-method", "x-forwarded-uri",
					     "x-forwarded-url",	       "x-override-url",     "x-forwarded-prefix" };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		n += http_field_remove(f, str_of(names[i]));
	return n;
}
