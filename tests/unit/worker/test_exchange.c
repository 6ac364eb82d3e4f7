/* SPDX-License-Identifier: Apache-2.0 */
/* One request from its head to its end, and what it leaves behind when somebody goes before that. */
#include "worker/exchange.c"

#include "program.h"

static void ask(const char *text)
{
	if (!worker->conns)
		assert_non_null(program_connect());
	program_say(text);
	program_settle();
}

static void a_head_is_copied_and_named(void **state)
{
	char head[] = "GET /ok HTTP/1.1\r\nHost: h\r\n\r\n";
	struct conn *c = program_connect();
	struct exchange *x = exchange_new(c, str_of(head)), *other = exchange_new(c, str_of(head));

	(void)state;
	memset(head, 'x', sizeof(head) - 1);
	assert_str_equal(x->request.path, "/ok");
	assert_string_not_equal(x->id, other->id);
	assert_true(x->request_body.done);
	assert_int_equal(x->refused, WHY_undecided);
	assert_null(exchange_new(c, STR("no head\r\n\r\n")));
	(void)exchange_free(x);
	(void)exchange_free(other);
	assert_null(exchange_free(NULL));
}

static void an_allowed_request_passes_every_stage(void **state)
{
	(void)state;
	ask(to_origin("POST /ok/a?x=1", "Content-Length: 5\r\n", "hello"));
	assert_true(origin_heard("\r\n\r\nhello"));
	assert_non_null(strstr(origin_text, "POST /ok/a?x=1 HTTP/1.1\r\n"));
	origin_say("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");
	assert_true(program_heard("\r\n\r\nok"));
	assert_null(worker->conns->exchange);
	assert_int_equal(worker->conns->state, CONN_SERVE);
	assert_int_equal(worker_records("\"code\":\"allowed\""), 1);
	assert_true(worker_recorded("\"status\":201,\"bytes_in\":5,\"bytes_out\":2"));
}

static void a_refused_request_goes_nowhere(void **state)
{
	(void)state;
	ask(to_origin("GET /other", "", ""));
	assert_true(program_heard("HTTP/1.1 403 "));
	assert_int_equal(origin_n, 0);
	assert_int_equal(worker_records("\"code\":\"path_not_allowed\""), 1);
	ask(to_origin("GET /ok/b", "", "")); /* the connection stays */
	assert_true(origin_heard("GET /ok/b "));
}

static void a_refusal_with_a_body_unread_closes(void **state)
{
	(void)state;
	ask(to_origin("POST /other", "Content-Length: 5\r\n", "he"));
	assert_true(program_heard("connection: close\r\n") || program_heard("Connection: close\r\n"));
	assert_int_equal(program_end(), 0);
}

static void a_program_that_goes_while_the_leg_is_made_is_recorded(void **state)
{
	struct conn *c = program_connect();
	struct exchange *x = program_exchange(c, to_origin("GET /ok/a", "", ""));

	(void)state;
	exchange_run(x);
	assert_ptr_equal(c->exchange, x);
	assert_non_null(x->wait);
	(void)conn_free(c);
	program_settle(); /* the leg that comes has nobody to go to */
	assert_int_equal(worker_records("\"code\":\"client_closed\""), 1);
	assert_int_equal(worker_records("\"kind\":\"exchange\""), 1);
}

static void a_program_that_goes_cuts_its_leg(void **state)
{
	char byte;

	(void)state;
	ask(to_origin("POST /ok/a", "Content-Length: 5\r\n", "he"));
	assert_true(origin_heard("\r\n\r\nhe"));
	(void)close(program_fd);
	program_fd = -1;
	program_settle();
	assert_null(worker->conns);
	assert_int_equal(recv(origin_peers[0], &byte, 1, MSG_DONTWAIT), 0); /* never a whole request */
	assert_true(worker_recorded("\"code\":\"client_closed\""));
}

