/* SPDX-License-Identifier: Apache-2.0 */
/* How no is said: to whom it still can be, in the form that it reads, and never as if it were a whole answer. */
#include "worker/refuse.c"

#include "program.h"

#define JSON "Content-Type: application/json; charset=utf-8\r\n"

static int set_up(void **state)
{
	(void)program_start(state);
	(void)program_connect();
	return 0;
}

static struct exchange *exchange_of(const char *line, const char *fields)
{
	return program_exchange(worker->conns, to_origin(line, fields, ""));
}

/* What is on its way to the program. */
static const char *answered(void)
{
	(void)snprintf(program_text, sizeof(program_text), "%.*s", (int)buf_len(&worker->conns->out),
		       buf_data(&worker->conns->out));
	return program_text;
}

static bool answer_has(const char *text)
{
	return strstr(answered(), text) != NULL;
}

/* More of the body comes. */
static enum step hear_more(struct exchange *x, const char *text)
{
	assert_int_equal(buf_append(&x->conn->in, str_of(text)), 0);
	return exchange_hear_call(x);
}

static void a_refusal_says_why_and_leaves_the_connection(void **state)
{
	struct exchange *x = exchange_of("GET /a", "");

	(void)state;
	(void)snprintf(x->authority, sizeof(x->authority), "origin.example.com:80");
	assert_int_equal(exchange_refuse(x, WHY_feature_unavailable, "the key \"auth\""), STEP_END);
	assert_true(answer_has("HTTP/1.1 501 "));
	assert_true(answer_has("\"code\":\"feature_unavailable\""));
	assert_true(answer_has("the key \\\"auth\\\""));
	assert_true(answer_has(x->id));
	assert_false(answer_has("onnection: close"));
	assert_true(x->request_done);
	assert_true(worker_recorded("\"status\":501"));
}

static void the_line_that_would_allow_it_comes_along(void **state)
{
	struct exchange *x = exchange_of("DELETE /ok/a", "");

	(void)state;
	assert_int_equal(stage_identity(x), STEP_NEXT);
	assert_int_equal(stage_decide(x), STEP_END);
	assert_true(answer_has("\"code\":\"method_not_allowed\""));
	assert_true(answer_has("\"fix\":"));
	assert_true(answer_has("DELETE"));
}

static void what_may_follow_is_never_a_next_request(void **state)
{
	(void)state;
	struct exchange *x = exchange_of("GET /a", "Connection: upgrade\r\nUpgrade: websocket\r\n");
	assert_true(x->request.wants_upgrade);
	assert_int_equal(exchange_refuse(x, WHY_upgrade_not_allowed, NULL), STEP_END);
	assert_false(x->request_done);
	assert_true(answer_has("onnection: close"));
	(void)exchange_free(x);
	buf_clear(&worker->conns->out);
	x = exchange_of("POST /a", "Content-Length: 3\r\n");
	assert_int_equal(exchange_refuse(x, WHY_path_not_allowed, NULL), STEP_END);
	assert_false(x->request_done);
	assert_true(answer_has("onnection: close"));
	(void)exchange_free(x);
	buf_clear(&worker->conns->out);
	x = program_exchange(worker->conns, "");
	assert_int_equal(exchange_refuse(x, WHY_bad_request_line, NULL), STEP_END);
	assert_false(x->request_done);
	assert_true(answer_has("onnection: close"));
}

static void a_head_has_no_body(void **state)
{
	struct exchange *x = exchange_of("HEAD /a", "");
	const char *end;

	(void)state;
	assert_int_equal(exchange_refuse(x, WHY_path_not_allowed, NULL), STEP_END);
	end = strstr(answered(), "\r\n\r\n");
	assert_non_null(end);
	assert_int_equal(strlen(end), 4);
	assert_non_null(strstr(program_text, "ontent-length: "));
	assert_null(strstr(program_text, "ontent-length: 0"));
}

