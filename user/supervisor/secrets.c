/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which directories are hidden from the command, and refuses a secret whose directory the command needs: a
 * mask there would break it, and no mask would show the secret.
 */
#include "supervisor/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/init_spec.h"
#include "base/log.h"
#include "base/util.h"
#include "policy/policy.h"

/* Needed by nearly every program. A directory of its own below one of them is fine. */
static const char *const needed[] = {
	"/",
	"/bin",
	"/boot",
	"/dev",
	"/dev/pts",
	"/dev/shm",
	"/etc",
	"/etc/ssl",
	"/etc/ssl/certs",
	"/etc/ssl/private",
	"/home",
	"/lib",
	"/lib32",
	"/lib64",
	"/media",
	"/mnt",
	"/opt",
	"/proc",
	"/root",
	"/run",
	"/run/user",
	"/sbin",
	"/srv",
	"/sys",
	"/tmp",
	"/usr",
	"/usr/bin",
	"/usr/lib",
	"/usr/local",
	"/usr/local/bin",
	"/usr/local/lib",
	"/usr/sbin",
	"/usr/share",
	"/var",
	"/var/cache",
	"/var/lib",
	"/var/log",
	"/var/run",
	"/var/tmp",
};

void secrets_init(struct secrets *s)
{
	*s = (struct secrets){ 0 };
}

/* dir is path, or a directory above it */
static bool covers(const char *dir, const char *path)
{
	const size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(dir, path, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* path may be spelled with links */
static bool covers_real(const char *dir, const char *path)
{
	auto_free char *real = NULL;

	if (!path || path[0] != '/')
		return false;
	real = realpath(path, NULL);
	return covers(dir, path) || (real && covers(dir, real));
}

static const char *find_env(char **envp, const char *name)
{
	const size_t n = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

static bool covers_path_entry(const char *dir, const char *list)
{
	char entry[PATHS_MAX_BYTES];

	while (list && *list) {
		const size_t n = strcspn(list, ":");

		if (n < sizeof(entry)) {
			memcpy(entry, list, n);
			entry[n] = '\0';
			if (covers_real(dir, entry))
				return true;
		}
		list += n + (list[n] == ':');
	}
	return false;
}

const char *secrets_find_need(const char *real, const struct init_spec *command, char *out, size_t size)
{
	const char *home = find_env(command->envp, "HOME");

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (covers_real(real, needed[i])) {
			(void)snprintf(out, size, "every program needs %s", needed[i]);
			return out;
		}
	}
	if (covers("/proc", real) || covers("/sys", real))
		(void)snprintf(out, size, "it is no directory for files");
	else if (covers_real(real, command->cwd))
		(void)snprintf(out, size, "the command works in %s", command->cwd);
	else if (covers_real(real, home))
		(void)snprintf(out, size, "the command's home directory is %s", home);
	else if (covers_path_entry(real, find_env(command->envp, "PATH")))
		(void)snprintf(out, size, "the command's PATH goes through it");
	else if (command->argv && command->argv[0] && covers_real(real, command->argv[0]))
		(void)snprintf(out, size, "the command %s is in it", command->argv[0]);
	else
		return NULL;
	return out;
}

/* Makes what is missing of path, 0700, and remembers it. */
static int make_missing(struct secrets *s, const char *path, char *reason)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1;; p++) {
		const char end = *p;

		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) == 0) {
			if (s->n_made == STATE_MADE_MAX)
				return reason_set(reason, -E2BIG,
						  "too many directories of secrets are missing; make %s", path);
			memmove(s->made + 1, s->made, s->n_made * sizeof(s->made[0]));
			s->made[0] = strdup(copy);
			s->n_made++;
			log_warning(
				"the secret's directory %s did not exist: made it (0700, removed at the end if empty)",
				copy);
		} else if (errno != EEXIST) {
			return reason_set(
				reason, -errno,
				"cannot make the directory %s for a secret: %s; make it, or change the policy", copy,
				strerror(errno));
		}
		*p = end;
		if (!end)
			return 0;
	}
}

static int open_dir(const char *path, struct secret_dir *dir)
{
	auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	(void)fd_close(dir->fd);
	dir->dev = st.st_dev;
	dir->ino = st.st_ino;
	dir->fd = TAKE_FD(fd);
	return 0;
}

