/* SPDX-License-Identifier: Apache-2.0 */
/* Every form that says no, for every code; texts that a peer chose are escaped and cut. */
#include "tests/lib/test.h"

#include <stdio.h>

#include <json-c/json.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/h1.h"
#include "http/message.h"
#include "http/refusal.h"

struct said {
	struct arena arena;
	struct http_fields fields;
	struct buf body;
};

static void say(struct said *s, const struct refusal *r)
{
	arena_init(&s->arena);
	buf_init(&s->body, 48 * 1024);
	assert_int_equal(refusal_write(r, &s->arena, &s->fields, &s->body), 0);
}

static void forget(struct said *s)
{
	buf_done(&s->body);
	arena_done(&s->arena);
}

static struct str field(const struct said *s, const char *name)
{
	const struct http_field *f = http_field_find(&s->fields, str_of(name));

	return f ? f->value : STR("");
}

static struct json_object *parse(struct str text)
{
	struct json_tokener *t = json_tokener_new();
	struct json_object *o = json_tokener_parse_ex(t, text.p, (int)text.n);

	assert_int_equal(json_tokener_get_error(t), json_tokener_success);
	json_tokener_free(t);
	return o;
}

static const char *member(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : "";
}

static const struct refusal denied = {
	.why = WHY_path_not_allowed,
	.method = { "DELETE", 6 },
	.scheme = { "https", 5 },
	.authority = { "a.example.com:443", 17 },
	.path = { "/x\"\n", 4 },
	.rule = { "policy.json:3 GET /y", 20 },
	.fix = { "{ \"method\": \"DELETE\" }", 22 },
	.detail = { "one more sentence", 17 },
	.request_id = { "0123-4", 6 },
};

static void test_problem_has_every_member(void **state)
{
	struct said s;
	struct json_object *o;

	(void)state;
	say(&s, &denied);
	o = parse(buf_str(&s.body));
	assert_string_equal(member(o, "type"), "urn:bridle:code:path_not_allowed");
	assert_string_equal(member(o, "title"), why_sentence(WHY_path_not_allowed));
	assert_string_equal(member(o, "status"), "403");
	assert_string_equal(member(o, "code"), "path_not_allowed");
	assert_string_equal(member(o, "instance"), "0123-4");
	assert_string_equal(member(o, "method"), "DELETE");
	assert_string_equal(member(o, "host"), "a.example.com:443");
	assert_string_equal(member(o, "path"), "/x\"\n");
	assert_string_equal(member(o, "rule"), "policy.json:3 GET /y");
	assert_string_equal(member(o, "fix"), "{ \"method\": \"DELETE\" }");
	assert_string_equal(member(o, "retryable"), "false");
	assert_non_null(strstr(member(o, "detail"), "This is policy, not an outage"));
	assert_non_null(strstr(member(o, "detail"), "one more sentence"));
	assert_non_null(strstr(member(o, "detail"), "the line in \"fix\""));
	assert_string_equal(member(o, "detail"), member(o, "message"));
	json_object_put(o);
	assert_str_equal(field(&s, "content-type"), "application/problem+json");
	assert_str_equal(field(&s, "bridle-decision"), "path_not_allowed");
	assert_str_equal(field(&s, "bridle-request-id"), "0123-4");
	assert_str_equal(field(&s, "cache-control"), "no-store");
	assert_str_equal(refusal_phrase(&denied, &s.arena), "Forbidden (bridle: path_not_allowed)");
	forget(&s);
}

static void test_every_code(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WHY_COUNT_; i++) {
		struct refusal r = { .why = (enum why)i, .request_id = STR("x") };
		struct json_object *o;
		struct said s;

		if (why_status(r.why) < 400)
			continue;
		say(&s, &r);
		o = parse(buf_str(&s.body));
		assert_string_equal(member(o, "code"), why_symbol(r.why));
		assert_int_equal(refusal_status(&r), why_status(r.why));
		assert_true(str_starts(refusal_phrase(&r, &s.arena), str_of(http_reason_phrase(why_status(r.why)))));
		assert_non_null(strstr(refusal_phrase(&r, &s.arena).p, why_symbol(r.why)));
		assert_null(strstr(member(o, "detail"), "{fix}"));
		assert_int_equal(field(&s, "retry-after").n > 0, why_status(r.why) == 429 || why_status(r.why) == 503);
		json_object_put(o);
		forget(&s);
	}
}

