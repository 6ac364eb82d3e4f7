/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint rules. nono matches the decoded path without a final slash, "*" crosses slashes, and ** at the end does not hold
 * for the path in front of it. Here "*" stays in one segment and an encoded slash is a byte of a segment; so a row that
 * allows is written narrower where the two differ, and a row that denies wider.
 */
#include "cli/nono_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define DENY_SEGMENTS_MAX 5 /* before the first wildcard; each joint is written as / and as %2F */
#define METHOD_MAX	  32

/* Methods are compared without case there. One that is longer stays as it is: our loader judges it. */
static struct json_object *upper(const char *method)
{
	char out[METHOD_MAX + 1];
	size_t n = strlen(method);

	if (n > METHOD_MAX)
		return json_object_new_string(method);
	for (size_t i = 0; i <= n; i++)
		out[i] = (char)(method[i] >= 'a' && method[i] <= 'z' ? method[i] - 32 : method[i]);
	return json_object_new_string(out);
}

/* A row {method, path, action}; takes method. NULL: no memory. */
static struct json_object *row_new(struct json_object *method, const char *path, bool is_deny)
{
	struct json_object *row = json_object_new_object();
	int e = row ? nono_put(row, "method", method) : -ENOMEM;

	if (!row)
		json_object_put(method);
	if (e == 0)
		e = nono_put(row, "path", json_object_new_string(path));
	if (e == 0 && is_deny)
		e = nono_put(row, "action", json_object_new_string("deny"));
	if (e == 0)
		return row;
	json_object_put(row);
	return NULL;
}

/* Whether our loader takes the row. */
static int try_row(struct json_object *row, char *why, size_t size)
{
	struct json_object *policy = json_tokener_parse(
		"{\"network\":{\"allow_domain\":[{\"host\":\"import.example\",\"paths\":[]}]}}");
	struct json_object *network, *list, *paths;
	int r = -ENOMEM;

	if (!policy)
		return r;
	json_object_object_get_ex(policy, "network", &network);
	json_object_object_get_ex(network, "allow_domain", &list);
	json_object_object_get_ex(json_object_array_get_idx(list, 0), "paths", &paths);
	if (json_object_array_add(paths, json_object_get(row)) == 0)
		r = nono_try(policy, why, size);
	json_object_put(policy);
	return r;
}

static int read_rule(struct nono *n, struct json_object *rule, const struct nono_key *keys, const char **ret_method,
		     const char **ret_path, bool *ret_is_unsafe)
{
	struct json_object *method = NULL, *path = NULL;
	int e;

	if (!json_object_is_type(rule, json_type_object))
		return nono_fail(n, rule, "expected a rule: {\"method\": \"GET\", \"path\": \"/api/**\"}");
	e = nono_check_keys(n, rule, keys, "in a rule", ret_is_unsafe);
	if (e == 0)
		e = nono_typed(n, rule, "method", json_type_string, &method);
	if (e == 0)
		e = nono_typed(n, rule, "path", json_type_string, &path);
	if (e < 0)
		return e;
	if (!method || !path)
		return nono_fail(n, rule, "a rule needs \"method\" and \"path\"");
	*ret_method = json_object_get_string(method);
	*ret_path = json_object_get_string(path);
	return 0;
}

/* ** at the end stands for one segment at least, so the path in front of it is not matched. out has 3 more bytes. */
static void narrow_path(const char *path, char *out)
{
	size_t n = strlen(path);

	memcpy(out, path, n + 1);
	if (n > 3 && strcmp(path + n - 3, "/**") == 0 && strcmp(path, "/**") != 0)
		memcpy(out + n - 3, "/*/**", 6);
}

