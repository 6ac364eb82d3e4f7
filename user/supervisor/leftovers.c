/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds runs in three places (state, pins, cgroups) and tells the living from the dead by the locks alone: the name's,
 * and the cgroup's for runs of another container, whose /run/bridle is not ours. Removes only under the name's lock:
 * processes first, then the programs that confined them, then the rest.
 */
#include "supervisor/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/util.h"
#include "supervisor/cgroup.h"
#include "supervisor/kernel.h"
#include "supervisor/kernel_pins.h"
#include "supervisor/paths.h"
#include "supervisor/sandbox.h"
#include "supervisor/state.h"

#define NAMES_MAX 4096

struct names {
	char (*names)[SANDBOX_NAME_MAX + 1]; /* owned */
	size_t n;
};

static int names_add(struct names *l, const char *name)
{
	void *more;

	if (!sandbox_name_is_valid(str_of(name)))
		return 0; /* not one of ours */
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->names[i], name) == 0)
			return 0;
	if (l->n == NAMES_MAX)
		return 0;
	more = realloc(l->names, (l->n + 1) * sizeof(*l->names));
	if (!more)
		return -ENOMEM;
	l->names = more;
	(void)snprintf(l->names[l->n++], sizeof(*l->names), "%s", name);
	return 0;
}

static int names_add_pinned(struct names *l, const char *name)
{
	char own[SANDBOX_NAME_MAX + 1];

	if (strlen(name) >= sizeof(own))
		return 0;
	(void)snprintf(own, sizeof(own), "%s", name);
	pins_restore_name(own);
	return names_add(l, own);
}

static int names_add_dir(struct names *l, const char *path, int (*add)(struct names *l, const char *name))
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)) && r == 0)
		if (entry->d_type == DT_DIR)
			r = add(l, entry->d_name);
	(void)closedir(dir);
	return r;
}

static int names_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int find_names(struct names *l, char *reason)
{
	char cgroups[PATHS_MAX_BYTES];
	int r = cgroup_path("", cgroups, sizeof(cgroups), reason);

	/* without cgroup v2 there can be no cgroup that is left, but files there can be */
	if (r == 0)
		r = names_add_dir(l, cgroups, names_add);
	if (r == 0 || r == -ENOENT)
		r = names_add_dir(l, PATHS_STATE, names_add);
	if (r == 0)
		r = names_add_dir(l, PATHS_PINS, names_add_pinned);
	if (r < 0)
		return reason_set(reason, r,
				  "cannot look for runs in " PATHS_STATE ", " PATHS_PINS
				  " and the cgroups: %s; be root",
				  strerror(-r));
	if (l->n > 1)
		qsort(l->names, l->n, sizeof(*l->names), names_compare);
	return 0;
}

static bool is_pinned(const char *name)
{
	char path[PATHS_MAX_BYTES];

	return paths_join(path, sizeof(path), PATHS_PINS, name) == 0 && pins_exist(path);
}

static void describe(const char *name, bool running, struct state_facts *facts, struct leftover *ret)
{
	char cgroup[PATHS_MAX_BYTES], pins[PATHS_MAX_BYTES];

	if (state_read(name, facts) < 0)
		*facts = (struct state_facts){ 0 };
	*ret = (struct leftover){
		.name = name,
		.pid = facts->pid,
		.started = facts->started,
		.uid = facts->uid,
		.policy = facts->policy,
		.running = running,
		.pinned = is_pinned(name),
		.cgroup = cgroup_path(name, cgroup, sizeof(cgroup), NULL) == 0 && access(cgroup, F_OK) == 0,
	};
	ret->counted = paths_join(pins, sizeof(pins), PATHS_PINS, name) == 0 &&
		       pinned_counters_read(pins, &ret->counters) == 0;
}

static bool lives(const char *name)
{
	char cgroup[PATHS_MAX_BYTES];

	return state_is_held(name) || (cgroup_path(name, cgroup, sizeof(cgroup), NULL) == 0 && cgroup_is_held(cgroup));
}