/* What a reader gets to see: the body, or the status message of gRPC with its escapes undone. */
static void shown_text(const struct said *s, struct buf *ret)
{
	struct str message = field(s, "grpc-message");

	buf_init(ret, 48 * 1024);
	if (message.n == 0)
		assert_int_equal(buf_append(ret, buf_str(&s->body)), 0);
	for (size_t i = 0; i < message.n; i++) {
		unsigned byte = (unsigned char)message.p[i];

		if (byte == '%') {
			assert_int_equal(sscanf(message.p + i + 1, "%2x", &byte), 1);
			i += 2;
		}
		assert_int_equal(buf_printf(ret, "%c", (int)byte), 0);
	}
}

/* The next step as it is shown: the placeholder replaced, and in JSON the quotes escaped. */
static void shown_next(enum why why, bool has_fix, bool in_json, struct buf *ret)
{
	struct str next = str_of(why_next(why));
	const char *hole = strstr(next.p, "{fix}");
	const char *fix = has_fix ? "the line in \"fix\"" : "a rule that allows it";
	struct buf plain;

	buf_init(&plain, 4096);
	buf_init(ret, 4096);
	assert_int_equal(buf_append(&plain, str_make(next.p, hole ? (size_t)(hole - next.p) : next.n)), 0);
	if (hole)
		assert_int_equal(buf_printf(&plain, "%s%s", fix, hole + 5), 0);
	if (in_json)
		assert_int_equal(buf_append_json(ret, buf_str(&plain)), 0);
	else
		assert_int_equal(buf_append(ret, buf_str(&plain)), 0);
	assert_int_equal(buf_append(ret, STR(".")), 0); /* the sentence ends with it */
	buf_done(&plain);
}

static void assert_shows(const struct buf *text, struct str what, const struct refusal *r, const char *form)
{
	if (!memmem(buf_str(text).p, buf_len(text), what.p, what.n))
		fail_msg("%s to %s: \"%.*s\" is not in %.*s", why_symbol(r->why), form, (int)what.n, what.p,
			 (int)buf_len(text), buf_str(text).p);
}

static const struct {
	const char *name;
	struct str user_agent, content_type, rpc_id;
	bool in_json;
} form_rows[] = {
	{ "a program", { "curl/8.0", 8 }, { "", 0 }, { "", 0 }, true },
	{ "git", { "git/2.39.5", 10 }, { "", 0 }, { "", 0 }, false },
	{ "gRPC", { "", 0 }, { "application/grpc", 16 }, { "", 0 }, false },
	{ "JSON-RPC", { "", 0 }, { "application/json", 16 }, { "7", 1 }, true },
};

/* What was refused, where, why, and what to do next: whoever reads it, whatever the code, with a line to add or none. */
static void test_every_code_in_every_form(void **state)
{
	static char long_path[600];

	(void)state;
	memset(long_path, 'p', sizeof(long_path));
	for (unsigned i = 0; i < WHY_COUNT_ * 4 * 3; i++) {
		const unsigned form = i % 4, length = i / 4 % 3;
		struct refusal r = denied;
		struct buf text, next;
		struct said s;

		r.why = (enum why)(i / 12);
		r.path = length == 2 ? str_make(long_path, sizeof(long_path)) : STR("/x/y");
		r.authority = length == 2 ? str_make(long_path, 512) : denied.authority;
		r.detail = STR("one more sentence");
		if (length == 0)
			r.fix = STR("");
		if (why_status(r.why) < 400)
			continue;
		r.user_agent = form_rows[form].user_agent;
		r.content_type = form_rows[form].content_type;
		r.rpc_id = form_rows[form].rpc_id;
		say(&s, &r);
		shown_text(&s, &text);
		shown_next(r.why, r.fix.n > 0, form_rows[form].in_json, &next);
		assert_shows(&text, STR("(DELETE https://"), &r, form_rows[form].name); /* what */
		assert_shows(&text, r.authority, &r, form_rows[form].name);
		assert_shows(&text, length == 2 ? str_make(long_path, 512) : STR("/x/y"), &r,
			     form_rows[form].name);					    /* where */
		assert_shows(&text, str_of(why_sentence(r.why)), &r, form_rows[form].name); /* why */
		assert_shows(&text, r.detail, &r, form_rows[form].name);
		assert_shows(&text, STR("Next: "), &r, form_rows[form].name);
		assert_shows(&text, buf_str(&next), &r, form_rows[form].name); /* next step */
		if (r.fix.n > 0)
			assert_shows(&text, form_rows[form].in_json ? STR("\\\"DELETE\\\" }") : r.fix, &r,
				     form_rows[form].name);
		assert_null(memmem(buf_str(&text).p, buf_len(&text), "{fix}", 5));
		assert_str_equal(field(&s, "bridle-decision"), why_symbol(r.why));
		assert_str_equal(field(&s, "bridle-request-id"), "0123-4");
		buf_done(&text);
		buf_done(&next);
		forget(&s);
	}
}

