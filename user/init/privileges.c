/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives up everything, for init itself as well as for the command. The order matters: what needs a capability comes
 * before the capabilities go. refuse: any step that fails, and an end state that is not exactly the one asked for.
 */
#include "init/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/init_spec.h"
#include "base/util.h"
#include "init/failure.h"

#define LOCKED_BITS                                                                                                \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | \
	 SECBIT_KEEP_CAPS_LOCKED)

#define CAPABILITIES_MAX 64UL

static int drop_failed(struct failure *reterr, const char *what)
{
	return failure_set(reterr, EXIT_BRIDLE, "cannot give up root's rights (%s): %s", what, strerror(errno));
}

static int drop_bounding(struct failure *reterr)
{
	for (unsigned long cap = 0; cap < CAPABILITIES_MAX; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return drop_failed(reterr, "bounding set");
	if (prctl(PR_SET_SECUREBITS, LOCKED_BITS, 0, 0, 0) < 0)
		return drop_failed(reterr, "securebits");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return drop_failed(reterr, "ambient set");
	return 0;
}

static int drop_ids(const struct init_spec *spec, struct failure *reterr)
{
	auto_free gid_t *groups = calloc(spec->n_groups + 1, sizeof(*groups));

	if (!groups)
		return drop_failed(reterr, "groups");
	for (uint32_t i = 0; i < spec->n_groups; i++)
		groups[i] = spec->groups[i];
	if (setgroups(spec->n_groups, groups) < 0)
		return drop_failed(reterr, "groups");
	if (setresgid(spec->gid, spec->gid, spec->gid) < 0)
		return drop_failed(reterr, "gid");
	if (setresuid(spec->uid, spec->uid, spec->uid) < 0)
		return drop_failed(reterr, "uid");
	return 0;
}

static int drop_capabilities(struct failure *reterr)
{
	cap_t none = cap_init();
	int r = none ? cap_set_proc(none) : -1;

	if (none)
		(void)cap_free(none);
	return r < 0 ? drop_failed(reterr, "capabilities") : 0;
}

static int check_capabilities(void)
{
	cap_t have = cap_get_proc();
	cap_t none = cap_init();
	int same = have && none ? cap_compare(have, none) : -1;

	if (have)
		(void)cap_free(have);
	if (none)
		(void)cap_free(none);
	for (unsigned long cap = 0; cap < CAPABILITIES_MAX; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			return -1;
	return same == 0 ? 0 : -1;
}

static int check_dropped(const struct init_spec *spec, struct failure *reterr)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0)
		return drop_failed(reterr, "check");
	if (r != spec->uid || e != r || s != r || r == 0 || gr != spec->gid || ge != gr || gs != gr ||
	    getgroups(0, NULL) != (int)spec->n_groups || check_capabilities() < 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return failure_set(reterr, EXIT_BRIDLE, "root's rights were given up but some are still there");
	return 0;
}

int privileges_drop(const struct init_spec *spec, struct failure *reterr)
{
	/* 1, not 0: see filter.c */
	const struct rlimit core = { .rlim_cur = 1, .rlim_max = 1 };

	if (spec->uid == 0 || spec->gid == 0)
		return failure_set(reterr, EXIT_BRIDLE, "the command would run as root, which is never done");
	if (setrlimit(RLIMIT_CORE, &core) < 0)
		return drop_failed(reterr, "core files");
	if (drop_bounding(reterr) < 0 || drop_ids(spec, reterr) < 0 || drop_capabilities(reterr) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return drop_failed(reterr, "no_new_privs");
	/* after the change of ids, which sets it anew */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return drop_failed(reterr, "dumpable");
	return check_dropped(spec, reterr);
}
