/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's view of the file system: own /proc, nothing of the kernel's file systems writable, no other view of
 * processes outside, our certificates and resolver. Whatever cannot be put in place ends init: the command never runs
 * with half of it.
 */
#include "init/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/init_spec.h"
#include "base/util.h"
#include "init/failure.h"
#include "init/masks.h"
#include "init/mount_table.h"

#define CERTS_DIR	  "/etc/ssl/certs"
#define CERTS_STAGED	  "java"
#define RESOLV_CONF	  "/etc/resolv.conf"
#define CERTS_SUBDIRS_MAX 32
#define PROC_STACK_MAX	  16 /* mounts over each other on /proc */

enum type_action { TYPE_READ_ONLY, TYPE_DETACH, TYPE_EMPTY };

/*
 * What happens to every mount of a type. Another proc would show the processes outside; a second mqueue is that of
 * the IPC namespace outside.
 */
static const struct {
	const char *type;
	enum type_action action;
} types[] = {
	{ "proc", TYPE_DETACH },	{ "mqueue", TYPE_DETACH },	   { "bpf", TYPE_EMPTY },
	{ "debugfs", TYPE_EMPTY },	{ "tracefs", TYPE_EMPTY },	   { "cgroup", TYPE_READ_ONLY },
	{ "cgroup2", TYPE_READ_ONLY },	{ "sysfs", TYPE_READ_ONLY },	   { "securityfs", TYPE_READ_ONLY },
	{ "configfs", TYPE_READ_ONLY }, { "efivarfs", TYPE_READ_ONLY },	   { "pstore", TYPE_READ_ONLY },
	{ "fusectl", TYPE_READ_ONLY },	{ "binfmt_misc", TYPE_READ_ONLY }, { "selinuxfs", TYPE_READ_ONLY },
	{ "resctrl", TYPE_READ_ONLY },
};

/* Of our own /proc; those that exist. */
static const char *const proc_read_only[] = { "/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
					      "/proc/fs",  "/proc/acpi",	  "/proc/scsi" };

static int remount_read_only(const char *path, struct failure *reterr)
{
	struct statvfs st;
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;

	if (statvfs(path, &st) == 0 && (st.f_flag & ST_NOEXEC))
		flags |= MS_NOEXEC;
	if (mount(NULL, path, NULL, flags, NULL) < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot make %s read-only for the command: %s", path,
				   strerror(errno));
	return 0;
}