static void test_git_reads_text(void **state)
{
	struct refusal r = denied;
	struct said s;

	(void)state;
	r.user_agent = STR("git/2.39.5");
	say(&s, &r);
	assert_int_equal(refusal_status(&r), 403);
	assert_str_equal(field(&s, "content-type"), "text/plain; charset=utf-8");
	assert_true(str_starts(buf_str(&s.body), STR("bridle refused this request by policy: ")));
	assert_true(str_ends(buf_str(&s.body), STR("\n{ \"method\": \"DELETE\" }\n")));
	forget(&s);
}

static const struct {
	enum why why;
	const char *status;
} grpc_rows[] = {
	{ WHY_path_not_allowed, "7" }, { WHY_identity_mismatch, "7" },	     { WHY_limit_exceeded, "8" },
	{ WHY_bad_chunk, "3" },	       { WHY_credential_unavailable, "14" }, { WHY_upstream_timeout, "4" },
	{ WHY_internal, "13" },	       { WHY_audit_unavailable, "14" },
};

static void test_grpc_reads_a_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(grpc_rows) / sizeof(grpc_rows[0]); i++) {
		struct refusal r = denied;
		struct said s;

		r.why = grpc_rows[i].why;
		r.content_type = i % 2 ? STR("application/grpc") : STR("application/grpc+proto");
		say(&s, &r);
		assert_int_equal(refusal_status(&r), 200);
		assert_str_equal(field(&s, "content-type"), "application/grpc");
		assert_str_equal(field(&s, "grpc-status"), grpc_rows[i].status);
		assert_true(str_starts(field(&s, "grpc-message"), STR("bridle ")));
		assert_int_equal(str_find(field(&s, "grpc-message"), '\n'), field(&s, "grpc-message").n);
		assert_true(str_ends(field(&s, "grpc-message"), STR(" fix: { \"method\": \"DELETE\" }")));
		assert_int_equal(buf_len(&s.body), 0);
		forget(&s);
	}
}

/* A line that does not fit is left out, not cut: half of it would allow something else, or nothing. */
static void test_grpc_has_no_half_line(void **state)
{
	static char fix[4000];
	struct refusal r = denied;
	struct said s;

	(void)state;
	memset(fix, '%', sizeof(fix));
	r.content_type = STR("application/grpc");
	r.fix = str_make(fix, sizeof(fix));
	say(&s, &r);
	assert_true(str_starts(field(&s, "grpc-message"), STR("bridle ")));
	assert_null(memmem(field(&s, "grpc-message").p, field(&s, "grpc-message").n, "fix: ", 5));
	forget(&s);
}

static void test_json_rpc_reads_its_id(void **state)
{
	struct json_object *o, *error = NULL, *data = NULL;
	struct refusal r = denied;
	struct said s;

	(void)state;
	r.rpc_id = STR("\"seven\"");
	say(&s, &r);
	assert_int_equal(refusal_status(&r), 200);
	assert_str_equal(field(&s, "content-type"), "application/json");
	o = parse(buf_str(&s.body));
	assert_string_equal(member(o, "jsonrpc"), "2.0");
	assert_string_equal(member(o, "id"), "seven");
	assert_true(json_object_object_get_ex(o, "error", &error));
	assert_string_equal(member(error, "code"), "-32001");
	assert_non_null(strstr(member(error, "message"), "This is policy"));
	assert_true(json_object_object_get_ex(error, "data", &data));
	assert_string_equal(member(data, "code"), "path_not_allowed");
	assert_string_equal(member(data, "instance"), "0123-4");
	json_object_put(o);
	forget(&s);
}

static void test_long_texts_are_cut(void **state)
{
	static char text[8192];
	struct refusal r = denied;
	struct json_object *o;
	struct said s;

	(void)state;
	memset(text, '\x01', sizeof(text)); /* six bytes each when escaped */
	r.path = r.authority = str_make(text, sizeof(text));
	for (int rpc = 0; rpc < 2; rpc++) {
		r.rpc_id = rpc ? STR("1") : STR("");
		say(&s, &r);
		assert_in_range(buf_len(&s.body), 1000, 40 * 1024);
		o = parse(buf_str(&s.body));
		assert_int_equal(strlen(member(o, "path")), rpc ? 0 : 512);
		json_object_put(o);
		forget(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_problem_has_every_member), cmocka_unit_test(test_every_code),
		cmocka_unit_test(test_every_code_in_every_form), cmocka_unit_test(test_git_reads_text),
		cmocka_unit_test(test_grpc_reads_a_status),	 cmocka_unit_test(test_grpc_has_no_half_line),
		cmocka_unit_test(test_json_rpc_reads_its_id),	 cmocka_unit_test(test_long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
