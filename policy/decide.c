/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision. Default deny: no route, no rule, an unknown key of the future all refuse. Inside an entry deny beats
 * allow, and the order of rules means nothing. Allocates nothing.
 */
#include "base/percent.h"
#include "policy/model.h"

struct match {
	const struct policy_request *request;
	const struct policy_rule *deny;
	const struct policy_rule *allow;
	const struct policy_rule *other_method; /* its path matches, its method does not */
	const struct policy_rule *other_query;
};

static bool method_is_special(struct str method)
{
	return str_eq(method, STR("CONNECT")) || str_eq(method, STR("TRACE"));
}

static bool method_matches(const char *pattern, struct str method)
{
	if (method_is_special(method))
		return false;
	return strcmp(pattern, "*") == 0 || str_eq(str_of(pattern), method);
}

/* Whether a key as written in a query decodes to `want`, reading '+' as a space as form decoders do. */
static bool key_is(struct str key, struct str want)
{
	size_t k = 0;

	for (size_t i = 0; i < key.n; i++, k++) {
		char c = key.p[i] == '+' ? ' ' : key.p[i];

		if (percent_byte(str_from(key, i)) >= 0) {
			c = (char)percent_byte(str_from(key, i));
			i += 2;
		}
		if (k >= want.n || c != want.p[k])
			return false;
	}
	return k == want.n;
}

/* The next key of a query (up to '='); servers disagree on ';', so it separates too. */
static bool next_key(struct str *query, struct str *ret)
{
	size_t end = 0;
	struct str pair;

	if (query->n == 0)
		return false;
	while (end < query->n && query->p[end] != '&' && query->p[end] != ';')
		end++;
	pair = str_make(query->p, end);
	pair.n = str_find(pair, '=');
	*ret = pair;
	*query = str_from(*query, end + 1);
	return true;
}

static bool query_is_allowed(const struct policy_rule *rule, struct str query)
{
	struct str key;

	if (!rule->has_query)
		return true;
	while (next_key(&query, &key)) {
		bool found = key.n == 0;

		for (size_t i = 0; i < rule->n_query && !found; i++)
			found = key_is(key, str_of(rule->query[i]));
		if (!found)
			return false;
	}
	return true;
}

/* Decodes %XX once, in place of the loops of key_is(): out has n bytes at most size. '+' is a space. */
static size_t decode_key(struct str key, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < key.n && n < size; i++) {
		char c = key.p[i] == '+' ? ' ' : key.p[i];

		if (percent_byte(str_from(key, i)) >= 0) {
			c = (char)percent_byte(str_from(key, i));
			i += 2;
		}
		if (n == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f' || c == '\0'))
			continue; /* Rack and PHP drop white space before a key */
		out[n++] = ascii_lower(c);
	}
	return n;
}

/*
 * _method in any spelling that a form decoder takes: "%5Fmethod", "_method[]", with white space in front, cut at a
 * NUL, and ".method", which PHP reads as "_method".
 */
static bool query_overrides(struct str query)
{
	static const char want[] = { 'm', 'e', 't', 'h', 'o', 'd' };
	struct str key;
	char out[8];

	while (next_key(&query, &key)) {
		size_t n = decode_key(key, out, sizeof(out));

		if (n < 7 || !strchr("_. [", out[0]) || memcmp(out + 1, want, sizeof(want)) != 0)
			continue;
		if (n == 7 || out[7] == '[' || out[7] == '\0' || out[7] == ' ')
			return true;
	}
	return false;
}

/*
 * A total order over what rows say, so that their own order means nothing: longer path, its bytes, exact method; of two that
 * differ in flags alone the one that allows less.
 */
static bool is_more_exact(const struct policy_rule *a, const struct policy_rule *b)
{
	size_t n = strlen(a->path), m = strlen(b->path);
	int r = n == m ? strcmp(a->path, b->path) : 0;

	if (n != m)
		return n > m;
	if (r != 0)
		return r < 0;
	if (strcmp(a->method, b->method) != 0)
		return b->method[0] == '*';
	if (a->method_override != b->method_override)
		return b->method_override;
	return !a->upgrade && b->upgrade;
}

static bool on_rule(void *arg, const struct policy_rule *rule)
{
	struct match *m = arg;
	const struct policy_request *request = m->request;

	/* the opt-in is for allow rules: a deny rule holds for "//" too, with and without (match_merged()) */
	if (!rule->is_deny && request->path->has_empty_segment && !rule->pattern.has_empty_segment)
		return true;
	if (!method_matches(rule->method, request->method)) {
		if (!rule->is_deny)
			m->other_method = rule;
	} else if (rule->is_deny) {
		m->deny = rule;
		return false;
	} else if (!query_is_allowed(rule, request->query)) {
		m->other_query = rule;
	} else if (!m->allow || is_more_exact(rule, m->allow)) {
		m->allow = rule; /* carries flags and credential */
	}
	return true;
}

/* For the second look at a path with empty segments: what denies it as a server reads it that drops them. */
static bool on_merged(void *arg, const struct policy_rule *rule)
{
	struct match *m = arg;

	if (rule->is_deny && method_matches(rule->method, m->request->method))
		m->deny = rule;
	return !m->deny;
}

