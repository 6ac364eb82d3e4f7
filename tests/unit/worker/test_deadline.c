/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection waits for, what counts as a sign of life, and what becomes of those who give none. */
#include "worker/deadline.c"

#include "program.h"

static struct conn *c;
static struct exchange *x;

static int set_up(void **state)
{
	(void)program_start(state);
	c = program_connect();
	c->state = CONN_SERVE;
	x = NULL;
	return 0;
}

static void fill(struct buf *b, size_t n)
{
	static const char bytes[4096];

	assert_int_equal(buf_append(b, str_make(bytes, n)), 0);
}

/* An exchange with a leg, its body not yet whole. */
static void with_leg(void)
{
	c->exchange = NULL;
	c->state = CONN_SERVE;
	program_say(to_origin("POST /ok/a", "Content-Length: 5000\r\n", "hello"));
	assert_true(origin_heard("\r\n\r\nhello"));
	x = c->exchange;
	assert_non_null(x->leg);
}

static void each_state_waits_for_its_own(void **state)
{
	(void)state;
	c->state = CONN_SNIFF;
	assert_int_equal(waits_for(c), DEADLINE_first);
	fill(&c->out, 1); /* the answer to a CONNECT */
	assert_int_equal(waits_for(c), DEADLINE_drain);
	buf_clear(&c->out);
	c->state = CONN_HANDSHAKE;
	assert_int_equal(waits_for(c), DEADLINE_first);
	c->state = CONN_DNS;
	assert_int_equal(waits_for(c), DEADLINE_first);
	c->state = CONN_LINGER;
	assert_int_equal(waits_for(c), DEADLINE_linger);
	c->state = CONN_CLOSING;
	assert_int_equal(waits_for(c), DEADLINE_drain);
	c->state = CONN_SERVE;
	assert_int_equal(waits_for(c), DEADLINE_head);
	c->served = 1;
	assert_int_equal(waits_for(c), DEADLINE_idle);
	fill(&c->in, 1); /* the next head has begun */
	assert_int_equal(waits_for(c), DEADLINE_head);
	fill(&c->out, 1);
	assert_int_equal(waits_for(c), DEADLINE_drain);
}

static void each_state_of_an_exchange_waits_for_its_own(void **state)
{
	(void)state;
	with_leg();
	assert_int_equal(waits_for(c), DEADLINE_body);
	fill(upstream_out(x->leg), 1);
	assert_int_equal(waits_for(c), DEADLINE_upload);
	x->answered = true;
	assert_int_equal(waits_for(c), DEADLINE_stream);
	x->answered = false;
	x->request_done = true;
	assert_int_equal(waits_for(c), DEADLINE_answer);
	x->answered = true;
	assert_int_equal(waits_for(c), DEADLINE_stream);
	fill(&c->out, 1);
	assert_int_equal(waits_for(c), DEADLINE_drain);
	buf_clear(&c->out);
	x->refused = WHY_path_not_allowed;
	assert_int_equal(waits_for(c), DEADLINE_body);
}

static void a_head_has_one_deadline_for_all_of_it(void **state)
{
	uint64_t due;

	(void)state;
	c->waits_for = DEADLINE_INVALID;
	conn_watch(c);
	due = c->timer.due_ms;
	for (int i = 0; i < 3; i++) {
		program_wait(3);
		fill(&c->in, 1);
		c->total_in++;
		conn_watch(c);
		assert_int_equal(c->timer.due_ms, due);
	}
}

static void bytes_of_a_body_are_a_sign_of_life_when_they_are_enough(void **state)
{
	uint64_t due;

	(void)state;
	with_leg();
	conn_watch(c);
	due = c->timer.due_ms;
	program_wait(5);
	c->total_in += CONN_BODY_WINDOW - 1; /* of a known length: a byte now and then is not enough */
	conn_watch(c);
	assert_int_equal(c->timer.due_ms, due);
	c->total_in++;
	conn_watch(c);
	assert_true(c->timer.due_ms > due);
	due = c->timer.due_ms;
	x->request.body.kind = HTTP_BODY_CHUNKED; /* a stream speaks when it has something to say */
	program_wait(5);
	c->total_in++;
	conn_watch(c);
	assert_true(c->timer.due_ms > due);
}

static void only_bytes_that_the_program_took_prolong_a_drain(void **state)
{
	uint64_t due;

	(void)state;
	c->served = 1;
	fill(&c->out, 100);
	conn_watch(c);
	due = c->timer.due_ms;
	program_wait(5);
	c->total_in += 1000;
	conn_watch(c);
	assert_int_equal(c->timer.due_ms, due);
	c->total_out++;
	conn_watch(c);
	assert_true(c->timer.due_ms > due);
}

static void times_are_those_of_the_snapshot(void **state)
{
	(void)state;
	worker->snapshot.deadlines.ms[DEADLINE_head] = 77;
	c->waits_for = DEADLINE_INVALID;
	conn_watch(c);
	assert_int_equal(c->timer.due_ms, loop_now_ms(worker->loop) + 77);
}

