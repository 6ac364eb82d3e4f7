/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sandbox's init is told: a memfd (fd 4) with the specification, and a SOCK_SEQPACKET channel (fd 3). init
 * is bridle re-executed as "bridle-init" inside the new namespaces and cgroup.
 */
#ifndef BRIDLE_BASE_INIT_SPEC_H
#define BRIDLE_BASE_INIT_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/msg.h"
#include "base/self_test.h"

#define INIT_CHANNEL_FD 3
#define INIT_SPEC_FD	4
#define INIT_SPEC_MAX	((size_t)8 << 20)

/* Lists are NULL-terminated. All strings borrowed when written; owned by the spec when read. */
struct init_spec {
	char **argv; /* of the command; argv[0] is looked up in its PATH by init, as the user */
	char **envp;
	char *cwd;
	uint32_t uid, gid; /* never 0 */
	uint32_t *groups;
	uint32_t n_groups;
	char **masks;		  /* absolute directories to hide behind an empty read-only tmpfs */
	char *certs_dir;	  /* staged directory that replaces /etc/ssl/certs */
	char *resolv_conf;	  /* staged file that is bound over /etc/resolv.conf */
	uint32_t stdio_is_tty;	  /* bit n: fd n is the caller's terminal */
	uint64_t ignored_signals; /* bit n-1: the caller ignored signal n (nohup), so the command starts that way */
	uint64_t blocked_signals; /* likewise, the caller's signal mask; 0 is what almost everybody has */
	void *storage;		  /* owned, one block, when read */
};

/* A sealed memfd, close-on-exec, or -errno (-E2BIG). */
int init_spec_write(const struct init_spec *spec);
/* 0 or -errno; init_spec_done() frees. */
int init_spec_read(int fd, struct init_spec *ret);
void init_spec_done(struct init_spec *spec);

enum init_msg {
	/* supervisor -> init */
	INIT_GO = 1, /* header only: policy and programs are in place; mount and drop */
	INIT_TEST,   /* struct init_test: try, as the command's user, what must be refused and what must pass */
	INIT_RUN,    /* header only: start the command */
	INIT_SIGNAL, /* struct init_signal: deliver to the command */
	/* init -> supervisor */
	INIT_TESTED = 32, /* struct init_tested: all went as it must; otherwise INIT_FAILED */
	INIT_STARTED,	  /* header only: the command was executed */
	INIT_STOPPED,	  /* struct init_signal: the command stopped by this signal */
	INIT_EXITED,	  /* struct init_exited: waitpid status of the command */
	INIT_FAILED,	  /* struct init_failed */
};

struct init_test {
	struct msg_header header;
	char nonce[SELF_TEST_NONCE_SIZE];
};

struct init_tested {
	struct msg_header header;
	uint32_t refusals; /* attempts that the kernel refused: it must have reported as many */
};

struct init_signal {
	struct msg_header header;
	int32_t signal;
};

struct init_exited {
	struct msg_header header;
	int32_t status;
};

struct init_failed {
	struct msg_header header;
	int32_t exit_code; /* 125 ours, 126 found but not executable, 127 not found */
	char text[512];	   /* a sentence */
};

#endif
