/* SPDX-License-Identifier: Apache-2.0 */
/* A connection from its first byte to its end: what it may speak, in which order, and what it leaves in the audit. */
#include "worker/conn.c"

#include "program.h"

#include "bpf/abi.h"
#include "tls/ca.h"

#define CONNECT "CONNECT origin.example.com:443 HTTP/1.1\r\nHost: origin.example.com:443\r\n\r\n"

/* --- the worker's TLS: leaves come from a keeper that answers when it is told to ------------------------------- */

static struct ca *ca;
static SSL_CTX *client_ctx;
static SSL *client;
static unsigned asked;
static uint32_t asked_id;
static char asked_name[256];
static unsigned char asked_spki[512];
static size_t asked_spki_size;

static int need_leaf(void *arg, uint32_t id, struct str name, const unsigned char *spki, size_t n)
{
	(void)arg;
	assert_true(name.n < sizeof(asked_name) && n <= sizeof(asked_spki));
	asked++;
	asked_id = id;
	memcpy(asked_name, name.p, name.n);
	asked_name[name.n] = '\0';
	memcpy(asked_spki, spki, n);
	asked_spki_size = n;
	return 0;
}

static void give_leaf(void)
{
	unsigned char *der = NULL;
	size_t n = 0;

	assert_int_equal(ca_sign_leaf(ca, str_of(asked_name), asked_spki, asked_spki_size, &der, &n), 0);
	tls_server_put_leaf(worker->tls_server, asked_id, der, n);
	free(der);
	conns_drive_handshakes(worker);
}

static int set_up(void **state)
{
	(void)program_start(state);
	asked = 0;
	client = NULL;
	client_ctx = SSL_CTX_new(TLS_client_method());
	return ca_make(STR("t"), &ca) || tls_server_new(need_leaf, NULL, &worker->tls_server);
}

static int tear_down(void **state)
{
	struct tls_server *server = worker->tls_server;

	SSL_free(client);
	(void)program_stop(state);
	(void)tls_server_free(server);
	SSL_CTX_free(client_ctx);
	ca = ca_free(ca);
	return 0;
}

static void client_start(const char *sni)
{
	client = SSL_new(client_ctx);
	assert_int_equal(SSL_set_fd(client, program_fd), 1);
	assert_int_equal(fcntl(program_fd, F_SETFL, O_NONBLOCK), 0);
	SSL_set_connect_state(client);
	if (sni)
		SSL_ctrl(client, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)sni);
	(void)SSL_do_handshake(client);
	program_settle();
}

static bool client_finish(void)
{
	for (int i = 0; i < 500 && !SSL_is_init_finished(client); i++) {
		(void)SSL_do_handshake(client);
		program_wait(1);
	}
	return SSL_is_init_finished(client);
}

/* Whether the text comes through TLS. */
static bool client_heard(const char *text)
{
	for (int i = 0; i < PROGRAM_ROUNDS_MAX; i++) {
		int n = SSL_read(client, program_text + program_n, (int)(sizeof(program_text) - 1 - program_n));

		program_n += n > 0 ? (size_t)n : 0;
		program_text[program_n] = '\0';
		if (strstr(program_text, text))
			return true;
		program_wait(1);
	}
	return false;
}

static unsigned connection_records(enum why why)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "\"code\":\"%s\"", why_symbol(why));
	return worker_records("\"kind\":\"connection\"") == worker_records(text) ? worker_records(text) : 99;
}

/* --- tests --------------------------------------------------------------------------------------------------- */

static void without_an_original_destination_it_ends(void **state)
{
	struct sandbox_counters cells = { 0 };

	(void)state;
	worker->counters.cells = &cells;
	program_dst_error = -ENOENT;
	assert_int_equal(program_try(), -ENOENT);
	assert_int_equal(program_end(), 0);
	assert_null(worker->conns);
	assert_int_equal(worker->n_conns, 0);
	assert_int_equal(connection_records(WHY_no_original_dst), 1);
	assert_int_equal(worker->denials, 1);
	assert_int_equal(cells.refusals_worker, 1);
	worker->counters.cells = NULL;
}

