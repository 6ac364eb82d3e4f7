/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "custom_credentials": where a secret comes from, how it is put in, and which origin it is bound to. Never holds a
 * secret: a literal one in the file is an error. Sources and modes whose machinery comes later parse and check.
 */
#include <errno.h>
#include <stdio.h>

#include "policy/reader.h"

static const char *const uri_schemes[] = { "file://", "env://", "exec://",    "vault://", "k8s-secret://",
					   "op://",   "bw://",	"keyring://", NULL };

static int note_file(struct reader *r, const char *path)
{
	struct policy *p = r->policy;
	const char **grown;

	for (size_t i = 0; i < p->n_files; i++) {
		if (strcmp(p->files[i], path) == 0)
			return 0;
	}
	grown = pool_alloc(&p->pool, (p->n_files + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	if (p->n_files > 0)
		memcpy(grown, p->files, p->n_files * sizeof(*grown));
	grown[p->n_files++] = path;
	p->files = grown;
	return 0;
}

int load_file_uri(struct reader *r, struct json_object *value, const char *uri, const char **ret_path)
{
	struct str s = str_of(uri), path;

	if (!str_starts(s, STR("file://")))
		return reader_fail(r, value, "expected a file: \"file:///path/to/file\"");
	path = str_from(s, 7);
	if (path.n < 2 || path.p[0] != '/' || path.p[path.n - 1] == '/')
		return reader_fail(r, value,
				   "\"%s\": the path must be absolute and name a file: \"file:///path/to/file\"", uri);
	for (struct str rest = path; rest.n > 0;) {
		struct str piece = str_from(rest, 1);

		piece.n = str_find(piece, '/');
		if (piece.n == 0 || str_eq(piece, STR(".")) || str_eq(piece, STR("..")))
			return reader_fail(r, value, "\"%s\": the path must not hold //, . or ..", uri);
		rest = str_from(rest, piece.n + 1);
	}
	if (str_find(path, '?') < path.n || str_find(path, '%') < path.n)
		return reader_fail(r, value, "\"%s\": a file:// URI takes no ? and no %% here", uri);
	*ret_path = path.p;
	return note_file(r, path.p);
}

/* NULL: none of the table, or nothing behind it. */
static const char *scheme_of(const char *uri)
{
	for (size_t i = 0; uri_schemes[i]; i++) {
		const size_t n = strlen(uri_schemes[i]);

		if (strncmp(uri, uri_schemes[i], n) == 0 && uri[n])
			return uri_schemes[i];
	}
	return NULL;
}

int load_secret_uri(struct reader *r, struct json_object *value, const char *uri, const char **ret_path)
{
	struct str s = str_of(uri);

	*ret_path = NULL;
	if (str_starts(s, STR("file://")))
		return load_file_uri(r, value, uri, ret_path);
	if (str_starts(s, STR("apple-password://")))
		return reader_fail(r, value, "apple-password:// is macOS only");
	if (scheme_of(uri))
		return 0;
	/* The text is not shown: it may be the secret itself. */
	return reader_fail(
		r, value,
		"expected where the secret is, not a name or the secret itself: write "
		"\"file:///path/to/file\" (also env://, exec://, vault://, k8s-secret://, op://, bw://, keyring://)");
}

static int check_header(struct reader *r, struct json_object *value, const char *name)
{
	static const char *const never[] = {
		"host",	   "content-length", "transfer-encoding", "connection", "te", "trailer",
		"upgrade", "expect",	     "keep-alive",	  NULL
	};

	for (size_t i = 0; name[i]; i++) {
		char c = ascii_lower(name[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return reader_fail(r, value, "\"%s\" is no header name: letters, digits and - only", name);
	}
	for (size_t i = 0; never[i]; i++) {
		if (str_eq_nocase(str_of(name), str_of(never[i])))
			return reader_fail(r, value, "a credential cannot go into the %s header", never[i]);
	}
	return 0;
}

static int check_format(struct reader *r, struct json_object *value, const char *format)
{
	const char *hole = strstr(format, "{}");

	if (!hole || strstr(hole + 2, "{}"))
		return reader_fail(r, value,
				   "\"credential_format\" must hold {} exactly once, for the value: \"Bearer {}\"");
	for (size_t i = 0; format[i]; i++) {
		if ((unsigned char)format[i] < 0x20 || format[i] == 0x7f)
			return reader_fail(r, value, "\"credential_format\" must not hold control bytes");
	}
	return 0;
}

/* The path of an upstream: what rules compare, so nothing that a request could never spell. */
static int parse_prefix(struct reader *r, struct json_object *value, const char *text, struct str path,
			struct policy_credential *c)
{
	struct pattern pattern = { 0 };
	const char *error = "no memory";

	for (size_t i = 0; i < path.n; i++) {
		if (strchr("?#*[]{} \\%", path.p[i]))
			return reader_fail(r, value, "\"%s\": the path of an upstream is plain text, without %c", text,
					   path.p[i]);
	}
	if (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	c->path_prefix = path.n ? pool_str(&r->policy->pool, path) : "/";
	if (!c->path_prefix)
		return -ENOMEM;
	if (pattern_compile(&r->policy->pool, str_of(c->path_prefix), &pattern, &error) < 0)
		return reader_fail(r, value, "\"%s\": %s", text, error);
	if (pattern.has_empty_segment || (path.n > 0 && path.p[path.n - 1] == '/'))
		return reader_fail(r, value, "\"%s\": the path of an upstream must not hold //", text);
	return 0;
}

/* "https://host[:port][/prefix]" into origin and prefix. */
static int parse_upstream(struct reader *r, struct json_object *value, struct policy_credential *c)
{
	const char *text = NULL;
	struct str s;
	size_t slash;
	int e = reader_string(r, value, "\"upstream\"", &text);

	if (e < 0)
		return e;
	s = str_of(text);
	if (!str_starts(s, STR("https://")))
		return reader_fail(r, value,
				   "\"upstream\" must be an https:// URL: a credential travels only inside TLS");
	s = str_from(s, 8);
	slash = str_find(s, '/');
	c->origin.scheme = POLICY_HTTPS;
	if (authority_parse(str_make(s.p, slash), 443, &c->origin.host, &c->origin.port) < 0)
		return reader_fail(r, value, "\"%s\": expected https://host[:port][/path]", text);
	return parse_prefix(r, value, text, str_from(s, slash), c);
}

struct mode_name {
	const char *name;
	enum inject_mode mode;
	const char *needs; /* key that must stand beside it; NULL: none */
};

static const struct mode_name modes[] = {
	{ "header", INJECT_HEADER, NULL },
	{ "basic_auth", INJECT_BASIC_AUTH, NULL },
	{ "query_param", INJECT_QUERY_PARAM, "query_param_name" },
	{ "url_path", INJECT_URL_PATH, "path_pattern" },
	{ "cookie", INJECT_COOKIE, "cookie_name" },
	{ "placeholder", INJECT_PLACEHOLDER, NULL },
	{ "sigv4", INJECT_SIGV4, NULL },
	{ "client_cert", INJECT_CLIENT_CERT, NULL },
};

static int parse_mode(struct reader *r, struct json_object *object, struct policy_credential *c)
{
	struct json_object *value = reader_member(object, "inject_mode");
	const char *text = NULL;
	int e;

	if (!value)
		return 0;
	e = reader_string(r, value, "\"inject_mode\"", &text);
	if (e < 0)
		return e;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(text, modes[i].name) != 0)
			continue;
		if (modes[i].needs && !reader_member(object, modes[i].needs))
			return reader_fail(r, value, "\"inject_mode\": \"%s\" needs \"%s\"", text, modes[i].needs);
		c->mode = modes[i].mode;
		if (c->mode != INJECT_HEADER)
			c->unavailable = "inject_mode";
		return 0;
	}
	return reader_fail(r, value,
			   "\"inject_mode\" must be header, basic_auth, query_param, url_path, cookie, "
			   "placeholder, sigv4 or client_cert");
}

/* What other modes than "header" need; a key beside a mode that does not read it is checked all the same. */
static int check_mode_texts(struct reader *r, struct json_object *object)
{
	static const char *const keys[] = { "query_param_name", "path_pattern", "path_replacement", "cookie_name",
					    NULL };

	for (size_t i = 0; keys[i]; i++) {
		struct json_object *value = reader_member(object, keys[i]);
		const char *text = NULL;
		char what[32];
		int e = 0;

		(void)snprintf(what, sizeof(what), "\"%s\"", keys[i]);
		if (value)
			e = reader_string(r, value, what, &text);
		if (e < 0)
			return e;
		for (size_t k = 0; value && text[k]; k++) {
			if ((unsigned char)text[k] <= ' ' || text[k] == 0x7f)
				return reader_fail(r, value, "%s must not hold spaces or control bytes", what);
		}
	}
	return 0;
}

static int parse_header(struct reader *r, struct json_object *object, struct policy_credential *c)
{
	struct json_object *header = reader_member(object, "inject_header");
	struct json_object *format = reader_member(object, "credential_format");
	int e = 0;

	c->header = "Authorization";
	if (header) {
		e = reader_string(r, header, "\"inject_header\"", &c->header);
		if (e == 0)
			e = check_header(r, header, c->header);
	}
	if (e < 0)
		return e;
	c->format = str_eq_nocase(str_of(c->header), STR("authorization")) ? "Bearer {}" : "{}";
	if (format) {
		e = reader_string(r, format, "\"credential_format\"", &c->format);
		if (e == 0)
			e = check_format(r, format, c->format);
	}
	return e;
}

static int parse_source(struct reader *r, struct json_object *object, struct policy_credential *c)
{
	struct json_object *key = reader_member(object, "credential_key"), *auth = reader_member(object, "auth");
	struct json_object *watch = reader_member(object, "watch");
	int e = 0;

	c->watch = true;
	if (!key == !auth)
		return reader_fail(r, object,
				   key ? "\"credential_key\" and \"auth\" exclude each other"
				       : "a credential needs \"credential_key\" or \"auth\"");
	if (watch)
		e = reader_bool(r, watch, "\"watch\"", &c->watch);
	if (e < 0 || auth)
		return e < 0 ? e : load_auth(r, auth, c);
	e = reader_string(r, key, "\"credential_key\"", &c->uri);
	if (e == 0)
		e = load_secret_uri(r, key, c->uri, &c->file);
	if (e == 0 && !c->file)
		c->unavailable = scheme_of(c->uri); /* the key is right, what it holds comes later */
	return e;
}

/* A name as POSIX.1-2017 8.1 has it, and none that tells the loader or a shell what to run. */
static int parse_env_var(struct reader *r, struct json_object *value, struct policy_credential *c)
{
	static const char *const dangerous[] = { "LD_", "DYLD_", "BASH_", "GCONV_PATH", NULL };
	static const char *const taken[] = { "PATH", "HOME", "USER", "SHELL", "IFS", "ENV", NULL };
	const char *text;
	int e = reader_string(r, value, "\"env_var\"", &text);

	if (e < 0)
		return e;
	if (text[0] >= '0' && text[0] <= '9')
		return reader_fail(r, value, "\"env_var\" cannot begin with a digit");
	for (const char *p = text; *p; p++) {
		if (!((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_'))
			return reader_fail(r, value, "\"env_var\" is a name of letters, digits and _ only");
	}
	for (size_t i = 0; dangerous[i]; i++) {
		if (strncmp(text, dangerous[i], strlen(dangerous[i])) == 0)
			return reader_fail(r, value, "\"env_var\" cannot be %s: it changes how programs start", text);
	}
	for (size_t i = 0; taken[i]; i++) {
		if (strcmp(text, taken[i]) == 0)
			return reader_fail(r, value, "\"env_var\" cannot be %s: every program reads it already", text);
	}
	c->env_var = text;
	return 0;
}

static int parse_credential(struct reader *r, const char *name, struct json_object *object, struct policy_credential *c)
{
	static const char *const known[] = { "upstream",
					     "credential_key",
					     "auth",
					     "watch",
					     "inject_mode",
					     "inject_header",
					     "credential_format",
					     "query_param_name",
					     "path_pattern",
					     "path_replacement",
					     "cookie_name",
					     "tls_ca",
					     "tls_client_cert",
					     "tls_client_key",
					     "env_var",
					     NULL };
	static const char *const later[] = { "tls_ca", "tls_client_cert", "tls_client_key", NULL };
	struct json_object *env;
	int e = reader_object(r, object, "a credential");

	if (e == 0)
		e = reader_keys(r, object, known, "in a credential");
	if (e < 0)
		return e;
	if (!reader_member(object, "upstream"))
		return reader_fail(r, object, "the credential \"%s\" needs \"upstream\"", name);
	c->line = reader_place(r, object).line;
	c->name = pool_str(&r->policy->pool, str_of(name));
	if (!c->name)
		return -ENOMEM;
	e = parse_upstream(r, reader_member(object, "upstream"), c);
	if (e == 0)
		e = parse_source(r, object, c);
	if (e == 0)
		e = parse_mode(r, object, c);
	if (e == 0)
		e = parse_header(r, object, c);
	if (e == 0)
		e = check_mode_texts(r, object);
	for (size_t i = 0; later[i] && e == 0; i++) {
		struct json_object *value = reader_member(object, later[i]);
		const char *text = NULL, *path;
		char what[32];

		if (!value)
			continue;
		(void)snprintf(what, sizeof(what), "\"%s\"", later[i]);
		e = reader_string(r, value, what, &text);
		if (e == 0 && text[0] != '/') /* an absolute path, as in tls.trust, or a source */
			e = load_secret_uri(r, value, text, &path);
		c->unavailable = later[i];
	}
	env = reader_member(object, "env_var");
	return e == 0 && env ? parse_env_var(r, env, c) : e;
}

int load_credentials(struct reader *r, struct json_object *credentials)
{
	struct policy *p = r->policy;
	int e = reader_object(r, credentials, "\"custom_credentials\"");

	if (e < 0)
		return e;
	if (json_object_object_length(credentials) > POLICY_CREDENTIALS_MAX)
		return reader_fail(r, credentials, "more than %d credentials", POLICY_CREDENTIALS_MAX);
	p->credentials = pool_alloc(&p->pool, POLICY_CREDENTIALS_MAX * sizeof(*p->credentials));
	if (!p->credentials)
		return -ENOMEM;
	json_object_object_foreach(credentials, name, object)
	{
		if (!*name || strlen(name) > 100)
			return reader_fail(r, object, "a credential's name must have 1 to 100 bytes");
		e = parse_credential(r, name, object, &p->credentials[p->n_credentials]);
		if (e < 0)
			return e;
		p->n_credentials++;
	}
	return 0;
}
