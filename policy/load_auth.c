/* SPDX-License-Identifier: Apache-2.0 */
/* "auth" of a credential: a token service and what it is asked with. Checked now; asking for tokens comes later. */
#include <errno.h>
#include <stdio.h>

#include "policy/reader.h"
#include "policy/url.h"

/* How we prove who asks (RFC 7591 2), and the key that each way needs; the first when nothing is written. */
static int check_client_auth(struct reader *r, struct json_object *auth)
{
	static const char *const ways[][2] = {
		{ "client_secret_basic", "client_secret" },
		{ "client_secret_post", "client_secret" },
		{ "private_key_jwt", "private_key" },
		{ "tls_client_auth", NULL },
	};
	struct json_object *way = reader_member(auth, "client_auth");
	const char *text = ways[0][0];
	int e = way ? reader_string(r, way, "\"client_auth\"", &text) : 0;

	if (e < 0)
		return e;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(text, ways[i][0]) != 0)
			continue;
		if (ways[i][1] && !reader_member(auth, ways[i][1]))
			return reader_fail(r, auth, "\"auth\" with %s needs \"%s\"", text, ways[i][1]);
		return 0;
	}
	return reader_fail(r, way,
			   "\"client_auth\" must be client_secret_basic, client_secret_post, private_key_jwt or "
			   "tls_client_auth");
}

/* What a token request may carry besides (RFC 6749 4.4.2, RFC 8707). */
static int check_auth_texts(struct reader *r, struct json_object *auth)
{
	static const char *const plain[] = { "scope", "audience", "resource", NULL };
	struct json_object *extra = reader_member(auth, "extra_params");
	const char *text = NULL;
	int e = 0;

	for (size_t i = 0; plain[i] && e == 0; i++) {
		struct json_object *value = reader_member(auth, plain[i]);
		char what[32];

		(void)snprintf(what, sizeof(what), "\"%s\"", plain[i]);
		if (value)
			e = reader_string(r, value, what, &text);
	}
	if (e == 0)
		e = check_client_auth(r, auth);
	if (e < 0 || !extra)
		return e;
	e = reader_object(r, extra, "\"extra_params\"");
	if (e < 0)
		return e;
	json_object_object_foreach(extra, name, value)
	{
		(void)name;
		e = reader_string(r, value, "each value in \"extra_params\"", &text);
		if (e < 0)
			return e;
	}
	return 0;
}

static int check_token_url(struct reader *r, struct json_object *value, const char *text)
{
	struct policy_origin origin;
	struct str path, query;
	const char *error;
	bool has_query;

	if (strncmp(text, "https://", 8) != 0)
		return reader_fail(r, value, "\"token_url\" must be an https:// URL");
	if (strchr(text, '#') || url_parse(str_of(text), &origin, &path, &query, &has_query, &error) < 0)
		return reader_fail(r, value, "\"%s\": expected https://host[:port]/path", text);
	return 0;
}

int load_auth(struct reader *r, struct json_object *auth, struct policy_credential *c)
{
	static const char *const known[] = { "type",	    "token_url",    "client_id", "client_secret",
					     "scope",	    "audience",	    "resource",	 "client_auth",
					     "private_key", "extra_params", "watch",	 NULL };
	static const char *const secrets[] = { "client_secret", "private_key", NULL };
	struct json_object *type, *url, *id, *watch;
	const char *text = NULL, *path;
	int e = reader_object(r, auth, "\"auth\"");

	if (e == 0)
		e = reader_keys(r, auth, known, "in \"auth\"");
	if (e < 0)
		return e;
	type = reader_member(auth, "type");
	url = reader_member(auth, "token_url");
	id = reader_member(auth, "client_id");
	if (!type || !url || !id)
		return reader_fail(r, auth, "\"auth\" needs \"type\", \"token_url\" and \"client_id\"");
	e = reader_string(r, type, "\"type\"", &text);
	if (e == 0 && strcmp(text, "client_credentials") != 0)
		e = reader_fail(r, type, "\"type\" must be \"client_credentials\"");
	if (e == 0)
		e = reader_string(r, url, "\"token_url\"", &text);
	if (e == 0)
		e = check_token_url(r, url, text);
	if (e == 0)
		e = reader_string(r, id, "\"client_id\"", &text); /* may be plain */
	if (e == 0 && strstr(text, "://"))
		e = load_secret_uri(r, id, text, &path);
	for (size_t i = 0; secrets[i] && e == 0; i++) {
		struct json_object *value = reader_member(auth, secrets[i]);

		if (value)
			e = reader_string(r, value, secrets[i], &text);
		if (value && e == 0)
			e = load_secret_uri(r, value, text, &path);
	}
	if (e == 0)
		e = check_auth_texts(r, auth);
	watch = reader_member(auth, "watch");
	if (e == 0 && watch)
		e = reader_bool(r, watch, "\"watch\"", &c->watch);
	c->unavailable = "auth";
	return e;
}
