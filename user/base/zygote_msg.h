/* SPDX-License-Identifier: Apache-2.0 */
/* Supervisor <-> zygote, over SOCK_SEQPACKET. One message asks for a worker, one answers, one tells its end. */
#ifndef BRIDLE_BASE_ZYGOTE_MSG_H
#define BRIDLE_BASE_ZYGOTE_MSG_H

#include <stdint.h>

#include "base/msg.h"

enum zygote_msg {
	ZYGOTE_SPAWN = 1, /* supervisor: struct zygote_spawn + ZYGOTE_FDS descriptors */
	ZYGOTE_SPAWNED,	  /* zygote: struct zygote_spawned */
	ZYGOTE_EXITED,	  /* zygote: struct zygote_exited */
};

/* Descriptors of ZYGOTE_SPAWN, in this order. */
enum zygote_fd {
	ZYGOTE_FD_TCP4 = 0, /* listeners in the sandbox's network namespace, non-blocking */
	ZYGOTE_FD_TCP6,
	ZYGOTE_FD_DNS4, /* UDP */
	ZYGOTE_FD_DNS6,
	ZYGOTE_FD_KEEPER,   /* the worker's channel */
	ZYGOTE_FD_LOG,	    /* write end of a pipe: the worker's 1 and 2 */
	ZYGOTE_FD_FLOWS,    /* map, BPF_F_RDONLY */
	ZYGOTE_FD_DENIALS,  /* this sandbox's own map */
	ZYGOTE_FD_COUNTERS, /* this sandbox's own map */
	ZYGOTE_FD_AUDIT,    /* O_APPEND */
	ZYGOTE_FD_SNAPSHOT, /* base/snapshot.h */
	ZYGOTE_FD_CGROUP, /* directory of the worker's own cgroup: the zygote clones into it, the worker does not keep it */
	ZYGOTE_FDS
};

struct zygote_spawn {
	struct msg_header header;
	uint32_t id;	       /* echoed */
	uint32_t uid;	       /* the worker's own; also its gid */
	char chain_before[96]; /* id and last hash of the chain before in the same file, for the audit; empty: first */
};

struct zygote_spawned {
	struct msg_header header;
	uint32_t id;
	int32_t pid; /* in the supervisor's PID namespace, or -errno */
};

struct zygote_exited {
	struct msg_header header;
	uint32_t id;
	int32_t pid;
	int32_t status; /* of waitpid */
};

#endif
