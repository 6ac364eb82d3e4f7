/* SPDX-License-Identifier: Apache-2.0 */
/* Which leg carries the next exchange: never one of another credential, never one on which the server spoke or left. */
#include "origin.h"

static void a_leg_is_used_again_for_the_same_credential_only(void **state)
{
	struct upstream *leg = origin_leg("token"), *other;

	(void)state;
	assert_false(upstream_was_pooled(leg));
	upstream_release(leg, true);
	other = origin_leg("");
	assert_ptr_not_equal(other, leg);
	assert_false(upstream_was_pooled(other));
	assert_ptr_equal(origin_leg("token"), leg);
	assert_true(upstream_was_pooled(leg));
	assert_int_equal(n_peers, 2);
}

static void a_leg_in_use_is_nobody_elses(void **state)
{
	(void)state;
	assert_ptr_not_equal(origin_leg("token"), origin_leg("token"));
}

static void a_leg_that_may_not_be_kept_is_closed(void **state)
{
	char byte;

	(void)state;
	upstream_release(origin_leg("token"), false);
	assert_int_equal(read(peers[0], &byte, 1), 0);
	assert_false(upstream_was_pooled(origin_leg("token")));
}

/* Bytes on an idle connection would be taken for the answer to the next request. */
static void a_leg_on_which_the_server_spoke_is_dropped(void **state)
{
	(void)state;
	upstream_release(origin_leg("token"), true);
	assert_int_equal(write(peers[0], "HTTP/1.1 200 OK\r\n\r\n", 19), 19);
	assert_false(upstream_was_pooled(origin_leg("token"))); /* at once, before the loop saw it */
	upstream_release(origin_leg("token"), true);
	assert_int_equal(upstreams->n_idle, 1);
	assert_int_equal(write(peers[n_peers - 1], "x", 1), 1);
	origin_turn();
	assert_int_equal(upstreams->n_idle, 0); /* and by the loop, when nobody asks */
}

static void a_leg_that_the_server_closed_is_dropped(void **state)
{
	(void)state;
	upstream_release(origin_leg("token"), true);
	assert_int_equal(shutdown(peers[0], SHUT_WR), 0);
	assert_false(upstream_was_pooled(origin_leg("token")));
}

static void bytes_that_nobody_read_end_a_leg(void **state)
{
	struct upstream *leg = origin_leg("token");

	(void)state;
	assert_int_equal(write(peers[0], "late", 4), 4);
	upstream_update(leg, true);
	origin_turn();
	assert_int_equal(buf_len(upstream_in(leg)), 4);
	upstream_release(leg, true);
	assert_int_equal(upstreams->n_idle, 0);
}

static void a_fresh_leg_is_asked_for_by_name(void **state)
{
	(void)state;
	upstream_release(origin_leg("token"), true);
	assert_false(upstream_was_pooled(origin_get("pinned.example.com", port, "token", true).leg));
}

static void a_changed_credential_takes_its_legs_along(void **state)
{
	struct upstream *idle = origin_leg("token"), *busy = origin_leg("token"), *other = origin_leg("other");

	(void)state;
	upstream_release(idle, true);
	upstreams_forget_credential(upstreams, STR("token"));
	assert_int_equal(upstreams->n_idle, 0);
	upstream_release(busy, true); /* in use at that time: it ends its exchange and then itself */
	assert_int_equal(upstreams->n_idle, 0);
	upstream_release(other, true);
	assert_int_equal(upstreams->n_idle, 1);
}

static void idle_legs_of_one_key_are_bounded(void **state)
{
	struct upstream *legs[UPSTREAM_IDLE_PER_KEY_MAX + 3];
	size_t n = sizeof(legs) / sizeof(legs[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		legs[i] = origin_leg("token");
	for (size_t i = 0; i < n; i++)
		upstream_release(legs[i], true);
	assert_int_equal(upstreams->n_idle, UPSTREAM_IDLE_PER_KEY_MAX);
	assert_ptr_equal(origin_leg("token"), legs[n - 1]); /* the last used goes first */
}

/* Sixteen at once on eight kept legs cost a handshake for every sixth exchange, three times the exchange itself. */
static void legs_that_work_at_once_are_all_kept(void **state)
{
	struct upstream *legs[64];
	size_t n = sizeof(legs) / sizeof(legs[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		legs[i] = origin_leg("token");
	for (size_t i = 0; i < n; i++)
		upstream_release(legs[i], true);
	assert_int_equal(upstreams->n_idle, n);
	for (size_t i = 0; i < n; i++)
		assert_true(upstream_was_pooled(origin_leg("token")));
}

static void a_key_names_one_credential(void **state)
{
	(void)state;
	assert_true(leg_key_has_credential("https://a.example.com:443|token", STR("token")));
	assert_true(leg_key_has_credential("https://a.example.com:443|", STR("")));
	assert_false(leg_key_has_credential("https://a.example.com:443|token2", STR("token")));
	assert_false(leg_key_has_credential("https://a.example.com:443|", STR("token")));
	assert_false(leg_key_has_credential("token", STR("token")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_leg_is_used_again_for_the_same_credential_only, origin_start,
						origin_stop),
		cmocka_unit_test_setup_teardown(a_leg_in_use_is_nobody_elses, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(a_leg_that_may_not_be_kept_is_closed, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(a_leg_on_which_the_server_spoke_is_dropped, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(a_leg_that_the_server_closed_is_dropped, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(bytes_that_nobody_read_end_a_leg, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(a_fresh_leg_is_asked_for_by_name, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(a_changed_credential_takes_its_legs_along, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(idle_legs_of_one_key_are_bounded, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(legs_that_work_at_once_are_all_kept, origin_start, origin_stop),
		cmocka_unit_test(a_key_names_one_credential),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
