/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled policy, for the files of policy/ alone. Everything hangs in one pool and never changes after
 * policy_load() (but for policy_add_proxy_port(), before it is shared).
 */
#ifndef BRIDLE_POLICY_MODEL_H
#define BRIDLE_POLICY_MODEL_H

#include "policy/policy.h"
#include "policy/pool.h"

#define POLICY_ROUTES_MAX      20000
#define POLICY_RULES_MAX       100000
#define POLICY_CREDENTIALS_MAX 64
#define POLICY_LATER_MAX       4
#define PATTERN_SEGMENTS_MAX   PATH_SEGMENTS_MAX /* whatever can be asked for can be written */
#define PATTERN_STARS_MAX      8		 /* in one segment */

enum segment_kind { SEGMENT_LITERAL = 0, SEGMENT_GLOB, SEGMENT_ANY_DEPTH };

/* One segment of a pattern. GLOB: the texts around its stars, each star being at least one byte. */
struct segment {
	enum segment_kind kind;
	size_t n_parts; /* LITERAL: 1; GLOB: stars + 1 */
	struct str *parts;
};

struct pattern {
	struct segment *segments;
	size_t n;
	bool has_empty_segment; /* the rule opts in to "//" */
};

struct policy_rule {
	const char *method; /* "*": any but CONNECT and TRACE */
	const char *path;   /* as written */
	struct pattern pattern;
	bool is_deny;
	bool upgrade;
	bool method_override;
	bool has_query;		  /* "query" is there: only these keys */
	const char *const *query; /* n_query decoded keys */
	size_t n_query;
	const char *credential_name;		    /* as written; NULL: none */
	const struct policy_credential *credential; /* to inject; NULL: none */
	unsigned line, column;
};

struct trie_node;

struct policy_route {
	struct policy_origin origin; /* with is_wildcard: host is the part behind "*." */
	bool is_wildcard;
	bool is_whole_host;  /* no "paths": every path, any method but CONNECT and TRACE */
	bool is_upstream;    /* made from credentials, not from allow_domain */
	const char *feature; /* key whose machinery comes later; NULL: none */
	struct policy_rule *rules;
	size_t n_rules;
	struct trie_node *trie;
	const struct policy_credential **credentials; /* bound to this very origin */
	size_t n_credentials;
	struct address_range *ranges; /* "addresses" */
	size_t n_ranges;
	unsigned line, column;
};

struct address_range {
	struct address base;
	unsigned bits;
};

struct resolve_pin {
	const char *name; /* canonical */
	struct address *addresses;
	size_t n;
};

struct policy {
	unsigned refs;
	struct pool pool;
	const char *file;
	char generation[17];
	struct policy_route *routes;
	size_t n_routes;
	/* Open addressing, table_size is a power of two: by host, port and wildcard; and by host and wildcard alone. */
	const struct policy_route **table, **names;
	size_t table_size;
	struct policy_credential *credentials;
	size_t n_credentials;
	struct resolve_pin *pins;
	size_t n_pins;
	const char **trust;
	size_t n_trust;
	const char *ca_cert, *ca_key;
	const char **files; /* every file:// */
	size_t n_files;
	uint16_t proxy_ports[POLICY_PROXY_PORTS_MAX];
	size_t n_proxy_ports;
	const char *later[POLICY_LATER_MAX]; /* keys of "network" whose machinery comes later */
	size_t n_later;
};

/* pattern.c: -EINVAL and a sentence in *ret_error (static). */
int pattern_compile(struct pool *pool, struct str text, struct pattern *ret, const char **ret_error);
/* LITERAL or GLOB against one decoded segment. */
bool segment_matches(const struct segment *g, struct str s);
/* Whether the pattern covers the path of these n decoded segments. */
bool pattern_matches(const struct pattern *pattern, const struct str *segments, size_t n);

/* trie.c */
int trie_build(struct pool *pool, struct policy_route *route);
typedef bool (*trie_fn)(void *arg, const struct policy_rule *rule); /* false: stop */
/* Every rule whose pattern covers the path of these n decoded segments, each once, in no order. */
void trie_match(const struct policy_route *route, const struct str *segments, size_t n, trie_fn fn, void *arg);

/* route.c */
/* Room for n routes in all. 0 or -ENOMEM. */
int routes_reserve(struct policy *p, size_t n);
/* Indexes p->routes[p->n_routes] and counts it. NULL, or the route that has the same host and port already. */
const struct policy_route *routes_add(struct policy *p);

/* The entry of that very host and port, of whatever scheme; NULL: none. */
const struct policy_route *routes_at(const struct policy *p, const struct policy_origin *origin);

/* decide.c */
/* Whether the path is below the credential's prefix. */
bool credential_reaches(const struct policy_credential *c, const struct path *path);

/* load_route.c: whether a row may have this method, so that it is not advised when not. */
bool method_is_writable(struct str method);

/* address.c */
/* An address in the URL is judged here; the addresses of a name are judged where they are looked up. */
enum why route_check_literal(const struct policy_route *route, const struct host *host);
int address_parse_range(struct str s, struct address_range *ret);
int address_parse(struct str s, struct address *ret);

#endif
