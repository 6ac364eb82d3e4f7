/* SPDX-License-Identifier: Apache-2.0 */
/* A policy in words: rules, routes, the JSON that would allow a request, and the table of `policy check`. */
#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "policy/model.h"

const char *policy_rule_describe(const struct policy *p, const struct policy_rule *rule, char *out, size_t size)
{
	(void)snprintf(out, size, "%s%s %s (%s:%u)", rule->is_deny ? "deny " : "", rule->method, rule->path, p->file,
		       rule->line);
	return out;
}

static const char *host_text(const struct policy_origin *origin, bool is_wildcard, char *out, size_t size)
{
	bool v6 = origin->host.family == 10; /* AF_INET6 */

	(void)snprintf(out, size, "%s%s%s%s", is_wildcard ? "*." : "", v6 ? "[" : "", origin->host.text, v6 ? "]" : "");
	return out;
}

const char *policy_route_describe(const struct policy_route *route, char *out, size_t size)
{
	char host[HOST_MAX + 8];

	(void)snprintf(out, size, "%s://%s:%u", route->origin.scheme == POLICY_HTTP ? "http" : "https",
		       host_text(&route->origin, route->is_wildcard, host, sizeof(host)), route->origin.port);
	return out;
}

/* The path as a pattern that covers exactly this path: what would be a star is encoded. */
static int put_pattern(struct buf *out, const struct path *path)
{
	static const char hex[] = "0123456789ABCDEF";
	int r = 0;

	for (size_t i = 0; i < path->wire_len && r == 0; i++) {
		char c = path->wire[i];

		if (strchr("*?[]{}", c))
			r = buf_printf(out, "%%%c%c", hex[(unsigned char)c >> 4], hex[c & 15]);
		else
			r = buf_append_json(out, str_make(&c, 1));
	}
	return r;
}

/* A row that covers exactly this request. credential: what the row must name; NULL: none. */
static int put_row(struct buf *out, const struct policy_request *request, const struct policy_credential *credential)
{
	int r = buf_append(out, STR("{\"method\": \""));

	if (r == 0)
		r = buf_append_json(out, request->method);
	if (r == 0)
		r = buf_append(out, STR("\", \"path\": \""));
	if (r == 0)
		r = put_pattern(out, request->path);
	if (r == 0 && credential)
		r = buf_append(out, STR("\", \"credential\": \""));
	if (r == 0 && credential)
		r = buf_append_json(out, str_of(credential->name));
	return r == 0 ? buf_append(out, STR("\"}")) : r;
}

/* The rows that a route of credentials alone has without being written: an entry for its host would take them away. */
static int put_upstream_rows(struct buf *out, const struct policy_route *route)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < route->n_rules; i++) {
		r = buf_append(out, STR("{\"method\": \"*\", \"path\": \""));
		if (r == 0)
			r = buf_append_json(out, str_of(route->rules[i].path));
		if (r == 0)
			r = buf_append(out, STR("\"}, "));
	}
	return r;
}

static int put_entry(struct buf *out, const struct policy_request *request, const struct policy_route *route)
{
	const struct policy_origin *origin = request->origin;
	char host[HOST_MAX + 8];
	int r = buf_printf(out, "{\"host\": \"%s%s", origin->scheme == POLICY_HTTP ? "http://" : "",
			   host_text(origin, false, host, sizeof(host)));

	if (r == 0 && origin->port != (origin->scheme == POLICY_HTTP ? 80 : 443))
		r = buf_printf(out, ":%u", origin->port);
	if (r == 0)
		r = buf_append(out, STR("\", \"paths\": ["));
	if (r == 0 && route)
		r = put_upstream_rows(out, route);
	if (r == 0)
		r = put_row(out, request, NULL);
	return r == 0 ? buf_append(out, STR("]}")) : r;
}

/* Whether an entry for the host could allow anything: none stands there for the other scheme, and its address may be dialled. */
static bool entry_would_help(const struct policy *p, const struct policy_origin *origin)
{
	static const struct policy_route plain;

	return !routes_at(p, origin) && route_check_literal(&plain, &origin->host) == WHY_allowed;
}

/* A row for a host that has an entry. Nothing when no row could help. */
static int put_row_of(struct buf *out, const struct policy_request *request, const struct policy_decision *d)
{
	const struct policy_route *route = d->route;

	if (d->why == WHY_path_not_allowed && d->rule)
		return 0; /* the rule is there: its credential does not reach the path */
	if (route->is_upstream)
		return route->n_credentials == 1 ? put_entry(out, request, route) : 0;
	if (route->n_credentials < 2)
		return put_row(out, request, NULL);
	for (size_t i = 0; i < route->n_credentials; i++) {
		if (credential_reaches(route->credentials[i], request->path))
			return put_row(out, request, route->credentials[i]);
	}
	return 0;
}

bool policy_fix_is_entry(const struct policy_decision *decision)
{
	return !decision->route || decision->route->is_upstream;
}

