/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy engine: text in, decision out. Pure: no sockets, clocks, files, globals, OpenSSL or BPF. A policy
 * is compiled once, never changes afterwards, and may be read by many exchanges; each pins it with policy_ref().
 * Deciding allocates nothing and its cost does not grow with the rules of other hosts.
 *
 * `bridle policy check`, `bridle why`, the DNS responder, the kernel's port map and the proxy all ask here.
 */
#ifndef BRIDLE_POLICY_POLICY_H
#define BRIDLE_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"

struct buf;
struct diag;
struct policy;
struct policy_route; /* an origin that may be reached */
struct policy_rule;  /* one method + path row of a route */

#define POLICY_TEXT_MAX ((size_t)1 << 20) /* bytes of a policy file */

enum policy_scheme { POLICY_HTTPS = 0, POLICY_HTTP };

/*
 * Compiles text. file is only for messages. On -EINVAL *reterr says where and what was expected; -ENOMEM, -E2BIG
 * otherwise. *ret has one reference.
 */
int policy_load(const char *file, struct str text, struct policy **ret, struct diag *reterr);
struct policy *policy_ref(struct policy *p);
struct policy *policy_unref(struct policy *p); /* NULL is fine; returns NULL */

/* --- names -------------------------------------------------------------------------------------------------- */

#define HOST_MAX 255

/*
 * A host in canonical form: lower case, A-labels, no trailing dot; IPv4 dotted decimal; IPv6 as RFC 5952 without
 * brackets. Odd spellings of addresses (octal, hex, short, zone ids) are refused, not repaired.
 */
struct host {
	char text[HOST_MAX + 1]; /* NUL-terminated */
	uint16_t len;
	bool is_address;
	uint8_t family;	   /* AF_INET, AF_INET6; 0 for a name */
	uint8_t bytes[16]; /* the address, network order */
};

static inline struct str host_str(const struct host *h)
{
	return (struct str){ h->text, h->len };
}

/* From a Host field, an SNI, a URL or a DNS question. IPv6 with or without brackets. 0 or -EINVAL. */
int host_parse(struct str s, struct host *ret);
void host_from_address(int family, const uint8_t *bytes, struct host *ret);

/*
 * "host", "host:port", "[v6]:port" without userinfo; default_port when none is written. 0 or -EINVAL.
 */
int authority_parse(struct str s, uint16_t default_port, struct host *ret_host, uint16_t *ret_port);

struct policy_origin {
	enum policy_scheme scheme;
	struct host host;
	uint16_t port;
};

/* --- paths -------------------------------------------------------------------------------------------------- */

#define PATH_MAX_BYTES	  8192
#define PATH_SEGMENTS_MAX 128

/*
 * One path in its two forms. `wire` is what is sent upstream: the client's spelling with unreserved characters
 * decoded and hex in upper case; the segments are its percent-decoded bytes, which is what rules compare.
 */
struct path {
	struct str segments[PATH_SEGMENTS_MAX]; /* point into decoded[] */
	size_t n_segments;			/* "/" has one, which is empty; "/a/" has "a" and "" */
	size_t wire_len;
	bool has_empty_segment; /* "//" somewhere: refused unless a rule opts in */
	char wire[PATH_MAX_BYTES];
	char decoded[PATH_MAX_BYTES];
};

/*
 * raw begins with '/', holds no '?'. WHY_allowed and a filled *ret, or the refusal (path_*). The sizes make it
 * 18 KiB: keep it in the exchange, not on a deep stack. The struct path is self-contained but not movable.
 */
enum why path_parse(struct str raw, struct path *ret);

/* --- decisions ---------------------------------------------------------------------------------------------- */

struct policy_credential;

struct policy_request {
	const struct policy_origin *origin;
	struct str method;
	const struct path *path;
	struct str query; /* behind '?', as it is; empty when none */
	bool has_query;
	bool wants_upgrade;
};

struct policy_decision {
	enum why why;				    /* WHY_allowed or the refusal */
	const struct policy_route *route;	    /* borrowed from the policy; NULL: no route */
	const struct policy_rule *rule;		    /* the rule that decided; NULL: none did */
	const struct policy_credential *credential; /* to inject; NULL: none */
	bool method_override_ok;		    /* the rule says "method_override": true */
	const char *
		detail; /* the key or source that cannot be done yet, or what the sentence leaves open; NULL. Borrowed */
};

/* The route of an origin: the most specific entry. NULL: none. */
const struct policy_route *policy_find_route(const struct policy *p, const struct policy_origin *origin);

/* How many origins may be reached. */
size_t policy_route_count(const struct policy *p);

void policy_decide(const struct policy *p, const struct policy_request *request, struct policy_decision *ret);

/* Whether the name is of some route (any port, any scheme), so that it may be looked up. */
bool policy_name_is_known(const struct policy *p, const struct host *host);