static int allow_row(struct nono *n, struct json_object *rule, const struct nono_key *keys, struct json_object *rows)
{
	const char *method = NULL, *path = NULL;
	char why[256] = "", *narrow;
	struct json_object *row;
	bool is_unsafe = false;
	int e = read_rule(n, rule, keys, &method, &path, &is_unsafe);
	size_t len;

	if (e < 0 || is_unsafe)
		return e;
	len = strlen(path);
	if (strchr(path, '%'))
		return nono_note(n, rule,
				 "the rule %s %s is left out: %% stands for itself there and for an encoded "
				 "byte here; write the row for what the server gets",
				 method, path);
	if (len > 1 && path[len - 1] == '/')
		return nono_note(n, rule,
				 "the rule %s %s is left out: it matches nothing there, because the final "
				 "slash is taken off; write the row with or without the slash, as the server needs it",
				 method, path);
	narrow = pool_alloc(&n->pool, len + 4);
	if (!narrow)
		return -ENOMEM;
	narrow_path(path, narrow);
	row = row_new(upper(method), narrow, false);
	if (!row)
		return -ENOMEM;
	e = try_row(row, why, sizeof(why));
	if (e == 0)
		return json_object_array_add(rows, row) == 0 ? 0 : -ENOMEM;
	json_object_put(row);
	return e < 0 ? e : nono_note(n, rule, "the rule %s %s is left out: %s", method, path, why);
}

int nono_allow_rows(struct nono *n, struct json_object *list, struct json_object *rows)
{
	int e = 0;

	for (size_t i = 0; i < json_object_array_length(list) && e == 0; i++)
		e = allow_row(n, json_object_array_get_idx(list, i), nono_rule_keys, rows);
	return e;
}

/* --- rows that deny ------------------------------------------------------------------------------------------- */

static int put_denied(struct nono *n, struct json_object *rows, const char *method, const struct buf *path,
		      const char *end)
{
	char why[256];
	char *text = pool_alloc(&n->pool, buf_len(path) + strlen(end) + 2);
	struct json_object *row;
	int e;

	if (!text)
		return -ENOMEM;
	(void)snprintf(text, buf_len(path) + strlen(end) + 2, "%.*s%s", (int)buf_len(path),
		       buf_len(path) ? buf_data(path) : "", end);
	row = row_new(upper(method), text, true);
	if (!row)
		return -ENOMEM;
	e = try_row(row, why, sizeof(why));
	if (e == 0)
		return json_object_array_add(rows, row) == 0 ? 0 : -ENOMEM;
	json_object_put(row);
	return e < 0 ? e : 1;
}

/* The segments before the first that is no plain text; *ret_rest: what stands behind them. */
static size_t plain_segments(const char *path, struct str *out, struct str *ret_rest)
{
	struct str rest = str_of(path);
	size_t n = 0;

	while (n < DENY_SEGMENTS_MAX && rest.n > 1 && rest.p[0] == '/') {
		struct str segment = str_from(rest, 1);

		segment.n = str_find(segment, '/');
		for (size_t i = 0; i < segment.n; i++) {
			if (strchr("*?[]{}\\%!", segment.p[i]) || (unsigned char)segment.p[i] <= ' ') {
				*ret_rest = rest;
				return n;
			}
		}
		rest = str_from(rest, 1 + segment.n);
		if (segment.n > 0)
			out[n++] = segment;
	}
	*ret_rest = rest;
	return n;
}

/* Each way to write the joints between the plain segments, and all that may stand behind. 1: our loader takes it not. */
static int deny_spellings(struct nono *n, struct json_object *rows, const char *method, const struct str *segments,
			  size_t count, bool is_open)
{
	int e = 0;

	for (unsigned joints = 0; joints < 1u << (count > 1 ? count - 1 : 0) && e == 0; joints++) {
		struct buf path;

		buf_init(&path, 16384);
		for (size_t i = 0; i < count && e == 0; i++) {
			e = buf_append(&path, i > 0 && (joints >> (i - 1) & 1) ? STR("%2F") : STR("/"));
			if (e == 0)
				e = buf_append(&path, segments[i]);
		}
		if (e == 0)
			e = put_denied(n, rows, method, &path, is_open ? "/**" : count == 0 ? "/" : "");
		if (e == 0 && count > 0 && !is_open)
			e = put_denied(n, rows, method, &path, "/");
		if (e == 0 && count > 0)
			e = put_denied(n, rows, method, &path, is_open ? "%2F*/**" : "%2F");
		buf_done(&path);
	}
	return e;
}

