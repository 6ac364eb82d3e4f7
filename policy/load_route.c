/* SPDX-License-Identifier: Apache-2.0 */
/* "network": hosts, rules, pins, proxy ports. An entry without "paths" is the whole host; "paths": [] is nothing. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include <libpsl.h>

#include "policy/reader.h"

static int parse_host(struct reader *r, struct json_object *at, const char *text, struct policy_route *route)
{
	struct str s = str_of(text);

	route->origin.scheme = POLICY_HTTPS;
	if (str_starts(s, STR("http://"))) {
		route->origin.scheme = POLICY_HTTP;
		s = str_from(s, 7);
	} else if (str_starts(s, STR("https://"))) {
		s = str_from(s, 8);
	}
	if (str_starts(s, STR("*."))) {
		route->is_wildcard = true;
		s = str_from(s, 2);
	}
	if (authority_parse(s, route->origin.scheme == POLICY_HTTP ? 80 : 443, &route->origin.host,
			    &route->origin.port) < 0)
		return reader_fail(
			r, at,
			"\"%s\" is no host: expected a DNS name, an IPv4 address, an [IPv6] address or *.name, "
			"with an optional :port, without path; plain http is written http://name",
			text);
	if (!route->is_wildcard)
		return 0;
	if (route->origin.host.is_address)
		return reader_fail(r, at, "\"%s\": an address has no names below it", text);
	if (psl_is_public_suffix(psl_builtin(), route->origin.host.text))
		return reader_fail(r, at,
				   "\"%s\" would cover every name below a public suffix; name the organisation's own "
				   "domain",
				   text);
	return 0;
}

bool method_is_writable(struct str method)
{
	static const char specials[] =
		"!#$%&'+-.^_`~"; /* RFC 9110 tokens but * and |, which look like more than one method */

	for (size_t i = 0; i < method.n; i++) {
		char c = method.p[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !memchr(specials, c, sizeof(specials) - 1))
			return false;
	}
	return method.n > 0 && !str_eq(method, STR("CONNECT")) && !str_eq(method, STR("TRACE"));
}

static int parse_method(struct reader *r, struct json_object *value, const char **ret)
{
	const char *method = NULL;
	char upper[HOST_MAX + 1];
	size_t i;
	int e = reader_string(r, value, "\"method\"", &method);

	if (e < 0)
		return e;
	*ret = method;
	if (strcmp(method, "*") == 0 || method_is_writable(str_of(method)))
		return 0;
	for (i = 0; i < HOST_MAX && method[i]; i++)
		upper[i] = (char)(method[i] >= 'a' && method[i] <= 'z' ? method[i] - 32 : method[i]);
	upper[i] = '\0';
	if (method_is_writable(str_make(upper, i)) && !method[i])
		return reader_fail(r, value, "methods are case-sensitive: write \"%s\" instead of \"%s\"", upper,
				   method);
	if (strcmp(upper, "CONNECT") == 0 || strcmp(upper, "TRACE") == 0)
		return reader_fail(r, value, "%s can never be allowed", upper);
	return reader_fail(r, value, "\"%s\": a row has one exact method, a token such as \"GET\", or \"*\" alone",
			   method);
}

static int parse_query(struct reader *r, struct json_object *query, struct policy_rule *rule)
{
	const char **keys;
	int e = reader_array(r, query, "\"query\" (the names of the keys that may stand in the query)");

	if (e < 0)
		return e;
	rule->has_query = true;
	rule->n_query = json_object_array_length(query);
	keys = pool_alloc(&r->policy->pool, (rule->n_query + 1) * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < rule->n_query && e == 0; i++)
		e = reader_string(r, json_object_array_get_idx(query, i), "each name in \"query\"", &keys[i]);
	rule->query = (const char *const *)keys;
	return e;
}

/* refuse: a row that denies does so whatever the request carries; a key that seems to narrow it must not be ignored. */
static int check_deny(struct reader *r, struct json_object *rule_object)
{
	static const char *const narrowing[] = { "query", "credential", "upgrade", "method_override", NULL };

	for (size_t i = 0; narrowing[i]; i++) {
		struct json_object *value = reader_member(rule_object, narrowing[i]);

		if (value)
			return reader_fail(r, value,
					   "\"%s\" means nothing beside \"action\": \"deny\": such a row refuses the "
					   "method and path whatever else the request has",
					   narrowing[i]);
	}
	return 0;
}

