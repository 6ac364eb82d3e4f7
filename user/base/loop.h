/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of every role: raw epoll, a heap of timers, and jobs that run once before the next wait.
 * Single-threaded. The structs are embedded in their owner and found again with container_of; they must be
 * removed before the owner is freed. Removing inside any callback is safe, of any object.
 */
#ifndef BRIDLE_BASE_LOOP_H
#define BRIDLE_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

struct io {
	int fd;		 /* borrowed: the loop never closes it */
	uint32_t events; /* EPOLLIN, EPOLLOUT, EPOLLEXCLUSIVE, …; level-triggered; 0 = only errors */
	void (*ready)(struct io *io, uint32_t revents);
	bool added;
};

struct timer {
	uint64_t due_ms; /* loop_now_ms() time */
	size_t slot;	 /* 1-based place in the heap; 0 = not set */
	void (*fire)(struct timer *t);
};

struct job {
	struct job *next;
	bool queued;
	void (*run)(struct job *j);
};

int loop_new(struct loop **ret);
struct loop *loop_free(struct loop *l); /* NULL is fine; returns NULL */

/* io->fd, ->events and ->ready are set by the caller. 0 or -errno. */
int loop_add(struct loop *l, struct io *io);
/* Cheap when nothing changes. */
int loop_modify(struct loop *l, struct io *io, uint32_t events);
/* Fine when it was never added. */
void loop_remove(struct loop *l, struct io *io);

/* Sets or moves the timer; fires once. 0 or -ENOMEM. */
int timer_set(struct loop *l, struct timer *t, uint64_t delay_ms);
void timer_clear(struct loop *l, struct timer *t);

/* Runs j->run once, after the current callbacks and before the loop waits again. Idempotent while queued. */
void loop_defer(struct loop *l, struct job *j);
void loop_undefer(struct loop *l, struct job *j);

/* CLOCK_BOOTTIME in ms, read once per turn of the loop. */
uint64_t loop_now_ms(const struct loop *l);

/* Until loop_stop(); returns its result, or -errno when epoll fails. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int result);

#endif
