/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the JSON tree with places: every accessor says file, line, column and what was expected. For the load_*.c
 * files alone.
 */
#ifndef BRIDLE_POLICY_READER_H
#define BRIDLE_POLICY_READER_H

#include <json-c/json.h>

#include "policy/json_walk.h"
#include "policy/model.h"

struct diag;

struct reader {
	struct policy *policy;
	const char *file;
	struct json_places places;
	size_t next_value; /* while places are tied to the tree */
	struct diag *reterr;
};

/* Ties places to every value of the tree, which must come from the walked text. -EINVAL at a null: it means nothing. */
int reader_tie(struct reader *r, struct json_object *root);

struct json_place reader_place(const struct reader *r, struct json_object *value);

/* -EINVAL with the value's place. */
int reader_fail(struct reader *r, struct json_object *value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether every key of object is in known (NULL-terminated); the error names the nearest one. where: "in network". */
int reader_keys(struct reader *r, struct json_object *object, const char *const known[], const char *where);

/* A member; NULL when absent. */
struct json_object *reader_member(struct json_object *object, const char *key);

int reader_object(struct reader *r, struct json_object *value, const char *what);
int reader_array(struct reader *r, struct json_object *value, const char *what);
/* A non-empty string, copied into the policy. */
int reader_string(struct reader *r, struct json_object *value, const char *what, const char **ret);
int reader_bool(struct reader *r, struct json_object *value, const char *what, bool *ret);

/* load_route.c, load_credential.c */
int load_network(struct reader *r, struct json_object *network);
int load_credentials(struct reader *r, struct json_object *credentials);
/* load_auth.c: "auth" of c. */
int load_auth(struct reader *r, struct json_object *auth, struct policy_credential *c);
/* load_later.c */
int load_later(struct reader *r, struct json_object *network);
int load_tls(struct reader *r, struct json_object *tls);
int load_bind(struct reader *r);
/* Notes a file:// that the policy names: "what" for messages. Only absolute paths without dot segments. */
int load_file_uri(struct reader *r, struct json_object *value, const char *uri, const char **ret_path);
/* A credential source or a secret of an auth block. ret_path is set for file://, else NULL. */
int load_secret_uri(struct reader *r, struct json_object *value, const char *uri, const char **ret_path);

#endif
