/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custom_credentials. One is carried over when "credentials" enables it and all that restricts it can be written; its
 * rules become an entry of allow_domain, because every request to its upstream that is allowed carries it.
 */
#include "cli/nono_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Those that nono knows by itself, for the hint; they stand in no profile. */
static const struct builtin {
	const char *name, *upstream, *header, *format;
} builtins[] = {
	{ "openai", "https://api.openai.com/v1", "Authorization", "Bearer {}" },
	{ "anthropic", "https://api.anthropic.com", "x-api-key", "{}" },
	{ "gemini", "https://generativelanguage.googleapis.com", "x-goog-api-key", "{}" },
	{ "google-ai", "https://generativelanguage.googleapis.com", "x-goog-api-key", "{}" },
	{ "github", "https://api.github.com", "Authorization", "token {}" },
	{ "gitlab", "https://gitlab.com/api", "Authorization", "Bearer {}" },
};

/* Texts that mean the same here. */
static const char *const copied[] = { "upstream",	"inject_mode",	    "inject_header", "credential_format",
				      "path_pattern",	"path_replacement", "tls_ca",	     "tls_client_cert",
				      "tls_client_key", "query_param_name" };

/* Keys that are carried over, and whose machinery comes later: a request is refused until then. */
static const char *const later[] = { "auth", "tls_ca", "tls_client_cert", "tls_client_key" };

static int note_later(struct nono *n, struct json_object *at, const char *name, const char *what)
{
	return nono_note(
		n, at,
		"the credential \"%s\" is carried over, but %s is not done yet, so its requests are refused "
		"(feature_unavailable); with \"credential_key\": \"file:///path/to/file\" and the mode \"header\" "
		"it works",
		name, what);
}

/* The name of a keystore's entry becomes a source. NULL: it is neither, and may be the secret itself. */
static struct json_object *source_of(const char *key)
{
	char uri[160];
	size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	if (strstr(key, "://"))
		return json_object_new_string(key);
	if (key[n] || n == 0 || n > 100)
		return NULL;
	(void)snprintf(uri, sizeof(uri), "keyring://nono/%s", key);
	return json_object_new_string(uri);
}

/* "credential_key": 1 when the credential must be left out, which is said. */
static int put_key(struct nono *n, const char *name, struct json_object *key, struct json_object *ours)
{
	const char *text = json_object_get_string(key);
	struct json_object *source;
	int e;

	if (strncmp(text, "cmd://", 6) == 0) {
		e = nono_note(n, key,
			      "the credential \"%s\" is left out: no command is run for it; let the command write "
			      "a file, and name it: \"file:///path/to/file\"",
			      name);
		return e < 0 ? e : 1;
	}
	source = source_of(text);
	if (!source) {
		e = nono_note(n, key,
			      "the credential \"%s\" is left out: its key is no source; write "
			      "\"file:///path/to/file\"",
			      name);
		return e < 0 ? e : 1;
	}
	return nono_put(ours, "credential_key", source);
}

static int put_auth_text(struct nono *n, struct json_object *auth, const char *key, struct json_object *ours)
{
	struct json_object *value = NULL;
	int e = nono_typed(n, auth, key, json_type_string, &value);

	return e == 0 && value ? nono_put(ours, key, json_object_new_string(json_object_get_string(value))) : e;
}

/* "auth": a token that is asked for. 1 as above. */
static int put_auth(struct nono *n, const char *name, struct json_object *auth, struct json_object *ours)
{
	static const char *const texts[] = { "token_url", "client_id", "client_secret", "scope" };
	struct json_object *out, *extra = NULL, *secret = NULL;
	bool is_unsafe = false;
	int e = nono_check_keys(n, auth, nono_auth_keys, "in auth", &is_unsafe);

	if (e == 0)
		e = nono_typed(n, auth, "client_secret", json_type_string, &secret);
	if (e == 0)
		e = nono_typed(n, auth, "extra_params", json_type_object, &extra);
	if (e < 0 || is_unsafe)
		return e < 0 ? e : 1;
	/* the text is not shown: it may be the secret itself */
	if (secret && !strstr(json_object_get_string(secret), "://")) {
		e = nono_note(n, secret,
			      "the credential \"%s\" is left out: \"client_secret\" must say where the secret "
			      "is; write \"file:///path/to/file\"",
			      name);
		return e < 0 ? e : 1;
	}
	out = json_object_new_object();
	e = nono_put(ours, "auth", out);
	if (e == 0)
		e = nono_put(out, "type", json_object_new_string("client_credentials"));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && e == 0; i++)
		e = put_auth_text(n, auth, texts[i], out);
	if (e == 0 && extra && json_object_object_length(extra) > 0)
		e = nono_put(out, "extra_params", json_object_get(extra));
	return e;
}

