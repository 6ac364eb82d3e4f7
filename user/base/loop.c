/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: level-triggered epoll, a binary heap of timers, and a list of deferred jobs. One batch of events
 * is kept in the loop so that loop_remove() can strike out events of an object that a callback has just freed.
 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

#define LOOP_BATCH	64
#define LOOP_TIMERS_MIN 32

struct loop {
	int epoll_fd; /* owned */
	bool stopped;
	int result;
	uint64_t now_ms;
	struct epoll_event batch[LOOP_BATCH];
	int batch_n;
	struct timer **heap; /* owned array of borrowed timers; heap[0] is due first */
	size_t heap_n;
	size_t heap_size;
	struct job *jobs; /* borrowed, in order */
	struct job **jobs_tail;
};

static uint64_t read_clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		int r = -errno;

		free(l);
		return r;
	}
	l->jobs_tail = &l->jobs;
	l->now_ms = read_clock_ms();
	*ret = l;
	return 0;
}

struct loop *loop_free(struct loop *l)
{
	if (!l)
		return NULL;
	(void)fd_close(l->epoll_fd);
	free(l->heap);
	free(l);
	return NULL;
}

int loop_add(struct loop *l, struct io *io)
{
	struct epoll_event event = { .events = io->events, .data.ptr = io };

	assert(!io->added);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, io->fd, &event) < 0)
		return -errno;
	io->added = true;
	return 0;
}

int loop_modify(struct loop *l, struct io *io, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = io };

	if (io->events == events)
		return 0;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) < 0)
		return -errno;
	io->events = events;
	return 0;
}

void loop_remove(struct loop *l, struct io *io)
{
	if (!io->added)
		return;
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	io->added = false;
	for (int i = 0; i < l->batch_n; i++) {
		if (l->batch[i].data.ptr == io)
			l->batch[i].data.ptr = NULL;
	}
}

static void heap_place(struct loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->slot = i + 1;
}

static void heap_up(struct loop *l, size_t i, struct timer *t)
{
	while (i > 0 && l->heap[(i - 1) / 2]->due_ms > t->due_ms) {
		heap_place(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_place(l, i, t);
}

static void heap_down(struct loop *l, size_t i, struct timer *t)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= l->heap_n)
			break;
		if (child + 1 < l->heap_n && l->heap[child + 1]->due_ms < l->heap[child]->due_ms)
			child++;
		if (l->heap[child]->due_ms >= t->due_ms)
			break;
		heap_place(l, i, l->heap[child]);
		i = child;
	}
	heap_place(l, i, t);
}

void timer_clear(struct loop *l, struct timer *t)
{
	struct timer *last;
	size_t i;

	if (t->slot == 0)
		return;
	i = t->slot - 1;
	t->slot = 0;
	last = l->heap[--l->heap_n];
	if (last == t)
		return;
	if (i > 0 && l->heap[(i - 1) / 2]->due_ms > last->due_ms)
		heap_up(l, i, last);
	else
		heap_down(l, i, last);
}

int timer_set(struct loop *l, struct timer *t, uint64_t delay_ms)
{
	timer_clear(l, t);
	if (l->heap_n == l->heap_size) {
		size_t size = l->heap_size ? 2 * l->heap_size : LOOP_TIMERS_MIN;
		struct timer **heap = reallocarray(l->heap, size, sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		l->heap = heap;
		l->heap_size = size;
	}
	t->due_ms = l->now_ms + delay_ms;
	heap_up(l, l->heap_n++, t);
	return 0;
}

void loop_defer(struct loop *l, struct job *j)
{
	if (j->queued)
		return;
	j->queued = true;
	j->next = NULL;
	*l->jobs_tail = j;
	l->jobs_tail = &j->next;
}

void loop_undefer(struct loop *l, struct job *j)
{
	if (!j->queued)
		return;
	for (struct job **p = &l->jobs; *p; p = &(*p)->next) {
		if (*p != j)
			continue;
		*p = j->next;
		if (l->jobs_tail == &j->next)
			l->jobs_tail = p;
		break;
	}
	j->queued = false;
	j->next = NULL;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

static int wait_ms(const struct loop *l)
{
	uint64_t left;

	if (l->jobs)
		return 0;
	if (l->heap_n == 0)
		return -1;
	if (l->heap[0]->due_ms <= l->now_ms)
		return 0;
	left = l->heap[0]->due_ms - l->now_ms;
	return (int)MIN(left, (uint64_t)3600 * 1000);
}

static void run_events(struct loop *l)
{
	for (int i = 0; i < l->batch_n && !l->stopped; i++) {
		struct io *io = l->batch[i].data.ptr;

		if (io)
			io->ready(io, l->batch[i].events);
	}
	l->batch_n = 0;
}

static void run_timers(struct loop *l)
{
	while (!l->stopped && l->heap_n > 0 && l->heap[0]->due_ms <= l->now_ms) {
		struct timer *t = l->heap[0];

		timer_clear(l, t);
		t->fire(t);
	}
}

/* Jobs that jobs defer run in the next round, so that a loop of jobs cannot starve the sockets. */
static void run_jobs(struct loop *l)
{
	struct job end = { .queued = false };

	if (!l->jobs)
		return;
	loop_defer(l, &end);
	while (!l->stopped && l->jobs && l->jobs != &end) {
		struct job *j = l->jobs;

		loop_undefer(l, j);
		j->run(j);
	}
	loop_undefer(l, &end);
}

int loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped) {
		int n;

		l->now_ms = read_clock_ms();
		n = epoll_wait(l->epoll_fd, l->batch, LOOP_BATCH, wait_ms(l));
		l->now_ms = read_clock_ms();
		if (n < 0 && errno != EINTR)
			return -errno;
		l->batch_n = MAX(n, 0);
		run_events(l);
		run_timers(l);
		run_jobs(l);
	}
	return l->result;
}

void loop_stop(struct loop *l, int result)
{
	l->stopped = true;
	l->result = result;
}
