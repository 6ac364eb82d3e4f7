/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allow_domain and deny_domain. nono knows no ports there: a host is taken for https on its usual port. Where two entries
 * say different things of one host, the narrower one holds.
 */
#include "cli/nono_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Never reachable there, whatever a profile says. */
static const char *const never[] = { "169.254.169.254", "metadata.google.internal", "metadata.azure.internal" };

static const char *const domain_keys[] = { "allow_domain", "proxy_allow", "allow_proxy" };

struct nono_host *nono_add_host(struct nono *n, struct json_object *at)
{
	if (n->n_hosts == n->size_hosts) {
		size_t size = n->size_hosts ? 2 * n->size_hosts : 64;
		struct nono_host *more = reallocarray(n->hosts, size, sizeof(*more));

		if (!more)
			return NULL;
		n->hosts = more;
		n->size_hosts = size;
	}
	n->hosts[n->n_hosts] = (struct nono_host){ .at = at };
	return &n->hosts[n->n_hosts++];
}

struct nono_host *nono_find_host(struct nono *n, bool is_wildcard, const struct host *host, uint16_t port)
{
	for (size_t i = 0; i < n->n_hosts; i++) {
		struct nono_host *h = &n->hosts[i];

		if (!h->is_gone && h->is_wildcard == is_wildcard && h->port == port &&
		    str_eq(host_str(&h->host), host_str(host)))
			return h;
	}
	return NULL;
}

/* Whether inner is a name below outer. */
static bool is_below(const struct host *inner, const struct host *outer)
{
	size_t more = inner->len > outer->len ? (size_t)inner->len - outer->len : 0;

	return more > 1 && inner->text[more - 1] == '.' && strcmp(inner->text + more, outer->text) == 0;
}

/* Whether our loader takes the text as an entry of allow_domain. */
static int try_host(const char *text, char *why, size_t size)
{
	struct json_object *policy = json_tokener_parse("{\"network\":{\"allow_domain\":[]}}"), *network, *list;
	int r = -ENOMEM;

	if (!policy)
		return r;
	json_object_object_get_ex(policy, "network", &network);
	json_object_object_get_ex(network, "allow_domain", &list);
	if (json_object_array_add(list, json_object_new_string(text)) == 0)
		r = nono_try(policy, why, size);
	json_object_put(policy);
	return r;
}

static bool is_never(const struct host *host)
{
	static const uint8_t link_local[] = { 169, 254 };

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (str_eq(host_str(host), str_of(never[i])))
			return true;
	}
	return host->is_address && ((host->bytes[0] == link_local[0] && host->bytes[1] == link_local[1]) ||
				    (host->bytes[0] == 0xfe && (host->bytes[1] & 0xc0) == 0x80));
}

/* 0 and the parts; 1: left out, which is said. */
static int parse_domain(struct nono *n, struct json_object *at, const char *text, bool *ret_is_wildcard,
			struct host *ret_host, uint16_t *ret_port)
{
	struct str s = str_of(text);
	char why[256];
	int e;

	if (strchr(text, '/'))
		e = nono_note(n, at,
			      "\"%s\" is left out: a host is expected there; write {\"domain\": \"example.com\", "
			      "\"endpoints\": [{\"method\": \"GET\", \"path\": \"/path/**\"}]}",
			      text);
	else if (strcmp(text, "*") == 0)
		e = nono_note(n, at, "\"*\" is left out: every host cannot be allowed; name the hosts");
	else if (strstr(text, "*") && (!str_starts(s, STR("*.")) || strchr(text + 1, '*')))
		e = nono_note(n, at, "\"%s\" is left out: * stands here only in front of a name; name the hosts", text);
	else {
		e = try_host(text, why, sizeof(why));
		if (e == 1)
			e = nono_note(n, at, "the host is left out: %s", why);
		else if (e == 0) {
			*ret_is_wildcard = str_starts(s, STR("*."));
			if (authority_parse(str_from(s, *ret_is_wildcard ? 2 : 0), 443, ret_host, ret_port) < 0)
				return -EINVAL;
			if (!is_never(ret_host))
				return 0;
			e = nono_note(n, at,
				      "\"%s\" is left out: the metadata of a cloud was never reachable; nothing to "
				      "write",
				      text);
		}
	}
	return e < 0 ? e : 1;
}