/* The path without its empty segments, but for the last one. */
static void match_merged(const struct policy_route *route, const struct path *path, struct match *m)
{
	struct str segments[PATH_SEGMENTS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < path->n_segments; i++) {
		if (path->segments[i].n > 0 || i + 1 == path->n_segments)
			segments[n++] = path->segments[i];
	}
	trie_match(route, segments, n, on_merged, m);
}

static enum why check_flags(const struct policy_request *request, struct policy_decision *d)
{
	const struct policy_rule *rule = d->rule;
	bool form = !str_eq(request->method, STR("GET")) && !str_eq(request->method, STR("HEAD"));

	d->method_override_ok = rule && rule->method_override;
	if (form && !d->method_override_ok && query_overrides(request->query))
		return WHY_method_override;
	if (request->wants_upgrade) {
		if (!rule || !rule->upgrade)
			return WHY_upgrade_not_allowed;
		d->detail = "upgrade";
		return WHY_feature_unavailable;
	}
	return WHY_allowed;
}

/*
 * The credential's own path prefix still holds when an entry of the same host decides. Compared as rules are, decoded: another
 * spelling of the prefix must not be sent without the credential.
 */
bool credential_reaches(const struct policy_credential *c, const struct path *path)
{
	struct str rest = str_of(c->path_prefix);

	if (rest.n == 1)
		return true;
	for (size_t i = 0; rest.n > 0; i++) {
		struct str segment = str_from(rest, 1);

		segment.n = str_find(segment, '/');
		if (i == path->n_segments || !str_eq(path->segments[i], segment))
			return false;
		rest = str_from(rest, 1 + segment.n);
	}
	return true;
}

static enum why decide_rules(const struct policy_request *request, struct policy_decision *d)
{
	struct match m = { .request = request };

	trie_match(d->route, request->path->segments, request->path->n_segments, on_rule, &m);
	if (request->path->has_empty_segment && !m.deny)
		match_merged(d->route, request->path, &m);
	d->rule = m.deny ? m.deny : m.allow ? m.allow : m.other_query ? m.other_query : m.other_method;
	if (m.deny)
		return WHY_rule_denies;
	if (m.allow) {
		d->credential = m.allow->credential;
		return WHY_allowed;
	}
	if (m.other_query)
		return WHY_query_not_allowed;
	if (request->path->has_empty_segment)
		return WHY_path_empty_segment;
	return m.other_method ? WHY_method_not_allowed : WHY_path_not_allowed;
}

enum why policy_credential_refusal(const struct policy_credential *c)
{
	if (!c || !c->unavailable)
		return WHY_allowed;
	return strcmp(c->unavailable, "auth") == 0 ? WHY_credential_unavailable : WHY_feature_unavailable;
}

static enum why decide(const struct policy *p, const struct policy_request *request, struct policy_decision *d)
{
	struct policy_origin other = *request->origin;
	enum why why;

	if (str_eq(request->method, STR("TRACE")))
		return WHY_trace_not_allowed;
	if (str_eq(request->method, STR("CONNECT")))
		return WHY_connect_not_allowed;
	d->route = policy_find_route(p, request->origin);
	if (!d->route) {
		other.scheme = POLICY_HTTPS;
		other.port = request->origin->port == 80 ? 443 : request->origin->port;
		return request->origin->scheme == POLICY_HTTP && policy_find_route(p, &other) ? WHY_plain_http
											      : WHY_host_not_allowed;
	}
	if (d->route->feature) {
		d->detail = d->route->feature;
		return WHY_feature_unavailable;
	}
	why = route_check_literal(d->route, &request->origin->host);
	if (why != WHY_allowed)
		return why;
	if (d->route->is_whole_host) {
		if (request->path->has_empty_segment)
			return WHY_path_empty_segment;
		d->credential = d->route->n_credentials ? d->route->credentials[0] : NULL;
		why = WHY_allowed;
	} else {
		why = decide_rules(request, d);
	}
	if (d->credential && !credential_reaches(d->credential, request->path)) {
		if (d->rule && d->rule->credential_name)
			return WHY_path_not_allowed; /* refuse: the rule asks for a credential that does not reach there */
		d->credential = NULL;
	}
	if (why == WHY_allowed && d->credential && str_eq(request->method, STR("TRACK")))
		why = WHY_trace_not_allowed; /* refuse: it echoes the request, the credential with it */
	if (why == WHY_allowed)
		why = check_flags(request, d);
	if (why == WHY_allowed) {
		why = policy_credential_refusal(d->credential);
		d->detail = why == WHY_allowed ? NULL : d->credential->unavailable;
	}
	return why;
}

static bool has_small_letters(struct str method)
{
	for (size_t i = 0; i < method.n; i++)
		if (method.p[i] >= 'a' && method.p[i] <= 'z')
			return true;
	return false;
}

void policy_decide(const struct policy *p, const struct policy_request *request, struct policy_decision *ret)
{
	struct policy_decision d = { .why = WHY_undecided };

	d.why = decide(p, request, &d);
	if (d.why != WHY_allowed)
		d.credential = NULL;
	/* to whoever reads "get" the rule for GET looks right */
	if (!d.detail && d.why != WHY_allowed && has_small_letters(request->method))
		d.detail = "methods are case-sensitive, send it in capitals";
	*ret = d;
}