static int deny_row(struct nono *n, struct json_object *rule, const char *what, struct json_object *rows,
		    bool *ret_is_unsafe)
{
	const char *method = NULL, *path = NULL;
	struct str segments[DENY_SEGMENTS_MAX], rest = { 0 };
	size_t count;
	int e = read_rule(n, rule, nono_policy_rule_keys, &method, &path, ret_is_unsafe);

	if (e < 0 || *ret_is_unsafe)
		return e;
	count = plain_segments(path, segments, &rest);
	if (str_eq(rest, STR("/")))
		rest.n = 0; /* the root, or a final slash that is taken off */
	e = deny_spellings(n, rows, method, segments, count, rest.n > 0);
	if (e == 1) {
		*ret_is_unsafe = true;
		return nono_note(n, rule,
				 "the rule that %s %s %s cannot be written here, so what it restricts is "
				 "left out; write \"paths\" for what is needed",
				 what, method, path);
	}
	if (e == 0 && strcmp(what, "denies") != 0)
		e = nono_note(n, rule,
			      "%s %s is denied: nobody is asked while a request waits; move the rule to "
			      "\"allow\" if it needs no question",
			      method, path);
	if (e == 0 && rest.n > 0 && !str_eq(rest, STR("/**")))
		e = nono_note(n, rule,
			      "the rule that %s %s %s denies everything below its part without wildcards, "
			      "because * crosses slashes there; write \"paths\" for what is needed below",
			      what, method, path);
	return e;
}

static int deny_rows(struct nono *n, struct json_object *policy, const char *key, const char *what,
		     struct json_object *rows, bool *ret_is_unsafe)
{
	struct json_object *list = NULL;
	int e = nono_typed(n, policy, key, json_type_array, &list);

	for (size_t i = 0; e == 0 && list && i < json_object_array_length(list) && !*ret_is_unsafe; i++)
		e = deny_row(n, json_object_array_get_idx(list, i), what, rows, ret_is_unsafe);
	return e;
}

/* "deny", or { "decision": "deny" }. NULL: none. */
static const char *default_of(struct json_object *policy)
{
	struct json_object *value = nono_member(policy, "default");

	if (value && json_object_is_type(value, json_type_object))
		value = nono_member(value, "decision");
	return value && json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

int nono_policy_rows(struct nono *n, struct json_object *policy, struct json_object *rows, bool *ret_is_unsafe)
{
	struct json_object *list = NULL;
	const char *fallback = default_of(policy);
	int e = nono_check_keys(n, policy, nono_policy_keys, "in endpoint_policy", ret_is_unsafe);

	if (e == 0 && !*ret_is_unsafe)
		e = deny_rows(n, policy, "deny", "denies", rows, ret_is_unsafe);
	if (e == 0 && !*ret_is_unsafe)
		e = deny_rows(n, policy, "approve", "asks for", rows, ret_is_unsafe);
	if (e == 0)
		e = nono_typed(n, policy, "allow", json_type_array, &list);
	for (size_t i = 0; e == 0 && list && i < json_object_array_length(list) && !*ret_is_unsafe; i++)
		e = allow_row(n, json_object_array_get_idx(list, i), nono_policy_rule_keys, rows);
	if (e < 0 || !fallback || *ret_is_unsafe || strcmp(fallback, "deny") == 0)
		return e;
	if (strcmp(fallback, "approve") == 0)
		return nono_note(n, nono_member(policy, "default"),
				 "what no rule names is denied: nobody is asked "
				 "while a request waits; write the rules that need no question into \"allow\"");
	if (strcmp(fallback, "allow") != 0)
		return nono_fail(n, nono_member(policy, "default"), "\"default\" must be deny, approve or allow");
	list = row_new(json_object_new_string("*"), "/**", false);
	return list && json_object_array_add(rows, list) == 0 ? 0 : -ENOMEM;
}