/* Two entries for one host: the narrower, or nothing where neither is. Takes rows. */
static int merge(struct nono *n, struct json_object *at, struct nono_host *h, struct json_object *rows)
{
	int e = 0;

	if (h->credential && (h->rows || *h->prefix)) {
		e = nono_note(
			n, at,
			"this entry is left out: every request to the host that is allowed carries the "
			"credential \"%s\", so only what the credential's own entry allows is allowed; write more "
			"endpoint_rules there",
			h->credential);
		json_object_put(rows);
	} else if (h->rows && rows) {
		e = nono_note(n, at, "the host has two entries with endpoints, so nothing of it is allowed; write one");
		json_object_put(h->rows);
		json_object_put(rows);
		h->rows = json_object_new_array();
		return e == 0 && !h->rows ? -ENOMEM : e;
	} else if (h->rows || rows) {
		e = nono_note(n, at,
			      "the host stands also as a whole, of which only the endpoints are carried over; "
			      "write one entry");
		h->rows = rows ? rows : h->rows;
	}
	return e;
}

static int add_domain(struct nono *n, struct json_object *at, const char *text, struct json_object *rows)
{
	struct host host = { 0 };
	bool is_wildcard = false;
	uint16_t port = 0;
	struct nono_host *h;
	int e = parse_domain(n, at, text, &is_wildcard, &host, &port);

	if (e == 0 && is_wildcard && rows) /* whether a row holds for each name or for one is not said there */
		e = nono_note(n, at, "\"%s\" is left out: endpoints of names with *; write an entry for each host",
			      text) < 0
			    ? -ENOMEM
			    : 1;
	if (e != 0) {
		json_object_put(rows);
		return e < 0 ? e : 0;
	}
	h = nono_find_host(n, is_wildcard, &host, port);
	if (h)
		return merge(n, at, h, rows);
	h = nono_add_host(n, at);
	if (!h) {
		json_object_put(rows);
		return -ENOMEM;
	}
	h->host = host;
	h->is_wildcard = is_wildcard;
	h->port = port;
	h->rows = rows;
	for (size_t i = 0; i < n->n_hosts && is_wildcard && e == 0; i++) {
		const struct nono_host *other = &n->hosts[i];

		if (other->credential && (other->rows || *other->prefix) && is_below(&other->host, &host))
			e = nono_note(n, at,
				      "\"%s\" does not hold for %s: requests to it carry the credential \"%s\", so "
				      "only what that allows is allowed; write more endpoint_rules there",
				      text, other->host.text, other->credential);
	}
	return e;
}

static int read_entry(struct nono *n, struct json_object *entry)
{
	struct json_object *domain = NULL, *endpoints = NULL, *rows;
	bool is_unsafe = false;
	int e;

	if (json_object_is_type(entry, json_type_string))
		return add_domain(n, entry, json_object_get_string(entry), NULL);
	if (!json_object_is_type(entry, json_type_object))
		return nono_fail(n, entry, "expected a host, or an object with \"domain\" and \"endpoints\"");
	e = nono_check_keys(n, entry, nono_domain_keys, "in an entry of allow_domain", &is_unsafe);
	if (e == 0)
		e = nono_typed(n, entry, "domain", json_type_string, &domain);
	if (e == 0)
		e = nono_typed(n, entry, "endpoints", json_type_array, &endpoints);
	if (e < 0 || is_unsafe)
		return e;
	if (!domain || !endpoints)
		return nono_fail(n, entry, "an entry needs \"domain\" and \"endpoints\"");
	if (json_object_array_length(endpoints) == 0)
		return nono_note(n, entry,
				 "\"%s\" is left out: no endpoints could mean all or none; write the host "
				 "alone, or its endpoints",
				 json_object_get_string(domain));
	rows = json_object_new_array();
	e = rows ? nono_allow_rows(n, endpoints, rows) : -ENOMEM;
	if (e == 0)
		return add_domain(n, entry, json_object_get_string(domain), rows);
	json_object_put(rows);
	return e;
}

int nono_read_domains(struct nono *n, struct json_object *network)
{
	int e = 0;

	for (size_t k = 0; k < sizeof(domain_keys) / sizeof(domain_keys[0]) && e == 0; k++) {
		struct json_object *list = NULL;

		e = nono_typed(n, network, domain_keys[k], json_type_array, &list);
		for (size_t i = 0; e == 0 && list && i < json_object_array_length(list); i++)
			e = read_entry(n, json_object_array_get_idx(list, i));
	}
	return e;
}

/* --- denials -------------------------------------------------------------------------------------------------- */

/* A credential would open its upstream by itself. */
static void take_away(struct nono *n, struct nono_host *h)
{
	h->is_gone = true;
	if (h->credential)
		json_object_object_del(n->credentials, h->credential);
}

static int deny_all(struct nono *n, struct json_object *at, const char *text)
{
	for (size_t i = 0; i < n->n_hosts; i++)
		take_away(n, &n->hosts[i]);
	return nono_note(n, at,
			 "what \"%s\" denies cannot be told here, so no host is allowed; write a name, or *.name",
			 text);
}