int leftovers_list(leftovers_fn fn, void *arg, char *reason)
{
	struct names l = { 0 };
	int r = find_names(&l, reason);

	for (size_t i = 0; i < l.n && r == 0; i++) {
		struct state_facts facts = { 0 };
		struct leftover leftover;

		describe(l.names[i], lives(l.names[i]), &facts, &leftover);
		fn(arg, &leftover);
		state_facts_done(&facts);
	}
	free(l.names);
	return r;
}

/* refuse: what another build pinned means something else; nothing of that run is touched, its processes neither. */
static int check_abi(const char *name, const char *pins, char *reason)
{
	uint32_t theirs;
	int r = pins_read_abi(pins, &theirs);

	if (r == 0 && theirs != pins_own_abi())
		return reason_set(reason, -ENOTSUP,
				  "the dead run %s was of another build of bridle (its kernel programs are version %u, "
				  "this one's are %u): remove it with that build's `bridle gc`",
				  name, theirs, pins_own_abi());
	return 0; /* what cannot be read is said by the removal */
}

int leftovers_clear(const char *name, char *reason)
{
	struct state_facts facts = { 0 };
	char path[PATHS_MAX_BYTES], pins[PATHS_MAX_BYTES];
	int r;

	(void)snprintf(pins, sizeof(pins), PATHS_PINS "/%s", name);
	r = check_abi(name, pins, reason);
	if (r < 0)
		return r;
	r = cgroup_path(name, path, sizeof(path), reason);
	if (r == 0 && cgroup_is_held(path))
		return reason_set(reason, -EBUSY,
				  "the name %s is taken by a running sandbox of another container; choose another "
				  "--name, or end that one",
				  name);
	/* processes first, while the programs still refuse */
	if (r == 0)
		r = cgroup_remove(path);
	if (r < 0 && r != -ENOENT)
		return reason_set(reason, r, "cannot remove the cgroup of the dead run %s: %s; look at %s", name,
				  strerror(-r), path);
	r = pins_exist(pins) ? kernel_remove_pins(pins) : 0;
	if (r < 0)
		return reason_set(reason, r, "cannot remove the kernel programs of the dead run %s: %s; look at %s",
				  name, strerror(-r), pins);
	if (state_read(name, &facts) == 0)
		for (size_t i = 0; i < facts.n_made; i++)
			(void)rmdir(facts.made[i]);
	state_facts_done(&facts);
	return 0;
}

/* 1 removed, 0 lives or gone already, -errno. */
static int collect_one(const char *name, leftovers_fn removed, void *arg, char *reason)
{
	struct state_facts facts = { 0 };
	struct leftover leftover;
	struct state state;
	int r;

	if (lives(name))
		return 0;
	r = state_take(name, &state, reason);
	if (r == -EBUSY)
		return 0;
	if (r < 0)
		return r;
	describe(name, false, &facts, &leftover);
	if (!leftover.pid && !leftover.pinned && !leftover.cgroup) {
		/* it ended by itself after it was found; what is there now is what we made to lock it */
		state_remove(&state);
		state_facts_done(&facts);
		return 0;
	}
	r = leftovers_clear(name, reason);
	if (r == -EBUSY) {
		state_release(&state);
		r = 0;
	} else if (r == 0) {
		if (removed)
			removed(arg, &leftover);
		state_remove(&state);
		r = 1;
	} else {
		/* it stays listed: the name goes back, the directory stays */
		state_release(&state);
	}
	state_facts_done(&facts);
	return r;
}

int leftovers_collect(leftovers_fn removed, void *arg, char *reason)
{
	struct names l = { 0 };
	int r = find_names(&l, reason), n = 0, error = 0;

	for (size_t i = 0; i < l.n && r == 0; i++) {
		int one = collect_one(l.names[i], removed, arg, reason);

		n += one > 0;
		if (one < 0)
			error = one;
	}
	if (r == 0)
		state_remove_gone();
	free(l.names);
	return r < 0 ? r : error < 0 ? error : n;
}
