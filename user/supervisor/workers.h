/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zygote and the sandbox's worker: made when somebody connects or asks for a name, gone when idle, made again
 * after a crash; the third crash in 60 s closes the sandbox's sockets, so that every connection is refused.
 */
#ifndef BRIDLE_SUPERVISOR_WORKERS_H
#define BRIDLE_SUPERVISOR_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "supervisor/listeners.h"
#include "supervisor/logs.h"
#include "supervisor/netns.h"
#include "supervisor/restarts.h"
#include "supervisor/spawn.h"

#define WORKERS_END_MS 3000 /* a worker has this long to finish its audit */

struct cgroup;
struct keeper_link;

struct workers {
	struct loop *loop; /* borrowed, like all until uid */
	struct netns *netns;
	struct keeper_link *keeper;
	struct cgroup *cgroup;
	int audit_fd;
	int snapshot_fd;
	int flows_fd, denials_fd, counters_fd;
	uint32_t uid;
	void (*on_failed)(void *arg); /* no worker any more; the sockets are closed */
	void *arg;
	struct role zygote; /* owned */
	struct io io;
	struct log_pipe zygote_log, worker_log;
	struct listeners listeners;
	struct timer retry;
	struct restarts crashes, zygote_restarts;
	uint32_t id; /* of the last worker */
	int pid;     /* of the worker; 0: not known yet */
	bool busy;   /* a worker was asked for and has not ended */
	bool failed;
};

void workers_init(struct workers *w);

/* Fields up to arg are set. Starts the zygote; workers_serve() begins to make workers. 0 or -errno and reason. */
int workers_start(struct workers *w, char *reason);
int workers_serve(struct workers *w, char *reason);

/* The keeper is there again (or for the first time): what waits may have a worker. */
void workers_keeper_ready(struct workers *w);

/* No worker any more, and every connection refused. */
void workers_fail(struct workers *w, const char *why);

/* Lets the worker finish (its keeper is gone by now), then ends both. Fine when nothing was started. */
void workers_done(struct workers *w);

#endif
