/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's end of the keeper: starts it, tells it directories and credentials, starts it again when it dies
 * (with a new CA, which on_ready has to stage), gives each worker its channel.
 */
#ifndef BRIDLE_SUPERVISOR_KEEPER_LINK_H
#define BRIDLE_SUPERVISOR_KEEPER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/keeper_msg.h"
#include "base/loop.h"
#include "supervisor/logs.h"
#include "supervisor/restarts.h"
#include "supervisor/spawn.h"

#define KEEPER_READY_MS 15000 /* how long the first CA may take */

struct policy;
struct secret_dir;
struct secrets;

struct keeper_link {
	struct loop *loop; /* borrowed, like all until uid */
	const struct policy *policy;
	const struct secrets *secrets;
	const char *sandbox;
	uint32_t uid;
	int (*on_ready)(void *arg, const unsigned char *ca_der, size_t n, char *reason); /* <0 ends the start */
	void (*on_lost)(void *arg, bool for_good); /* it died; for_good: too often */
	void *arg;
	struct role role; /* owned */
	struct io io;
	struct log_pipe log;
	struct restarts restarts;
	uint32_t generations[KEEPER_CREDENTIALS_MAX]; /* of the policy's credentials, as the keepers told them */
	bool ready;
	bool given_up;
};

void keeper_link_init(struct keeper_link *k);

/* Fields up to arg are set. Starts it and waits until it has its CA and on_ready() is done. 0 or -errno and reason. */
int keeper_link_start(struct keeper_link *k, char *reason);

/* Makes a channel for a new worker: *ret_fd is the worker's end, owned. 0 or -errno (-EAGAIN: not ready). */
int keeper_link_add_worker(struct keeper_link *k, int *ret_fd);

/* The directory's path names another directory now. */
void keeper_link_send_directory(struct keeper_link *k, const struct secret_dir *dir);

/* Ends it. Fine when it was never started. */
void keeper_link_done(struct keeper_link *k);

#endif
