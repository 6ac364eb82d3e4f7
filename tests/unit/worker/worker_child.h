/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's context with a policy, a loop, an audit and nothing that listens. */
#ifndef BRIDLE_TESTS_WORKER_CHILD_H
#define BRIDLE_TESTS_WORKER_CHILD_H

#include "tests/lib/test.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/diag.h"
#include "base/util.h"
#include "dns/resolver.h"
#include "upstream/upstream.h"
#include "worker/context.h"

static struct worker *worker;

static inline int worker_make(const char *policy)
{
	struct upstreams_options options;
	struct diag diag;

	worker = calloc(1, sizeof(*worker));
	assert_non_null(worker);
	worker->conns_max = WORKER_CONNECTIONS_MAX;
	for (int i = 0; i < ZYGOTE_FDS; i++)
		worker->fds[i] = -1;
	worker->fds[ZYGOTE_FD_AUDIT] = memfd_create("audit", MFD_CLOEXEC);
	assert_int_equal(loop_new(&worker->loop), 0);
	if (policy_load("p", str_of(policy), &worker->policy, &diag) != 0)
		fail_msg("%s", diag.text);
	assert_int_equal(audit_new(worker->fds[ZYGOTE_FD_AUDIT], STR("box"), "worker", 2, NULL, &worker->audit), 0);
	assert_int_equal(resolver_new_with_hosts(worker->loop, "127.0.0.1:1", "/dev/null", &worker->resolver), 0);
	options = (struct upstreams_options){ worker->loop, worker->policy, worker->resolver, NULL };
	assert_int_equal(upstreams_new(&options, &worker->upstreams), 0);
	credentials_init(worker);
	return 0;
}

static inline int worker_unmake(void **state)
{
	(void)state;
	upstreams_free(worker->upstreams);
	resolver_free(worker->resolver);
	credentials_done(worker);
	audit_free(worker->audit);
	loop_free(worker->loop);
	policy_unref(worker->policy);
	(void)close(worker->fds[ZYGOTE_FD_AUDIT]);
	free(worker);
	return 0;
}

/* Whether the audit holds the text. */
static inline bool worker_recorded(const char *text)
{
	static char all[65536];
	ssize_t n = pread(worker->fds[ZYGOTE_FD_AUDIT], all, sizeof(all) - 1, 0);

	assert_true(n > 0);
	all[n] = '\0';
	return strstr(all, text) != NULL;
}

#endif
