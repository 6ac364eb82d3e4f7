/* SPDX-License-Identifier: Apache-2.0 */
/* Making a leg: pins, addresses that are refused, ports where nobody listens, cancelling, and bounds. */
#include "upstream/upstream.c" /* the places and the line are its own */

#include "origin.h"

#include <errno.h>

static void a_pinned_name_is_dialled_as_it_is(void **state)
{
	struct got got = origin_get("pinned.example.com", port, "", false);
	char want[32];

	(void)state;
	assert_int_equal(got.why, WHY_allowed);
	(void)snprintf(want, sizeof(want), "127.0.0.1:%u", port);
	assert_string_equal(upstream_address(got.leg), want);
	assert_int_equal(n_peers, 1);
}

/* The hosts file says that a public name is this very machine: no packet may follow from it. */
static void a_name_that_leads_to_this_machine_is_refused(void **state)
{
	char path[] = "/tmp/bridle-hosts-XXXXXX";
	int fd = mkstemp(path);
	struct got got;

	(void)state;
	assert_int_equal(write(fd, "127.0.0.1 local.example.com\n", 28), 28);
	resolver_free(resolver);
	assert_int_equal(resolver_new_with_hosts(loop, "127.0.0.1:1", path, &resolver), 0);
	upstreams->resolver = resolver;
	got = origin_get("local.example.com", port, "", false);
	assert_int_equal(got.why, WHY_address_refused);
	assert_null(got.leg);
	assert_int_equal(n_peers, 0);
	(void)close(fd);
	(void)unlink(path);
}

static void nobody_listens(void **state)
{
	(void)state;
	assert_int_equal(origin_get("pinned.example.com", 1, "", false).why, WHY_upstream_refused);
}

static void a_cancelled_wait_is_never_called(void **state)
{
	struct got got;
	struct upstream_wait *wait = origin_ask("pinned.example.com", port, "", false, &got);

	(void)state;
	upstream_cancel(wait);
	origin_turn();
	assert_int_equal(got.calls, 0);
	assert_int_equal(upstreams->n_waits, 0);
	assert_null(upstreams->active);
}

static void legs_being_made_are_bounded(void **state)
{
	static struct got got[UPSTREAM_WAITING_MAX];
	struct policy_origin origin = { .scheme = POLICY_HTTP, .port = port };
	struct upstream_wait *wait;

	(void)state;
	for (int i = 0; i < UPSTREAM_WAITING_MAX; i++)
		(void)origin_ask("pinned.example.com", port, "", true, &got[i]);
	assert_int_equal(upstreams->n_connecting, UPSTREAM_CONNECTING_MAX);
	assert_int_equal(host_parse(STR("pinned.example.com"), &origin.host), 0);
	assert_int_equal(upstream_acquire(upstreams, policy_find_route(policy, &origin), &origin, STR(""), true, on_leg,
					  &got[0], &wait),
			 -EBUSY);
}

#define IN_LINE 3

/* A place for every leg; IN_LINE more are behind them. */
static struct upstream_wait *fill_the_places(struct got got[], struct upstream_wait *waits[])
{
	for (int i = 0; i < UPSTREAM_CONNECTING_MAX + IN_LINE; i++)
		waits[i] = origin_ask("pinned.example.com", i < UPSTREAM_CONNECTING_MAX ? 1 : port, "", true, &got[i]);
	assert_int_equal(upstreams->n_connecting, UPSTREAM_CONNECTING_MAX);
	assert_int_equal(upstreams->n_waits, UPSTREAM_CONNECTING_MAX + IN_LINE);
	return waits[UPSTREAM_CONNECTING_MAX];
}

static struct got many[UPSTREAM_CONNECTING_MAX + IN_LINE];
static struct upstream_wait *waits_of_many[UPSTREAM_CONNECTING_MAX + IN_LINE];

/* The places are given to a port where nobody listens; as they end, those in line step forward. */
static void who_stands_in_line_has_a_turn(void **state)
{
	(void)state;
	(void)fill_the_places(many, waits_of_many);
	for (int i = 0; i < 200 && upstreams->n_waits > 0; i++)
		origin_turn();
	for (int i = 0; i < UPSTREAM_CONNECTING_MAX + IN_LINE; i++) {
		assert_int_equal(many[i].calls, 1);
		assert_int_equal(many[i].why, i < UPSTREAM_CONNECTING_MAX ? WHY_upstream_refused : WHY_allowed);
	}
	origin_turn();
	assert_int_equal(n_peers, IN_LINE);
	assert_int_equal(upstreams->n_connecting, 0);
}