static int parse_flags(struct reader *r, struct json_object *rule_object, struct policy_rule *rule)
{
	struct json_object *value = reader_member(rule_object, "action");
	const char *text = NULL;
	int e = 0;

	if (value) {
		e = reader_string(r, value, "\"action\"", &text);
		if (e == 0 && strcmp(text, "allow") != 0 && strcmp(text, "deny") != 0)
			e = reader_fail(r, value, "\"action\" must be \"allow\" or \"deny\"");
		rule->is_deny = e == 0 && strcmp(text, "deny") == 0;
	}
	if (rule->is_deny)
		return check_deny(r, rule_object);
	value = reader_member(rule_object, "method_override");
	if (e == 0 && value)
		e = reader_bool(r, value, "\"method_override\"", &rule->method_override);
	value = reader_member(rule_object, "upgrade");
	if (e == 0 && value) {
		e = reader_string(r, value, "\"upgrade\" (\"websocket\")", &text);
		if (e == 0 && strcmp(text, "websocket") != 0)
			e = reader_fail(r, value, "\"upgrade\" must be \"websocket\"");
		rule->upgrade = true;
	}
	value = reader_member(rule_object, "credential");
	if (e == 0 && value)
		e = reader_string(r, value, "\"credential\"", &rule->credential_name);
	value = reader_member(rule_object, "query");
	return e == 0 && value ? parse_query(r, value, rule) : e;
}

static int parse_rule(struct reader *r, struct json_object *object, struct policy_rule *rule)
{
	static const char *const known[] = { "method", "path",	  "action",	     "credential",
					     "query",  "upgrade", "method_override", NULL };
	struct json_object *method, *path;
	struct json_place place = reader_place(r, object);
	const char *error = NULL;
	int e = reader_object(r, object, "each row of \"paths\"");

	if (e == 0)
		e = reader_keys(r, object, known, "in a row of \"paths\"");
	if (e < 0)
		return e;
	rule->line = place.line;
	rule->column = place.column;
	method = reader_member(object, "method");
	path = reader_member(object, "path");
	if (!method || !path)
		return reader_fail(r, object,
				   "a row needs \"method\" and \"path\": {\"method\": \"GET\", \"path\": \"/api/**\"}");
	e = parse_method(r, method, &rule->method);
	if (e == 0)
		e = reader_string(r, path, "\"path\"", &rule->path);
	if (e == 0) {
		e = pattern_compile(&r->policy->pool, str_of(rule->path), &rule->pattern, &error);
		if (e == -EINVAL)
			return reader_fail(r, path, "\"%s\": %s", rule->path, error);
	}
	return e == 0 ? parse_flags(r, object, rule) : e;
}

static int parse_rules(struct reader *r, struct json_object *paths, struct policy_route *route)
{
	int e = reader_array(r, paths, "\"paths\"");

	if (e < 0)
		return e;
	route->n_rules = json_object_array_length(paths);
	if (route->n_rules > POLICY_RULES_MAX)
		return reader_fail(r, paths, "more than %d rows for one host", POLICY_RULES_MAX);
	route->rules = pool_alloc(&r->policy->pool, (route->n_rules + 1) * sizeof(*route->rules));
	if (!route->rules)
		return -ENOMEM;
	for (size_t i = 0; i < route->n_rules && e == 0; i++)
		e = parse_rule(r, json_object_array_get_idx(paths, i), &route->rules[i]);
	return e;
}

static int parse_ranges(struct reader *r, struct json_object *list, struct policy_route *route)
{
	int e = reader_array(r, list, "\"addresses\"");

	if (e < 0)
		return e;
	route->n_ranges = json_object_array_length(list);
	route->ranges = pool_alloc(&r->policy->pool, (route->n_ranges + 1) * sizeof(*route->ranges));
	if (!route->ranges)
		return -ENOMEM;
	for (size_t i = 0; i < route->n_ranges && e == 0; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *text = NULL;

		e = reader_string(r, item, "each range in \"addresses\"", &text);
		if (e == 0 && address_parse_range(str_of(text), &route->ranges[i]) < 0)
			e = reader_fail(r, item,
					"\"%s\" is no address range: expected \"10.0.0.0/8\" or \"fd00::/8\", without "
					"bits behind the prefix",
					text);
	}
	return e;
}

