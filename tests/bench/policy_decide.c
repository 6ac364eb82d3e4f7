/* SPDX-License-Identifier: Apache-2.0 */
/* What one decision costs with many rules, and with many hosts: `make bench-policy`. Goal: 10,000 rules in 1 us. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/diag.h"
#include "policy/policy.h"

#define N      10000
#define ROUNDS 200000

static double now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int measure(const char *name, struct buf *text, const char *host, const char *raw)
{
	static struct path path;
	struct policy *p = NULL;
	struct policy_origin origin = { .port = 443 };
	struct policy_request request = { .origin = &origin, .path = &path, .method = STR("GET") };
	struct policy_decision d;
	struct diag diag;
	double start = now_ns(), loaded;
	int allowed = 0;

	if (policy_load("bench", buf_str(text), &p, &diag) < 0) {
		(void)fprintf(stderr, "%s: %s\n", name, diag.text);
		return 1;
	}
	loaded = now_ns();
	if (host_parse(str_of(host), &origin.host) < 0 || path_parse(str_of(raw), &path) != WHY_allowed)
		return 1;
	for (int i = 0; i < ROUNDS; i++) {
		policy_decide(p, &request, &d);
		allowed += d.why == WHY_allowed;
	}
	printf("%-28s %8.0f ns a decision, compiled in %6.1f ms, %zu bytes\n", name, (now_ns() - loaded) / ROUNDS,
	       (loaded - start) / 1e6, buf_len(text));
	policy_unref(p);
	return allowed == ROUNDS ? 0 : 1;
}

static int put(struct buf *b, const char *head, const char *row, const char *tail)
{
	int e;

	buf_clear(b);
	e = buf_append(b, str_of(head));
	for (int i = 0; i < N && e == 0; i++) {
		e = i ? buf_append(b, STR(",")) : 0;
		for (const char *c = row; *c && e == 0; c++)
			e = *c == '#' ? buf_printf(b, "%d", i) : buf_append(b, str_make(c, 1));
	}
	return e == 0 ? buf_append(b, str_of(tail)) : e;
}

int main(void)
{
	static const char head[] = "{\"network\":{\"allow_domain\":[{\"host\":\"h.example.com\",\"paths\":[";
	static const struct {
		const char *name, *pattern, *path;
	} rows[] = {
		{ "10,000 rules, literal", "/api/r#/**", "/api/r7777/x/y" },
		{ "10,000 rules behind a star", "/p/*/r#/*", "/p/12/r7777/y" },
		{ "10,000 rules behind **", "/p/**/r#/x", "/p/1/2/r7777/x" },
		{ "10,000 stars behind a text", "/p/r#-*/x", "/p/r7777-a/x" },
		{ "10,000 stars before a text", "/p/*-r#/x", "/p/a-r7777/x" },
		{ "10,000 rules, all of it", "/*/p#-*/**/*.t#/**", "/a/p7777-b/c/d/e.t7777/f" },
	};
	struct buf b;
	int bad = 0;

	buf_init(&b, POLICY_TEXT_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char row[96];

		(void)snprintf(row, sizeof(row), "{\"method\":\"GET\",\"path\":\"%s\"}", rows[i].pattern);
		bad |= put(&b, head, row, "]}]}}") || measure(rows[i].name, &b, "h.example.com", rows[i].path);
	}
	bad |= put(&b, "{\"network\":{\"allow_domain\":[", "\"h#.example.com\"", "]}}") ||
	       measure("10,000 hosts", &b, "h7777.example.com", "/");
	buf_done(&b);
	return bad;
}
