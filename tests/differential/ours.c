/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads messages as bridle does, for run.py. In: a letter (q: request, s: response, p: path), four bytes of length, the bytes. Out: one
 * JSON line each, texts in hexadecimal.
 */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/h1.h"
#include "http/h1_body.h"
#include "policy/policy.h"

static void put_hex(const char *key, struct str s)
{
	printf(",\"%s\":\"", key);
	for (size_t i = 0; i < s.n; i++)
		printf("%02x", (unsigned char)s.p[i]);
	printf("\"");
}

static void put_fields(const struct http_fields *fields)
{
	printf(",\"fields\":[");
	for (size_t i = 0; i < fields->n; i++) {
		printf("%s[\"", i ? "," : "");
		for (size_t k = 0; k < fields->at[i].name.n; k++)
			printf("%02x", (unsigned char)fields->at[i].name.p[k]);
		printf("\",\"");
		for (size_t k = 0; k < fields->at[i].value.n; k++)
			printf("%02x", (unsigned char)fields->at[i].value.p[k]);
		printf("\"]");
	}
	printf("]");
}

/* The content and where the message ends. The input's end is the connection's. */
static void put_body(const struct http_body *body, struct str rest, size_t head)
{
	struct h1_body b;
	enum why why = WHY_allowed;
	size_t at = 0, used = 1;

	h1_body_init(&b, body);
	printf(",\"body\":\"");
	while (!b.done && used > 0 && at < rest.n) {
		struct str content;

		why = h1_body_read(&b, str_from(rest, at), &used, &content);
		if (why != WHY_allowed)
			break;
		at += used;
		for (size_t i = 0; i < content.n; i++)
			printf("%02x", (unsigned char)content.p[i]);
	}
	if (why == WHY_allowed && !b.done)
		why = h1_body_eof(&b);
	printf("\",\"used\":%zu,\"end\":\"%s\"", head + at,
	       why == WHY_allowed	    ? "done"
	       : why == WHY_body_incomplete ? "more"
					    : "bad");
}

static void read_request(char *data, size_t n)
{
	static struct http_request r;
	struct h1_scan scan;
	enum why why = WHY_undecided;
	size_t size = 0;
	enum h1_result result;

	h1_scan_init(&scan);
	result = h1_parse_request(&scan, data, n, &r, &size, &why);
	if (result != H1_DONE) {
		printf("{\"r\":\"%s\",\"why\":\"%s\"}\n", result == H1_BAD ? "bad" : "more", why_symbol(why));
		return;
	}
	printf("{\"r\":\"ok\",\"form\":%d,\"https\":%d,\"minor\":%d,\"has_query\":%d", r.form, r.scheme_is_https,
	       r.minor_version, r.has_query);
	put_hex("method", r.method);
	put_hex("authority", r.authority);
	put_hex("path", r.path);
	put_hex("query", r.query);
	put_fields(&r.fields);
	put_body(&r.body, str_make(data + size, n - size), size);
	printf("}\n");
}

static void read_response(char *data, size_t n)
{
	static struct http_response r;
	struct h1_scan scan;
	enum why why = WHY_undecided;
	size_t size = 0;
	enum h1_result result;

	h1_scan_init(&scan);
	result = h1_parse_response(&scan, data, n, false, &r, &size, &why);
	if (result != H1_DONE) {
		printf("{\"r\":\"%s\",\"why\":\"%s\"}\n", result == H1_BAD ? "bad" : "more", why_symbol(why));
		return;
	}
	printf("{\"r\":\"ok\",\"minor\":%d,\"status\":%d", r.minor_version, r.status);
	put_fields(&r.fields);
	put_body(&r.body, str_make(data + size, n - size), size);
	printf("}\n");
}

static void read_path(const char *data, size_t n)
{
	static struct path path;
	const enum why why = path_parse(str_make(data, n), &path);

	if (why != WHY_allowed) {
		printf("{\"r\":\"bad\",\"why\":\"%s\"}\n", why_symbol(why));
		return;
	}
	printf("{\"r\":\"ok\"");
	put_hex("wire", str_make(path.wire, path.wire_len));
	printf(",\"decoded\":\"");
	for (size_t i = 0; i < path.n_segments; i++) {
		printf("2f");
		for (size_t k = 0; k < path.segments[i].n; k++)
			printf("%02x", (unsigned char)path.segments[i].p[k]);
	}
	printf("\"}\n");
}

int main(void)
{
	unsigned char head[5];

	while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
		const size_t n = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
		char *data = malloc(n ? n : 1);

		assert(data && fread(data, 1, n, stdin) == n);
		if (head[0] == 'q')
			read_request(data, n);
		else if (head[0] == 's')
			read_response(data, n);
		else
			read_path(data, n);
		free(data);
	}
	return 0;
}
