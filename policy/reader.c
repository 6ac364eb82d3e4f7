/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of json-c with the places of the strict walk: both follow document order, so one counter ties them. */
#include "policy/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/diag.h"

/* A place travels as the user data of its value: index + 1 into places. null has none, and means nothing here. */
static int tie_value(struct reader *r, struct json_object *value, const char *key)
{
	const struct json_place *place = &r->places.values[r->next_value];
	int e = 0;

	if (!value) /* refuse: null must not read as absent, which may allow more */
		return diag_set(r->reterr, r->file, place->line, place->column, "%s%s%s must not be null; leave it out",
				key ? "\"" : "", key ? key : "a value", key ? "\"" : "");
	json_object_set_userdata(value, (void *)(uintptr_t)(++r->next_value), NULL);
	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, name, member)
		{
			e = tie_value(r, member, name);
			if (e < 0)
				return e;
		}
	} else if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; e == 0 && i < json_object_array_length(value); i++)
			e = tie_value(r, json_object_array_get_idx(value, i), NULL);
	}
	return e;
}

int reader_tie(struct reader *r, struct json_object *root)
{
	r->next_value = 0;
	return tie_value(r, root, NULL);
}

struct json_place reader_place(const struct reader *r, struct json_object *value)
{
	size_t index = value ? (size_t)(uintptr_t)json_object_get_userdata(value) : 0;

	if (index == 0 || index > r->places.n_values)
		return (struct json_place){ 0, 0 };
	return r->places.values[index - 1];
}

int reader_fail(struct reader *r, struct json_object *value, const char *format, ...)
{
	struct json_place place = reader_place(r, value);
	char text[DIAG_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return diag_set(r->reterr, r->file, place.line, place.column, "%s", text);
}

/* Edit distance (Levenshtein), capped sizes; for the nearest known key. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[65];
	size_t n = strlen(a), m = strlen(b);

	if (n > 64 || m > 64)
		return 99;
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

/* Names of a related tool's format, and our spelling. */
static const char *other_spelling(const char *key)
{
	static const char *const rows[][2] = {
		{ "endpoint_rules",
		  "\"paths\" inside the host's entry of network.allow_domain: {\"host\": \"example.com\", "
		  "\"paths\": [{\"method\": \"GET\", \"path\": \"/api/**\"}]}" },
		{ "endpoint_policy",
		  "\"paths\" inside the host's entry of network.allow_domain, where everything that no "
		  "row allows is denied" },
		{ "custom_credentials", "\"custom_credentials\" at the top level of the file, beside \"network\"" },
		{ "credentials", "\"custom_credentials\" at the top level of the file, beside \"network\"" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(key, rows[i][0]) == 0)
			return rows[i][1];
	}
	return NULL;
}

/* The place of a key: keys come in document order, but the tree does not hold them; found by walking to it. */
static struct json_place key_place(const struct reader *r, struct json_object *object, const char *wanted)
{
	struct json_place place = reader_place(r, object);

	json_object_object_foreach(object, key, member)
	{
		struct json_place value = reader_place(r, member);

		if (strcmp(key, wanted) != 0)
			continue;
		/* the last key that stands before its value */
		for (size_t i = r->places.n_keys; i-- > 0;) {
			const struct json_place *k = &r->places.keys[i];

			if (k->line < value.line || (k->line == value.line && k->column < value.column))
				return *k;
		}
	}
	return place;
}

static int unknown_key(struct reader *r, struct json_object *object, const char *key, const char *const known[],
		       const char *where)
{
	struct json_place place = key_place(r, object, key);
	const char *spelling = other_spelling(key), *nearest = NULL;
	unsigned best = 99;

	if (spelling)
		return diag_set(r->reterr, r->file, place.line, place.column, "the key \"%s\" %s is written here as %s",
				key, where, spelling);
	for (size_t i = 0; known[i]; i++) {
		unsigned d = distance(key, known[i]);

		if (d < best) {
			best = d;
			nearest = known[i];
		}
	}
	return diag_set(r->reterr, r->file, place.line, place.column,
			"unknown key \"%s\" %s; the nearest known key is \"%s\"", key, where, nearest ? nearest : "");
}

int reader_keys(struct reader *r, struct json_object *object, const char *const known[], const char *where)
{
	json_object_object_foreach(object, key, member)
	{
		bool found = false;

		(void)member;
		for (size_t i = 0; known[i] && !found; i++)
			found = strcmp(key, known[i]) == 0;
		if (!found)
			return unknown_key(r, object, key, known, where);
	}
	return 0;
}

struct json_object *reader_member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

int reader_object(struct reader *r, struct json_object *value, const char *what)
{
	return json_object_is_type(value, json_type_object) ? 0
							    : reader_fail(r, value, "%s must be an object {…}", what);
}

int reader_array(struct reader *r, struct json_object *value, const char *what)
{
	return json_object_is_type(value, json_type_array) ? 0 : reader_fail(r, value, "%s must be an array […]", what);
}

int reader_string(struct reader *r, struct json_object *value, const char *what, const char **ret)
{
	const char *copy;

	if (!json_object_is_type(value, json_type_string) || json_object_get_string_len(value) == 0)
		return reader_fail(r, value, "%s must be a string that is not empty", what);
	copy = pool_str(&r->policy->pool,
			str_make(json_object_get_string(value), (size_t)json_object_get_string_len(value)));
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

int reader_bool(struct reader *r, struct json_object *value, const char *what, bool *ret)
{
	if (!json_object_is_type(value, json_type_boolean))
		return reader_fail(r, value, "%s must be true or false", what);
	*ret = json_object_get_boolean(value);
	return 0;
}
