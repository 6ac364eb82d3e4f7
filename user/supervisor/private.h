/* SPDX-License-Identifier: Apache-2.0 */
/* The insides of struct sandbox. For user/supervisor/ and its tests only. */
#ifndef BRIDLE_SUPERVISOR_PRIVATE_H
#define BRIDLE_SUPERVISOR_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/init_spec.h"
#include "base/loop.h"
#include "supervisor/cgroup.h"
#include "supervisor/command_link.h"
#include "supervisor/events.h"
#include "supervisor/keeper_link.h"
#include "supervisor/netns.h"
#include "supervisor/paths.h"
#include "supervisor/remask.h"
#include "supervisor/sandbox.h"
#include "supervisor/secrets.h"
#include "supervisor/self_test.h"
#include "supervisor/state.h"
#include "supervisor/tier.h"
#include "supervisor/uid.h"
#include "supervisor/workers.h"

struct audit;
struct kernel;

/* In the order in which they are made; all owned unless it says borrowed. */
struct sandbox {
	struct loop *loop;		/* borrowed */
	struct sandbox_options options; /* texts borrowed until sandbox_start() is done; policy: shared, ref held */
	struct init_spec command;	/* borrowed likewise */
	char name[SANDBOX_NAME_MAX + 1];
	struct state state;
	int audit_fd;
	uint64_t audit_offset;
	char *audit_path;
	struct audit *audit; /* the kernel's chain */
	struct secrets secrets;
	char resolv_conf[PATHS_MAX_BYTES];
	char certs_dir[PATHS_MAX_BYTES];
	char pin_dir[PATHS_MAX_BYTES];
	struct uid_lock keeper_uid, worker_uid;
	struct cgroup cgroup;
	struct kernel *kernel;
	bool pinned;
	struct keeper_link keeper;
	struct netns netns;
	int snapshot_fd, flows_fd, denials_fd, counters_fd;
	struct workers workers;
	struct events events;
	struct command_link link;
	char nonce[SELF_TEST_NONCE_SIZE];
	bool running; /* the namespaces are being made: a new CA comes too late for what runs there */
	struct job keeper_back;
	struct job end; /* tells the owner */
	int exit_code;
	bool end_has_text;
	char end_text[SANDBOX_REASON_MAX];
};

#endif
