/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's own addresses, in every form that an answer can give them, and connections to oneself. */
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/policy.h"
#include "upstream/node.h"

static struct address address_of(const char *text)
{
	struct address a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

	assert_int_equal(inet_pton(a.family, text, a.bytes), 1);
	return a;
}

static void own_addresses_are_known_in_every_form(void **state)
{
	static const struct {
		const char *address;
		bool own;
	} rows[] = {
		{ "10.77.0.5", true },
		{ "::ffff:10.77.0.5", true },
		{ "::10.77.0.5", true },
		{ "64:ff9b::10.77.0.5", true },
		{ "fd77::5", true },
		{ "127.0.0.1", true },
		{ "127.255.0.9", true },
		{ "::ffff:127.0.0.1", true },
		{ "64:ff9b::127.0.0.1", true },
		{ "0.0.0.0", true },
		{ "0.1.2.3", true },
		{ "::", true },
		{ "::1", true },
		{ "10.77.0.6", false },
		{ "::ffff:10.77.0.6", false },
		{ "fd77::6", false },
		{ "2001:db8::10.77.0.5", false }, /* its last bytes mean nothing */
	};
	struct address own[] = { address_of("10.77.0.5"), address_of("fd77::5") };
	const struct node node = { own, 2 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a = address_of(rows[i].address);

		if (node_has(&node, &a) != rows[i].own)
			fail_msg("%s", rows[i].address);
	}
}

static void the_machine_is_read(void **state)
{
	struct node node;

	(void)state;
	assert_int_equal(node_init(&node), 0);
	assert_true(node.n >= 1);
	node_done(&node);
	assert_int_equal(node.n, 0);
}

/* A connection from `from` to a listener on `to`. */
static bool connects_to_itself(const char *from, const char *to)
{
	struct sockaddr_in local = { .sin_family = AF_INET }, remote = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(remote);
	bool r;

	assert_true(listener >= 0 && fd >= 0);
	assert_int_equal(inet_pton(AF_INET, to, &remote.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET, from, &local.sin_addr), 1);
	assert_int_equal(bind(listener, (struct sockaddr *)&remote, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&remote, &size), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&local, size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&remote, size), 0);
	r = node_is_self_connection(fd);
	(void)close(fd);
	(void)close(listener);
	return r;
}

static void both_ends_alike_is_a_self_connection(void **state)
{
	int pair[2];

	(void)state;
	assert_true(connects_to_itself("127.0.0.1", "127.0.0.1"));
	assert_false(connects_to_itself("127.0.0.1", "127.0.0.2"));
	/* what cannot be told is refused */
	assert_true(node_is_self_connection(-1));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(node_is_self_connection(pair[0]));
	(void)close(pair[0]);
	(void)close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_addresses_are_known_in_every_form),
		cmocka_unit_test(the_machine_is_read),
		cmocka_unit_test(both_ends_alike_is_a_self_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
