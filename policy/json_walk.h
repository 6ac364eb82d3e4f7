/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict walk over JSON text (RFC 8259) before json-c builds the tree: json-c keeps no positions and lets the last
 * of two equal keys win. Refuses invalid UTF-8, a byte order mark, duplicate keys, NUL in strings, depth over 32, comments, trailing
 * commas, text behind the value.
 */
#ifndef BRIDLE_POLICY_JSON_WALK_H
#define BRIDLE_POLICY_JSON_WALK_H

#include <stddef.h>

#include "base/str.h"

struct diag;
struct pool;

#define JSON_DEPTH_MAX	 32
#define JSON_MEMBERS_MAX 10000 /* of one object */

struct json_place {
	unsigned line, column; /* from 1 */
};

/* Places of every value in document order (an object before its members), keys apart. Memory is the pool's. */
struct json_places {
	struct json_place *values;
	size_t n_values;
	struct json_place *keys; /* in document order */
	size_t n_keys;
	size_t size_values, size_keys;
};

/* 0, -EINVAL with *reterr, or -ENOMEM. */
int json_walk(struct pool *pool, const char *file, struct str text, struct json_places *ret, struct diag *reterr);

#endif