static int parse_entry_object(struct reader *r, struct json_object *object, struct policy_route *route)
{
	static const char *const known[] = { "host", "paths", "addresses", "tls", NULL };
	struct json_object *host = reader_member(object, "host"), *paths = reader_member(object, "paths");
	struct json_object *ranges = reader_member(object, "addresses"), *tls = reader_member(object, "tls");
	const char *text = NULL;
	int e = reader_keys(r, object, known, "in an entry of \"allow_domain\"");

	if (e < 0)
		return e;
	if (!host)
		return reader_fail(r, object, "an entry needs \"host\"");
	e = reader_string(r, host, "\"host\"", &text);
	if (e == 0)
		e = parse_host(r, host, text, route);
	if (e == 0 && paths)
		e = parse_rules(r, paths, route);
	route->is_whole_host = !paths;
	if (e == 0 && ranges)
		e = parse_ranges(r, ranges, route);
	if (e < 0 || !tls)
		return e;
	e = reader_string(r, tls, "\"tls\" of an entry", &text);
	if (e == 0 && strcmp(text, "passthrough") != 0)
		return reader_fail(r, tls, "\"tls\" of an entry must be \"passthrough\"");
	if (e == 0 && paths)
		return reader_fail(r, tls,
				   "\"tls\": \"passthrough\" is not opened, so no path rule may stand beside it");
	route->feature = "tls";
	return e;
}

static int parse_entry(struct reader *r, struct json_object *entry, struct policy_route *route)
{
	struct json_place place = reader_place(r, entry);
	const char *text = NULL;
	int e;

	route->line = place.line;
	route->column = place.column;
	if (json_object_is_type(entry, json_type_object))
		return parse_entry_object(r, entry, route);
	if (!json_object_is_type(entry, json_type_string))
		return reader_fail(r, entry, "an entry of \"allow_domain\" must be a host or an object with \"host\"");
	e = reader_string(r, entry, "a host", &text);
	route->is_whole_host = true;
	return e == 0 ? parse_host(r, entry, text, route) : e;
}

/* The entry that was just parsed joins the others, when no other has its host and port. */
static int add_route(struct reader *r, struct json_object *item)
{
	const struct policy_route *other = routes_add(r->policy);

	return other ? reader_fail(r, item, "the same host and port stand already on line %u; write one entry",
				   other->line)
		     : 0;
}

static int load_entries(struct reader *r, struct json_object *list)
{
	struct policy *p = r->policy;
	int e = 0;

	for (size_t i = 0; i < json_object_array_length(list) && e == 0; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		e = parse_entry(r, item, &p->routes[p->n_routes]);
		if (e == 0)
			e = add_route(r, item);
	}
	return e;
}

/* "host:port" of raw TCP: a route whose machinery comes later, so that asking for it says so. */
static int load_tcp(struct reader *r, struct json_object *list)
{
	struct policy *p = r->policy;
	int e = 0;

	for (size_t i = 0; i < json_object_array_length(list) && e == 0; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		struct policy_route *route = &p->routes[p->n_routes];
		const struct json_place place = reader_place(r, item);
		const char *text = NULL;

		route->line = place.line;
		route->column = place.column;
		route->feature = "allow_tcp";
		route->is_whole_host = true;
		e = reader_string(r, item, "an entry of \"allow_tcp\"", &text);
		if (e == 0 && authority_parse(str_of(text), 0, &route->origin.host, &route->origin.port) < 0)
			e = reader_fail(r, item, "\"%s\": expected host:port, as in \"db.example.com:5432\"", text);
		else if (e == 0 && route->origin.port == 0)
			e = reader_fail(r, item, "\"%s\" needs a port, as in \"db.example.com:5432\"", text);
		if (e == 0)
			e = add_route(r, item);
	}
	return e;
}

