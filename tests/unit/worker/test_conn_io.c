/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in and out of a connection, bounded, and the two ways it ends. */
#include "worker/conn_io.c"

#include "program.h"

static struct conn *c;
static char many[CONN_BUFFER_MAX];

static int set_up(void **state)
{
	(void)program_start(state);
	c = program_connect();
	return 0;
}

/* The program's side never waits for us. */
static size_t say_all_that_fits(void)
{
	size_t said = 0;
	ssize_t n;

	while ((n = send(program_fd, many, sizeof(many), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		said += (size_t)n;
	return said;
}

/* As the loop does: it says that there is something before anything is read. */
static void told_to_fill(void)
{
	c->readable = true;
	conn_fill(c);
}

static void what_the_loop_did_not_tell_is_not_looked_for(void **state)
{
	(void)state;
	program_say("first");
	told_to_fill();
	assert_str_equal(buf_str(&c->in), "first");
	assert_false(c->readable); /* less than there was room for: that was all */
	program_say("second");
	conn_fill(c);
	assert_int_equal(c->total_in, 5);
	told_to_fill();
	assert_int_equal(c->total_in, 11);
}

static void no_more_is_read_than_there_is_room(void **state)
{
	(void)state;
	assert_true(say_all_that_fits() > CONN_BUFFER_MAX);
	for (int i = 0; i < 10; i++)
		told_to_fill();
	assert_int_equal(buf_len(&c->in), CONN_BUFFER_MAX);
	assert_int_equal(c->total_in, CONN_BUFFER_MAX);
	assert_false(c->eof);
	buf_consume(&c->in, 10);
	told_to_fill();
	assert_int_equal(c->total_in, CONN_BUFFER_MAX + 10);
}

static void the_end_is_seen_behind_the_last_byte(void **state)
{
	(void)state;
	told_to_fill();
	assert_false(c->eof); /* nothing is not the end */
	program_say("last");
	assert_int_equal(shutdown(program_fd, SHUT_WR), 0);
	told_to_fill();
	assert_str_equal(buf_str(&c->in), "last");
	told_to_fill(); /* the loop is level-triggered: an end that was not read is told again */
	assert_str_equal(buf_str(&c->in), "last");
	assert_true(c->eof);
}

static void a_reset_is_an_end(void **state)
{
	const struct linger reset = { .l_onoff = 1 };

	(void)state;
	(void)setsockopt(program_fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)close(program_fd);
	program_fd = -1;
	told_to_fill();
	assert_true(c->eof);
}

static void what_cannot_go_stays(void **state)
{
	size_t sent = 0;

	(void)state;
	for (int i = 0; i < 1000 && buf_len(&c->out) == 0; i++) {
		assert_int_equal(buf_append(&c->out, str_make(many, sizeof(many))), 0);
		assert_int_equal(conn_flush(c), 0);
		sent += sizeof(many);
	}
	assert_true(buf_len(&c->out) > 0); /* nobody reads */
	assert_int_equal(c->total_out, sent - buf_len(&c->out));
	while (program_n < 100000)
		(void)hear(program_fd, program_text, &program_n);
	program_n = 0;
	for (int i = 0; i < 1000 && buf_len(&c->out) > 0; i++) {
		(void)recv(program_fd, program_text, sizeof(program_text), MSG_DONTWAIT);
		assert_int_equal(conn_flush(c), 0);
	}
	assert_int_equal(c->total_out, sent);
}

static void to_nobody_nothing_can_be_written(void **state)
{
	const struct linger reset = { .l_onoff = 1 };

	(void)state;
	(void)setsockopt(program_fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)close(program_fd);
	program_fd = -1;
	assert_int_equal(buf_append(&c->out, STR("x")), 0);
	assert_int_equal(conn_flush(c), -1);
	assert_int_equal(conn_flush(c), -1); /* and no signal */
}

static void a_whole_answer_ends_with_an_end(void **state)
{
	(void)state;
	assert_int_equal(buf_append(&c->out, STR("whole")), 0);
	assert_int_equal(conn_flush(c), 0);
	assert_false(conn_end(c)); /* a reset now could destroy what the program has not read yet */
	assert_int_equal(c->state, CONN_LINGER);
	assert_true(program_heard("whole"));
	assert_int_equal(program_end(), 0);
	assert_false(conn_linger(c));
	(void)close(program_fd);
	program_fd = -1;
	assert_true(conn_linger(c));
}

static void when_the_program_has_closed_nothing_is_waited_for(void **state)
{
	(void)state;
	c->eof = true;
	assert_true(conn_end(c));
}

static void a_broken_answer_ends_with_a_reset(void **state)
{
	(void)state;
	assert_int_equal(buf_append(&c->out, STR("half")), 0);
	assert_int_equal(conn_flush(c), 0);
	assert_true(program_heard("half"));
	c->broken = true;
	assert_true(conn_end(c));
	(void)conn_free(c);
	assert_int_equal(program_end(), ECONNRESET);
}

static void what_comes_behind_the_end_is_dropped_up_to_a_limit(void **state)
{
	(void)state;
	program_say("more");
	assert_false(conn_end(c));
	assert_false(conn_linger(c));
	assert_int_equal(c->lingered, 4);
	assert_int_equal(buf_len(&c->in), 0);
	c->lingered = CONN_LINGER_MAX - 4;
	program_say("more");
	assert_false(conn_linger(c));
	program_say("m");
	assert_true(conn_linger(c));
}

/* --- through TLS --------------------------------------------------------------------------------------------- */

static SSL_CTX *server_ctx, *client_ctx;
static SSL *client;

static void make_contexts(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	assert_non_null(key);
	assert_non_null(cert);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	server_ctx = SSL_CTX_new(TLS_server_method());
	client_ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_use_certificate(server_ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server_ctx, key), 1);
	SSL_CTX_set_mode(server_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static int set_up_tls(void **state)
{
	(void)set_up(state);
	make_contexts();
	c->ssl = SSL_new(server_ctx);
	client = SSL_new(client_ctx);
	assert_int_equal(SSL_set_fd(c->ssl, c->io.fd), 1);
	assert_int_equal(SSL_set_fd(client, program_fd), 1);
	assert_int_equal(fcntl(program_fd, F_SETFL, O_NONBLOCK), 0);
	SSL_set_accept_state(c->ssl);
	SSL_set_connect_state(client);
	for (int i = 0; i < 20 && !(SSL_is_init_finished(client) && SSL_is_init_finished(c->ssl)); i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(c->ssl);
	}
	assert_true(SSL_is_init_finished(client) && SSL_is_init_finished(c->ssl));
	return 0;
}

static int tear_down_tls(void **state)
{
	SSL_free(client);
	(void)program_stop(state);
	SSL_CTX_free(server_ctx);
	SSL_CTX_free(client_ctx);
	return 0;
}

static void tls_carries_both_ways(void **state)
{
	char text[16];

	(void)state;
	told_to_fill();
	assert_false(c->eof);
	assert_int_equal(SSL_write(client, "hello", 5), 5);
	told_to_fill();
	assert_str_equal(buf_str(&c->in), "hello");
	assert_int_equal(c->total_in, 5);
	assert_int_equal(buf_append(&c->out, STR("answer")), 0);
	assert_int_equal(conn_flush(c), 0);
	assert_int_equal(SSL_read(client, text, sizeof(text)), 6);
	assert_int_equal(c->total_out, 6);
}

static void tls_is_read_to_its_bound_also_out_of_a_record(void **state)
{
	(void)state;
	c->in.max = 1000;
	assert_int_equal(SSL_write(client, many, 4000), 4000);
	told_to_fill();
	assert_int_equal(buf_len(&c->in), 1000);
	buf_consume(&c->in, 1000);
	told_to_fill();
	assert_int_equal(buf_len(&c->in), 1000); /* the socket is empty: it was in OpenSSL */
}

static void tls_ends_with_close_notify(void **state)
{
	char byte;

	(void)state;
	assert_false(conn_end(c));
	assert_int_equal(SSL_read(client, &byte, 1), 0);
	assert_int_equal(SSL_get_error(client, 0), SSL_ERROR_ZERO_RETURN);
}

static void broken_tls_ends_without_it(void **state)
{
	char byte;
	int n;

	(void)state;
	c->broken = true;
	assert_true(conn_end(c));
	(void)conn_free(c);
	n = SSL_read(client, &byte, 1);
	assert_true(n <= 0);
	assert_int_not_equal(SSL_get_error(client, n), SSL_ERROR_ZERO_RETURN);
}

static void what_is_no_tls_is_an_end(void **state)
{
	(void)state;
	program_say("no record of TLS at all");
	told_to_fill();
	assert_true(c->eof);
	assert_int_equal(buf_len(&c->in), 0);
}

#define TEST(name)     cmocka_unit_test_setup_teardown(name, set_up, program_stop)
#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_tls, tear_down_tls)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_the_loop_did_not_tell_is_not_looked_for),
		TEST(no_more_is_read_than_there_is_room),
		TEST(the_end_is_seen_behind_the_last_byte),
		TEST(a_reset_is_an_end),
		TEST(what_cannot_go_stays),
		TEST(to_nobody_nothing_can_be_written),
		TEST(a_whole_answer_ends_with_an_end),
		TEST(when_the_program_has_closed_nothing_is_waited_for),
		TEST(a_broken_answer_ends_with_a_reset),
		TEST(what_comes_behind_the_end_is_dropped_up_to_a_limit),
		TLS_TEST(tls_carries_both_ways),
		TLS_TEST(tls_is_read_to_its_bound_also_out_of_a_record),
		TLS_TEST(tls_ends_with_close_notify),
		TLS_TEST(broken_tls_ends_without_it),
		TLS_TEST(what_is_no_tls_is_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