static int put_texts(struct nono *n, struct json_object *theirs, struct json_object *ours)
{
	int e = 0;

	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]) && e == 0; i++) {
		struct json_object *value = NULL;

		e = nono_typed(n, theirs, copied[i], json_type_string, &value);
		if (e == 0 && value)
			e = nono_put(ours, copied[i], json_object_new_string(json_object_get_string(value)));
	}
	return e;
}

static int try_credential(const char *name, struct json_object *ours, char *why, size_t size)
{
	struct json_object *policy = json_object_new_object(), *list = json_object_new_object();
	int r = policy ? nono_put(policy, "custom_credentials", list) : -ENOMEM;

	if (r == 0)
		r = nono_put(list, name, json_object_get(ours));
	if (r == 0)
		r = nono_try(policy, why, size);
	json_object_put(policy);
	return r;
}

/* The variable that holds the placeholder: by default that of the source. Where it may not be set here, it is left out. */
static int put_variable(struct nono *n, const char *name, struct json_object *theirs, struct json_object *ours)
{
	struct json_object *value = NULL, *key = nono_member(theirs, "credential_key");
	const char *text = NULL;
	char why[256];
	int e = nono_typed(n, theirs, "env_var", json_type_string, &value);

	if (value)
		text = json_object_get_string(value);
	else if (key && strncmp(json_object_get_string(key), "env://", 6) == 0)
		text = json_object_get_string(key) + 6;
	if (e < 0 || !text)
		return e;
	e = nono_put(ours, "env_var", json_object_new_string(text));
	if (e == 0)
		e = try_credential(name, ours, why, sizeof(why));
	if (e != 1)
		return e;
	json_object_object_del(ours, "env_var");
	return nono_note(n, value ? value : key, "\"env_var\" of \"%s\" is left out: %s", name, why);
}

/* All that is not rules. 1: left out, which is said. */
static int make(struct nono *n, const char *name, struct json_object *theirs, struct json_object *ours)
{
	struct json_object *key = NULL, *auth = NULL;
	char why[256];
	int e = nono_typed(n, theirs, "credential_key", json_type_string, &key);

	if (e == 0)
		e = nono_typed(n, theirs, "auth", json_type_object, &auth);
	if (e == 0)
		e = put_texts(n, theirs, ours);
	if (e == 0 && key)
		e = put_key(n, name, key, ours);
	if (e == 0 && auth)
		e = put_auth(n, name, auth, ours);
	if (e != 0)
		return e;
	e = try_credential(name, ours, why, sizeof(why));
	if (e == 0)
		return put_variable(n, name, theirs, ours);
	if (e < 0)
		return e;
	e = nono_note(n, theirs, "the credential \"%s\" is left out: %s", name, why);
	return e < 0 ? e : 1;
}

static int note_all_later(struct nono *n, const char *name, struct json_object *theirs)
{
	struct json_object *key = nono_member(theirs, "credential_key"), *mode = nono_member(theirs, "inject_mode");
	int e = 0;

	if (key && strncmp(json_object_get_string(key), "file://", 7) != 0)
		e = note_later(n, key, name, "reading its source");
	if (e == 0 && mode && strcmp(json_object_get_string(mode), "header") != 0)
		e = note_later(n, mode, name, "its \"inject_mode\"");
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]) && e == 0; i++) {
		if (nono_member(theirs, later[i]))
			e = note_later(n, nono_member(theirs, later[i]), name, later[i]);
	}
	return e;
}

/* --- its rules ------------------------------------------------------------------------------------------------ */

/* The rows, or none where every path below the upstream is allowed. 1: left out, which is said. */
static int make_rows(struct nono *n, const char *name, struct json_object *theirs, const char *prefix,
		     struct json_object **ret)
{
	struct json_object *rules = NULL, *policy = NULL, *rows;
	bool is_unsafe = false;
	int e = nono_typed(n, theirs, "endpoint_rules", json_type_array, &rules);

	if (e == 0)
		e = nono_typed(n, theirs, "endpoint_policy", json_type_object, &policy);
	if (e < 0 || (!policy && (!rules || json_object_array_length(rules) == 0)))
		return e;
	if (*prefix) {
		e = nono_note(
			n, policy ? policy : rules,
			"the credential \"%s\" is left out: with a path in \"upstream\" the "
			"rules could be meant before or behind it; write the upstream without path, and whole paths",
			name);
		return e < 0 ? e : 1;
	}
	rows = json_object_new_array();
	if (!rows)
		return -ENOMEM;
	/* where both stand, the policy holds there */
	e = policy ? nono_policy_rows(n, policy, rows, &is_unsafe) : nono_allow_rows(n, rules, rows);
	if (e < 0 || is_unsafe) {
		json_object_put(rows);
		return e < 0 ? e : 1;
	}
	*ret = rows;
	return 0;
}

