/* SPDX-License-Identifier: Apache-2.0 */
/* Both bodies between a program and a server that say what they like: framing, bounds, and ends that are none. */
#include "worker/relay.c"

#include "program.h"

#include "upstream/leg.h"

static struct conn *c;

static int set_up(void **state)
{
	(void)program_start(state);
	c = program_connect();
	return 0;
}

/* The request is with the origin. */
static void ask(const char *line, const char *fields, const char *body)
{
	origin_text_n = 0;
	origin_text[0] = '\0';
	program_say(to_origin(line, fields, body));
	assert_true(origin_heard("\r\n\r\n"));
	program_settle();
}

static void get(void)
{
	ask("GET /ok/a", "", "");
}

static bool recorded(enum why why)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "\"code\":\"%s\"", why_symbol(why));
	return worker_records("\"kind\":\"exchange\"") == 1 && worker_records(text) == 1;
}

static void what_is_no_answer_is_said_to_be_none(void **state)
{
	static const struct {
		const char *text;
		bool close;
		enum why why;
	} rows[] = {
		{ "what?\r\n\r\n", false, WHY_upstream_malformed },
		{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", false, WHY_upstream_malformed },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", false,
		  WHY_upstream_malformed },
		{ "HTTP/1.1 200 OK\r\nConte", true, WHY_upstream_closed },
		{ "HTTP/1.1 100 Continue\r\n\r\n", true, WHY_upstream_closed },
		{ "", true, WHY_upstream_closed },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask("POST /ok/a", "Content-Length: 0\r\n", "");
		origin_say(rows[i].text);
		if (rows[i].close)
			origin_close();
		assert_true(program_heard("HTTP/1.1 502 "));
		assert_true(recorded(rows[i].why));
		(void)program_stop(state);
		(void)set_up(state);
	}
}