static void only_tls_and_http_are_spoken(void **state)
{
	static const struct {
		const char *first;
		enum why why; /* WHY_undecided: it goes on */
	} rows[] = {
		{ "SSH-2.0-x\r\n\r\n", WHY_bad_request_line }, /* begins like a method, and is none */
		{ "\0", WHY_protocol_unknown },
		{ "\x17\x03\x03", WHY_protocol_unknown },
		{ "1", WHY_protocol_unknown },
		{ "@", WHY_protocol_unknown },
		{ "[", WHY_protocol_unknown },
		{ "`", WHY_protocol_unknown },
		{ "{", WHY_protocol_unknown },
		{ "\x80", WHY_protocol_unknown },
		{ "A", WHY_undecided },
		{ "z", WHY_undecided },
		{ "\r\n", WHY_undecided },
		{ "\x16\x03\x01", WHY_undecided },
		{ "\x16\x03\x01\0\x05hello", WHY_tls_handshake },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[64];

		(void)program_connect();
		program_say_bytes(rows[i].first, i == 13 ? 10 : strlen(rows[i].first) + (i == 1));
		program_settle();
		(void)snprintf(text, sizeof(text), "\"code\":\"%s\"", why_symbol(rows[i].why));
		if (rows[i].why == WHY_undecided ? !worker->conns : worker_records(text) != 1)
			fail_msg("row %zu", i);
		if (rows[i].why != WHY_undecided)
			assert_true(program_end() >= 0);
		(void)tear_down(state);
		(void)set_up(state);
	}
}

static void one_that_says_nothing_and_goes_is_recorded(void **state)
{
	(void)state;
	(void)program_connect();
	(void)close(program_fd);
	program_fd = -1;
	program_settle();
	assert_null(worker->conns);
	assert_int_equal(connection_records(WHY_client_closed), 1);
}

static void the_record_says_where_it_wanted_to_go(void **state)
{
	(void)state;
	program_dst = (struct original_dst){ .family = AF_INET6, .bytes = { 0xfd, 0x77, [15] = 1 }, .port = 443 };
	program_dst.pid = 7;
	(void)program_connect();
	program_say("1");
	program_settle();
	assert_true(worker_recorded("\"destination\":\"[fd77::1]:443\""));
	assert_true(worker_recorded("\"port\":443"));
	assert_true(worker_recorded("\"pid\":7"));
}