static void what_was_begun_is_broken_and_not_ended(void **state)
{
	struct exchange *x = exchange_of("GET /a", "");

	(void)state;
	x->answered = true;
	x->status = 200;
	assert_int_equal(exchange_refuse_now(x, WHY_upstream_closed, NULL), STEP_END);
	assert_int_equal(buf_len(&worker->conns->out), 0);
	assert_true(x->conn->broken && x->conn->eof);
	assert_false(x->request_done);
	assert_true(worker_recorded("\"code\":\"upstream_closed\""));
	assert_true(worker_recorded("\"status\":200")); /* what the program saw */
}

static void where_nothing_can_be_said_nothing_is(void **state)
{
	struct exchange *x = exchange_of("GET /a", "");

	(void)state;
	assert_int_equal(exchange_refuse_now(x, WHY_client_closed, NULL), STEP_END);
	assert_int_equal(buf_len(&worker->conns->out), 0);
	assert_true(x->conn->eof);
	assert_false(x->conn->broken);
	assert_false(x->request_done);
}

static void without_a_record_nothing_else_is_said(void **state)
{
	struct exchange *x = exchange_of("GET /a", "");

	(void)state;
	audit_break();
	assert_int_equal(exchange_refuse_now(x, WHY_path_not_allowed, NULL), STEP_END);
	assert_true(answer_has("HTTP/1.1 503 "));
	assert_true(answer_has("\"code\":\"audit_unavailable\""));
	assert_false(answer_has("path_not_allowed"));
}

static void an_answer_that_does_not_fit_closes(void **state)
{
	struct exchange *x = exchange_of("GET /a", "");

	(void)state;
	x->conn->out.max = 64;
	assert_int_equal(exchange_refuse_now(x, WHY_path_not_allowed, NULL), STEP_END);
	assert_false(x->request_done);
}

static void a_call_gets_its_id_back(void **state)
{
	struct exchange *x = exchange_of("POST /a", JSON "Content-Length: 38\r\n");

	(void)state;
	assert_int_equal(exchange_refuse(x, WHY_path_not_allowed, NULL), STEP_WAIT);
	assert_int_equal(buf_len(&worker->conns->out), 0);
	assert_int_equal(hear_more(x, "{\"jsonrpc\":\"2.0\",\"met"), STEP_WAIT);
	assert_int_equal(hear_more(x, "hod\":\"m\",\"id\":17}GET /next"), STEP_END);
	assert_true(answer_has("HTTP/1.1 200 "));
	assert_true(answer_has("\"id\":17"));
	assert_true(answer_has("-32001"));
	assert_true(x->request_done);
	assert_str_equal(buf_str(&x->conn->in), "GET /next"); /* nothing of what follows was eaten */
	assert_true(worker_recorded("\"code\":\"path_not_allowed\""));
	assert_true(worker_recorded("\"status\":200,\"bytes_in\":38"));
}

static void chunks_are_taken_off_first(void **state)
{
	struct exchange *x = exchange_of("POST /a", JSON "Transfer-Encoding: chunked\r\n");

	(void)state;
	assert_int_equal(exchange_refuse(x, WHY_path_not_allowed, NULL), STEP_WAIT);
	assert_int_equal(hear_more(x, "10\r\n{\"jsonrpc\":\"2.0\"\r\n"), STEP_WAIT);
	assert_int_equal(hear_more(x, "15\r\n,\"method\":\"a\",\"id\":5}\r\n0\r\n\r\n"), STEP_END);
	assert_true(answer_has("\"id\":5"));
}

static void other_json_gets_the_plain_form(void **state)
{
	struct exchange *x = exchange_of("POST /a", JSON "Content-Length: 7\r\n");

	(void)state;
	assert_int_equal(exchange_refuse(x, WHY_path_not_allowed, NULL), STEP_WAIT);
	assert_int_equal(hear_more(x, "{\"a\":1}"), STEP_END);
	assert_true(answer_has("HTTP/1.1 403 "));
}

