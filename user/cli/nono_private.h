/* SPDX-License-Identifier: Apache-2.0 */
/* What the nono_*.c files share. Functions return 0 or -errno; -EINVAL with the diag set. */
#ifndef BRIDLE_CLI_NONO_PRIVATE_H
#define BRIDLE_CLI_NONO_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "policy/json_walk.h"
#include "policy/policy.h"
#include "policy/pool.h"

struct buf;
struct diag;

/* An entry of allow_domain in the making. */
struct nono_host {
	struct json_object *at;	   /* where it stands; borrowed from the tree */
	struct json_object *rows;  /* owned; NULL: every path */
	const char *credential;	   /* whose rules these are; NULL: none's. Borrowed from the tree */
	const char *prefix;	   /* path of the credential's upstream, "" for none */
	bool is_wildcard, is_gone; /* gone: a deny_domain covers it */
	uint16_t port;
	struct host host;
};

struct nono {
	const char *file;
	struct diag *reterr;
	struct json_places places;
	size_t next_value; /* while places are tied to the tree */
	struct pool pool;
	struct json_object *root;	 /* owned */
	struct json_object *credentials; /* owned: ours, in the making */
	struct nono_host *hosts;	 /* owned */
	size_t n_hosts, size_hosts;
	struct buf *notes; /* the caller's */
	size_t n_notes;
};

/* What becomes of a key. */
enum nono_fate {
	NONO_UNSAFE = 0, /* left out with all around it: without it more would be allowed */
	NONO_READ,	 /* a function reads it */
	NONO_LEFT,	 /* left out and said; nothing becomes wider */
	NONO_ASIDE,	 /* means nothing for a policy */
};

struct nono_key {
	const char *name; /* NULL ends a table */
	enum nono_fate fate;
	const char *text; /* of LEFT and UNSAFE: why, and what to write instead */
};

/* nono_keys.c: one table for each kind of object. */
extern const struct nono_key nono_top_keys[], nono_network_keys[], nono_credential_keys[], nono_auth_keys[],
	nono_domain_keys[], nono_rule_keys[], nono_policy_keys[], nono_policy_rule_keys[];

/*
 * Notes every key of object that is not read. *ret_is_unsafe: one that makes the whole object unsafe stands there, or one
 * that no table knows. what: "in network", for unknown keys.
 */
int nono_check_keys(struct nono *n, struct json_object *object, const struct nono_key *keys, const char *what,
		    bool *ret_is_unsafe);

/* A note with the place of at. */
int nono_note(struct nono *n, struct json_object *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* -EINVAL: the text is no profile. */
int nono_fail(struct nono *n, struct json_object *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* NULL: absent or null. */
struct json_object *nono_member(struct json_object *object, const char *key);
/* The same, of a type; -EINVAL where it is of another. */
int nono_typed(struct nono *n, struct json_object *object, const char *key, enum json_type type,
	       struct json_object **ret);

/* 0 when our loader takes the policy (owned by the caller); 1 with why, where it does not. */
int nono_try(struct json_object *policy, char *why, size_t size);

/* A new member; takes value. -ENOMEM where either is missing. */
int nono_put(struct json_object *object, const char *key, struct json_object *value);

/* --- nono_rules.c --- */

/* Rows of "endpoint_rules" or "endpoints", appended to rows. */
int nono_allow_rows(struct nono *n, struct json_object *list, struct json_object *rows);
/* Rows of "endpoint_policy". */
int nono_policy_rows(struct nono *n, struct json_object *policy, struct json_object *rows, bool *ret_is_unsafe);

/* --- nono_hosts.c --- */

/* The entry of that host; NULL: none. */
struct nono_host *nono_find_host(struct nono *n, bool is_wildcard, const struct host *host, uint16_t port);
/* A zeroed one at the end; NULL: no memory. */
struct nono_host *nono_add_host(struct nono *n, struct json_object *at);
int nono_read_domains(struct nono *n, struct json_object *network);
int nono_read_denials(struct nono *n, struct json_object *network);
/* Our "allow_domain". */
int nono_put_hosts(struct nono *n, struct json_object *network);

/* --- nono_credential.c --- */

int nono_read_credentials(struct nono *n, struct json_object *network);

#endif
