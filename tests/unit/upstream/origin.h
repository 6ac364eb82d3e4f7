/* SPDX-License-Identifier: Apache-2.0 */
/* A plain http origin on loopback, in the test's own loop: counts connections, and says what it is told to. */
#ifndef BRIDLE_TESTS_UPSTREAM_ORIGIN_H
#define BRIDLE_TESTS_UPSTREAM_ORIGIN_H

#include "tests/lib/test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/loop.h"
#include "base/util.h"
#include "dns/resolver.h"
#include "policy/policy.h"
#include "upstream/leg.h"
#include "upstream/upstream.h"

#define ORIGIN_PEERS_MAX 192

static struct loop *loop;
static struct policy *policy;
static struct resolver *resolver;
static struct upstreams *upstreams;
static struct io listener;
static int peers[ORIGIN_PEERS_MAX]; /* the origin's ends, in order */
static int n_peers;
static uint16_t port;

struct got {
	unsigned calls;
	enum why why;
	struct upstream *leg;
};

static void origin_accept(struct io *io, uint32_t revents)
{
	(void)revents;
	assert_true(n_peers < ORIGIN_PEERS_MAX);
	peers[n_peers] = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peers[n_peers] >= 0);
	n_peers++;
}

/* pinned.example.com is pinned to it; local.example.com is not, and 127.0.0.1 as a host neither. */
static int origin_start(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct upstreams_options options;
	socklen_t size = sizeof(at);
	struct diag diag;
	char text[512];

	(void)state;
	n_peers = 0;
	assert_int_equal(loop_new(&loop), 0);
	listener = (struct io){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
				.events = EPOLLIN,
				.ready = origin_accept };
	assert_true(listener.fd >= 0);
	assert_int_equal(bind(listener.fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(listener.fd, ORIGIN_PEERS_MAX), 0);
	assert_int_equal(getsockname(listener.fd, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(loop_add(loop, &listener), 0);
	port = ntohs(at.sin_port);
	(void)snprintf(
		text, sizeof(text),
		"{\"network\":{\"allow_domain\":[\"http://pinned.example.com:%u\",\"http://pinned.example.com:1\","
		"\"http://local.example.com:%u\"],\"resolve\":{\"pinned.example.com\":[\"127.0.0.1\"]}}}",
		port, port);
	if (policy_load("p", str_of(text), &policy, &diag) != 0)
		fail_msg("%s", diag.text);
	assert_int_equal(resolver_new_with_hosts(loop, "127.0.0.1:1", "/dev/null", &resolver), 0);
	options = (struct upstreams_options){ loop, policy, resolver, NULL };
	return upstreams_new(&options, &upstreams);
}

static int origin_stop(void **state)
{
	(void)state;
	upstreams = upstreams_free(upstreams);
	resolver = resolver_free(resolver);
	while (n_peers > 0)
		(void)close(peers[--n_peers]);
	loop_remove(loop, &listener);
	(void)close(listener.fd);
	policy = policy_unref(policy);
	loop = loop_free(loop);
	return 0;
}

static void on_leg(void *arg, enum why why, struct upstream *leg, const char *detail)
{
	struct got *got = arg;

	(void)detail;
	got->calls++;
	got->why = why;
	got->leg = leg;
	loop_stop(loop, 0);
}

static void on_tick(struct timer *t)
{
	(void)t;
	loop_stop(loop, 0);
}

/* Lets the loop do what is there to be done. */
static inline void origin_turn(void)
{
	struct timer tick = { .fire = on_tick };

	assert_int_equal(timer_set(loop, &tick, 20), 0);
	assert_int_equal(loop_run(loop), 0);
	timer_clear(loop, &tick);
}

static inline struct upstream_wait *origin_ask(const char *name, uint16_t at, const char *credential, bool fresh,
					       struct got *got)
{
	struct policy_origin origin = { .scheme = POLICY_HTTP, .port = at };
	struct upstream_wait *wait = NULL;
	const struct policy_route *route;

	*got = (struct got){ 0 };
	assert_int_equal(host_parse(str_of(name), &origin.host), 0);
	route = policy_find_route(policy, &origin);
	assert_non_null(route);
	assert_int_equal(upstream_acquire(upstreams, route, &origin, str_of(credential), fresh, on_leg, got, &wait), 0);
	assert_int_equal(got->calls, 0);
	return wait;
}

static inline struct got origin_get(const char *name, uint16_t at, const char *credential, bool fresh)
{
	struct got got;

	(void)origin_ask(name, at, credential, fresh, &got);
	while (got.calls == 0)
		assert_int_equal(loop_run(loop), 0);
	origin_turn(); /* the origin accepts */
	assert_int_equal(got.calls, 1);
	return got;
}

static inline struct upstream *origin_leg(const char *credential)
{
	struct got got = origin_get("pinned.example.com", port, credential, false);

	assert_int_equal(got.why, WHY_allowed);
	return got.leg;
}

#endif