static void nobody_is_asked_for_a_body_that_will_not_be_read(void **state)
{
	static const char *const rows[][2] = {
		{ "POST /a", JSON "Content-Length: 9\r\nExpect: 100-continue\r\n" },
		{ "POST /a", "Content-Type: text/plain\r\nContent-Length: 9\r\n" },
		{ "POST /a", "Content-Type: application/jsonx\r\nContent-Length: 9\r\n" },
		{ "PUT /a", JSON "Content-Length: 9\r\n" },
		{ "POST /a", JSON "Content-Length: 0\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exchange *x = exchange_of(rows[i][0], rows[i][1]);

		assert_int_equal(exchange_refuse(x, WHY_path_not_allowed, NULL), STEP_END);
		assert_true(answer_has("HTTP/1.1 403 "));
		(void)exchange_free(x);
		buf_clear(&worker->conns->out);
	}
	worker->conns->exchange = NULL;
}

static void a_call_is_heard_only_so_far(void **state)
{
	static char piece[4097];
	struct exchange *x = exchange_of("POST /a", JSON "Content-Length: 1000000\r\n");
	int pieces = 0;
	enum step step;

	(void)state;
	memset(piece, ' ', sizeof(piece) - 1);
	step = exchange_refuse(x, WHY_path_not_allowed, NULL);
	while (step == STEP_WAIT && pieces < 100) {
		step = hear_more(x, piece);
		pieces++;
	}
	assert_int_equal(pieces, JSONRPC_PREFIX_MAX / (sizeof(piece) - 1));
	assert_true(answer_has("onnection: close"));
}

static void a_call_longer_than_that_has_its_id_all_the_same(void **state)
{
	static char call[2 * JSONRPC_PREFIX_MAX];
	struct exchange *x = exchange_of("POST /a", JSON "Content-Length: 32767\r\n");

	(void)state;
	memset(call, ' ', sizeof(call) - 1);
	memcpy(call, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":17,", 38);
	assert_int_equal(exchange_refuse(x, WHY_path_not_allowed, NULL), STEP_WAIT);
	assert_int_equal(hear_more(x, call), STEP_END);
	assert_true(answer_has("\"id\":17"));
}

static void a_call_whose_body_is_malformed_is_refused_all_the_same(void **state)
{
	struct exchange *x = exchange_of("POST /a", JSON "Transfer-Encoding: chunked\r\n");

	(void)state;
	assert_int_equal(exchange_refuse(x, WHY_path_not_allowed, NULL), STEP_WAIT);
	assert_int_equal(hear_more(x, "xyz\r\n"), STEP_END);
	assert_true(answer_has("\"code\":\"path_not_allowed\""));
	assert_true(answer_has("onnection: close"));
}

static void a_leg_is_cut_before_the_message_is_complete(void **state)
{
	struct exchange *x;
	char byte;

	(void)state;
	program_say(to_origin("POST /ok/a", "Content-Length: 9\r\n", "hello"));
	assert_true(origin_heard("\r\n\r\nhello"));
	x = worker->conns->exchange;
	assert_non_null(x->leg);
	assert_int_equal(exchange_refuse_now(x, WHY_method_override, NULL), STEP_END);
	assert_null(x->leg);
	exchange_end(x);
	program_settle();
	assert_int_equal(recv(origin_peers[0], &byte, 1, MSG_DONTWAIT), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, program_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_refusal_says_why_and_leaves_the_connection),
		TEST(the_line_that_would_allow_it_comes_along),
		TEST(what_may_follow_is_never_a_next_request),
		TEST(a_head_has_no_body),
		TEST(what_was_begun_is_broken_and_not_ended),
		TEST(where_nothing_can_be_said_nothing_is),
		TEST(without_a_record_nothing_else_is_said),
		TEST(an_answer_that_does_not_fit_closes),
		TEST(a_call_gets_its_id_back),
		TEST(chunks_are_taken_off_first),
		TEST(other_json_gets_the_plain_form),
		TEST(nobody_is_asked_for_a_body_that_will_not_be_read),
		TEST(a_call_is_heard_only_so_far),
		TEST(a_call_longer_than_that_has_its_id_all_the_same),
		TEST(a_call_whose_body_is_malformed_is_refused_all_the_same),
		TEST(a_leg_is_cut_before_the_message_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
