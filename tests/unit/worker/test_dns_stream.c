/* SPDX-License-Identifier: Apache-2.0 */
/* DNS frames on a connection to port 53: one question after another, and nothing else. */
#include "worker/dns_stream.c"

#include "program.h"

#define PINNED	"\6origin\7example\3com\0\0\1\0\1"
#define UNKNOWN "\3api\7example\3com\0\0\1\0\1" /* allowed, and looked up */

static int set_up(void **state)
{
	(void)program_start(state);
	program_dst.port = DNS_STREAM_PORT;
	assert_non_null(program_connect());
	assert_int_equal(worker->conns->state, CONN_DNS);
	return 0;
}

static size_t frame(uint8_t *to, uint8_t id, const char *question, size_t n)
{
	const uint8_t head[14] = { (uint8_t)((12 + n) >> 8), (uint8_t)(12 + n), 0, id, 1, 0, 0, 1 };

	memcpy(to, head, sizeof(head));
	memcpy(to + sizeof(head), question, n);
	return sizeof(head) + n;
}

#define FRAME(to, id, question) frame((to), (id), (question), sizeof(question) - 1)

/* So many bytes of answers, or fewer when no more come. */
static size_t hear_bytes(size_t n)
{
	for (int i = 0; i < 300 && program_n < n; i++) {
		(void)hear(program_fd, program_text, &program_n);
		program_wait(1);
	}
	return program_n;
}

#define PINNED_ANSWER (2 + 12 + (sizeof(PINNED) - 1) + 16)

static void questions_are_answered_in_order(void **state)
{
	uint8_t data[512];
	size_t n = FRAME(data, 1, PINNED);

	(void)state;
	n += FRAME(data + n, 2, PINNED);
	program_say_bytes(data, n);
	assert_int_equal(hear_bytes(2 * PINNED_ANSWER), 2 * PINNED_ANSWER);
	assert_int_equal((uint8_t)program_text[0] << 8 | (uint8_t)program_text[1], PINNED_ANSWER - 2);
	assert_int_equal(program_text[3], 1);
	assert_memory_equal(program_text + PINNED_ANSWER - 4, "\x7f\0\0\1", 4);
	assert_int_equal(program_text[PINNED_ANSWER + 3], 2);
	assert_int_equal(worker->conns->served, 2);
}

static void a_frame_may_come_in_pieces(void **state)
{
	uint8_t data[512];
	size_t n = FRAME(data, 3, PINNED);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(program_n, 0);
		program_say_bytes(data + i, 1);
		program_wait(1);
		(void)hear(program_fd, program_text, &program_n);
	}
	assert_int_equal(hear_bytes(PINNED_ANSWER), PINNED_ANSWER);
}

static void sizes_that_no_question_has_end_it(void **state)
{
	static const uint16_t sizes[] = { 0, DNS_HEADER_SIZE - 1, DNS_MESSAGE_MAX + 1, 0xffff };
	const unsigned n = sizeof(sizes) / sizeof(sizes[0]);

	for (unsigned i = 0; i < n; i++) {
		const uint8_t data[2] = { (uint8_t)(sizes[i] >> 8), (uint8_t)sizes[i] };

		program_say_bytes(data, 2);
		assert_int_equal(program_end(), 0);
		assert_null(worker->conns);
		assert_int_equal(worker_records("\"code\":\"dns_malformed\""), 1);
		(void)program_stop(state);
		(void)set_up(state);
	}
	program_say_bytes("\0\14", 2); /* the shortest, and the longest, are waited for */
	program_settle();
	assert_non_null(worker->conns);
	(void)program_stop(state);
	(void)set_up(state);
	program_say_bytes((const uint8_t[2]){ DNS_MESSAGE_MAX >> 8, DNS_MESSAGE_MAX & 0xff }, 2);
	program_settle();
	assert_non_null(worker->conns);
}

static void what_is_no_question_closes(void **state)
{
	(void)state;
	program_say_bytes("\0\14\0\1\x81\0\0\1\0\0\0\0\0\0", 14); /* a response: nothing can be said to it */
	assert_int_equal(program_end(), 0);
	assert_int_equal(program_n, 0);
}

