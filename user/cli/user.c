/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the command's user and answers what that user may do with files, by asking the kernel as that user. Root,
 * even without capabilities, can still write what others trust (cron.d, core_pattern), so uid 0 and gid 0 are refused,
 * and groups whose members become root at will are left out.
 */
#include "cli/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/util.h"

/* Through a socket, a device or a helper each of these is root. */
static const char *const root_groups[] = { "docker", "lxd", "libvirt", "disk", "kvm", "incus", "incus-admin", "root" };

static bool is_root_group(gid_t gid)
{
	const struct group *g = getgrgid(gid);

	if (gid == 0)
		return true;
	for (size_t i = 0; g && i < ARRAY_SIZE(root_groups); i++)
		if (strcmp(g->gr_name, root_groups[i]) == 0)
			return true;
	return false;
}

static const struct passwd *look_up(const char *wanted)
{
	const struct passwd *p = getpwnam(wanted);
	uint64_t uid;

	if (!p && str_to_u64(str_of(wanted), &uid) == 0 && uid < UINT32_MAX)
		p = getpwuid((uid_t)uid);
	return p;
}

static int fill_groups(struct cli_user *u)
{
	auto_free gid_t *all = calloc(USER_GROUPS_MAX, sizeof(*all));
	int n = USER_GROUPS_MAX;

	u->groups = calloc(USER_GROUPS_MAX, sizeof(*u->groups));
	if (!all || !u->groups || getgrouplist(u->name, u->gid, all, &n) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		if (!is_root_group(all[i]))
			u->groups[u->n_groups++] = all[i];
	return 0;
}

static int fill(const struct passwd *p, struct cli_user *ret, char *reason)
{
	struct cli_user u = { .uid = p->pw_uid, .gid = p->pw_gid };

	u.name = str_dup(str_of(p->pw_name));
	u.home = str_dup(str_of(p->pw_dir));
	u.shell = str_dup(str_of(p->pw_shell && *p->pw_shell ? p->pw_shell : "/bin/sh"));
	if (!u.name || !u.home || !u.shell || fill_groups(&u) < 0) {
		(void)snprintf(reason, USER_REASON_MAX,
			       "cannot read the groups of %s: out of memory, or too many of them", p->pw_name);
		cli_user_done(&u);
		return -1;
	}
	*ret = u;
	return 0;
}

int cli_user_choose(const char *wanted, struct cli_user *ret, char *reason)
{
	const char *sudo = getenv("SUDO_UID");
	const char *origin = "";
	const struct passwd *p;
	char shown[128];

	if (geteuid() != 0) {
		(void)snprintf(reason, USER_REASON_MAX,
			       "bridle run needs root to make the sandbox (the command itself never runs as root): use "
			       "sudo bridle run …");
		return -1;
	}
	if (!wanted && sudo && strcmp(sudo, "0") != 0) {
		wanted = sudo;
		origin = " (SUDO_UID)";
	}
	if (!wanted) {
		(void)snprintf(reason, USER_REASON_MAX,
			       "the command never runs as root: name its user with --user NAME, or start bridle with "
			       "sudo from that "
			       "user's shell");
		return -1;
	}
	(void)log_escape(shown, sizeof(shown), wanted, strlen(wanted));
	p = look_up(wanted);
	if (!p) {
		(void)snprintf(reason, USER_REASON_MAX,
			       "there is no user \"%s\"%s on this machine: give --user a name of /etc/passwd", shown,
			       origin);
		return -1;
	}
	if (p->pw_uid == 0 || is_root_group(p->pw_gid)) {
		(void)snprintf(reason, USER_REASON_MAX,
			       "user %s%s is root, or its own group is as good as root: give --user an ordinary user",
			       shown, origin);
		return -1;
	}
	return fill(p, ret, reason);
}

void cli_user_done(struct cli_user *u)
{
	free(u->groups);
	free(u->name);
	free(u->home);
	free(u->shell);
	*u = (struct cli_user){ 0 };
}

/* Our own identity, for the way back. */
struct identity {
	gid_t *groups; /* owned */
	int n_groups;
	uid_t uid;
	gid_t gid;
};

static int become(const struct cli_user *u, struct identity *back)
{
	auto_free gid_t *groups = calloc(u->n_groups + 1, sizeof(*groups));
	const int n = getgroups(0, NULL);

	*back = (struct identity){ .uid = geteuid(), .gid = getegid() };
	back->groups = calloc((size_t)MAX(n, 0) + 1, sizeof(*back->groups));
	if (n < 0 || !groups || !back->groups || (back->n_groups = getgroups(n, back->groups)) < 0)
		goto fail;
	for (uint32_t i = 0; i < u->n_groups; i++)
		groups[i] = u->groups[i];
	if (setgroups(u->n_groups, groups) < 0 || setegid(u->gid) < 0 || seteuid(u->uid) < 0)
		goto fail;
	return 0;
fail:
	return errno ? -errno : -ENOMEM;
}

/* Half way between two users nothing can be trusted any more. */
static void come_back(struct identity *back)
{
	if (seteuid(back->uid) < 0 || setegid(back->gid) < 0 || setgroups((size_t)back->n_groups, back->groups) < 0)
		abort();
	free(back->groups);
}

int cli_user_open(const struct cli_user *u, const char *path, int flags, mode_t mode)
{
	struct identity back;
	int fd = become(u, &back);

	if (fd == 0) {
		fd = open(path, flags | O_CLOEXEC, mode);
		fd = fd < 0 ? -errno : fd;
	}
	come_back(&back);
	return fd;
}

/* With the effective ids; an identity that cannot be taken on answers yes, the side on which the caller warns. */
static bool user_may(const struct cli_user *u, const char *path, int access_mode)
{
	struct identity back;
	bool may = true;

	if (become(u, &back) == 0)
		may = faccessat(AT_FDCWD, path, access_mode, AT_EACCESS) == 0;
	come_back(&back);
	return may;
}

static bool parent_of(const char *path, char *out, size_t size)
{
	char copy[PATH_MAX];
	const int n = snprintf(copy, sizeof(copy), "%s", path);
	const char *dir;

	if (n < 0 || (size_t)n >= sizeof(copy))
		return false;
	dir = dirname(copy);
	return (size_t)snprintf(out, size, "%s", dir) < size;
}

bool cli_user_can_write_parent(const struct cli_user *u, const char *path)
{
	char dir[PATH_MAX];

	return !parent_of(path, dir, sizeof(dir)) || user_may(u, dir, W_OK | X_OK);
}

/* Whether the user could give a directory another entry of the name; child: who owns the one that is there. */
static bool may_replace_entry(const struct cli_user *u, const char *dir, uid_t child, uid_t *ret_owner)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return true;
	*ret_owner = st.st_uid;
	/* the owner may make it writable */
	if (st.st_uid == u->uid)
		return true;
	/* in a sticky directory only owners may replace */
	return user_may(u, dir, W_OK | X_OK) && (!(st.st_mode & S_ISVTX) || child == u->uid);
}

/* From the directory that holds path up to the root: each could be renamed away with all that is in it. */
static bool may_replace_above(const struct cli_user *u, const char *path, uid_t owner)
{
	char dir[PATH_MAX];
	auto_free char *real = NULL;

	if (!parent_of(path, dir, sizeof(dir)))
		return true;
	real = realpath(dir, NULL);
	if (!real)
		return true;
	for (;;) {
		char *slash = strrchr(real, '/');

		if (may_replace_entry(u, real, owner, &owner))
			return true;
		if (!slash || strcmp(real, "/") == 0)
			return false;
		slash[slash == real ? 1 : 0] = '\0';
	}
}

bool cli_user_can_replace(const struct cli_user *u, const char *path)
{
	auto_free char *real = realpath(path, NULL);
	struct stat link, file;

	if (!real || lstat(path, &link) < 0 || stat(real, &file) < 0)
		return true;
	/* the owner may make it writable */
	if (user_may(u, path, W_OK) || file.st_uid == u->uid)
		return true;
	return may_replace_above(u, path, link.st_uid) || may_replace_above(u, real, file.st_uid);
}