/* A denied name below "*.name": the more exact entry wins, and allows nothing. */
static int carve(struct nono *n, struct json_object *at, bool is_wildcard, const struct host *host, uint16_t port)
{
	struct nono_host *h = nono_add_host(n, at);

	if (!h)
		return -ENOMEM;
	h->host = *host;
	h->is_wildcard = is_wildcard;
	h->port = port;
	h->rows = json_object_new_array();
	return h->rows ? 0 : -ENOMEM;
}

static bool is_denied(const struct nono_host *h, bool is_wildcard, const struct host *host)
{
	const bool is_same = str_eq(host_str(&h->host), host_str(host));

	return is_wildcard ? is_below(&h->host, host) || (h->is_wildcard && is_same) : is_same && !h->is_wildcard;
}

/* First what is denied goes; only then is seen what a wider entry would still let through. */
static int deny(struct nono *n, struct json_object *at, bool is_wildcard, const struct host *host)
{
	const size_t count = n->n_hosts;
	int e = 0;

	for (size_t i = 0; i < count && e == 0; i++) {
		struct nono_host *h = &n->hosts[i];

		if (h->is_gone || !is_denied(h, is_wildcard, host))
			continue;
		take_away(n, h);
		if (h->credential)
			e = nono_note(
				n, at,
				"the credential \"%s\" is left out, because its upstream is denied; take one of the "
				"two out",
				h->credential);
	}
	for (size_t i = 0; i < count && e == 0; i++) {
		const struct nono_host *h = &n->hosts[i];

		if (!h->is_gone && h->is_wildcard && is_below(host, &h->host) &&
		    !nono_find_host(n, is_wildcard, host, h->port))
			e = carve(n, at, is_wildcard, host, h->port);
	}
	return e;
}

static int read_denial(struct nono *n, struct json_object *at)
{
	const char *text, *star;
	struct host host;
	bool is_wildcard;
	uint16_t port;

	if (!json_object_is_type(at, json_type_string))
		return nono_fail(n, at, "expected a host");
	text = json_object_get_string(at);
	star = strrchr(text, '*');
	is_wildcard = star != NULL;
	/* one * in the middle is one label there; here all below what follows is denied, which is more */
	if (star && star[1] != '.')
		return deny_all(n, at, text);
	if (authority_parse(str_of(star ? star + 2 : text), 443, &host, &port) < 0)
		return deny_all(n, at, text);
	return deny(n, at, is_wildcard, &host);
}

int nono_read_denials(struct nono *n, struct json_object *network)
{
	struct json_object *list = NULL;
	int e = nono_typed(n, network, "deny_domain", json_type_array, &list);

	for (size_t i = 0; e == 0 && list && i < json_object_array_length(list); i++)
		e = read_denial(n, json_object_array_get_idx(list, i));
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]) && e == 0; i++) {
		struct host host;

		e = host_parse(str_of(never[i]), &host);
		if (e == 0)
			e = deny(n, network, false, &host);
	}
	return e;
}

/* --- the policy ----------------------------------------------------------------------------------------------- */

static struct json_object *entry_of(const struct nono_host *h)
{
	const bool is_v6 = h->host.is_address && strchr(h->host.text, ':') != NULL;
	char text[HOST_MAX + 32];
	struct json_object *entry;
	int used = snprintf(text, sizeof(text), "%s%s%s%s", h->is_wildcard ? "*." : "", is_v6 ? "[" : "", h->host.text,
			    is_v6 ? "]" : "");

	if (h->port != 443)
		(void)snprintf(text + used, sizeof(text) - (size_t)used, ":%u", h->port);
	if (!h->rows)
		return json_object_new_string(text);
	entry = json_object_new_object();
	if (entry && nono_put(entry, "host", json_object_new_string(text)) == 0 &&
	    nono_put(entry, "paths", json_object_get(h->rows)) == 0)
		return entry;
	json_object_put(entry);
	return NULL;
}

int nono_put_hosts(struct nono *n, struct json_object *network)
{
	struct json_object *list = json_object_new_array();
	int e = nono_put(network, "allow_domain", list);

	for (size_t i = 0; i < n->n_hosts && e == 0; i++) {
		const struct nono_host *h = &n->hosts[i];
		struct json_object *entry;

		/* a credential opens what is below its upstream by itself */
		if (h->is_gone || (h->credential && !h->rows))
			continue;
		entry = entry_of(h);
		e = entry && json_object_array_add(list, entry) == 0 ? 0 : -ENOMEM;
	}
	return e;
}
