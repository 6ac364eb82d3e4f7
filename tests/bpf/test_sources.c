/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source addresses that the program picks. Our listeners and responders answer from outside the cgroup, where br_egress
 * does not look, to whatever address a packet came from; so a program that could choose its source would have its words,
 * the name that it asked for, carried to the wire by us. The control asks the responder directly, from outside.
 */
#include "stage.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define WORDS	"words-of-the-program"
#define FOREIGN "fd77:66::66" /* nobody's; its packets go to the gateway */

enum way { BOUND = 0, CONNECTED, PACKET_INFO };

struct source {
	const char *name, *from;
	int type;
	enum way way;
	enum hook hook; /* that says no when br_setsockopt does not */
	bool leaks;	/* the control must show a packet */
};

/* clang-format off */
static const struct source sources[] = {
	{ "foreign", FOREIGN, SOCK_DGRAM, BOUND, HOOK_SENDMSG, true },
	{ "foreign_connected", FOREIGN, SOCK_DGRAM, CONNECTED, HOOK_CONNECT, true },
	{ "foreign_in_control_data", FOREIGN, SOCK_DGRAM, PACKET_INFO, HOOK_SENDMSG, true },
	{ "foreign_tcp", FOREIGN, SOCK_STREAM, CONNECTED, HOOK_CONNECT, true },
	{ "device", STAGE_NEAR6, SOCK_DGRAM, BOUND, HOOK_SENDMSG, false },
	{ "device_connected", STAGE_NEAR6, SOCK_DGRAM, CONNECTED, HOOK_CONNECT, false },
	{ "device_in_control_data", STAGE_NEAR6, SOCK_DGRAM, PACKET_INFO, HOOK_SENDMSG, false },
};
/* clang-format on */

static struct {
	const struct source *source;
	const char *to, *from;
	uint16_t port;
} plan;

static bool frame_is_ours(const uint8_t *frame, size_t n)
{
	/* what was said, or any answer to a connection */
	return plan.source->type == SOCK_STREAM ? frame_is_payload(frame, n)
						: memmem(frame, n, WORDS, strlen(WORDS)) != NULL;
}

static int send_as(int fd, const struct sockaddr_storage *to, socklen_t n, const struct sockaddr_storage *from)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo)),
				.cmsg_level = IPPROTO_IPV6,
				.cmsg_type = IPV6_PKTINFO } };
	struct in6_pktinfo info = { .ipi6_addr = ((const struct sockaddr_in6 *)from)->sin6_addr };
	struct iovec data = { .iov_base = (void *)(uintptr_t)WORDS, .iov_len = strlen(WORDS) };
	struct msghdr m = { .msg_name = (void *)(uintptr_t)to,
			    .msg_namelen = n,
			    .msg_iov = &data,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.head), &info, sizeof(info));
	return sendmsg(fd, &m, 0) < 0 ? errno : 0;
}

static int program_speak(void)
{
	struct sockaddr_storage to, from;
	socklen_t to_n = address_make(&to, plan.to, plan.port), from_n = address_make(&from, plan.from, 0);
	int one = 1, fd = socket(to.ss_family, plan.source->type | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return 999;
	(void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)); /* without it, bind() or sendmsg() fails */
	if (plan.source->way == PACKET_INFO)
		return send_as(fd, &to, to_n, &from);
	if (bind(fd, (struct sockaddr *)&from, from_n) < 0)
		return errno;
	if (plan.source->way == BOUND)
		return sendto(fd, WORDS, strlen(WORDS), 0, (struct sockaddr *)&to, to_n) < 0 ? errno : 0;
	if (connect(fd, (struct sockaddr *)&to, to_n) < 0 && errno != EINPROGRESS)
		return errno;
	if (plan.source->type == SOCK_DGRAM)
		return send(fd, WORDS, strlen(WORDS), 0) < 0 ? errno : 0;
	(void)usleep(100000); /* the listener's kernel answers */
	return 0;
}

/* Says back what was asked, as an answer repeats its question. */
static bool responder_answer(void)
{
	struct pollfd p = { .fd = stage.sockets[STAGE_DNS6], .events = POLLIN };
	struct sockaddr_storage from;
	socklen_t from_n = sizeof(from);
	char text[64];
	ssize_t n;

	if (poll(&p, 1, 100) != 1)
		return false;
	n = recvfrom(p.fd, text, sizeof(text), 0, (struct sockaddr *)&from, &from_n);
	return n > 0 && sendto(p.fd, text, (size_t)n, 0, (struct sockaddr *)&from, from_n) == n;
}

static void ask_for(const char *to, uint16_t port, const struct source *source)
{
	plan.source = source;
	plan.from = source->from;
	plan.to = to;
	plan.port = port;
	(void)stage_count_frames(frame_is_ours, 0);
}

/* What the test is about: our own answers would show. */
static void control(const struct source *source)
{
	bool tcp = source->type == SOCK_STREAM;

	ask_for("::1", stage.ports[tcp ? STAGE_TCP6 : STAGE_DNS6], source);
	assert_int_equal(stage_run(OUTSIDE, NOBODY, program_speak), 0);
	if (!tcp)
		assert_true(responder_answer());
	if (source->leaks)
		assert_true(stage_count_frames(frame_is_ours, 1000) > 0);
}

static void test_source(void **state)
{
	const struct source *source = *state;
	bool tcp = source->type == SOCK_STREAM;

	control(source);
	ask_for(STAGE_SERVER6, tcp ? 443 : 53, source);
	assert_int_not_equal(stage_run(INSIDE, NOBODY, program_speak), 0);
	assert_false(responder_answer());
	stage_detach_hook("br_setsockopt"); /* the other hooks hold alone */
	stage_forget_events();
	assert_int_equal(stage_run(INSIDE, NOBODY, program_speak), ECONNREFUSED);
	assert_non_null(stage_find_event(source->hook, WHY_source_refused));
	assert_false(responder_answer());
	assert_int_equal(stage_count_frames(frame_is_ours, 50), 0);
	/* where there is no other device, a bound address harms nobody */
	stage_activate_as(true);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_speak), 0);
	if (!tcp)
		assert_true(responder_answer());
	stage_detach();
	stage_attach();
	stage_activate();
	(void)stage_count_frames(frame_is_payload, 100);
}

/* IPv4 does not send from an address that is nobody's, whatever the socket says; v4-mapped is IPv4. */
static void test_ipv4(void **state)
{
	static const char *const rows[][2] = { { STAGE_SERVER4, "10.77.66.66" },
					       { "::ffff:" STAGE_SERVER4, "::ffff:10.77.66.66" } };
	static const struct source bound = { .type = SOCK_DGRAM, .way = BOUND };

	(void)state;
	stage_detach_hook("br_setsockopt");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ask_for(rows[i][0], 53, &bound);
		plan.from = rows[i][1];
		assert_int_equal(stage_run(OUTSIDE, NOBODY, program_speak), ENETUNREACH);
		assert_int_equal(stage_run(INSIDE, NOBODY, program_speak), ENETUNREACH);
	}
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(sources) + 1] = { 0 };
	size_t n = 0;

	for (; n < ARRAY_SIZE(sources); n++)
		tests[n] = (struct CMUnitTest){ sources[n].name, test_source, NULL, NULL,
						(void *)(uintptr_t)&sources[n] };
	tests[n] = (struct CMUnitTest)cmocka_unit_test(test_ipv4);
	return cmocka_run_group_tests(tests, stage_setup, stage_teardown);
}
