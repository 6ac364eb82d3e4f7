/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes out everything by which the client could authenticate itself, then puts the credential in. A query key that
 * servers take as a token is refused, not removed: the path and query that were decided on are what is sent.
 */
#include "inject/inject.h"

#include "base/percent.h"
#include "http/message.h"
#include "policy/policy.h"

static const char *const slots[] = {
#define SLOT(name) name,
#include "inject/slots.def"
#undef SLOT
};

static const char *const query_keys[] = { "private_token", "access_token", "job_token",	 "api_key", "apikey",
					  "rss_token",	   "feed_token",   "auth_token", "token" };

/* Whether the key decodes to want, without case, '-' and '_' being one. An index ("token[]") still is the key. */
static bool key_is(struct str key, struct str want)
{
	size_t k = 0;

	for (size_t i = 0; i < key.n; i++, k++) {
		char c = key.p[i];

		if (percent_byte(str_from(key, i)) >= 0) {
			c = (char)percent_byte(str_from(key, i));
			i += 2;
		}
		c = c == '-' ? '_' : ascii_lower(c);
		if (c == '[' && k == want.n)
			return true;
		if (k >= want.n || c != want.p[k])
			return false;
	}
	return k == want.n;
}

static bool query_has_token(struct str query)
{
	while (query.n > 0) {
		struct str key;
		size_t end = 0;

		while (end < query.n && query.p[end] != '&' && query.p[end] != ';')
			end++;
		key = str_make(query.p, end);
		key.n = str_find(key, '=');
		for (size_t i = 0; i < sizeof(query_keys) / sizeof(query_keys[0]); i++) {
			if (key_is(key, str_of(query_keys[i])))
				return true;
		}
		query = str_from(query, end + 1);
	}
	return false;
}

enum why inject_strip(const struct policy_credential *c, struct http_request *request)
{
	if (http_list_has(&request->fields, STR("connection"), str_of(c->header)))
		return WHY_bad_connection; /* refuse: it asks the next hop to drop what we put in */
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
		(void)http_field_remove(&request->fields, str_of(slots[i]));
	(void)http_field_remove(&request->fields, str_of(c->header));
	return query_has_token(request->query) ? WHY_query_not_allowed : WHY_allowed;
}

static enum why apply_header(const struct policy_credential *c, struct str value, struct http_request *request)
{
	(void)http_field_remove(&request->fields, str_of(c->header));
	return http_field_add(&request->fields, str_of(c->header), value) < 0 ? WHY_head_too_large : WHY_allowed;
}

static enum why apply_later(const struct policy_credential *c, struct str value, struct http_request *request)
{
	(void)c;
	(void)value;
	(void)request;
	return WHY_feature_unavailable;
}

/* The rest of enum inject_mode has no row: what is not here refuses. */
static enum why (*const modes[])(const struct policy_credential *, struct str, struct http_request *) = {
	[INJECT_HEADER] = apply_header,
	[INJECT_CLIENT_CERT] = apply_later,
};

enum why inject_apply(const struct policy_credential *c, struct str value, struct http_request *request)
{
	unsigned mode = (unsigned)c->mode;

	if (mode >= sizeof(modes) / sizeof(modes[0]) || !modes[mode])
		return WHY_feature_unavailable;
	return modes[mode](c, value, request);
}
