/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs left on this machine: those that live, and what a killed supervisor left behind (programs that still
 * refuse, a cgroup, files). `bridle list` shows both, `bridle gc` and every next run remove the latter.
 */
#ifndef BRIDLE_SUPERVISOR_LEFTOVERS_H
#define BRIDLE_SUPERVISOR_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/pinned_counters.h"

struct leftover {
	const char *name;
	int pid;	    /* of the supervisor; 0: unknown */
	uint64_t started;   /* seconds since 1970; 0: unknown */
	uint32_t uid;	    /* of the command; 0: unknown */
	const char *policy; /* path; NULL: unknown */
	bool running;	    /* its supervisor lives */
	bool pinned;	    /* its kernel programs are there */
	bool cgroup;	    /* its cgroup is there */
	bool counted;	    /* counters are known */
	struct pinned_counters counters;
};

/* Called for each; what it is given lives as long as the call. */
typedef void (*leftovers_fn)(void *arg, const struct leftover *leftover);

/* Every run of this machine, by name. 0 or -errno and reason (SANDBOX_REASON_MAX bytes). */
int leftovers_list(leftovers_fn fn, void *arg, char *reason);

/*
 * Removes what dead runs left; removed (may be NULL) is called for each. What lives is not touched. Returns how many
 * were removed, or -errno and reason when something could not be (the rest is tried all the same).
 */
int leftovers_collect(leftovers_fn removed, void *arg, char *reason);

/* Removes what a dead run of this name left in the kernel. The caller holds the name. 0 or -errno and reason. */
int leftovers_clear(const char *name, char *reason);

#endif