/* Origin and path of an upstream that our loader has taken. */
static void split_upstream(const char *upstream, struct host *ret_host, uint16_t *ret_port, const char **ret_prefix)
{
	struct str s = str_from(str_of(upstream), 8); /* https:// */
	size_t slash = str_find(s, '/');

	(void)authority_parse(str_make(s.p, slash), 443, ret_host, ret_port);
	*ret_prefix = slash + 1 < s.n ? s.p + slash : "";
}

static int add(struct nono *n, const char *name, struct json_object *theirs, struct json_object *ours)
{
	const char *upstream = json_object_get_string(nono_member(ours, "upstream")), *prefix = "";
	struct json_object *rows = NULL;
	const struct nono_host *other;
	struct host host = { 0 };
	struct nono_host *h;
	uint16_t port = 0;
	int e;

	/* the copy of the tree lives as long as the profile */
	split_upstream(json_object_get_string(nono_member(theirs, "upstream")), &host, &port, &prefix);
	other = nono_find_host(n, false, &host, port);
	if (other) {
		e = nono_note(n, theirs,
			      "the credential \"%s\" is left out: \"%s\" has the same upstream %s; import with one "
			      "of the two, and give the rows of the other its \"credential\"",
			      name, other->credential, upstream);
		return e < 0 ? e : 1;
	}
	e = make_rows(n, name, theirs, prefix, &rows);
	if (e != 0)
		return e;
	h = nono_add_host(n, theirs);
	if (!h) {
		json_object_put(rows);
		return -ENOMEM;
	}
	h->host = host;
	h->port = port;
	h->rows = rows;
	h->prefix = prefix;
	h->credential = name;
	return nono_put(n->credentials, name, json_object_get(ours));
}

static int read_credential(struct nono *n, const char *name, struct json_object *theirs)
{
	struct json_object *ours;
	bool is_unsafe = false;
	int e;

	if (!json_object_is_type(theirs, json_type_object))
		return nono_fail(n, theirs, "a credential must be an object");
	e = nono_check_keys(n, theirs, nono_credential_keys, "in a credential", &is_unsafe);
	if (e < 0 || is_unsafe)
		return e;
	ours = json_object_new_object();
	if (!ours)
		return -ENOMEM;
	e = make(n, name, theirs, ours);
	if (e == 0)
		e = add(n, name, theirs, ours);
	if (e == 0)
		e = note_all_later(n, name, theirs);
	json_object_put(ours);
	return e < 0 ? e : 0;
}

/* --- which of them hold --------------------------------------------------------------------------------------- */

static int note_builtin(struct nono *n, struct json_object *at, const char *name)
{
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
		const struct builtin *b = &builtins[i];

		if (strcmp(b->name, name) == 0)
			return nono_note(
				n, at,
				"the credential \"%s\" stands inside nono's program, not in this file; write "
				"into custom_credentials: \"%s\": {\"upstream\": \"%s\", \"credential_key\": "
				"\"file:///path/to/file\", \"inject_header\": \"%s\", \"credential_format\": \"%s\"}",
				name, name, b->upstream, b->header, b->format);
	}
	return nono_note(n, at, "no custom_credentials entry has the name \"%s\"; write one", name);
}

static int read_enabled(struct nono *n, struct json_object *list, struct json_object *custom)
{
	int e = 0;

	for (size_t i = 0; list && i < json_object_array_length(list) && e == 0; i++) {
		struct json_object *item = json_object_array_get_idx(list, i), *theirs;
		const char *name = json_object_get_string(item);

		if (!json_object_is_type(item, json_type_string))
			return nono_fail(n, item, "expected the name of a credential");
		theirs = custom ? nono_member(custom, name) : NULL;
		if (!theirs)
			e = note_builtin(n, item, name);
		else if (!nono_member(n->credentials, name))
			e = read_credential(n, name, theirs);
	}
	return e;
}

static bool has_name(struct json_object *list, const char *name)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));

		if (text && strcmp(text, name) == 0)
			return true;
	}
	return false;
}

int nono_read_credentials(struct nono *n, struct json_object *network)
{
	struct json_object *list = NULL, *legacy = NULL, *custom = NULL;
	int e = nono_typed(n, network, "credentials", json_type_array, &list);

	if (e == 0)
		e = nono_typed(n, network, "proxy_credentials", json_type_array, &legacy);
	if (e == 0)
		e = nono_typed(n, network, "custom_credentials", json_type_object, &custom);
	if (e == 0)
		e = read_enabled(n, list, custom);
	if (e == 0)
		e = read_enabled(n, legacy, custom);
	if (e < 0 || !custom)
		return e;
	json_object_object_foreach(custom, name, theirs)
	{
		if (theirs && e == 0 && !has_name(list, name) && !has_name(legacy, name))
			e = nono_note(n, theirs,
				      "the credential \"%s\" is left out: \"credentials\" does not enable it; add its "
				      "name there and import again",
				      name);
	}
	return e;
}