static int load_hosts(struct reader *r, struct json_object *domains, struct json_object *tcp)
{
	size_t n = 0;
	int e = domains ? reader_array(r, domains, "\"allow_domain\"") : 0;

	if (e == 0 && tcp)
		e = reader_array(r, tcp, "\"allow_tcp\"");
	if (e < 0)
		return e;
	n = (domains ? json_object_array_length(domains) : 0) + (tcp ? json_object_array_length(tcp) : 0);
	if (n > POLICY_ROUTES_MAX)
		return reader_fail(r, domains ? domains : tcp, "more than %d hosts", POLICY_ROUTES_MAX);
	e = routes_reserve(r->policy, n + POLICY_CREDENTIALS_MAX);
	if (e == 0 && domains)
		e = load_entries(r, domains);
	return e == 0 && tcp ? load_tcp(r, tcp) : e;
}

static int load_pin(struct reader *r, const char *name, struct json_object *list, struct resolve_pin *pin)
{
	const struct address *other;
	struct host host;
	int e = reader_array(r, list, "the addresses of a name in \"resolve\"");

	if (e < 0)
		return e;
	if (host_parse(str_of(name), &host) < 0 || host.is_address)
		return reader_fail(r, list, "\"%s\" is no DNS name", name);
	if (policy_resolve_pins(r->policy, &host, &other) > 0)
		return reader_fail(r, list, "\"%s\" is pinned already: %s is the same name", name, host.text);
	pin->name = pool_str(&r->policy->pool, host_str(&host));
	pin->n = json_object_array_length(list);
	pin->addresses = pool_alloc(&r->policy->pool, (pin->n + 1) * sizeof(*pin->addresses));
	if (!pin->name || !pin->addresses)
		return -ENOMEM;
	if (pin->n == 0)
		return reader_fail(r, list, "\"%s\" needs at least one address", name);
	for (size_t i = 0; i < pin->n && e == 0; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *text = NULL;

		e = reader_string(r, item, "each address in \"resolve\"", &text);
		if (e == 0 && address_parse(str_of(text), &pin->addresses[i]) < 0)
			e = reader_fail(r, item, "\"%s\" is no IPv4 or IPv6 address", text);
	}
	return e;
}

static int load_resolve(struct reader *r, struct json_object *resolve)
{
	struct policy *p = r->policy;
	int e = reader_object(r, resolve, "\"resolve\"");

	if (e < 0)
		return e;
	p->pins = pool_alloc(&p->pool, ((size_t)json_object_object_length(resolve) + 1) * sizeof(*p->pins));
	if (!p->pins)
		return -ENOMEM;
	json_object_object_foreach(resolve, name, list)
	{
		e = load_pin(r, name, list, &p->pins[p->n_pins]);
		if (e < 0)
			return e;
		p->n_pins++;
	}
	return 0;
}

static int load_proxy_ports(struct reader *r, struct json_object *list)
{
	struct policy *p = r->policy;
	int e = reader_array(r, list, "\"proxy_ports\"");

	if (e < 0)
		return e;
	p->n_proxy_ports = 0;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		int64_t port = json_object_is_type(item, json_type_int) ? json_object_get_int64(item) : 0;

		if (port < 1 || port > 65535)
			return reader_fail(r, item, "a port must be a number from 1 to 65535");
		if (policy_add_proxy_port(p, (uint16_t)port) < 0)
			return reader_fail(r, item, "more than %d proxy ports", POLICY_PROXY_PORTS_MAX);
	}
	return 0;
}

int load_network(struct reader *r, struct json_object *network)
{
	static const char *const known[] = { "allow_domain", "allow_tcp", "allow_unix",	 "allow_local",
					     "publish",	     "resolve",	  "proxy_ports", NULL };
	struct json_object *part;
	int e = reader_object(r, network, "\"network\"");

	if (e == 0)
		e = reader_keys(r, network, known, "in \"network\"");
	if (e == 0)
		e = load_hosts(r, reader_member(network, "allow_domain"), reader_member(network, "allow_tcp"));
	part = e == 0 ? reader_member(network, "resolve") : NULL;
	if (part)
		e = load_resolve(r, part);
	part = e == 0 ? reader_member(network, "proxy_ports") : NULL;
	if (part)
		e = load_proxy_ports(r, part);
	return e == 0 ? load_later(r, network) : e;
}