/* The last in line goes, then the first; who comes afterwards stands behind the one that is left. */
static void the_line_closes_up_behind_who_leaves(void **state)
{
	const int first = UPSTREAM_CONNECTING_MAX, last = first + IN_LINE - 1;
	struct upstream_wait *head = fill_the_places(many, waits_of_many);
	struct got late;

	(void)state;
	assert_ptr_equal(upstreams->line, head);
	upstream_cancel(waits_of_many[last]);
	upstream_cancel(waits_of_many[first]);
	assert_ptr_equal(upstreams->line, waits_of_many[first + 1]);
	(void)origin_ask("pinned.example.com", port, "", true, &late);
	upstream_cancel(waits_of_many[0]); /* a place becomes free */
	assert_int_equal(upstreams->n_connecting, UPSTREAM_CONNECTING_MAX);
	assert_null(upstreams->line->next);
	for (int i = 0; i < 200 && upstreams->n_waits > 0; i++)
		origin_turn();
	assert_int_equal(many[first].calls + many[last].calls + many[0].calls, 0);
	assert_int_equal(many[first + 1].why, WHY_allowed);
	assert_int_equal(late.why, WHY_allowed);
	assert_ptr_equal(upstreams->line_end, &upstreams->line);
}

/* Who needs no place waits for none. */
static void a_pooled_leg_is_given_past_the_line(void **state)
{
	struct got got;

	(void)state;
	upstream_release(origin_leg(""), true);
	upstreams->n_connecting += UPSTREAM_CONNECTING_MAX; /* all taken, for as long as this test likes */
	(void)origin_ask("pinned.example.com", port, "", true, &many[0]);
	(void)origin_ask("pinned.example.com", port, "", false, &got);
	origin_turn();
	upstreams->n_connecting -= UPSTREAM_CONNECTING_MAX;
	assert_int_equal(got.calls, 1);
	assert_true(upstream_was_pooled(got.leg));
	assert_int_equal(many[0].calls, 0);
	assert_int_equal(upstreams->n_waits, 1);
}

/* Time is up: without a place it was our lack, with one the server's. */
static void standing_in_line_for_too_long_is_overload(void **state)
{
	struct upstream_wait *first, *placed;

	(void)state;
	first = fill_the_places(many, waits_of_many);
	placed = waits_of_many[0];
	first->total.fire(&first->total);
	assert_int_equal(many[UPSTREAM_CONNECTING_MAX].why, WHY_overload);
	placed->total.fire(&placed->total);
	assert_int_equal(many[0].why, WHY_upstream_timeout);
	assert_int_equal(many[0].calls + many[UPSTREAM_CONNECTING_MAX].calls, 2);
}

static void bytes_go_both_ways_and_the_end_is_seen(void **state)
{
	struct upstream *leg = origin_leg("");
	char in[8] = "";

	(void)state;
	assert_int_equal(buf_append(upstream_out(leg), STR("hello")), 0);
	upstream_update(leg, true);
	origin_turn();
	assert_int_equal(read(peers[0], in, sizeof(in)), 5);
	assert_memory_equal(in, "hello", 5);
	assert_int_equal(write(peers[0], "world", 5), 5);
	assert_int_equal(shutdown(peers[0], SHUT_WR), 0);
	origin_turn();
	assert_str_equal(buf_str(upstream_in(leg)), "world");
	origin_turn();
	assert_true(upstream_eof(leg));
	assert_int_equal(upstream_error(leg), 0);
}

static void a_reset_is_an_error(void **state)
{
	const struct linger now = { 1, 0 };
	struct upstream *leg = origin_leg("");

	(void)state;
	upstream_update(leg, true);
	assert_int_equal(setsockopt(peers[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	(void)close(peers[0]);
	peers[0] = -1;
	origin_turn();
	assert_int_equal(upstream_error(leg), WHY_upstream_closed);
}

/* 413 and close: the reset that answers the rest of our body must not cost us the answer. */
static void an_answer_is_read_after_writing_has_failed(void **state)
{
	static char block[LEG_BUFFER_MAX + 16384];
	struct upstream *leg = origin_leg("");
	size_t got = 0;

	(void)state;
	assert_int_equal(buf_append(upstream_out(leg), STR("what the server does not read")), 0);
	upstream_update(leg, true);
	origin_turn();
	assert_int_equal(write(peers[0], block, sizeof(block)), sizeof(block));
	assert_int_equal(close(peers[0]), 0); /* with bytes unread: a reset */
	peers[0] = -1;
	for (int i = 0; i < 50 && !upstream_eof(leg) && !upstream_error(leg); i++) {
		(void)buf_append(upstream_out(leg), STR("more"));
		upstream_update(leg, true);
		got += buf_len(upstream_in(leg));
		buf_clear(upstream_in(leg));
	}
	assert_int_equal(got, sizeof(block));
	assert_true(upstream_eof(leg) || upstream_error(leg) == WHY_upstream_closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pinned_name_is_dialled_as_it_is, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(a_name_that_leads_to_this_machine_is_refused, origin_start,
						origin_stop),
		cmocka_unit_test_setup_teardown(nobody_listens, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(a_cancelled_wait_is_never_called, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(legs_being_made_are_bounded, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(who_stands_in_line_has_a_turn, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(the_line_closes_up_behind_who_leaves, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(a_pooled_leg_is_given_past_the_line, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(standing_in_line_for_too_long_is_overload, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(bytes_go_both_ways_and_the_end_is_seen, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(a_reset_is_an_error, origin_start, origin_stop),
		cmocka_unit_test_setup_teardown(an_answer_is_read_after_writing_has_failed, origin_start, origin_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