static void a_connection_that_ends_cuts_its_leg(void **state)
{
	char byte;

	(void)state;
	ask(to_origin("GET /ok/a", "", ""));
	assert_true(origin_heard("GET /ok/a "));
	(void)conn_free(worker->conns);
	assert_int_equal(recv(origin_peers[0], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(worker_records("\"code\":\"client_closed\""), 1);
}

static void a_refused_call_is_heard_in_pieces_and_not_decided_again(void **state)
{
	(void)state;
	ask(to_origin("POST /secret", "Content-Type: application/json\r\nContent-Length: 38\r\n",
		      "{\"jsonrpc\":\"2.0\",\"method\""));
	assert_int_equal(program_n, 0);
	ask(":\"m\",\"id\":17}");
	assert_true(program_heard("\"id\":17"));
	assert_int_equal(worker_records("\"kind\":\"exchange\""), 1);
}

static void behind_a_head_that_cannot_be_read_nothing_is(void **state)
{
	(void)state;
	ask("GET /ok/a HTTP/1.1\r\n\r\n");
	assert_true(program_heard("HTTP/1.1 400 "));
	assert_int_equal(program_end(), 0);
}

static void a_program_that_goes_cannot_hide_what_was_refused(void **state)
{
	(void)state;
	ask(to_origin("POST /secret", "Content-Type: application/json\r\nContent-Length: 9\r\n", "{"));
	assert_int_equal(worker->conns->exchange->refused, WHY_path_not_allowed);
	(void)close(program_fd);
	program_fd = -1;
	program_settle();
	assert_null(worker->conns);
	assert_int_equal(worker_records("\"code\":\"path_not_allowed\""), 1);
	assert_int_equal(worker_records("client_closed"), 0);
}

static void a_half_closed_program_gets_its_answer(void **state)
{
	(void)state;
	ask(to_origin("GET /ok/a", "", ""));
	assert_int_equal(shutdown(program_fd, SHUT_WR), 0);
	assert_true(origin_heard("GET /ok/a "));
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_true(program_heard("\r\n\r\nok"));
	assert_int_equal(program_end(), 0);
	assert_null(worker->conns);
}

static void the_program_decides_whether_the_connection_stays(void **state)
{
	(void)state;
	ask(to_origin("GET /ok/a", "Connection: close\r\n", ""));
	assert_true(origin_heard("GET /ok/a "));
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_true(program_heard("\r\n\r\nok"));
	assert_int_equal(program_end(), 0);
}

static void a_leg_that_cannot_be_made_is_said(void **state)
{
	char text[64];

	(void)state;
	loop_remove(worker->loop, &origin_io);
	(void)close(origin_io.fd);
	origin_io.fd = -1;
	ask(to_origin("GET /ok/a", "", ""));
	assert_true(program_heard("HTTP/1.1 502 "));
	(void)snprintf(text, sizeof(text), "\"code\":\"%s\"", why_symbol(WHY_upstream_refused));
	assert_int_equal(worker_records(text), 1);
}

static void when_it_is_known_that_nothing_can_be_recorded_nothing_is_sent(void **state)
{
	(void)state;
	audit_break();
	(void)audit_write(worker->audit, &(struct audit_record){ .kind = "dns" });
	ask(to_origin("GET /ok/a", "", ""));
	assert_true(program_heard("HTTP/1.1 503 "));
	assert_true(program_heard("audit_unavailable"));
	assert_int_equal(origin_n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_head_is_copied_and_named, program_start, program_stop),
		cmocka_unit_test_setup_teardown(an_allowed_request_passes_every_stage, program_start, program_stop),
		cmocka_unit_test_setup_teardown(a_refused_request_goes_nowhere, program_start, program_stop),
		cmocka_unit_test_setup_teardown(a_refusal_with_a_body_unread_closes, program_start, program_stop),
		cmocka_unit_test_setup_teardown(a_program_that_goes_while_the_leg_is_made_is_recorded, program_start,
						program_stop),
		cmocka_unit_test_setup_teardown(a_program_that_goes_cuts_its_leg, program_start, program_stop),
		cmocka_unit_test_setup_teardown(a_connection_that_ends_cuts_its_leg, program_start, program_stop),
		cmocka_unit_test_setup_teardown(a_refused_call_is_heard_in_pieces_and_not_decided_again, program_start,
						program_stop),
		cmocka_unit_test_setup_teardown(behind_a_head_that_cannot_be_read_nothing_is, program_start,
						program_stop),
		cmocka_unit_test_setup_teardown(a_program_that_goes_cannot_hide_what_was_refused, program_start,
						program_stop),
		cmocka_unit_test_setup_teardown(a_half_closed_program_gets_its_answer, program_start, program_stop),
		cmocka_unit_test_setup_teardown(the_program_decides_whether_the_connection_stays, program_start,
						program_stop),
		cmocka_unit_test_setup_teardown(a_leg_that_cannot_be_made_is_said, program_start, program_stop),
		cmocka_unit_test_setup_teardown(when_it_is_known_that_nothing_can_be_recorded_nothing_is_sent,
						program_start, program_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
