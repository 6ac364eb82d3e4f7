/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's refusals, written into the audit afterwards, in a chain of their own (writer "kernel"). Verdicts never
 * wait for it; what is lost is one record with its count.
 */
#ifndef BRIDLE_SUPERVISOR_EVENTS_H
#define BRIDLE_SUPERVISOR_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/why.h"

#define EVENTS_TICK_MS 5000 /* losses are looked for, old flows swept */

struct audit;
struct kernel;

struct events {
	struct loop *loop;     /* borrowed; NULL: not started */
	struct kernel *kernel; /* borrowed */
	struct audit *audit;   /* borrowed */
	const char *policy;    /* borrowed: generation */
	struct io io;
	struct timer timer;
	uint64_t lost_seen; /* of the ring's losses, already handed to the audit */
	bool failed;	    /* the file did not take the last record */
};

/* 0 or -errno. */
int events_start(struct events *e, struct loop *loop, struct kernel *kernel, struct audit *audit, const char *policy);

/* A record of our own about the whole sandbox. */
void events_write(struct events *e, enum why why, const char *detail);

/* Reads what is left and writes the last losses. Fine when not started. */
void events_done(struct events *e);

#endif
