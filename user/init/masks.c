/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hides directories. Only directories: a mount over a file is lost when somebody outside renames another file over it.
 * The same directory may be reachable by bind mounts elsewhere; those are covered too, and so is a mount of something
 * below it. Refuses a directory that is missing, and one without which the command could not run.
 */
#include "init/masks.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/init_spec.h"
#include "base/util.h"
#include "init/failure.h"
#include "init/mount_table.h"

#define MASK_OPTIONS "mode=0700,size=4k,nr_inodes=2"

/* bridle's own; hidden where they exist. */
static const char *const own_directories[] = { "/run/bridle", "/var/log/bridle", "/sys/fs/bpf" };

/* A mask on one of these, or on what holds one, would take away what every command needs. */
static const char *const needed[] = { "/bin",  "/dev", "/etc/ssl", "/etc/resolv.conf", "/lib",
				      "/proc", "/sys", "/usr/bin", "/usr/lib",	       "/tmp" };

static int mount_empty(const char *path, struct failure *reterr)
{
	if (mount("bridle", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, MASK_OPTIONS) < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot hide %s from the command: %s", path, strerror(errno));
	return 0;
}

/* refuse: a bind mount of one secret file. It cannot be covered for good, so the operator has to remove it. */
static int cover_target(const char *path, struct failure *reterr)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0
				       : failure_set(reterr, EXIT_BRIDLE, "cannot look at %s, which must be hidden: %s",
						     path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return failure_set(reterr, EXIT_BRIDLE,
				   "%s shows a file of a directory that holds secrets; unmount it, then start again",
				   path);
	return mount_empty(path, reterr);
}

/* The mount that a path is on: the visible one with the longest target. */
static const struct mount_entry *mount_of(const struct mount_table *t, const char *path)
{
	const struct mount_entry *best = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const struct mount_entry *e = &t->entries[i];

		if (path_is_within(path, e->target) && mount_entry_is_visible(e) &&
		    (!best || strlen(e->target) >= strlen(best->target)))
			best = e;
	}
	return best;
}

static int join(char *out, size_t size, const char *dir, const char *below)
{
	int n = snprintf(out, size, "%s%s%s", strcmp(dir, "/") == 0 ? "" : dir,
			 *below || strcmp(dir, "/") == 0 ? "/" : "", below);

	return n < 0 || (size_t)n >= size ? -1 : 0;
}

/* Other places that show the directory, or something in it. inside: its path within its file system. */
static int cover_aliases(const struct mount_table *t, const struct mount_entry *own, const char *inside,
			 struct failure *reterr)
{
	char alias[PATH_MAX];

	for (size_t i = 0; i < t->n; i++) {
		const struct mount_entry *e = &t->entries[i];

		if (e == own || strcmp(e->device, own->device) != 0 || !mount_entry_is_visible(e))
			continue;
		if (path_is_within(inside, e->root)) {
			if (join(alias, sizeof(alias), e->target, path_below(inside, e->root)) < 0)
				return failure_set(reterr, EXIT_BRIDLE, "a path below %s is too long to be hidden",
						   e->target);
		} else if (path_is_within(e->root, inside)) {
			(void)snprintf(alias, sizeof(alias), "%s", e->target);
		} else {
			continue;
		}
		if (cover_target(alias, reterr) < 0)
			return -1;
	}
	return 0;
}

int mask_directory(const char *path, struct failure *reterr)
{
	auto_free char *real = realpath(path, NULL);
	struct mount_table t = { 0 };
	const struct mount_entry *own;
	char inside[PATH_MAX];
	struct stat st;
	int r;

	if (!real || stat(real, &st) < 0)
		return failure_set(
			reterr, EXIT_BRIDLE,
			"%s holds a secret and must be hidden, but: %s; make the directory, then start again", path,
			strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return failure_set(reterr, EXIT_BRIDLE, "%s must be hidden but is no directory", path);
	r = mount_table_read("/proc/self/mountinfo", &t);
	if (r < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot read /proc/self/mountinfo: %s", strerror(-r));
	own = mount_of(&t, real);
	if (!own || join(inside, sizeof(inside), own->root, path_below(real, own->target)) < 0)
		r = failure_set(reterr, EXIT_BRIDLE, "cannot find the file system of %s, which must be hidden", real);
	else
		r = cover_aliases(&t, own, inside, reterr);
	if (r == 0)
		r = mount_empty(real, reterr);
	mount_table_done(&t);
	return r;
}

static const char *spec_variable(const struct init_spec *spec, const char *name)
{
	size_t n = strlen(name);

	for (char **e = spec->envp; e && *e; e++)
		if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
			return *e + n + 1;
	return NULL;
}

/* refuse: hiding this would hide what the command works with; the secret has to move, not the command. */
static int check_not_needed(const struct init_spec *spec, const char *path, struct failure *reterr)
{
	const char *const own[] = { spec->cwd, spec_variable(spec, "HOME") };
	auto_free char *real = realpath(path, NULL);
	const char *victim = NULL;

	if (!real)
		return 0; /* mask_directory() says it */
	for (size_t i = 0; i < ARRAY_SIZE(needed) && !victim; i++)
		if (path_is_within(needed[i], real))
			victim = needed[i];
	for (size_t i = 0; i < ARRAY_SIZE(own) && !victim; i++) {
		auto_free char *resolved = own[i] ? realpath(own[i], NULL) : NULL;

		if (resolved && path_is_within(resolved, real))
			victim = own[i];
	}
	if (!victim)
		return 0;
	return failure_set(
		reterr, EXIT_BRIDLE,
		"the policy names a secret in %s, which would have to be hidden, but the command needs %s; move the "
		"secret into a directory of its own",
		path, victim);
}

int masks_apply(const struct init_spec *spec, struct failure *reterr)
{
	struct stat st;

	for (char **m = spec->masks; m && *m; m++)
		if (check_not_needed(spec, *m, reterr) < 0)
			return -1;
	for (char **m = spec->masks; m && *m; m++)
		if (mask_directory(*m, reterr) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(own_directories); i++)
		/* without their aliases: our certificates and resolv.conf are mounted from one of them */
		if (stat(own_directories[i], &st) == 0 && mount_empty(own_directories[i], reterr) < 0)
			return -1;
	return 0;
}
