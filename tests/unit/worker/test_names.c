/* SPDX-License-Identifier: Apache-2.0 */
/* Questions: refused ones have their record and no look-up, pinned ones neither; a cancelled one has no answer. */
#include "worker_child.h"

#include "worker/names.h"

static struct name_ask ask;
static unsigned answers;
static uint8_t answer[DNS_MESSAGE_MAX];
static size_t answer_size;

static int set_up(void **state)
{
	(void)state;
	answers = 0;
	return worker_make("{\"network\":{\"allow_domain\":[\"a.example.com\",\"pin.example.com\"],"
			   "\"resolve\":{\"pin.example.com\":[\"10.77.0.5\"]}}}");
}

static void on_answered(struct name_ask *a, const uint8_t *data, size_t n)
{
	assert_ptr_equal(a, &ask);
	answers++;
	answer_size = n;
	if (n > 0)
		memcpy(answer, data, n);
}

static void start(const char *question, size_t n)
{
	ask = (struct name_ask){ .worker = worker, .answered = on_answered, .size = 12 + n };
	memcpy(ask.data, "\0\7\1\0\0\1\0\0\0\0\0\0", 12);
	memcpy(ask.data + 12, question, n);
	name_ask_start(&ask);
}

#define START(question) start((question), sizeof(question) - 1)

static void a_pinned_name_is_answered_at_once(void **state)
{
	(void)state;
	START("\3pin\7example\3com\0\0\1\0\1");
	assert_int_equal(answers, 1);
	assert_memory_equal(answer + answer_size - 4, "\x0a\x4d\0\5", 4);
	assert_null(ask.lookup);
	assert_int_equal(worker->n_lookups, 0);
	assert_false(worker_recorded("pin.example.com"));
}

static void a_refused_name_is_recorded_and_not_looked_up(void **state)
{
	(void)state;
	START("\6secret\4evil\7example\3com\0\0\1\0\1");
	assert_int_equal(answers, 1);
	assert_memory_equal(answer + answer_size - 4, "\xc0\0\2\1", 4);
	assert_int_equal(worker->n_lookups, 0);
	assert_true(worker_recorded("secret.evil.example.com"));
	assert_true(worker_recorded("dns_name_refused"));
	assert_int_equal(worker->denials, 1);
}

static void a_refused_name_is_recorded_for_any_type(void **state)
{
	(void)state;
	START("\6secret\4evil\7example\3com\0\0\x10\0\1"); /* TXT */
	assert_int_equal(answers, 1);
	assert_int_equal(answer[3] & 0xf, 0);
	assert_int_equal(answer[7], 0);
	assert_true(worker_recorded("secret.evil.example.com"));
	START("\6se ret\4evil\7example\3com\0\0\1\0\1"); /* no host name */
	assert_int_equal(answer[3] & 0xf, 3);
	assert_int_equal(worker->denials, 2);
	assert_int_equal(worker->n_lookups, 0);
	START("\3pin\7example\3com\0\0\x10\0\1"); /* allowed: nothing of that type, and no refusal */
	assert_int_equal(answers, 3);
	assert_int_equal(worker->denials, 2);
}

static void a_malformed_question_is_recorded(void **state)
{
	(void)state;
	START("\3pin\7example\3com\0\0\1\0\1 and more");
	assert_int_equal(answers, 1);
	assert_int_equal(answer[3] & 0xf, 1);
	assert_true(worker_recorded("dns_malformed"));
}

static void an_answer_is_not_answered(void **state)
{
	(void)state;
	ask = (struct name_ask){ .worker = worker, .answered = on_answered, .size = 12, .data = { 0, 7, 0x81 } };
	name_ask_start(&ask);
	assert_int_equal(answers, 1);
	assert_int_equal(answer_size, 0);
}

static void an_allowed_name_is_looked_up_and_can_be_cancelled(void **state)
{
	(void)state;
	START("\1a\7example\3com\0\0\1\0\1");
	assert_int_equal(answers, 0);
	assert_non_null(ask.lookup);
	assert_int_equal(worker->n_lookups, 1);
	name_ask_cancel(&ask);
	assert_int_equal(worker->n_lookups, 0);
	name_ask_cancel(&ask); /* twice is fine */
	assert_int_equal(answers, 0);
}

static void too_many_look_ups_fail(void **state)
{
	(void)state;
	worker->n_lookups = WORKER_LOOKUPS_MAX;
	START("\1a\7example\3com\0\0\1\0\1");
	assert_int_equal(answers, 1);
	assert_int_equal(answer[3] & 0xf, 2);
	worker->n_lookups = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pinned_name_is_answered_at_once, set_up, worker_unmake),
		cmocka_unit_test_setup_teardown(a_refused_name_is_recorded_and_not_looked_up, set_up, worker_unmake),
		cmocka_unit_test_setup_teardown(a_refused_name_is_recorded_for_any_type, set_up, worker_unmake),
		cmocka_unit_test_setup_teardown(a_malformed_question_is_recorded, set_up, worker_unmake),
		cmocka_unit_test_setup_teardown(an_answer_is_not_answered, set_up, worker_unmake),
		cmocka_unit_test_setup_teardown(an_allowed_name_is_looked_up_and_can_be_cancelled, set_up,
						worker_unmake),
		cmocka_unit_test_setup_teardown(too_many_look_ups_fail, set_up, worker_unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
