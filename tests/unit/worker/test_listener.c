/* SPDX-License-Identifier: Apache-2.0 */
/* Who is let in, and how many; conn_new() is the test's. */
#include "worker_child.h"

#include <fcntl.h>
#include <netinet/in.h>

#include "worker/listener.c"

#define CALLERS 40

static struct sockaddr_in at;
static int callers[CALLERS], n_callers;
static unsigned let_in, blocking;

int conn_new(struct worker *w, int fd)
{
	assert_ptr_equal(w, worker);
	let_in++;
	blocking += (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0 || (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
	w->n_conns++;
	return fd_close(fd);
}

static int make_listener(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = sizeof(at);

	at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(fd, CALLERS), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	return fd;
}

static int set_up(void **state)
{
	let_in = blocking = 0;
	n_callers = 0;
	(void)worker_make("{}");
	(void)state;
	worker->fds[ZYGOTE_FD_TCP4] = make_listener();
	worker->fds[ZYGOTE_FD_TCP6] = make_listener(); /* `at` is of this one; the family makes no difference here */
	return 0;
}

static int tear_down(void **state)
{
	while (n_callers > 0)
		(void)close(callers[--n_callers]);
	for (int i = 0; i < 2; i++) {
		loop_remove(worker->loop, &worker->tcp[i]);
		(void)close(worker->fds[ZYGOTE_FD_TCP4 + i]);
	}
	return worker_unmake(state);
}

static int call_once(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && n_callers < CALLERS);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return callers[n_callers++] = fd;
}

static void on_tick(struct timer *t)
{
	(void)t;
	loop_stop(worker->loop, 0);
}

static void turn(void)
{
	struct timer tick = { .fire = on_tick };

	assert_int_equal(timer_set(worker->loop, &tick, 20), 0);
	assert_int_equal(loop_run(worker->loop), 0);
}

static void both_listeners_are_served_without_blocking(void **state)
{
	(void)state;
	assert_int_equal(listeners_start(worker), 0);
	(void)call_once();
	turn();
	assert_int_equal(let_in, 1);
	worker->tcp[0].ready(&worker->tcp[0], EPOLLIN); /* nobody calls there: no call blocks */
	assert_int_equal(let_in, 1);
	socklen_t size = sizeof(at);
	assert_int_equal(getsockname(worker->fds[ZYGOTE_FD_TCP4], (struct sockaddr *)&at, &size), 0);
	(void)call_once();
	turn();
	assert_int_equal(let_in, 2);
	assert_int_equal(blocking, 0);
}

/* The caller's soft limit is raised as far as it goes; below what is needed, fewer connections are served. */
static void the_limit_of_descriptors_bounds_the_connections(void **state)
{
	struct rlimit before, limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = (struct rlimit){ .rlim_cur = 64, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	listeners_reserve(worker);
	assert_int_equal(worker->conns_max,
			 before.rlim_max < WORKER_FDS_MAX ? before.rlim_max / 4 : WORKER_CONNECTIONS_MAX);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, MIN(before.rlim_max, (rlim_t)WORKER_FDS_MAX));
	(void)setrlimit(RLIMIT_NOFILE, &before);
}

static void a_crowd_does_not_starve_the_rest(void **state)
{
	(void)state;
	assert_int_equal(listeners_start(worker), 0);
	for (int i = 0; i < CALLERS; i++)
		(void)call_once();
	worker->tcp[1].ready(&worker->tcp[1], EPOLLIN);
	assert_int_equal(let_in, ACCEPT_BATCH);
	turn();
	assert_int_equal(let_in, CALLERS);
}

static void without_a_listener_it_does_not_start(void **state)
{
	(void)state;
	(void)close(worker->fds[ZYGOTE_FD_TCP6]);
	worker->fds[ZYGOTE_FD_TCP6] = -1;
	assert_int_equal(listeners_start(worker), -EBADF);
}

static void busy_sets_the_idle_timer_anew(void **state)
{
	uint64_t before;

	(void)state;
	worker_busy(worker);
	assert_int_equal(worker->idle.due_ms, loop_now_ms(worker->loop) + WORKER_IDLE_MS);
	before = worker->idle.due_ms;
	turn();
	worker_busy(worker);
	assert_true(worker->idle.due_ms > before);
	timer_clear(worker->loop, &worker->idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_listeners_are_served_without_blocking, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_limit_of_descriptors_bounds_the_connections, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_crowd_does_not_starve_the_rest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_listener_it_does_not_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(busy_sets_the_idle_timer_anew, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