static void interim_answers_are_dropped_up_to_a_limit(void **state)
{
	(void)state;
	get();
	for (int i = 0; i < EXCHANGE_1XX_MAX; i++)
		origin_say("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
	program_settle();
	assert_non_null(c->exchange);
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_true(program_heard("\r\n\r\nok"));
	assert_memory_equal(program_text, "HTTP/1.1 200 ", 13);
	program_n = 0;
	get();
	for (int i = 0; i <= EXCHANGE_1XX_MAX; i++)
		origin_say("HTTP/1.1 103 Early Hints\r\n\r\n");
	assert_true(program_heard("HTTP/1.1 502 "));
}

static void an_answer_that_is_cut_never_looks_whole(void **state)
{
	static const char *const rows[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxyz\r\n",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		get();
		origin_say(rows[i]);
		origin_close();
		assert_int_equal(program_end(), ECONNRESET);
		assert_null(strstr(program_text, "0\r\n\r\n"));
		assert_true(recorded(i < 2 ? WHY_upstream_closed : WHY_upstream_malformed));
		(void)program_stop(state);
		(void)set_up(state);
	}
}

static void an_answer_until_the_end_needs_a_proper_end(void **state)
{
	struct upstream *leg;

	(void)state;
	get();
	origin_say("HTTP/1.0 200 OK\r\n\r\nto the");
	assert_true(program_heard("to the"));
	leg = c->exchange->leg;
	leg->read_done = leg->eof = leg->truncated = true; /* as TLS without close_notify leaves it */
	conn_kick(c);
	assert_int_equal(program_end(), ECONNRESET);
	assert_true(recorded(WHY_upstream_closed));
}

static void a_reset_of_the_server_is_no_end(void **state)
{
	const struct linger reset = { .l_onoff = 1 };

	(void)state;
	get();
	origin_say("HTTP/1.0 200 OK\r\n\r\nto the");
	assert_true(program_heard("to the"));
	(void)setsockopt(origin_peers[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)close(origin_peers[--origin_n]);
	assert_int_equal(program_end(), ECONNRESET);
	assert_true(recorded(WHY_upstream_closed));
}

static void an_answer_until_the_end_is_framed(void **state)
{
	(void)state;
	get();
	origin_say("HTTP/1.0 200 OK\r\n\r\nto the end");
	program_settle();
	origin_close();
	assert_true(program_heard("a\r\nto the end\r\n0\r\n\r\n"));
	assert_true(recorded(WHY_allowed));
}

static void an_old_program_gets_no_chunks(void **state)
{
	char text[128];

	(void)state;
	(void)snprintf(text, sizeof(text), "GET /ok/a HTTP/1.0\r\nHost: origin.example.com:%u\r\n\r\n", origin_port);
	program_say(text);
	assert_true(origin_heard("\r\n\r\n"));
	origin_say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
	assert_int_equal(program_end(), 0);
	assert_non_null(strstr(program_text, "\r\n\r\nok"));
	assert_null(strstr(program_text, "chunked"));
	assert_null(strstr(program_text, "0\r\n\r\n"));
}

static void fields_of_the_other_hop_stay_there(void **state)
{
	(void)state;
	get();
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
		   "Alt-Svc: h3=\":443\"\r\nX-End: 1\r\n\r\nok");
	assert_true(program_heard("\r\n\r\nok"));
	assert_null(strcasestr(program_text, "x-hop"));
	assert_null(strcasestr(program_text, "keep-alive"));
	assert_null(strcasestr(program_text, "alt-svc")); /* would lead past us */
	assert_non_null(strcasestr(program_text, "x-end: 1"));
}

static void a_head_tells_a_length_and_has_no_body(void **state)
{
	(void)state;
	ask("HEAD /ok/a", "", "");
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n");
	assert_true(program_heard("\r\n\r\n"));
	assert_non_null(strcasestr(program_text, "content-length: 12345\r\n"));
	assert_true(recorded(WHY_allowed));
	program_n = 0;
	get(); /* on the same connection: both sides are in step */
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_true(program_heard("\r\n\r\nok"));
}

/* --- the audit ----------------------------------------------------------------------------------------------- */

static void what_cannot_be_recorded_never_looks_whole(void **state)
{
	static const struct {
		const char *line, *text, *not_heard;
		int end;
	} rows[] = {
		{ "GET /ok/a", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast", "last", ECONNRESET },
		{ "GET /ok/a", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlast\r\n0\r\n\r\n",
		  "0\r\n\r\n", ECONNRESET },
		{ "GET /ok/a", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 ", -1 },
		{ "GET /ok/a", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 ", -1 },
		{ "HEAD /ok/a", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 200 ", -1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(rows[i].line, "", "");
		audit_break();
		origin_say(rows[i].text);
		if (rows[i].end >= 0)
			assert_int_equal(program_end(), rows[i].end);
		else
			assert_true(program_heard("HTTP/1.1 503 "));
		if (strstr(program_text, rows[i].not_heard))
			fail_msg("row %zu: %s", i, program_text);
		(void)program_stop(state);
		(void)set_up(state);
	}
}

static void the_record_is_there_before_the_last_byte(void **state)
{
	(void)state;
	get();
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhal");
	assert_true(program_heard("hal"));
	assert_int_equal(worker_records("\"kind\":\"exchange\""), 0);
	origin_say("f");
	assert_true(program_heard("half"));
	assert_true(recorded(WHY_allowed));
	assert_true(worker_recorded("\"bytes_out\":4"));
}

/* --- requests ------------------------------------------------------------------------------------------------ */

static void a_form_that_asks_for_another_method_is_cut(void **state)
{
	char byte;

	(void)state;
	ask("POST /ok/a", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 21\r\n", "a=1&_meth");
	program_say("od=DELETE&bc");
	assert_true(program_heard("\"code\":\"method_override\""));
	assert_null(strstr(origin_text, "DELETE"));
	program_settle();
	assert_true(recv(origin_peers[0], &byte, 1, MSG_DONTWAIT) >= 0); /* cut before its end */
	assert_true(recorded(WHY_method_override));
}

static void bad_chunks_of_a_request_are_cut(void **state)
{
	(void)state;
	ask("POST /ok/a", "Transfer-Encoding: chunked\r\n", "2\r\nok\r\n");
	program_say("xyz\r\n");
	assert_true(program_heard("\"code\":\"bad_chunk\""));
	assert_null(strstr(origin_text, "0\r\n\r\n"));
	assert_true(recorded(WHY_bad_chunk));
}

static void chunks_are_framed_anew(void **state)
{
	(void)state;
	ask("POST /ok/a", "Transfer-Encoding: chunked\r\n", "2;ext=1\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n");
	assert_true(origin_heard("2\r\nok\r\n0\r\n\r\n"));
	assert_null(strstr(origin_text, "ext="));
	assert_null(strcasestr(origin_text, "x-trailer"));
}

static void a_program_that_ends_in_the_middle_ends_the_request(void **state)
{
	(void)state;
	ask("POST /ok/a", "Content-Length: 9\r\n", "half");
	assert_int_equal(shutdown(program_fd, SHUT_WR), 0);
	assert_int_equal(program_end(), 0);
	assert_int_equal(program_n, 0);
	assert_true(recorded(WHY_client_closed));
}

/* The server answers before it has heard everything: the program was told that the connection ends. */
static void a_connection_that_was_said_to_close_closes(void **state)
{
	(void)state;
	ask("POST /ok/a", "Content-Length: 4\r\n", "ha");
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nan");
	assert_true(program_heard("\r\n\r\nan"));
	assert_non_null(strcasestr(program_text, "connection: close"));
	program_say("lf");
	assert_true(origin_heard("half"));
	origin_say("sw");
	assert_true(program_heard("answ"));
	assert_int_equal(program_end(), 0);
}

/* --- bounds -------------------------------------------------------------------------------------------------- */

static void a_program_that_does_not_read_stops_the_server(void **state)
{
	static char much[65536];
	size_t said = 0;
	int idle = 0;

	(void)state;
	get();
	assert_int_equal(fcntl(origin_peers[0], F_SETFL, O_NONBLOCK), 0);
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
	while (idle < 20 && said < ((size_t)64 << 20)) {
		ssize_t n = send(origin_peers[0], much, sizeof(much), MSG_NOSIGNAL);

		said += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		program_wait(1);
	}
	assert_int_equal(idle, 20); /* the server was stopped */
	assert_true(buf_len(&c->out) > 0 && buf_len(&c->out) <= CONN_BUFFER_MAX);
	assert_true(buf_len(upstream_in(c->exchange->leg)) > 0);
	for (int i = 0; i < 3000 && c->exchange->bytes_out < said / 2; i++) { /* it goes on when it reads */
		(void)recv(program_fd, program_text, sizeof(program_text), MSG_DONTWAIT);
		program_wait(1);
	}
	assert_true(c->exchange->bytes_out >= said / 2);
}

static void a_server_that_does_not_read_stops_the_program(void **state)
{
	static char much[65536];
	size_t said = 0;
	int idle = 0;

	(void)state;
	ask("POST /ok/a", "Content-Length: 1000000000\r\n", "");
	while (idle < 20 && said < ((size_t)64 << 20)) {
		ssize_t n = send(program_fd, much, sizeof(much), MSG_NOSIGNAL | MSG_DONTWAIT);

		said += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		program_wait(1);
	}
	assert_int_equal(idle, 20);
	assert_int_equal(buf_len(&c->in), CONN_BUFFER_MAX);
	assert_false(c->io.events & EPOLLIN); /* the loop does not spin on what it cannot take */
	for (int i = 0; i < 3000 && c->exchange->bytes_in < said; i++) {
		(void)recv(origin_peers[0], origin_text, sizeof(origin_text), MSG_DONTWAIT);
		program_wait(1);
	}
	assert_int_equal(c->exchange->bytes_in, said);
}

/* --- legs ---------------------------------------------------------------------------------------------------- */

/* One request was answered, and its leg is in the pool. */
static void pool_one(void)
{
	get();
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_true(program_heard("\r\n\r\nok"));
	program_settle();
	assert_int_equal(origin_n, 1);
	program_n = 0;
	program_text[0] = '\0';
}

static void a_pooled_leg_that_died_is_tried_anew_once(void **state)
{
	(void)state;
	pool_one();
	get();
	assert_int_equal(origin_n, 1); /* the pooled one */
	origin_close();
	for (int i = 0; i < 100 && origin_n < 2; i++)
		program_wait(1);
	assert_int_equal(origin_n, 2);
	origin_text_n = 0;
	assert_true(origin_heard("GET /ok/a "));
	origin_close(); /* the fresh one, too */
	assert_true(program_heard("HTTP/1.1 502 "));
	assert_int_equal(origin_n, 2);
	assert_int_equal(worker_records("\"code\":\"upstream_closed\""), 1);
}

static void what_may_have_been_done_is_not_done_twice(void **state)
{
	(void)state;
	get(); /* on a leg of its own: nobody closed it in passing */
	origin_close();
	assert_true(program_heard("HTTP/1.1 502 "));
	assert_int_equal(origin_n, 1);
	(void)program_stop(state);
	(void)set_up(state);
	pool_one();
	ask("POST /ok/a", "Content-Length: 0\r\n", "");
	origin_close();
	assert_true(program_heard("HTTP/1.1 502 "));
	assert_int_equal(origin_n, 1);
	(void)program_stop(state);
	(void)set_up(state);
	pool_one();
	ask("PUT /ok/a", "Content-Length: 2\r\n", "ok"); /* its body is gone */
	origin_close();
	assert_true(program_heard("HTTP/1.1 502 "));
	assert_int_equal(origin_n, 1);
	(void)program_stop(state);
	(void)set_up(state);
	pool_one();
	get();
	origin_say("HTTP/1.1 2"); /* it had begun to answer */
	program_settle();
	origin_close();
	assert_true(program_heard("HTTP/1.1 502 "));
	assert_int_equal(origin_n, 1);
}

static void a_leg_with_something_left_on_it_is_not_kept(void **state)
{
	static const char *const rows[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		get();
		origin_say(rows[i]);
		assert_true(program_heard("\r\n\r\nok"));
		program_n = 0;
		get();
		assert_int_equal(origin_n, 2);
		assert_null(strstr(program_text, "evil"));
		(void)program_stop(state);
		(void)set_up(state);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, program_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_answer_is_said_to_be_none),
		TEST(interim_answers_are_dropped_up_to_a_limit),
		TEST(an_answer_that_is_cut_never_looks_whole),
		TEST(an_answer_until_the_end_needs_a_proper_end),
		TEST(a_reset_of_the_server_is_no_end),
		TEST(an_answer_until_the_end_is_framed),
		TEST(an_old_program_gets_no_chunks),
		TEST(fields_of_the_other_hop_stay_there),
		TEST(a_head_tells_a_length_and_has_no_body),
		TEST(what_cannot_be_recorded_never_looks_whole),
		TEST(the_record_is_there_before_the_last_byte),
		TEST(a_form_that_asks_for_another_method_is_cut),
		TEST(bad_chunks_of_a_request_are_cut),
		TEST(chunks_are_framed_anew),
		TEST(a_program_that_ends_in_the_middle_ends_the_request),
		TEST(a_connection_that_was_said_to_close_closes),
		TEST(a_program_that_does_not_read_stops_the_server),
		TEST(a_server_that_does_not_read_stops_the_program),
		TEST(a_pooled_leg_that_died_is_tried_anew_once),
		TEST(what_may_have_been_done_is_not_done_twice),
		TEST(a_leg_with_something_left_on_it_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
