/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of "network" whose machinery comes later: they are checked now, so that a policy file stays right, and what they
 * would allow stays refused, which `policy check` and the start of `run` say.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "policy/reader.h"

static int check_unix(struct reader *r, struct json_object *item)
{
	const char *text = NULL;
	int e = reader_string(r, item, "each path in \"allow_unix\"", &text);

	if (e == 0 && text[0] != '/')
		return reader_fail(r, item, "\"%s\": a path in \"allow_unix\" must be absolute: \"/run/service.sock\"",
				   text);
	return e;
}

static int check_local(struct reader *r, struct json_object *item)
{
	const char *text = NULL;
	struct host host;
	uint16_t port = 0;
	int e = reader_string(r, item, "an entry of \"allow_local\"", &text);

	if (e == 0 && (authority_parse(str_of(text), 0, &host, &port) < 0 || port == 0))
		return reader_fail(r, item,
				   "\"%s\": expected host:port of a service of this machine: \"127.0.0.1:5432\"", text);
	return e;
}

static int check_from(struct reader *r, struct json_object *from)
{
	int e = reader_array(r, from, "\"from\" (the ranges that may connect)");

	for (size_t i = 0; e == 0 && i < json_object_array_length(from); i++) {
		struct json_object *item = json_object_array_get_idx(from, i);
		struct address_range range;
		const char *text = NULL;

		e = reader_string(r, item, "each range in \"from\"", &text);
		if (e == 0 && address_parse_range(str_of(text), &range) < 0)
			e = reader_fail(r, item, "\"%s\" is no address range: expected \"10.0.0.0/8\" or \"fd00::/8\"",
					text);
	}
	return e;
}

static int check_publish(struct reader *r, struct json_object *item)
{
	static const char *const known[] = { "port", "from", NULL };
	struct json_object *port, *from;
	int64_t number;
	int e = reader_object(r, item, "an entry of \"publish\"");

	if (e == 0)
		e = reader_keys(r, item, known, "in an entry of \"publish\"");
	if (e < 0)
		return e;
	port = reader_member(item, "port");
	from = reader_member(item, "from");
	if (!port || !from)
		return reader_fail(r, item, "an entry of \"publish\" needs \"port\" and \"from\"");
	number = json_object_is_type(port, json_type_int) ? json_object_get_int64(port) : 0;
	if (number < 1 || number > 65535)
		return reader_fail(r, port, "a port must be a number from 1 to 65535");
	return check_from(r, from);
}

struct later {
	const char *key;
	int (*check)(struct reader *r, struct json_object *item);
};

static const struct later table[] = {
	{ "allow_unix", check_unix },
	{ "allow_local", check_local },
	{ "publish", check_publish },
};

int load_later(struct reader *r, struct json_object *network)
{
	struct policy *p = r->policy;
	char what[32];
	int e = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && e == 0; i++) {
		struct json_object *list = reader_member(network, table[i].key);

		if (!list)
			continue;
		(void)snprintf(what, sizeof(what), "\"%s\"", table[i].key);
		e = reader_array(r, list, what);
		for (size_t k = 0; e == 0 && k < json_object_array_length(list); k++)
			e = table[i].check(r, json_object_array_get_idx(list, k));
		if (e == 0 && json_object_array_length(list) > 0)
			p->later[p->n_later++] = table[i].key;
	}
	return e;
}

size_t policy_later_count(const struct policy *p)
{
	return p->n_later;
}

const char *policy_later_at(const struct policy *p, size_t i)
{
	return p->later[i];
}