/* Where a rule stands: "policy.json:12" style place and its text ("GET /api"). Into out, cut. */
const char *policy_rule_describe(const struct policy *p, const struct policy_rule *rule, char *out, size_t size);

/* "https://gitlab.example.com:443" into out, cut. */
const char *policy_route_describe(const struct policy_route *route, char *out, size_t size);

/*
 * The exact JSON that would allow the request, on one line: a whole allow_domain entry when the host has no entry
 * (policy_fix_is_entry()), a paths row otherwise; nothing when no line would, or none that we would advise. Appends to
 * out. 0 or -errno.
 */
bool policy_fix_is_entry(const struct policy_decision *decision);
int policy_render_fix(const struct policy *p, const struct policy_request *request,
		      const struct policy_decision *decision, struct buf *out);

/* The table of `policy check`: origin, methods, paths, credential, and the warnings. Appends to out. */
int policy_render_table(const struct policy *p, struct buf *out);

/* First 16 hex digits of a hash of the canonical text: the generation in audit records. NUL-terminated, lives as long as p. */
const char *policy_generation(const struct policy *p);

/* --- addresses ---------------------------------------------------------------------------------------------- */

struct address {
	uint8_t family;	   /* AF_INET or AF_INET6 */
	uint8_t bytes[16]; /* network order; the first 4 for AF_INET */
};

/* The pins of network.resolve for a name. Returns how many there are (0: not pinned) and the array, borrowed. */
size_t policy_resolve_pins(const struct policy *p, const struct host *host, const struct address **ret);

/*
 * Whether an address that a resolver gave for the route's name may be dialled: WHY_allowed or
 * WHY_address_refused. v4-mapped, NAT64, 6to4 and Teredo forms are judged by the address inside, too. Pinned addresses need no check.
 * The caller adds the node's own addresses, which only it knows (WHY_address_refused as well, unless address_is_listed()).
 */
enum why policy_check_address(const struct policy_route *route, const struct address *address);

/* Whether the entry's "addresses" names it. */
bool policy_address_is_listed(const struct policy_route *route, const struct address *address);

/* --- what other parts need from the text -------------------------------------------------------------------- */

/* TCP ports that some entry names, ascending, without duplicates, together with 80, 443 and the proxy ports. Returns how many; at most max are written. */
size_t policy_ports(const struct policy *p, uint16_t *out, size_t max);
bool policy_is_proxy_port(const struct policy *p, uint16_t port);
#define POLICY_PROXY_PORTS_MAX 16

/* Adds the port of the caller's own proxy variables; only before the policy is shared. 0 or -ENOSPC. */
int policy_add_proxy_port(struct policy *p, uint16_t port);

size_t policy_trust_count(const struct policy *p);
const char *policy_trust_at(const struct policy *p, size_t i); /* absolute path */
const char *policy_ca_cert_uri(const struct policy *p);	       /* NULL: make one */
const char *policy_ca_key_uri(const struct policy *p);

enum inject_mode {
	INJECT_HEADER = 0,
	INJECT_BASIC_AUTH,
	INJECT_QUERY_PARAM,
	INJECT_URL_PATH,
	INJECT_COOKIE,
	INJECT_PLACEHOLDER,
	INJECT_SIGV4,
	INJECT_CLIENT_CERT,
};

/* All strings are NUL-terminated and owned by the policy. */
struct policy_credential {
	const char *name;
	struct policy_origin origin; /* of its upstream */
	const char *path_prefix;     /* "/" or the upstream's path, without a final slash unless it is "/" */
	const char *uri;	     /* credential_key; NULL with `auth` */
	const char *file;	     /* the absolute path when uri is file://; otherwise NULL */
	bool watch;
	enum inject_mode mode;
	const char *header;	 /* inject_header, default "Authorization" */
	const char *format;	 /* with one {} for the value: "Bearer {}", "{}" */
	const char *env_var;	 /* NULL: none */
	const char *unavailable; /* the key or source that comes later ("auth", "env://"); NULL: usable */
	unsigned line;		 /* in the policy file */
};

size_t policy_credential_count(const struct policy *p);
const struct policy_credential *policy_credential_at(const struct policy *p, size_t i);

/* Why a request that needs it is refused whatever its state: WHY_allowed, or what comes later. */
enum why policy_credential_refusal(const struct policy_credential *c);

/* Keys of "network" that this version checks and does not carry out. Borrowed. */
size_t policy_later_count(const struct policy *p);
const char *policy_later_at(const struct policy *p, size_t i);

/* Number of every file:// that the policy names anywhere (credentials, auth blocks, tls.ca): their directories are hidden from the command. */
size_t policy_secret_file_count(const struct policy *p);
const char *policy_secret_file_at(const struct policy *p, size_t i); /* absolute path */

#endif