int policy_render_fix(const struct policy *p, const struct policy_request *request,
		      const struct policy_decision *decision, struct buf *out)
{
	if (!method_is_writable(request->method))
		return 0;
	switch (decision->why) {
	case WHY_method_not_allowed:
	case WHY_path_not_allowed:
	case WHY_query_not_allowed:
		return put_row_of(out, request, decision);
	case WHY_host_not_allowed:
		return entry_would_help(p, request->origin) ? put_entry(out, request, NULL) : 0;
	default:
		return 0; /* nothing that a policy could say would allow it, or nothing that we would advise */
	}
}

static int put_route(struct buf *out, const struct policy_route *route)
{
	char text[HOST_MAX + 32];
	int r = buf_printf(out, "%s\n", policy_route_describe(route, text, sizeof(text)));

	if (r == 0 && route->feature)
		return buf_printf(out, "    refused: \"%s\" cannot be done by this version\n", route->feature);
	if (r == 0 && route->is_whole_host)
		r = buf_printf(out, "    %-8s %-50s %s\n", "*", "/**",
			       route->n_credentials ? route->credentials[0]->name : "-");
	if (r == 0 && !route->is_whole_host && route->n_rules == 0)
		r = buf_append(out, STR("    nothing (\"paths\" is empty)\n"));
	for (size_t i = 0; i < route->n_rules && r == 0; i++) {
		const struct policy_rule *rule = &route->rules[i];

		r = buf_printf(out, "    %-8s %-50s %s%s\n", rule->method, rule->path,
			       rule->is_deny	  ? "DENY"
			       : rule->credential ? rule->credential->name
						  : "-",
			       rule->upgrade ? " (upgrade: refused by this version)" : "");
	}
	return r;
}

/* Whether the row gives every method on every path that the credential reaches. */
static bool row_is_all(const struct policy_rule *rule, const struct policy_credential *c)
{
	const size_t n = strcmp(c->path_prefix, "/") ? strlen(c->path_prefix) : 0;

	if (rule->credential != c || strcmp(rule->method, "*") != 0 || rule->has_query)
		return false;
	return strcmp(rule->path, "/**") == 0 ||
	       (strncmp(rule->path, c->path_prefix, n) == 0 && strcmp(rule->path + n, "/**") == 0);
}

static bool is_narrowed(const struct policy_route *route, const struct policy_credential *c)
{
	bool all = route->is_whole_host;

	for (size_t i = 0; i < route->n_rules; i++) {
		if (route->rules[i].is_deny)
			return true;
		all |= row_is_all(&route->rules[i], c);
	}
	return !all;
}

/* A credential that no path narrows works for everything that its owner may do. */
static int put_warning(struct buf *out, const struct policy_route *route, const struct policy_credential *c)
{
	const char *prefix = strcmp(c->path_prefix, "/") ? c->path_prefix : "";
	char host[HOST_MAX + 8];
	int r;

	if (is_narrowed(route, c))
		return 0;
	r = buf_printf(out,
		       "warning: line %u: no path narrows the credential \"%s\": every method and path%s%s is allowed "
		       "with it. To narrow it, add for example:\n"
		       "    \"network\": { \"allow_domain\": [ { \"host\": \"%s:%u\", \"paths\": [ { \"method\": "
		       "\"GET\", \"path\": \"",
		       c->line, c->name, *prefix ? " below " : "", prefix,
		       host_text(&route->origin, false, host, sizeof(host)), route->origin.port);
	if (r == 0)
		r = buf_append_json(out, str_of(prefix));
	return r == 0 ? buf_append(out, STR("/**\" } ] } ] }\n")) : r;
}

static int put_unavailable(struct buf *out, const struct policy_credential *c)
{
	return c->unavailable ? buf_printf(out,
					   "warning: line %u: the credential \"%s\" uses \"%s\", which this version "
					   "cannot do yet: "
					   "requests that need it get %d %s\n",
					   c->line, c->name, c->unavailable, why_status(policy_credential_refusal(c)),
					   why_symbol(policy_credential_refusal(c)))
			      : 0;
}

int policy_render_table(const struct policy *p, struct buf *out)
{
	int r = p->n_routes ? 0 : buf_append(out, STR("nothing is reachable\n"));

	for (size_t i = 0; i < p->n_routes && r == 0; i++)
		r = put_route(out, &p->routes[i]);
	for (size_t i = 0; i < p->n_routes; i++) {
		for (size_t k = 0; k < p->routes[i].n_credentials && r == 0; k++)
			r = put_warning(out, &p->routes[i], p->routes[i].credentials[k]);
	}
	for (size_t i = 0; i < p->n_credentials && r == 0; i++)
		r = put_unavailable(out, &p->credentials[i]);
	for (size_t i = 0; i < p->n_later && r == 0; i++)
		r = buf_printf(out,
			       "warning: \"%s\" is checked, but this version cannot do it yet: what it names stays "
			       "refused\n",
			       p->later[i]);
	return r;
}
