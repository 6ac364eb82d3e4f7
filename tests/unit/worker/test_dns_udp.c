/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams to the sandbox's name server: each answer goes to its asker, and no datagram stops the next. */
#include "worker_child.h"

#include "worker/dns_udp.c"

#define PINNED "\3pin\7example\3com\0\0\1\0\1"

static struct sockaddr_in servers[2];
static int askers[2];

static int udp_socket(struct sockaddr_in *ret)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = sizeof(*ret);

	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)ret, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &size), 0);
	return fd;
}

static int set_up(void **state)
{
	struct sockaddr_in own;

	(void)state;
	(void)worker_make("{\"network\":{\"allow_domain\":[\"pin.example.com\",\"a.example.com\"],"
			  "\"resolve\":{\"pin.example.com\":[\"10.77.0.5\"]}}}");
	for (int i = 0; i < 2; i++) {
		worker->fds[ZYGOTE_FD_DNS4 + i] = udp_socket(&servers[i]);
		askers[i] = udp_socket(&own);
	}
	return 0;
}

static int tear_down(void **state)
{
	for (int i = 0; i < 2; i++) {
		loop_remove(worker->loop, &worker->dns[i]);
		(void)close(worker->fds[ZYGOTE_FD_DNS4 + i]);
		(void)close(askers[i]);
	}
	timer_clear(worker->loop, &worker->idle);
	return worker_unmake(state);
}

static void ask(int who, int server, uint8_t id, const char *question, size_t n)
{
	uint8_t data[2 * DNS_MESSAGE_MAX] = { 0, id, 1, 0, 0, 1 };

	memcpy(data + 12, question, n);
	assert_int_equal(sendto(askers[who], data, 12 + n, 0, (struct sockaddr *)&servers[server], sizeof(*servers)),
			 (ssize_t)(12 + n));
}

#define ASK(who, server, id, question) ask(who, server, id, (question), sizeof(question) - 1)

/* The id of the next answer; -1: there is none. */
static int answer(int who, uint8_t data[static 512])
{
	ssize_t n = recv(askers[who], data, 512, 0);

	return n < 12 ? -1 : data[0] << 8 | data[1];
}

static void serve_all(void)
{
	worker->dns[0].ready(&worker->dns[0], EPOLLIN);
	worker->dns[1].ready(&worker->dns[1], EPOLLIN);
}

static void each_answer_goes_to_its_asker(void **state)
{
	uint8_t data[512];

	(void)state;
	assert_int_equal(dns_start(worker), 0);
	ASK(0, 0, 7, PINNED);
	ASK(1, 0, 8, PINNED);
	ASK(1, 1, 9, PINNED);
	serve_all();
	assert_int_equal(answer(0, data), 7);
	assert_memory_equal(data + 12 + sizeof(PINNED) - 1 + 12, "\x0a\x4d\0\5", 4);
	assert_int_equal(answer(0, data), -1);
	assert_int_equal(answer(1, data), 8);
	assert_int_equal(answer(1, data), 9);
	assert_int_equal(answer(1, data), -1);
	assert_true(worker->idle.slot > 0);
}

static void what_is_too_long_is_dropped_and_the_next_is_served(void **state)
{
	static const char filler[DNS_MESSAGE_MAX];
	uint8_t data[512];

	(void)state;
	assert_int_equal(dns_start(worker), 0);
	ask(0, 0, 1, filler, DNS_MESSAGE_MAX - 11); /* one byte too long */
	ASK(0, 0, 2, PINNED);
	serve_all();
	assert_int_equal(answer(0, data), 2);
	assert_int_equal(answer(0, data), -1);
}

static void an_answer_is_not_answered(void **state)
{
	static const uint8_t response[12] = { 0, 1, 0x81 };
	uint8_t data[512];

	(void)state;
	assert_int_equal(dns_start(worker), 0);
	assert_int_equal(sendto(askers[0], response, 12, 0, (struct sockaddr *)&servers[0], sizeof(servers[0])), 12);
	assert_int_equal(sendto(askers[0], "", 0, 0, (struct sockaddr *)&servers[0], sizeof(servers[0])), 0);
	ASK(0, 0, 2, PINNED);
	serve_all();
	assert_int_equal(answer(0, data), 2); /* neither of the others, not even the empty one, has an answer */
	assert_int_equal(answer(0, data), -1);
}

static void a_flood_does_not_starve_the_rest(void **state)
{
	uint8_t data[512];
	int served = 0;

	(void)state;
	assert_int_equal(dns_start(worker), 0);
	for (uint8_t i = 0; i < DNS_BATCH + 8; i++)
		ASK(0, 0, i, PINNED);
	serve_all();
	while (answer(0, data) >= 0)
		served++;
	assert_int_equal(served, DNS_BATCH);
	serve_all();
	while (answer(0, data) >= 0)
		served++;
	assert_int_equal(served, DNS_BATCH + 8);
}

static void a_refused_name_is_recorded(void **state)
{
	uint8_t data[512];

	(void)state;
	assert_int_equal(dns_start(worker), 0);
	ASK(0, 0, 3, "\6secret\4evil\7example\3com\0\0\1\0\1");
	serve_all();
	assert_int_equal(answer(0, data), 3);
	assert_true(worker_recorded("secret.evil.example.com"));
	assert_int_equal(worker->n_lookups, 0);
}

static void without_its_socket_it_does_not_start(void **state)
{
	(void)state;
	(void)close(worker->fds[ZYGOTE_FD_DNS6]);
	worker->fds[ZYGOTE_FD_DNS6] = -1;
	assert_int_equal(dns_start(worker), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_answer_goes_to_its_asker, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_too_long_is_dropped_and_the_next_is_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_answer_is_not_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_does_not_starve_the_rest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refused_name_is_recorded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_its_socket_it_does_not_start, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
