/* SPDX-License-Identifier: Apache-2.0 */
/* What an exchange leaves in the audit: all of it, no secret, once. */
#include "worker/record.c"

#include "program.h"

#include <json-c/json.h>

static struct json_object *last; /* the last record */

static int set_up(void **state)
{
	(void)program_start(state);
	assert_non_null(program_connect());
	return 0;
}

static int tear_down(void **state)
{
	json_object_put(last);
	last = NULL;
	return program_stop(state);
}

static void read_last(void)
{
	static char all[65536];
	ssize_t n = pread(worker->fds[ZYGOTE_FD_AUDIT], all, sizeof(all) - 1, 0);
	char *line;

	assert_true(n > 1 && all[n - 1] == '\n');
	all[n - 1] = '\0';
	line = strrchr(all, '\n');
	json_object_put(last);
	last = json_tokener_parse(line ? line + 1 : all);
	assert_non_null(last);
}

/* Of the last record; "" when it has no such field. */
static const char *field(const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(last, name, &value) ? json_object_get_string(value) : "";
}

static struct exchange *exchange_of(const char *head)
{
	return program_exchange(worker->conns, head);
}

static void everything_is_said_and_no_value(void **state)
{
	struct exchange *x = exchange_of("POST /raw?token=s3cret&b=2&flag HTTP/1.1\r\nHost: h\r\n"
					 "Authorization: Bearer s3cret\r\nContent-Length: 5\r\n\r\n");

	(void)state;
	assert_int_equal(path_parse(STR("/%7Eraw"), &x->path), WHY_allowed);
	x->path_is_good = true;
	assert_int_equal(host_parse(STR("origin.example.com"), &x->origin.host), 0);
	x->origin.scheme = POLICY_HTTP;
	x->origin.port = 81;
	x->why = WHY_allowed;
	x->status = 201;
	x->bytes_in = 5;
	x->bytes_out = 7;
	x->upstream_us = 3;
	x->credential = &worker->credentials[0];
	x->credential_generation = 4;
	(void)snprintf(x->rule, sizeof(x->rule), "p:1 POST /**");
	assert_true(exchange_audit(x));
	read_last();
	assert_string_equal(field("kind"), "exchange");
	assert_string_equal(field("id"), x->id);
	assert_string_equal(field("pid"), "41");
	assert_string_equal(field("exe"), "agent");
	assert_string_equal(field("socket_cookie"), "99");
	assert_true(strncmp(field("destination"), "10.77.0.2:", 10) == 0);
	assert_string_equal(field("scheme"), "http");
	assert_string_equal(field("host"), "origin.example.com");
	assert_string_equal(field("port"), "81");
	assert_string_equal(field("method"), "POST");
	assert_string_equal(field("path"), "/~raw");
	assert_string_equal(field("query_keys"), "token,b,flag");
	assert_string_equal(field("decision"), "allow");
	assert_string_equal(field("code"), "allowed");
	assert_string_equal(field("rule"), "p:1 POST /**");
	assert_string_equal(field("policy"), policy_generation(worker->policy));
	assert_string_equal(field("credential"), "key");
	assert_string_equal(field("credential_generation"), "4");
	assert_string_equal(field("status"), "201");
	assert_string_equal(field("bytes_in"), "5");
	assert_string_equal(field("bytes_out"), "7");
	assert_string_equal(field("upstream_us"), "3");
	assert_false(worker_recorded("s3cret"));
	assert_int_equal(worker->denials, 0);
}

static void there_is_one_record(void **state)
{
	struct exchange *x = exchange_of("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	x->why = WHY_host_not_allowed;
	assert_true(exchange_audit(x));
	x->why = WHY_client_closed;
	assert_true(exchange_audit(x));
	assert_int_equal(worker_records("\"kind\":\"exchange\""), 1);
	assert_int_equal(worker_records("client_closed"), 0);
	assert_int_equal(worker->denials, 1); /* a refusal has its row in the kernel's map, too */
}

static void what_was_not_parsed_is_recorded_as_it_came(void **state)
{
	struct exchange *x = exchange_of("GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	x->why = WHY_path_control;
	assert_true(exchange_audit(x));
	read_last();
	assert_string_equal(field("path"), "/a%00b");
	assert_string_equal(field("query_keys"), "");
	assert_string_equal(field("decision"), "refuse");
}

static void a_head_that_could_not_be_read_has_a_record(void **state)
{
	struct exchange *x = exchange_of("");

	(void)state;
	x->why = WHY_bad_request_line;
	assert_true(exchange_audit(x));
	read_last();
	assert_string_equal(field("code"), "bad_request_line");
	assert_string_equal(field("method"), "");
	assert_string_equal(field("exe"), "agent");
}

static void a_record_that_cannot_be_written_is_said_once(void **state)
{
	struct exchange *x = exchange_of("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");

	(void)state;
	x->why = WHY_allowed;
	audit_break();
	assert_false(exchange_audit(x));
	assert_true(exchange_audit(x)); /* it has been said; nothing is written twice */
}

/* A path of bytes that JSON writes as two: nobody gets a request past the audit by its length. */
static void the_longest_request_has_its_record(void **state)
{
	static char head[HTTP_TARGET_MAX + 64], target[HTTP_TARGET_MAX + 1];
	struct exchange *x;

	(void)state;
	memset(target, '"', HTTP_TARGET_MAX);
	target[0] = '/';
	(void)snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target);
	x = exchange_of(head);
	memset(x->rule, '"', sizeof(x->rule) - 1);
	assert_int_equal(path_parse(x->request.path, &x->path), WHY_allowed);
	x->why = WHY_allowed;
	assert_true(exchange_audit(x));
	read_last();
	assert_string_equal(field("path"), target);
}

static void the_longest_query_has_its_record(void **state)
{
	static char head[HTTP_TARGET_MAX + 64];
	static char keys[HTTP_TARGET_MAX - 9], want[HTTP_TARGET_MAX];
	struct exchange *x;

	(void)state;
	memset(keys, 'k', sizeof(keys) - 1);
	(void)snprintf(head, sizeof(head), "GET /a?%s&b=2&c HTTP/1.1\r\nHost: h\r\n\r\n", keys);
	(void)snprintf(want, sizeof(want), "%s,b,c", keys);
	x = exchange_of(head);
	x->why = WHY_allowed;
	assert_true(exchange_audit(x));
	read_last();
	assert_string_equal(field("query_keys"), want); /* one long key hides none of the others */
	assert_string_equal(field("path"), "/a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_is_said_and_no_value, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_one_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_parsed_is_recorded_as_it_came, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_head_that_could_not_be_read_has_a_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_record_that_cannot_be_written_is_said_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_longest_request_has_its_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_longest_query_has_its_record, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
