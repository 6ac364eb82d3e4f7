/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest policy for what a run tried, made from its audit records. */
#ifndef BRIDLE_CLI_LEARN_H
#define BRIDLE_CLI_LEARN_H

#include <stdint.h>

#include "base/buf.h"

struct cli_user;

#define LEARN_TEXT_MAX	   ((size_t)1 << 20) /* bytes of the policy */
#define LEARN_REQUESTS_MAX 2000		     /* different ones; more are left out and counted */

struct learned {
	struct buf text;   /* owned: the policy, JSON; empty when nothing was tried */
	uint32_t requests; /* different ones in it */
	uint32_t
		left_out; /* not in it: too many, or never to be learned (addresses of this machine and of metadata services, methods in lower case) */
};

/*
 * Reads audit_fd from offset in a process of its own with the user's rights, because the records hold what the sandbox
 * wrote. The result is a policy that loads. 0 or -errno.
 */
int learn_from_audit(int audit_fd, uint64_t offset, const struct cli_user *user, struct learned *ret);
void learned_done(struct learned *l);

/* The work itself, in this process, for one record after the other: for the child and for tests. */
struct learner;
struct learner *learner_new(void);
struct learner *learner_free(struct learner *l);
void learner_take(struct learner *l, struct str line);
/* The policy of everything taken so far. 0 or -errno. */
int learner_render(struct learner *l, struct learned *ret);

#endif