static void the_next_question_waits_while_one_is_looked_up(void **state)
{
	uint8_t data[512];
	size_t n = FRAME(data, 1, UNKNOWN);
	struct name_ask *first;

	(void)state;
	n += FRAME(data + n, 2, PINNED);
	resolver_free(worker->resolver); /* one that asks a server which never answers */
	assert_int_equal(resolver_new_with_hosts(worker->loop, "127.0.0.1:1", "/dev/null", &worker->resolver), 0);
	program_say_bytes(data, n);
	for (int i = 0; i < 50 && !worker->conns->ask; i++)
		program_wait(1);
	first = worker->conns->ask;
	if (!first) { /* the look-up failed already: both are answered, in order */
		assert_true(hear_bytes(2 + 12) >= 2 + 12);
		assert_int_equal(program_text[3], 1);
		return;
	}
	assert_int_equal(dns_stream_take(worker->conns), WHY_undecided);
	assert_ptr_equal(worker->conns->ask, first);
	assert_int_equal(worker->n_lookups, 1);
}

static void a_program_that_goes_takes_its_question_along(void **state)
{
	struct conn *c = worker->conns;
	uint8_t data[512];
	size_t n = FRAME(data, 1, UNKNOWN);

	(void)state;
	assert_int_equal(buf_append(&c->in, str_make((const char *)data, n)), 0);
	assert_int_equal(dns_stream_take(c), WHY_allowed);
	assert_non_null(c->ask);
	assert_int_equal(worker->n_lookups, 1);
	assert_int_equal(c->ask->max, NAME_ANSWER_STREAM);
	assert_int_equal(c->ask->from.pid, 41); /* for the record */
	(void)conn_free(c);
	assert_int_equal(worker->n_lookups, 0);
	program_settle(); /* an answer that comes now has nobody to go to */
}

static void the_last_question_is_answered_behind_the_end(void **state)
{
	uint8_t data[512];
	size_t n = FRAME(data, 4, PINNED);

	(void)state;
	program_say_bytes(data, n);
	assert_int_equal(shutdown(program_fd, SHUT_WR), 0);
	assert_int_equal(program_end(), 0);
	assert_int_equal(program_n, PINNED_ANSWER);
	assert_null(worker->conns);
}

static void each_answer_gives_new_time(void **state)
{
	uint8_t data[512];
	size_t n = FRAME(data, 4, PINNED);
	struct conn *c = worker->conns;
	uint64_t due = c->timer.due_ms;

	(void)state;
	program_wait(5);
	program_say_bytes(data, n);
	assert_int_equal(hear_bytes(PINNED_ANSWER), PINNED_ANSWER);
	assert_true(c->timer.slot > 0 && c->timer.due_ms > due);
	assert_in_range(c->timer.due_ms - loop_now_ms(worker->loop), DNS_STREAM_IDLE_MS - 1000, DNS_STREAM_IDLE_MS);
	conn_timeout(&c->timer);
	assert_null(worker->conns);
	assert_int_equal(worker_records("client_timeout"), 0); /* nobody asked for anything */
}

static void half_a_question_is_not_waited_for_for_ever(void **state)
{
	(void)state;
	program_say_bytes("\0\40\0", 3);
	program_settle();
	conn_timeout(&worker->conns->timer);
	assert_null(worker->conns);
	assert_int_equal(worker_records("\"code\":\"client_timeout\""), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(questions_are_answered_in_order, set_up, program_stop),
		cmocka_unit_test_setup_teardown(a_frame_may_come_in_pieces, set_up, program_stop),
		cmocka_unit_test_setup_teardown(sizes_that_no_question_has_end_it, set_up, program_stop),
		cmocka_unit_test_setup_teardown(what_is_no_question_closes, set_up, program_stop),
		cmocka_unit_test_setup_teardown(the_next_question_waits_while_one_is_looked_up, set_up, program_stop),
		cmocka_unit_test_setup_teardown(a_program_that_goes_takes_its_question_along, set_up, program_stop),
		cmocka_unit_test_setup_teardown(the_last_question_is_answered_behind_the_end, set_up, program_stop),
		cmocka_unit_test_setup_teardown(each_answer_gives_new_time, set_up, program_stop),
		cmocka_unit_test_setup_teardown(half_a_question_is_not_waited_for_for_ever, set_up, program_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
