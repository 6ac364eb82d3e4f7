/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and one response, whatever the session that carried them: HTTP/1.1 today, HTTP/2 later. Stages and
 * filters see only these. Fields are in the order of arrival; names are lower case.
 */
#ifndef BRIDLE_HTTP_MESSAGE_H
#define BRIDLE_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct buf;

#define HTTP_HEAD_MAX	((size_t)32 * 1024) /* bytes of a whole head */
#define HTTP_FIELDS_MAX 100
#define HTTP_VALUE_MAX	8192
#define HTTP_TARGET_MAX 8192
#define HTTP_METHOD_MAX 32

struct http_field {
	struct str name;  /* lower-case token */
	struct str value; /* without OWS at its ends */
};

struct http_fields {
	size_t n;
	struct http_field at[HTTP_FIELDS_MAX];
};

/* First field of that (lower-case) name, or NULL. */
const struct http_field *http_field_find(const struct http_fields *f, struct str name);
size_t http_field_count(const struct http_fields *f, struct str name);
/* 0 or -ENOBUFS. Name and value are borrowed. */
int http_field_add(struct http_fields *f, struct str name, struct str value);
/* Removes every field whose name equals `name` when '_' counts as '-': twins go too. Returns how many went. */
size_t http_field_remove(struct http_fields *f, struct str name);

/* Whether `token` is a member of the comma-separated list in every field called name. Without case. */
bool http_list_has(const struct http_fields *f, struct str name, struct str token);

enum http_body_kind {
	HTTP_BODY_NONE = 0,
	HTTP_BODY_LENGTH,  /* exactly content_length bytes */
	HTTP_BODY_CHUNKED, /* unknown length, framed by the session */
	HTTP_BODY_EOF,	   /* responses only: until the peer closes */
};

struct http_body {
	enum http_body_kind kind;
	uint64_t length; /* with HTTP_BODY_LENGTH */
};

enum http_target_form { HTTP_TARGET_ORIGIN = 0, HTTP_TARGET_ABSOLUTE, HTTP_TARGET_AUTHORITY, HTTP_TARGET_ASTERISK };

struct http_request {
	struct str method;
	enum http_target_form form;
	bool scheme_is_https; /* with HTTP_TARGET_ABSOLUTE */
	struct str authority; /* of the target (absolute, CONNECT), as written; otherwise empty */
	struct str host;      /* the Host field's value; empty with HTTP/1.0 without one */
	struct str path;      /* "/…" without query; "*" with HTTP_TARGET_ASTERISK */
	struct str query;     /* behind '?' */
	bool has_query;
	uint8_t minor_version;	   /* 0 or 1 */
	struct http_fields fields; /* everything, Host and framing fields included */
	struct http_body body;
	bool keep_alive; /* the client allows the connection to be used again */
	bool expect_continue;
	bool wants_upgrade;
};

struct http_response {
	uint16_t status; /* 100-599 */
	uint8_t minor_version;
	struct http_fields fields;
	struct http_body body;
	bool keep_alive;
};

/*
 * Removes what must not pass to the next hop: everything that Connection lists, and Connection, Keep-Alive,
 * Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade, HTTP2-Settings (RFC 9110 7.6.1), and framing fields
 * (Content-Length, Expect), which the serialiser writes anew.
 */
void http_fields_strip_hop(struct http_fields *f);

/* Headers that move a request to another method or path behind the policy's back; removes them all. Returns how many. */
size_t http_fields_strip_override(struct http_fields *f);

#endif
