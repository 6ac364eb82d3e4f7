/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups against a name server on loopback, in the same loop, that answers by the first letter of the name. */
#include "tests/lib/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"
#include "dns/resolver.h"

static struct loop *loop;
static struct resolver *resolver;
static struct io server;
static unsigned asked; /* queries that reached the server */

struct result {
	unsigned calls;
	enum why why;
	size_t n;
	uint32_t ttl_s;
	struct address first;
};

static void put_address(uint8_t *out, size_t *n, uint32_t ttl_s)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 77, 0, 2 };

	memcpy(out + *n, record, sizeof(record));
	out[*n + 8] = (uint8_t)(ttl_s >> 8);
	out[*n + 9] = (uint8_t)ttl_s;
	*n += sizeof(record);
	out[7] = 1;
}

/* a: an address (A only); l: the same for a day; n: NXDOMAIN; e: no address; f: SERVFAIL; s: silence; i: another id. */
static void on_query(struct io *io, uint32_t revents)
{
	struct sockaddr_in from;
	socklen_t from_size = sizeof(from);
	uint8_t m[512];
	long got = recvfrom(io->fd, m, sizeof(m) - 64, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
	size_t n = 12;
	char kind;

	(void)revents;
	if (got < 17)
		return;
	asked++;
	kind = (char)m[13];
	while (m[n])
		n += 1u + m[n];
	n += 5;
	m[2] |= 0x80;
	m[3] = kind == 'n' ? 3 : kind == 'f' ? 2 : 0;
	m[11] = 0; /* no OPT in the answer */
	if (kind == 'i')
		m[0] ^= 0xff;
	if ((kind == 'a' || kind == 'l' || kind == 'i') && m[n - 3] == 1)
		put_address(m, &n, kind == 'l' ? 65535 : 1);
	if (kind != 's')
		assert_int_equal(sendto(io->fd, m, n, 0, (struct sockaddr *)&from, from_size), (long)n);
}

static int set_up(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	char servers[32];

	(void)state;
	asked = 0;
	assert_int_equal(loop_new(&loop), 0);
	server = (struct io){ .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
			      .events = EPOLLIN,
			      .ready = on_query };
	assert_true(server.fd >= 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(loop_add(loop, &server), 0);
	(void)snprintf(servers, sizeof(servers), "127.0.0.1:%u", ntohs(at.sin_port));
	return resolver_new_with_hosts(loop, servers, "/dev/null", &resolver);
}

static int tear_down(void **state)
{
	(void)state;
	resolver = resolver_free(resolver);
	loop_remove(loop, &server);
	(void)close(server.fd);
	loop = loop_free(loop);
	return 0;
}

static void on_answer(void *arg, enum why why, const struct address *addresses, size_t n, uint32_t ttl_s)
{
	struct result *r = arg;

	r->calls++;
	r->why = why;
	r->n = n;
	r->ttl_s = ttl_s;
	if (n > 0)
		r->first = addresses[0];
	loop_stop(loop, 0);
}

static struct resolver_query *ask(const char *name, struct result *result)
{
	struct resolver_query *q = NULL;
	struct host host;

	*result = (struct result){ 0 };
	assert_int_equal(host_parse(str_of(name), &host), 0);
	assert_int_equal(resolver_lookup(resolver, &host, on_answer, result, &q), 0);
	assert_int_equal(result->calls, 0); /* never before it returns */
	return q;
}

static struct result ask_and_wait(const char *name)
{
	struct result result;

	(void)ask(name, &result);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(result.calls, 1);
	return result;
}

static void every_answer_has_its_reason(void **state)
{
	struct result r = ask_and_wait("a.example.com");

	(void)state;
	assert_int_equal(r.why, WHY_allowed);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.first.bytes[3], 2);
	assert_int_equal(r.ttl_s, RESOLVER_TTL_MIN_S); /* it said 1 */
	assert_int_equal(ask_and_wait("l.example.com").ttl_s, RESOLVER_TTL_MAX_S);
	assert_int_equal(ask_and_wait("n.example.com").why, WHY_name_not_found);
	assert_int_equal(ask_and_wait("e.example.com").why, WHY_name_no_address);
	assert_int_equal(ask_and_wait("f.example.com").why, WHY_name_failed);
}

static void answers_are_kept_and_failures_are_not(void **state)
{
	unsigned before;

	(void)state;
	(void)ask_and_wait("a.example.com");
	(void)ask_and_wait("n.example.com");
	before = asked;
	assert_int_equal(ask_and_wait("a.example.com").why, WHY_allowed);
	assert_int_equal(ask_and_wait("n.example.com").why, WHY_name_not_found);
	assert_int_equal(asked, before);
	(void)ask_and_wait("f.example.com");
	before = asked;
	(void)ask_and_wait("f.example.com");
	assert_true(asked > before);
}

static void addresses_ask_nobody(void **state)
{
	struct result r = ask_and_wait("10.77.0.9");

	(void)state;
	assert_int_equal(r.why, WHY_allowed);
	assert_int_equal(r.first.bytes[3], 9);
	r = ask_and_wait("fd77::9");
	assert_int_equal(r.first.family, AF_INET6);
	assert_int_equal(asked, 0);
}

static void callers_of_one_name_share_its_question(void **state)
{
	struct result results[8];
	unsigned calls = 0;

	(void)state;
	for (int i = 0; i < 8; i++)
		(void)ask("a.example.com", &results[i]);
	while (calls < 8) {
		assert_int_equal(loop_run(loop), 0);
		calls = 0;
		for (int i = 0; i < 8; i++)
			calls += results[i].calls;
	}
	assert_int_equal(asked, 2); /* A and AAAA */
	for (int i = 0; i < 8; i++)
		assert_true(results[i].calls == 1 && results[i].why == WHY_allowed);
}

static void a_cancelled_caller_hears_nothing(void **state)
{
	struct result gone, there;
	struct resolver_query *q = ask("a.example.com", &gone);

	(void)state;
	(void)ask("a.example.com", &there);
	resolver_cancel(q);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(gone.calls, 0);
	assert_int_equal(there.why, WHY_allowed);
}

/* Another id is another answer: it is not taken, and what is left is the silence of the asked one. */
static void answers_that_were_not_asked_for_and_silence_time_out(void **state)
{
	struct result forged, silent;

	(void)state;
	(void)ask("i.example.com", &forged);
	(void)ask("s.example.com", &silent);
	while (!forged.calls || !silent.calls)
		assert_int_equal(loop_run(loop), 0);
	assert_int_equal(forged.why, WHY_name_timeout);
	assert_int_equal(silent.why, WHY_name_timeout);
	assert_int_equal(forged.n, 0);
}

static void questions_in_flight_are_bounded(void **state)
{
	static struct result results[RESOLVER_PENDING_MAX];
	struct resolver_query *q;
	struct host host;
	char name[32];

	(void)state;
	for (int i = 0; i < RESOLVER_PENDING_MAX; i++) {
		(void)snprintf(name, sizeof(name), "s%d.example.com", i);
		(void)ask(name, &results[i]);
	}
	assert_int_equal(host_parse(STR("s.example.com"), &host), 0);
	assert_int_equal(resolver_lookup(resolver, &host, on_answer, &results[0], &q), -EBUSY);
	/* One more caller of a name that is being asked for is no question more. */
	assert_int_equal(host_parse(STR("s5.example.com"), &host), 0);
	assert_int_equal(resolver_lookup(resolver, &host, on_answer, &results[0], &q), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_answer_has_its_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers_are_kept_and_failures_are_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(addresses_ask_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(callers_of_one_name_share_its_question, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cancelled_caller_hears_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers_that_were_not_asked_for_and_silence_time_out, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(questions_in_flight_are_bounded, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
