/* SPDX-License-Identifier: Apache-2.0 */
/* What request and response heads share; for the h1_*.c files alone. */
#ifndef BRIDLE_HTTP_H1_HEAD_H
#define BRIDLE_HTTP_H1_HEAD_H

#include "http/h1.h"
#include "http/h1_chars.h"

/*
 * Looks for the end of the head, from where the last call stopped. H1_DONE: *ret_size bytes with the empty line, *ret_start
 * is where the first line begins (one empty line before it may be skipped). Bare CR, bare LF and NUL end it with H1_BAD.
 */
enum h1_result h1_find_head(struct h1_scan *s, const char *data, size_t n, size_t *ret_start, size_t *ret_size,
			    enum why *ret_why);

/* Next line of a complete head without its CR LF; lines holds the rest. */
struct str h1_take_line(struct str *lines);

/*
 * Every field line up to the empty one. WHY_allowed or the refusal. Names are lowered in place. allowed: H1_NAME for
 * requests, H1_TOKEN for responses, where '_' may stand.
 */
enum why h1_parse_fields(struct str lines, enum h1_class allowed, struct http_fields *ret);

/* Content-Length and Transfer-Encoding into a body. has_te: a Transfer-Encoding is there. */
enum why h1_parse_framing(const struct http_fields *fields, unsigned minor, struct http_body *ret);

/* Connection names a field that the message needs. */
enum why h1_check_connection(const struct http_fields *fields);

bool h1_parse_version(struct str s, uint8_t *ret_minor, bool *ret_is_http);

#endif