static void connections_come_and_go_in_any_order(void **state)
{
	struct conn *c[3];
	int fds[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		c[i] = program_connect();
		fds[i] = program_fd;
	}
	assert_int_equal(worker->n_conns, 3);
	(void)conn_free(c[1]);
	assert_ptr_equal(worker->conns, c[2]);
	assert_ptr_equal(c[2]->next, c[0]);
	(void)conn_free(c[2]);
	assert_ptr_equal(worker->conns, c[0]);
	(void)conn_free(c[0]);
	assert_null(worker->conns);
	assert_null(conn_free(NULL));
	assert_int_equal(worker->n_conns, 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void requests_are_answered_one_after_another(void **state)
{
	(void)state;
	(void)program_connect();
	program_say(to_origin("GET /ok/1", "", "")); /* all three before we look */
	program_say(to_origin("GET /no/2", "", ""));
	program_say(to_origin("GET /ok/3", "", ""));
	assert_true(origin_heard("GET /ok/1 "));
	program_settle();
	assert_null(strstr(origin_text, "/ok/3"));
	assert_int_equal(program_n, 0); /* the second waits, though its answer is ours */
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
	assert_true(program_heard("one"));
	assert_true(program_heard("HTTP/1.1 403 "));
	assert_true(origin_heard("GET /ok/3 "));
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthree");
	assert_true(program_heard("three"));
	assert_true(strstr(program_text, "one") < strstr(program_text, " 403 ") &&
		    strstr(program_text, " 403 ") < strstr(program_text, "three"));
	assert_int_equal(worker->conns->served, 3);
	assert_int_equal(worker_records("\"kind\":\"exchange\""), 3);
}

static void one_that_asked_and_reset_has_one_record(void **state)
{
	const struct linger reset = { .l_onoff = 1 };

	(void)state;
	(void)program_connect();
	program_say(to_origin("GET /ok/1", "", ""));
	assert_true(origin_heard("GET /ok/1 "));
	(void)setsockopt(program_fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)close(program_fd);
	program_fd = -1;
	program_settle();
	assert_null(worker->conns);
	assert_int_equal(worker_records("\"code\":\"client_closed\""), 1);
	assert_int_equal(worker_records("\"kind\":\"exchange\""), 1);
}

static void one_that_asked_and_said_that_it_is_all_is_answered(void **state)
{
	(void)state;
	(void)program_connect();
	program_say(to_origin("GET /ok/1", "", ""));
	assert_int_equal(shutdown(program_fd, SHUT_WR), 0); /* before there is a leg */
	assert_true(origin_heard("GET /ok/1 "));
	origin_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_true(program_heard("\r\n\r\nok"));
	assert_int_equal(program_end(), 0);
}

static void a_head_that_cannot_be_read_is_the_last(void **state)
{
	(void)state;
	(void)program_connect();
	program_say("GET /ok HTTP/1.1\nHost: h\r\n\r\nGET /ok HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(program_heard("HTTP/1.1 400 "));
	assert_int_equal(program_end(), 0);
	assert_null(strstr(program_text + 10, "HTTP/1.1 "));
	assert_int_equal(worker_records("\"kind\":\"exchange\""), 1);
}

static void a_head_that_never_ends_is_bounded(void **state)
{
	static char much[HTTP_HEAD_MAX + 100];

	(void)state;
	(void)program_connect();
	memset(much, 'a', sizeof(much) - 1);
	program_say("GET /ok HTTP/1.1\r\n");
	for (int i = 0; i < 10; i++) {
		program_say("X-Field: ");
		program_say_bytes(much, 4000);
		program_say("\r\n");
	}
	assert_true(program_heard("HTTP/1.1 431 "));
	assert_int_equal(worker_records("\"code\":\"head_too_large\""), 1);
}

/* --- behind a CONNECT ---------------------------------------------------------------------------------------- */

static void tunnel(void)
{
	program_dst.port = 3128;
	(void)program_connect();
	program_say(CONNECT);
	assert_true(program_heard("HTTP/1.1 200 "));
	program_settle();
	assert_int_equal(worker->conns->state, CONN_SNIFF);
}

static void bytes_too_early_end_a_tunnel(void **state)
{
	(void)state;
	program_dst.port = 3128;
	(void)program_connect();
	program_say(CONNECT "GET / HTTP/1.1\r\n");
	assert_true(program_end() >= 0);
	assert_null(worker->conns);
	assert_int_equal(connection_records(WHY_protocol_unknown), 1);
}

static void what_ends_in_a_tunnel_is_recorded(void **state)
{
	(void)state;
	tunnel();
	program_say("1 neither TLS nor HTTP");
	assert_true(program_end() >= 0);
	assert_int_equal(connection_records(WHY_protocol_unknown), 1);
	assert_true(worker_recorded("\"host\":\"origin.example.com\",\"port\":443")); /* what the tunnel was for */
	assert_int_equal(worker->denials, 1);
	(void)tear_down(state);
	(void)set_up(state);
	tunnel();
	program_say_bytes("\x16\x03\x01\0\x05hello", 10);
	assert_true(program_end() >= 0);
	assert_int_equal(connection_records(WHY_tls_handshake), 1);
	(void)tear_down(state);
	(void)set_up(state);
	tunnel();
	conn_timeout(&worker->conns->timer);
	assert_int_equal(connection_records(WHY_client_timeout), 1);
}

static void a_request_in_a_tunnel_is_decided_by_itself(void **state)
{
	(void)state;
	tunnel();
	program_say("GET /secret HTTP/1.1\r\nHost: origin.example.com\r\n\r\n");
	assert_true(program_heard("HTTP/1.1 421 ")); /* port 443 in clear */
	assert_int_equal(worker_records("\"kind\":\"exchange\""), 1);
}

/* --- TLS ----------------------------------------------------------------------------------------------------- */

static void a_handshake_waits_for_its_leaf(void **state)
{
	(void)state;
	program_dst.port = 443;
	(void)program_connect();
	client_start("api.example.com");
	assert_int_equal(asked, 1);
	assert_string_equal(asked_name, "api.example.com");
	assert_int_equal(worker->conns->state, CONN_HANDSHAKE);
	give_leaf();
	assert_true(client_finish());
	assert_int_equal(SSL_write(client, "GET /x HTTP/1.1\r\nHost: other.example.com\r\n\r\n", 45), 45);
	assert_true(client_heard("HTTP/1.1 421 "));
	assert_true(worker_recorded("\"sni\":\"api.example.com\""));
	assert_true(worker_recorded("\"scheme\":\"https\""));
}

static void without_sni_the_leaf_is_for_the_address(void **state)
{
	(void)state;
	program_dst.port = 443;
	(void)program_connect();
	client_start(NULL);
	assert_string_equal(asked_name, "10.77.0.2");
}

static void in_a_tunnel_without_sni_it_is_for_the_tunnels_host(void **state)
{
	(void)state;
	tunnel();
	client_start(NULL);
	assert_string_equal(asked_name, "origin.example.com");
}

static void a_leaf_that_the_keeper_refuses_ends_it(void **state)
{
	(void)state;
	program_dst.port = 443;
	(void)program_connect();
	client_start("api.example.com");
	tls_server_put_leaf(worker->tls_server, asked_id, NULL, 0);
	conns_drive_handshakes(worker);
	assert_true(program_end() >= 0);
	assert_null(worker->conns);
	assert_int_equal(connection_records(WHY_tls_handshake), 1);
	assert_true(worker_recorded("\"sni\":\"api.example.com\""));
}

static void only_those_that_wait_for_a_leaf_are_driven(void **state)
{
	struct conn *c = program_connect();

	(void)state;
	conns_drive_handshakes(worker);
	assert_false(c->resume.queued);
	c->state = CONN_HANDSHAKE;
	conns_drive_handshakes(worker);
	assert_true(c->resume.queued);
	c->state = CONN_SNIFF;
}

static void one_too_many_is_refused_and_recorded(void **state)
{
	(void)state;
	worker->conns_max = 0;
	assert_int_equal(program_try(), -EBUSY);
	assert_null(worker->conns);
	assert_int_equal(connection_records(WHY_overload), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_an_original_destination_it_ends),
		TEST(only_tls_and_http_are_spoken),
		TEST(one_that_says_nothing_and_goes_is_recorded),
		TEST(the_record_says_where_it_wanted_to_go),
		TEST(connections_come_and_go_in_any_order),
		TEST(requests_are_answered_one_after_another),
		TEST(one_that_asked_and_reset_has_one_record),
		TEST(one_that_asked_and_said_that_it_is_all_is_answered),
		TEST(a_head_that_cannot_be_read_is_the_last),
		TEST(a_head_that_never_ends_is_bounded),
		TEST(bytes_too_early_end_a_tunnel),
		TEST(what_ends_in_a_tunnel_is_recorded),
		TEST(a_request_in_a_tunnel_is_decided_by_itself),
		TEST(a_handshake_waits_for_its_leaf),
		TEST(without_sni_the_leaf_is_for_the_address),
		TEST(in_a_tunnel_without_sni_it_is_for_the_tunnels_host),
		TEST(a_leaf_that_the_keeper_refuses_ends_it),
		TEST(only_those_that_wait_for_a_leaf_are_driven),
		TEST(one_too_many_is_refused_and_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