static int bind_read_only(const char *from, const char *to, struct failure *reterr)
{
	if (mount(from, to, NULL, MS_BIND, NULL) < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot mount %s on %s: %s", from, to, strerror(errno));
	return remount_read_only(to, reterr);
}

static int own_proc(struct failure *reterr)
{
	for (int i = 0; i < PROC_STACK_MAX && umount2("/proc", MNT_DETACH) == 0; i++)
		;
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot mount the sandbox's own /proc: %s", strerror(errno));
	return 0;
}

static int proc_protect(struct failure *reterr)
{
	for (size_t i = 0; i < ARRAY_SIZE(proc_read_only); i++) {
		struct stat st;

		if (lstat(proc_read_only[i], &st) < 0)
			continue;
		if (bind_read_only(proc_read_only[i], proc_read_only[i], reterr) < 0)
			return -1;
	}
	return 0;
}

static int apply_action(const struct mount_entry *e, enum type_action action, struct failure *reterr)
{
	switch (action) {
	case TYPE_READ_ONLY:
		return remount_read_only(e->target, reterr);
	case TYPE_DETACH:
		if (umount2(e->target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return failure_set(reterr, EXIT_BRIDLE, "cannot detach %s on %s: %s", e->type, e->target,
					   strerror(errno));
		return 0;
	case TYPE_EMPTY:
		if (mount("bridle", e->target, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  "mode=0700,size=4k") < 0)
			return failure_set(reterr, EXIT_BRIDLE, "cannot hide %s on %s: %s", e->type, e->target,
					   strerror(errno));
		return 0;
	}
	return failure_set(reterr, EXIT_BRIDLE, "no rule for the mount on %s", e->target);
}

/* Last mount first, so that what lies on top goes before what is below it. */
static int apply_types(const struct mount_table *t, struct failure *reterr)
{
	for (size_t i = t->n; i-- > 0;) {
		const struct mount_entry *e = &t->entries[i];

		if (strcmp(e->target, "/proc") == 0 || !mount_entry_is_visible(e))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(types); k++) {
			if (strcmp(types[k].type, e->type) != 0)
				continue;
			if (apply_action(e, types[k].action, reterr) < 0)
				return -1;
			break;
		}
	}
	return 0;
}

static int kernel_file_systems(struct failure *reterr)
{
	struct mount_table t;
	int r = mount_table_read("/proc/self/mountinfo", &t);

	if (r < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot read /proc/self/mountinfo: %s", strerror(-r));
	r = apply_types(&t, reterr);
	mount_table_done(&t);
	return r;
}

/* Subdirectories of the machine's own certificates, opened before ours cover them. java/ is staged: it holds roots. */
struct subdirs {
	int fds[CERTS_SUBDIRS_MAX];
	char names[CERTS_SUBDIRS_MAX][NAME_MAX + 1];
	size_t n;
};

static int subdirs_open(struct subdirs *s, struct failure *reterr)
{
	DIR *dir = opendir(CERTS_DIR);
	const struct dirent *entry;
	int r = 0;

	s->n = 0;
	if (!dir)
		return failure_set(reterr, EXIT_BRIDLE,
				   "cannot read " CERTS_DIR ": %s; install the package ca-certificates",
				   strerror(errno));
	while (r == 0 && (entry = readdir(dir))) {
		int fd;

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, CERTS_STAGED) == 0)
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue; /* a file or a link */
		if (s->n == CERTS_SUBDIRS_MAX) {
			(void)close(fd);
			r = failure_set(reterr, EXIT_BRIDLE, CERTS_DIR " has more than %d subdirectories",
					CERTS_SUBDIRS_MAX);
			break;
		}
		(void)snprintf(s->names[s->n], sizeof(s->names[0]), "%s", entry->d_name);
		s->fds[s->n++] = fd;
	}
	(void)closedir(dir);
	return r;
}

static int subdirs_mount(const struct subdirs *s, const char *staged, struct failure *reterr)
{
	for (size_t i = 0; i < s->n; i++) {
		char target[PATH_MAX], place[PATH_MAX], from[64];

		(void)snprintf(place, sizeof(place), "%s/%s", staged, s->names[i]);
		(void)snprintf(target, sizeof(target), CERTS_DIR "/%s", s->names[i]);
		(void)snprintf(from, sizeof(from), "/proc/self/fd/%d", s->fds[i]);
		if (mkdir(place, 0755) < 0 && errno != EEXIST)
			return failure_set(reterr, EXIT_BRIDLE, "cannot make %s: %s", place, strerror(errno));
		if (mount(from, target, NULL, MS_BIND | MS_REC, NULL) < 0)
			return failure_set(reterr, EXIT_BRIDLE, "cannot keep %s: %s", target, strerror(errno));
	}
	return 0;
}

static int replace_certs(const char *staged, struct failure *reterr)
{
	struct subdirs subdirs;
	int r = subdirs_open(&subdirs, reterr);

	if (r == 0 && mount(staged, CERTS_DIR, NULL, MS_BIND, NULL) < 0)
		r = failure_set(reterr, EXIT_BRIDLE, "cannot mount %s on " CERTS_DIR ": %s", staged, strerror(errno));
	if (r == 0)
		r = subdirs_mount(&subdirs, staged, reterr);
	if (r == 0)
		r = remount_read_only(CERTS_DIR, reterr);
	for (size_t i = 0; i < subdirs.n; i++)
		(void)close(subdirs.fds[i]);
	return r;
}

/* Without the file, or when the mount is lost later, every query still goes to our responder. */
static int replace_resolv_conf(const char *staged, struct failure *reterr)
{
	struct stat st;

	if (stat(RESOLV_CONF, &st) < 0)
		return 0;
	return bind_read_only(staged, RESOLV_CONF, reterr);
}

int mounts_prepare(const struct init_spec *spec, struct failure *reterr)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot make the sandbox's mounts private: %s",
				   strerror(errno));
	if (own_proc(reterr) < 0 || kernel_file_systems(reterr) < 0 || proc_protect(reterr) < 0)
		return -1;
	/* before the masks: what is staged lies in a directory of ours, which gets hidden */
	if (spec->certs_dir && replace_certs(spec->certs_dir, reterr) < 0)
		return -1;
	if (spec->resolv_conf && replace_resolv_conf(spec->resolv_conf, reterr) < 0)
		return -1;
	return masks_apply(spec, reterr);
}
