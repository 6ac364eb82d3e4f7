/* SPDX-License-Identifier: Apache-2.0 */
/* A nono profile read and a policy put together; nono_keys.c says what becomes of each key. */
#include "cli/nono.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/diag.h"
#include "cli/nono_private.h"

/* --- places --------------------------------------------------------------------------------------------------- */

/* A place travels as the user data of its value: index + 1. null has none: it is what an absent key is there. */
static void tie(struct nono *n, struct json_object *value)
{
	uintptr_t index = ++n->next_value;

	if (!value)
		return;
	json_object_set_userdata(value, (void *)index, NULL);
	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, key, member)
		{
			(void)key;
			tie(n, member);
		}
	} else if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			tie(n, json_object_array_get_idx(value, i));
	}
}

static struct json_place place_of(const struct nono *n, struct json_object *value)
{
	size_t index = value ? (size_t)(uintptr_t)json_object_get_userdata(value) : 0;

	if (index == 0 || index > n->places.n_values)
		return (struct json_place){ 1, 1 };
	return n->places.values[index - 1];
}

int nono_note(struct nono *n, struct json_object *at, const char *format, ...)
{
	const struct json_place place = place_of(n, at);
	char text[DIAG_TEXT_MAX], line[2 * DIAG_TEXT_MAX + 600];
	struct diag d;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)diag_set(&d, n->file, place.line, place.column, "%s", text);
	n->n_notes++;
	return buf_printf(n->notes, "%s\n", diag_format(&d, line, sizeof(line)));
}

