/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From entries and credentials to routes: credentials are bound to the entry of the very same origin, or make a route of
 * their own; then one hash table over all origins. Finding a route costs one probe for each label of the name.
 */
#include <errno.h>

#include "base/diag.h"
#include "policy/reader.h"

static size_t hash_of(struct str host, uint16_t port, bool is_wildcard)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ ((uint64_t)port << 8) ^ ((uint64_t)is_wildcard << 32);

	for (size_t i = 0; i < host.n; i++)
		hash = (hash ^ (unsigned char)host.p[i]) * 0x100000001b3ull;
	return (size_t)(hash ^ (hash >> 29));
}

/* The slot of that host and port, or the empty one where it belongs. port 0: of that host in `names`. */
static size_t slot_of(const struct policy *p, struct str host, uint16_t port, bool is_wildcard)
{
	const struct policy_route *const *table = port ? p->table : p->names;
	size_t slot = hash_of(host, port, is_wildcard) & (p->table_size - 1);
	const struct policy_route *route;

	while ((route = table[slot]) != NULL) {
		if ((port == 0 || route->origin.port == port) && route->is_wildcard == is_wildcard &&
		    str_eq(host_str(&route->origin.host), host))
			break;
		slot = (slot + 1) & (p->table_size - 1);
	}
	return slot;
}

int routes_reserve(struct policy *p, size_t n)
{
	p->table_size = 16;
	while (p->table_size < 2 * n)
		p->table_size *= 2;
	p->routes = pool_alloc(&p->pool, n * sizeof(*p->routes));
	p->table = pool_alloc(&p->pool, p->table_size * sizeof(*p->table));
	p->names = pool_alloc(&p->pool, p->table_size * sizeof(*p->names));
	return p->routes && p->table && p->names ? 0 : -ENOMEM;
}

const struct policy_route *routes_add(struct policy *p)
{
	const struct policy_route *route = &p->routes[p->n_routes];
	struct str host = host_str(&route->origin.host);
	size_t slot = slot_of(p, host, route->origin.port, route->is_wildcard);

	if (p->table[slot])
		return p->table[slot];
	p->table[slot] = route;
	slot = slot_of(p, host, 0, route->is_wildcard);
	if (!p->names[slot])
		p->names[slot] = route;
	p->n_routes++;
	return NULL;
}

const struct policy_route *routes_at(const struct policy *p, const struct policy_origin *origin)
{
	return p->table[slot_of(p, host_str(&origin->host), origin->port, false)];
}

static struct policy_route *route_of(struct policy *p, const struct policy_origin *origin)
{
	const struct policy_route *route = routes_at(p, origin);

	return route ? &p->routes[route - p->routes] : NULL;
}

#define fail_at(r, line, column, ...) diag_set((r)->reterr, (r)->file, (line), (column) ? (column) : 1, __VA_ARGS__)

static int bind_credential(struct reader *r, const struct policy_credential *c)
{
	struct policy *p = r->policy;
	struct policy_route *route = route_of(p, &c->origin);

	if (!route) {
		route = &p->routes[p->n_routes];
		route->origin = c->origin;
		route->is_upstream = true;
		route->line = c->line;
		(void)routes_add(p);
	}
	if (route->origin.scheme != c->origin.scheme)
		return fail_at(
			r, route->line, route->column,
			"this entry is plain http, but the upstream of \"%s\" is https on the same host and port",
			c->name);
	if (!route->credentials)
		route->credentials = pool_alloc(&p->pool, POLICY_CREDENTIALS_MAX * sizeof(*route->credentials));
	if (!route->credentials)
		return -ENOMEM;
	route->credentials[route->n_credentials++] = c;
	return 0;
}

/* A route made of credentials alone: one rule for each, "any method below its prefix". */
static int make_upstream_rules(struct reader *r, struct policy_route *route)
{
	struct pool *pool = &r->policy->pool;

	route->rules = pool_alloc(pool, route->n_credentials * sizeof(*route->rules));
	if (!route->rules)
		return -ENOMEM;
	for (size_t i = 0; i < route->n_credentials; i++) {
		const struct policy_credential *c = route->credentials[i];
		struct policy_rule *rule = &route->rules[route->n_rules++];
		size_t n = strlen(c->path_prefix);
		char *path = pool_alloc(pool, n + 4);
		const char *error = NULL;

		for (size_t k = 0; k < i; k++) {
			if (strcmp(route->credentials[k]->path_prefix, c->path_prefix) == 0)
				return fail_at(
					r, c->line, 1,
					"the credentials \"%s\" and \"%s\" are bound to the same origin and path; "
					"name the host in network.allow_domain and give each rule its \"credential\"",
					route->credentials[k]->name, c->name);
		}
		if (!path)
			return -ENOMEM;
		memcpy(path, c->path_prefix, n);
		memcpy(path + (n == 1 ? 0 : n), "/**", 4);
		rule->method = "*";
		rule->path = path;
		rule->credential = c;
		rule->line = c->line;
		if (pattern_compile(pool, str_of(path), &rule->pattern, &error) < 0)
			return fail_at(r, c->line, 1, "the path of upstream of \"%s\": %s", c->name,
				       error ? error : "no memory");
	}
	return 0;
}

