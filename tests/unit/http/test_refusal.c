/* SPDX-License-Identifier: Apache-2.0 */
/* Every form that says no, for every code; texts that a peer chose are escaped and cut. */
#include "tests/lib/test.h"

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
		cmocka_unit_test(test_git_reads_text),		 cmocka_unit_test(test_grpc_reads_a_status),
		cmocka_unit_test(test_grpc_has_no_half_line),	 cmocka_unit_test(test_json_rpc_reads_its_id),
		cmocka_unit_test(test_long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