int nono_fail(struct nono *n, struct json_object *at, const char *format, ...)
{
	const struct json_place place = place_of(n, at);
	char text[DIAG_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return diag_set(n->reterr, n->file, place.line, place.column, "%s", text);
}

/* --- the tree ------------------------------------------------------------------------------------------------- */

struct json_object *nono_member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

int nono_typed(struct nono *n, struct json_object *object, const char *key, enum json_type type,
	       struct json_object **ret)
{
	struct json_object *value = nono_member(object, key);

	if (value && !json_object_is_type(value, type))
		return nono_fail(n, value, "\"%s\" must be of the type %s", key, json_type_to_name(type));
	if (value && type == json_type_string && strlen(json_object_get_string(value)) == 0)
		value = NULL; /* the default of every text there */
	*ret = value;
	return 0;
}

int nono_put(struct json_object *object, const char *key, struct json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_object_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

/* false, [], {}, "": what an absent key is, too. */
static bool says_nothing(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		return true;
	case json_type_boolean:
		return !json_object_get_boolean(value);
	case json_type_array:
		return json_object_array_length(value) == 0;
	case json_type_object:
		return json_object_object_length(value) == 0;
	case json_type_string:
		return json_object_get_string_len(value) == 0;
	default:
		return false;
	}
}

int nono_check_keys(struct nono *n, struct json_object *object, const struct nono_key *keys, const char *what,
		    bool *ret_is_unsafe)
{
	json_object_object_foreach(object, key, value)
	{
		const struct nono_key *row = keys;
		int e = 0;

		while (row->name && strcmp(row->name, key) != 0)
			row++;
		if (!row->name)
			e = nono_note(n, value,
				      "\"%s\" %s is not known here, and what it stands in is left out, because "
				      "it may restrict it; take the key out and import again, if it does not",
				      key, what);
		else if (row->fate == NONO_LEFT && !says_nothing(value))
			e = nono_note(n, value, "\"%s\" is left out: %s", key, row->text);
		/* an empty one may mean something: "aws_auth": {} */
		else if (row->fate == NONO_UNSAFE && value)
			e = nono_note(n, value, "\"%s\" cannot be carried over, and what it stands in is left out: %s",
				      key, row->text);
		if (e < 0)
			return e;
		*ret_is_unsafe |= !row->name || (row->fate == NONO_UNSAFE && value);
	}
	return 0;
}

int nono_try(struct json_object *policy, char *why, size_t size)
{
	const char *text = json_object_to_json_string_ext(policy, JSON_C_TO_STRING_PLAIN);
	struct policy *p = NULL;
	struct diag d = { 0 };
	int r = text ? policy_load("import", str_of(text), &p, &d) : -ENOMEM;

	(void)policy_unref(p);
	if (r != -EINVAL)
		return r;
	(void)snprintf(why, size, "%s", d.text);
	return 1;
}

/* --- the top level -------------------------------------------------------------------------------------------- */

/* Sockets of the file system are of the network here; the rest of "filesystem" is not. */
static int check_sockets(struct nono *n)
{
	struct json_object *files = NULL;
	int e = nono_typed(n, n->root, "filesystem", json_type_object, &files);

	if (e < 0 || !files)
		return e;
	json_object_object_foreach(files, key, value)
	{
		if (strncmp(key, "unix_socket", 11) == 0 && !says_nothing(value) && e == 0)
			e = nono_note(n, value,
				      "\"%s\" is left out: sockets of the file system are refused yet; reach the "
				      "service over TCP and name it in allow_domain",
				      key);
	}
	return e;
}

/* Bases and overrides can deny, so without them more could be allowed than was. */
static int check_bases(struct nono *n, bool is_whole, bool *ret_is_unsafe)
{
	struct json_object *base = nono_member(n->root, "extends"), *overrides = NULL, *linux_part = NULL;
	int e = nono_typed(n, n->root, "platform_overrides", json_type_object, &overrides);

	if (e == 0 && overrides)
		e = nono_typed(n, overrides, "linux", json_type_object, &linux_part);
	linux_part = linux_part ? nono_member(linux_part, "network") : NULL;
	if (e == 0 && base && !says_nothing(base)) {
		e = nono_note(n, base, "what the base profile %s allows and denies is not in this file%s",
			      json_object_to_json_string_ext(base, JSON_C_TO_STRING_PLAIN),
			      is_whole ? "; write what it allows into network"
				       : ", so nothing is carried over; write its network part into this file, or give "
					 "--alone if it denies nothing");
		*ret_is_unsafe |= !is_whole;
	}
	if (e == 0 && linux_part && !says_nothing(linux_part)) {
		e = nono_note(n, linux_part, "what is overridden on Linux is not merged%s",
			      is_whole ? "; write it into the profile's own network"
				       : ", so nothing is carried over; write it into the profile's own network");
		*ret_is_unsafe |= !is_whole;
	}
	return e;
}

static int read_network(struct nono *n, struct json_object *network)
{
	struct json_object *block = NULL;
	bool is_unsafe = false;
	int e = nono_typed(n, network, "block", json_type_boolean, &block);

	if (e == 0 && block && json_object_get_boolean(block))
		return json_object_object_length(network) == 1
			       ? 0
			       : nono_note(n, block,
					   "\"block\" refuses everything, so nothing else of network is "
					   "carried over; take it out if the rest shall hold");
	if (e == 0)
		e = nono_check_keys(n, network, nono_network_keys, "in network", &is_unsafe);
	if (e < 0 || is_unsafe)
		return e;
	e = nono_read_credentials(n, network);
	if (e == 0)
		e = nono_read_domains(n, network);
	if (e == 0)
		e = nono_read_denials(n, network);
	if (e == 0 && n->n_hosts == 0 && json_object_object_length(n->credentials) == 0 && n->n_notes == 0)
		e = nono_note(n, network,
			      "without \"allow_domain\" every host was reachable, and here none is; write the "
			      "hosts into network.allow_domain");
	return e;
}

static int read_profile(struct nono *n, bool is_whole)
{
	struct json_object *network = NULL;
	bool is_unsafe = false, is_restricted = false;
	int e = nono_check_keys(n, n->root, nono_top_keys, "at the top level", &is_unsafe);

	if (e == 0)
		e = check_sockets(n);
	if (e == 0)
		e = check_bases(n, is_whole, &is_restricted);
	if (e == 0)
		e = nono_typed(n, n->root, "network", json_type_object, &network);
	if (e < 0 || is_unsafe || is_restricted)
		return e;
	if (network)
		return read_network(n, network);
	return nono_note(n, n->root,
			 "without \"network\" every host was reachable, and here none is; write the hosts into "
			 "network.allow_domain");
}

/* --- the policy ----------------------------------------------------------------------------------------------- */

static int put_policy(struct nono *n, struct buf *ret)
{
	struct json_object *policy = json_object_new_object(), *network = json_object_new_object();
	const char *text;
	char why[256];
	int e = policy && network ? nono_put_hosts(n, network) : -ENOMEM;

	if (e == 0 && json_object_object_length(n->credentials) > 0)
		e = nono_put(policy, "custom_credentials", json_object_get(n->credentials));
	if (e == 0)
		e = nono_put(policy, "network", json_object_get(network));
	if (e == 0)
		e = nono_try(policy, why, sizeof(why));
	if (e == 1)
		e = diag_set(n->reterr, n->file, 0, 0, "the parts do not make a policy together: %s", why);
	text = e == 0 ? json_object_to_json_string_ext(policy, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
								       JSON_C_TO_STRING_NOSLASHESCAPE)
		      : NULL;
	if (e == 0)
		e = text ? buf_printf(ret, "%s\n", text) : -ENOMEM;
	json_object_put(network);
	json_object_put(policy);
	return e;
}

static int parse(struct nono *n, struct str text)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);

	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	n->root = json_tokener_parse_ex(tokener, text.p, (int)text.n);
	json_tokener_free(tokener);
	if (!json_object_is_type(n->root, json_type_object))
		return diag_set(n->reterr, n->file, 1, 1, "a profile must be an object {…}");
	tie(n, n->root);
	return 0;
}

int nono_convert(const char *file, struct str text, bool is_whole, struct buf *ret_policy, struct buf *ret_notes,
		 size_t *ret_n_notes, struct diag *reterr)
{
	struct nono n = { .file = file, .reterr = reterr, .notes = ret_notes };
	int e = text.n > POLICY_TEXT_MAX
			? diag_set(reterr, file, 0, 0, "the profile is larger than %zu bytes", POLICY_TEXT_MAX)
			: json_walk(&n.pool, file, text, &n.places, reterr);

	n.credentials = json_object_new_object();
	if (e == 0)
		e = n.credentials ? parse(&n, text) : -ENOMEM;
	if (e == 0)
		e = read_profile(&n, is_whole);
	if (e == 0)
		e = put_policy(&n, ret_policy);
	*ret_n_notes = n.n_notes;
	for (size_t i = 0; i < n.n_hosts; i++)
		json_object_put(n.hosts[i].rows);
	free(n.hosts);
	json_object_put(n.credentials);
	json_object_put(n.root);
	pool_done(&n.pool);
	return e;
}