static int add_dir(struct secrets *s, const char *path, const char *file, const struct init_spec *command, char *reason)
{
	struct secret_dir *dir = &s->dirs[s->n_dirs];
	char need[PATHS_MAX_BYTES + 64];
	int r;

	*dir = (struct secret_dir){ .fd = -1 };
	s->n_dirs++;
	dir->path = strdup(path);
	if (!dir->path)
		return -ENOMEM;
	r = open_dir(path, dir);
	if (r == -ENOENT) {
		r = make_missing(s, path, reason);
		if (r < 0)
			return r;
		r = open_dir(path, dir);
	}
	if (r < 0)
		return reason_set(reason, r, "cannot open %s, the directory of the secret %s: %s; make it a directory",
				  path, file, strerror(-r));
	dir->real = realpath(path, NULL);
	if (!dir->real)
		return reason_set(reason, -errno, "cannot find %s, the directory of a secret: %s; make it a directory",
				  path, strerror(errno));
	if (secrets_find_need(dir->real, command, need, sizeof(need)))
		return reason_set(reason, -EBUSY,
				  "the secret %s is in %s, which would have to be hidden from the command, but %s; put "
				  "the secret in "
				  "a directory of its own",
				  file, dir->real, need);
	return 0;
}

/* Directories below another hidden one are hidden with it. */
static int make_masks(struct secrets *s)
{
	size_t n = 0;

	s->masks = calloc(s->n_dirs + 1, sizeof(*s->masks));
	if (!s->masks)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_dirs; i++) {
		bool hidden = false;

		for (size_t j = 0; j < s->n_dirs; j++) {
			const char *a = s->dirs[j].real, *b = s->dirs[i].real;

			hidden |= j != i && covers(a, b) && (strcmp(a, b) != 0 || j < i);
		}
		if (!hidden)
			s->masks[n++] = s->dirs[i].real;
	}
	return 0;
}

static bool is_listed(const struct secrets *s, const char *path)
{
	for (size_t i = 0; i < s->n_dirs; i++)
		if (strcmp(s->dirs[i].path, path) == 0)
			return true;
	return false;
}

int secrets_open(struct secrets *s, const struct policy *policy, const struct init_spec *command, char *reason)
{
	const size_t n = policy_secret_file_count(policy);
	int r;

	(void)reason_set(reason, -ENOMEM, "no memory for the policy's secrets; end other processes");
	s->dirs = calloc(n + 1, sizeof(*s->dirs));
	if (!s->dirs)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *file = policy_secret_file_at(policy, i);
		auto_free char *path = strdup(file);
		char *slash = path ? strrchr(path, '/') : NULL;

		if (!slash)
			return -ENOMEM;
		slash[slash == path ? 1 : 0] = '\0';
		if (is_listed(s, path))
			continue;
		if (s->n_dirs == SECRETS_DIRS_MAX)
			return reason_set(reason, -E2BIG,
					  "the policy's secrets are in more than %d directories; put some together",
					  SECRETS_DIRS_MAX);
		r = add_dir(s, path, file, command, reason);
		if (r < 0)
			return r;
	}
	return make_masks(s);
}

static void secrets_check(struct timer *t)
{
	struct secrets *s = container_of(t, struct secrets, timer);
	struct stat st;

	for (size_t i = 0; i < s->n_dirs; i++) {
		struct secret_dir *dir = &s->dirs[i];

		if (stat(dir->path, &st) < 0 || (st.st_dev == dir->dev && st.st_ino == dir->ino))
			continue;
		if (open_dir(dir->path, dir) == 0)
			s->on_replaced(s->arg, dir);
	}
	(void)timer_set(s->loop, &s->timer, SECRETS_RECHECK_MS);
}

int secrets_watch(struct secrets *s, struct loop *loop, void (*on_replaced)(void *arg, const struct secret_dir *dir),
		  void *arg)
{
	s->loop = loop;
	s->on_replaced = on_replaced;
	s->arg = arg;
	s->timer.fire = secrets_check;
	return s->n_dirs ? timer_set(loop, &s->timer, SECRETS_RECHECK_MS) : 0;
}

void secrets_done(struct secrets *s)
{
	if (s->loop)
		timer_clear(s->loop, &s->timer);
	for (size_t i = 0; i < s->n_dirs; i++) {
		(void)fd_close(s->dirs[i].fd);
		free(s->dirs[i].path);
		free(s->dirs[i].real);
	}
	for (size_t i = 0; i < s->n_made; i++) {
		if (s->made[i])
			(void)rmdir(s->made[i]);
		free(s->made[i]);
	}
	free(s->dirs);
	free(s->masks);
	secrets_init(s);
}
