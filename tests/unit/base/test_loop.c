/* SPDX-License-Identifier: Apache-2.0 */
/* Order of timers and jobs, removal inside callbacks, messages with descriptors, sealed snapshots. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/msg.h"
#include "base/secret.h"
#include "base/snapshot.h"
#include "base/util.h"
#include "base/why.h"

static struct loop *loop;
static int order[8];
static int order_n;

struct item {
	struct timer timer;
	struct job job;
	struct io io;
	int number;
	struct item *victim;
};

static void on_timer(struct timer *t)
{
	order[order_n++] = container_of(t, struct item, timer)->number;
}

static void on_last(struct timer *t)
{
	on_timer(t);
	loop_stop(loop, 42);
}

static void on_job(struct job *j)
{
	order[order_n++] = container_of(j, struct item, job)->number;
}

static void test_timers(void **state)
{
	struct item items[5] = { 0 };

	(void)state;
	order_n = 0;
	assert_int_equal(loop_new(&loop), 0);
	for (int i = 0; i < 5; i++) {
		items[i].number = i;
		items[i].timer.fire = i == 4 ? on_last : on_timer;
		assert_int_equal(timer_set(loop, &items[i].timer, i == 4 ? 40 : (uint64_t)(20 - 5 * i)), 0);
	}
	timer_clear(loop, &items[1].timer);
	items[0].job.run = on_job;
	items[0].number = 0;
	loop_defer(loop, &items[0].job);
	loop_defer(loop, &items[0].job);
	assert_int_equal(loop_run(loop), 42);
	const int want[] = { 0, 3, 2, 0, 4 };
	assert_int_equal(order_n, 5);
	assert_memory_equal(order, want, sizeof(want));
	loop = loop_free(loop);
}

/* Both ends are readable in one batch; whichever runs first removes the other, which must then stay silent. */
static void on_io(struct io *io, uint32_t revents)
{
	struct item *item = container_of(io, struct item, io);

	assert_true(revents & EPOLLIN);
	order[order_n++] = item->number;
	loop_remove(loop, &item->victim->io);
	loop_stop(loop, 0);
}

static void test_removal(void **state)
{
	struct item a = { .number = 1 }, b = { .number = 2 };
	int p[2], q[2];

	(void)state;
	order_n = 0;
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(q), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(write(q[1], "x", 1), 1);
	a.io = (struct io){ .fd = p[0], .events = EPOLLIN, .ready = on_io };
	b.io = (struct io){ .fd = q[0], .events = EPOLLIN, .ready = on_io };
	a.victim = &b;
	b.victim = &a;
	assert_int_equal(loop_add(loop, &a.io), 0);
	assert_int_equal(loop_add(loop, &b.io), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(order_n, 1);
	loop = loop_free(loop);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

static void test_messages(void **state)
{
	struct msg_header header = { .type = 7, .size = sizeof(header) }, in = { 0 };
	int pair[2], fds[2] = { -1, -1 }, null = open("/dev/null", O_RDONLY);
	size_t n;

	(void)state;
	assert_int_equal(msg_pair(pair, 1), 0);
	assert_int_equal(msg_send(pair[0], &header, sizeof(header), &null, 1), 0);
	n = 2;
	assert_int_equal(msg_recv(pair[1], &in, sizeof(in), fds, &n), sizeof(in));
	assert_int_equal(n, 1);
	assert_true(fds[0] > 2 && (fcntl(fds[0], F_GETFD) & FD_CLOEXEC));
	close(fds[0]);
	/* a descriptor that nobody asked for is closed and the message refused */
	assert_int_equal(msg_send(pair[0], &header, sizeof(header), &null, 1), 0);
	n = 0;
	assert_int_equal(msg_recv(pair[1], &in, sizeof(in), NULL, &n), -EBADMSG);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	header.size = 99;
	assert_int_equal(msg_send(pair[0], &header, sizeof(header), NULL, 0), 0);
	assert_int_equal(msg_recv(pair[1], &in, sizeof(in), NULL, &n), -EBADMSG);
	assert_int_equal(msg_recv(pair[1], &in, sizeof(in), NULL, &n), -EAGAIN);
	close(pair[0]);
	assert_int_equal(msg_recv(pair[1], &in, sizeof(in), NULL, &n), 0);
	close(pair[1]);
	close(null);
}

static void test_snapshot(void **state)
{
	const struct snapshot out = { .policy_file = STR("p.json"),
				      .policy_text = STR("{}"),
				      .sandbox = STR("box"),
				      .netns_cookie = 77,
				      .proxy_ports = { 3128 },
				      .tier = 2 };
	struct snapshot in = { 0 };
	int fd = snapshot_create(&out), open_fd;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(snapshot_map(fd, &in), 0);
	assert_str_equal(in.policy_text, "{}");
	assert_str_equal(in.policy_file, "p.json");
	assert_str_equal(in.trust_pem, "");
	assert_str_equal(in.sandbox, "box");
	assert_int_equal(in.netns_cookie, 77);
	assert_int_equal(in.proxy_ports[0], 3128);
	assert_int_equal(write(fd, "x", 1), -1);
	snapshot_unmap(&in);
	close(fd);
	open_fd = memfd_create("x", MFD_ALLOW_SEALING);
	assert_int_equal(snapshot_map(open_fd, &in), -EPERM);
	close(open_fd);
}

static void test_secret(void **state)
{
	struct secret *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(secret_new(STR("glpat-abc"), &a), 0);
	assert_int_equal(secret_new(STR("glpat-abd"), &b), 0);
	assert_str_equal(secret_bytes(a), "glpat-abc");
	assert_true(secret_equal(a, a));
	assert_false(secret_equal(a, b));
	assert_int_equal(secret_new(str_make("", SECRET_MAX + 1), &b), -EMSGSIZE);
	secret_free(a);
	secret_free(b);
	assert_null(secret_free(NULL));
}

/* Row 0 refuses, row 1 allows, every row says something. */
static void test_reasons(void **state)
{
	(void)state;
	assert_int_equal(WHY_undecided, 0);
	assert_int_equal(why_status(WHY_undecided), 403);
	assert_string_equal(why_symbol((enum why)9999), "undecided");
	for (int why = 0; why < WHY_COUNT_; why++) {
		int status = why_status((enum why)why);

		assert_true(strlen(why_sentence((enum why)why)) > 10);
		assert_true(strlen(why_next((enum why)why)) > 4);
		assert_true(status == 0 || (status >= 400 && status <= 505) || why == WHY_allowed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers),	 cmocka_unit_test(test_removal), cmocka_unit_test(test_messages),
		cmocka_unit_test(test_snapshot), cmocka_unit_test(test_secret),	 cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