static const struct policy_credential *bound_by_name(const struct policy_route *route, const char *name)
{
	for (size_t i = 0; i < route->n_credentials; i++) {
		if (strcmp(route->credentials[i]->name, name) == 0)
			return route->credentials[i];
	}
	return NULL;
}

/* Each allow rule of an entry gets the credential to inject; with two bound to the origin it must name one. */
static int bind_rules(struct reader *r, struct policy_route *route)
{
	if (route->is_whole_host && route->n_credentials > 1)
		return fail_at(r, route->line, route->column,
			       "the credentials \"%s\" and \"%s\" are bound to this host; write "
			       "\"paths\", and give each row its \"credential\"",
			       route->credentials[0]->name, route->credentials[1]->name);
	if (route->feature && route->n_credentials > 0)
		return fail_at(r, route->line, route->column,
			       "\"%s\": what is not opened can carry no credential, but \"%s\" is bound to this "
			       "host",
			       route->feature, route->credentials[0]->name);
	for (size_t i = 0; i < route->n_rules; i++) {
		struct policy_rule *rule = &route->rules[i];

		if (rule->credential_name) {
			rule->credential = bound_by_name(route, rule->credential_name);
			if (!rule->credential)
				return fail_at(r, rule->line, rule->column,
					       "no credential \"%s\" is bound to this host%s", rule->credential_name,
					       "; its \"upstream\" must name the same host and port");
		} else if (!rule->is_deny && route->n_credentials > 1) {
			return fail_at(r, rule->line, rule->column,
				       "the credentials \"%s\" and \"%s\" are bound to this host; add "
				       "\"credential\" to the row",
				       route->credentials[0]->name, route->credentials[1]->name);
		} else if (!rule->is_deny && route->n_credentials == 1) {
			rule->credential = route->credentials[0];
		}
		for (size_t k = 0; k < i && route->n_credentials > 1; k++) {
			const struct policy_rule *other = &route->rules[k];

			if (!rule->is_deny && !other->is_deny && rule->credential != other->credential &&
			    strcmp(rule->path, other->path) == 0 && strcmp(rule->method, other->method) == 0)
				return fail_at(r, rule->line, rule->column,
					       "the row in line %u has the same method and path and another credential",
					       other->line);
		}
	}
	return 0;
}

int load_bind(struct reader *r)
{
	struct policy *p = r->policy;
	int e = 0;

	if (!p->routes)
		e = routes_reserve(p, POLICY_CREDENTIALS_MAX);
	for (size_t i = 0; i < p->n_credentials && e == 0; i++)
		e = bind_credential(r, &p->credentials[i]);
	for (size_t i = 0; i < p->n_routes && e == 0; i++) {
		struct policy_route *route = &p->routes[i];

		e = route->is_upstream ? make_upstream_rules(r, route) : bind_rules(r, route);
		if (e == 0)
			e = trie_build(&p->pool, route);
	}
	return e;
}

/*
 * The most specific entry decides alone, so the first one found ends the search, even when it is of the other scheme: a
 * wildcard never answers for a host and port that an entry of their own names.
 */
const struct policy_route *policy_find_route(const struct policy *p, const struct policy_origin *origin)
{
	struct str name = host_str(&origin->host);
	const struct policy_route *route;

	if (origin->port == 0)
		return NULL;
	route = p->table[slot_of(p, name, origin->port, false)];
	while (!route && !origin->host.is_address && str_find(name, '.') < name.n) {
		name = str_from(name, str_find(name, '.') + 1);
		route = p->table[slot_of(p, name, origin->port, true)];
	}
	return route && route->origin.scheme == origin->scheme ? route : NULL;
}

bool policy_name_is_known(const struct policy *p, const struct host *host)
{
	struct str name = host_str(host);
	bool known = p->names[slot_of(p, name, 0, false)] != NULL;

	while (!known && !host->is_address && str_find(name, '.') < name.n) {
		name = str_from(name, str_find(name, '.') + 1);
		known = p->names[slot_of(p, name, 0, true)] != NULL;
	}
	return known;
}