/* Lets the deadline pass that is set, shortened. */
static void pass(enum deadline which)
{
	worker->snapshot.deadlines.ms[which] = 1;
	c->waits_for = DEADLINE_INVALID;
	conn_watch(c);
	assert_int_equal(c->waits_for, which);
	program_settle();
}

static void a_connection_that_says_nothing_is_recorded(void **state)
{
	(void)state;
	c->state = CONN_SNIFF;
	pass(DEADLINE_first);
	assert_int_equal(program_end(), 0);
	assert_null(worker->conns);
	assert_int_equal(worker_records("\"kind\":\"connection\""), 1);
	assert_true(worker_recorded("\"code\":\"client_timeout\""));
}

static void half_a_head_is_answered(void **state)
{
	(void)state;
	program_say("GET /ok HT");
	program_settle();
	pass(DEADLINE_head);
	assert_true(program_heard("HTTP/1.1 408 "));
	assert_int_equal(program_end(), 0);
	assert_int_equal(worker_records("\"code\":\"client_timeout\""), 1);
}

static void one_that_was_served_and_rests_has_no_record(void **state)
{
	(void)state;
	c->served = 1;
	pass(DEADLINE_idle);
	assert_int_equal(program_end(), 0);
	assert_int_equal(worker_records("\"code\":\"client_timeout\""), 0);
}

static void a_body_that_stops_is_answered_and_its_leg_cut(void **state)
{
	char byte;

	(void)state;
	with_leg();
	pass(DEADLINE_body);
	assert_true(program_heard("HTTP/1.1 408 "));
	assert_int_equal(program_end(), 0);
	assert_int_equal(recv(origin_peers[0], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(worker_records("\"code\":\"client_timeout\""), 1);
}

static void a_server_that_says_nothing_is_named(void **state)
{
	(void)state;
	program_say(to_origin("GET /ok/a", "", ""));
	assert_true(origin_heard("GET /ok/a "));
	program_settle();
	pass(DEADLINE_answer);
	assert_true(program_heard("HTTP/1.1 504 "));
	assert_non_null(strcasestr(program_text, "connection: close"));
	assert_int_equal(program_end(), 0); /* what was asked may still be answered: never to the next request */
	assert_int_equal(worker_records("\"code\":\"upstream_timeout\""), 1);
}

static void an_answer_that_stops_is_broken(void **state)
{
	(void)state;
	program_say(to_origin("GET /ok/a", "", ""));
	assert_true(origin_heard("GET /ok/a "));
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
	assert_true(program_heard("half"));
	program_settle();
	pass(DEADLINE_stream);
	assert_int_equal(program_end(), ECONNRESET);
	assert_int_equal(worker_records("\"code\":\"upstream_timeout\""), 1);
}

static void a_refused_call_that_stops_is_refused_as_it_was(void **state)
{
	(void)state;
	program_say(to_origin("POST /secret", "Content-Type: application/json\r\nContent-Length: 9\r\n", "{"));
	program_settle();
	assert_int_equal(c->exchange->refused, WHY_path_not_allowed);
	pass(DEADLINE_body);
	assert_true(program_heard("\"code\":\"path_not_allowed\""));
	assert_int_equal(worker_records("\"code\":\"path_not_allowed\""), 1);
}

static void a_program_that_does_not_read_has_one_record(void **state)
{
	(void)state;
	with_leg();
	x->answered = true;
	fill(&c->out, 100);
	c->waits_for = DEADLINE_INVALID;
	conn_watch(c);
	assert_int_equal(c->waits_for, DEADLINE_drain);
	timer_clear(worker->loop, &c->timer);
	conn_timeout(&c->timer);
	assert_null(worker->conns);
	assert_int_equal(program_end(), ECONNRESET);
	assert_int_equal(worker_records("\"code\":\"client_timeout\""), 1);
	assert_int_equal(worker_records("\"kind\":\"exchange\""), 1);
}

static void a_linger_ends(void **state)
{
	(void)state;
	c->state = CONN_LINGER;
	c->served = 1;
	pass(DEADLINE_linger);
	assert_null(worker->conns);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, program_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_state_waits_for_its_own),
		TEST(each_state_of_an_exchange_waits_for_its_own),
		TEST(a_head_has_one_deadline_for_all_of_it),
		TEST(bytes_of_a_body_are_a_sign_of_life_when_they_are_enough),
		TEST(only_bytes_that_the_program_took_prolong_a_drain),
		TEST(times_are_those_of_the_snapshot),
		TEST(a_connection_that_says_nothing_is_recorded),
		TEST(half_a_head_is_answered),
		TEST(one_that_was_served_and_rests_has_no_record),
		TEST(a_body_that_stops_is_answered_and_its_leg_cut),
		TEST(a_server_that_says_nothing_is_named),
		TEST(an_answer_that_stops_is_broken),
		TEST(a_refused_call_that_stops_is_refused_as_it_was),
		TEST(a_program_that_does_not_read_has_one_record),
		TEST(a_linger_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
