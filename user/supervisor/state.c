/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run's name is its lock. Trusts the lock alone: the pid in the facts is for people. Refuses a name that a living
 * run holds.
 */
#include "supervisor/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/util.h"
#include "supervisor/sandbox.h"

#define STATE_FILE_MAX	  ((size_t)256 * 1024)
#define STATE_RETRIES_MAX 10
#define STATE_RETRY_US	  10000

bool sandbox_name_is_valid(struct str name)
{
	if (name.n == 0 || name.n > SANDBOX_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			continue;
		if (i > 0 && (c == '.' || c == '_' || c == '-'))
			continue;
		return false;
	}
	return true;
}

void state_init(struct state *s)
{
	*s = (struct state){ .lock_fd = -1 };
}

/* Of the open file description: it ends with the process, and looking at it takes nothing. */
static const struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

/* 1 locked, 0 try again (the holder before us removed the file), -errno. */
static int state_lock(const char *dir, int *ret)
{
	char path[PATHS_MAX_BYTES + 8];
	struct stat by_fd, by_path;
	auto_fd int fd = -1;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (paths_join(path, sizeof(path), dir, "lock") < 0)
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fcntl(fd, F_OFD_SETLK, &whole_file) < 0)
		return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	if (fstat(fd, &by_fd) < 0 || stat(path, &by_path) < 0 || by_fd.st_ino != by_path.st_ino)
		return 0;
	*ret = TAKE_FD(fd);
	return 1;
}

int state_take(const char *name, struct state *ret, char *reason)
{
	struct state_facts facts = { 0 };
	struct state s;
	int r = paths_make_dir(PATHS_RUN, 0700, reason);

	state_init(&s);
	if (r == 0)
		r = paths_make_dir(PATHS_STATE, 0700, reason);
	if (r < 0)
		return r;
	(void)snprintf(s.dir, sizeof(s.dir), PATHS_STATE "/%s", name);
	r = 0;
	for (int i = 0; i < STATE_RETRIES_MAX && (r == 0 || r == -EBUSY); i++) {
		/* somebody may hold it for a moment only, to clear it */
		if (r == -EBUSY)
			(void)usleep(STATE_RETRY_US);
		r = state_lock(s.dir, &s.lock_fd);
	}
	if (r == 1) {
		*ret = s;
		return 0;
	}
	if (r == -EBUSY) {
		(void)state_read(name, &facts);
		(void)reason_set(reason, r,
				 "the name %s is taken by the running sandbox of process %d; choose another --name, or "
				 "end that one",
				 name, facts.pid);
		state_facts_done(&facts);
		return r;
	}
	if (r == 0)
		r = -EAGAIN;
	return reason_set(reason, r, "cannot lock %s/lock: %s; try again", s.dir, strerror(-r));
}

/* Whole files appear at once: written beside, then renamed. */
static int write_file(const struct state *s, const char *name, const char *text, mode_t mode)
{
	char path[PATHS_MAX_BYTES + 32], temporary[PATHS_MAX_BYTES + 40];
	const size_t n = strlen(text);
	auto_fd int fd = -1;

	if (paths_join(path, sizeof(path), s->dir, name) < 0)
		return -ENAMETOOLONG;
	(void)snprintf(temporary, sizeof(temporary), "%s.new", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	/* whatever the caller's umask: the command reads some of them as another user */
	if (fchmod(fd, mode) < 0 || write(fd, text, n) != (ssize_t)n)
		return errno ? -errno : -EIO;
	return rename(temporary, path) < 0 ? -errno : 0;
}

int state_write(const struct state *s, const struct state_facts *facts)
{
	auto_free char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int r;

	if (!f)
		return -ENOMEM;
	(void)fprintf(f, "pid %d\nstarted %" PRIu64 "\nuid %u\n", facts->pid, facts->started, facts->uid);
	if (facts->policy && !strchr(facts->policy, '\n'))
		(void)fprintf(f, "policy %s\n", facts->policy);
	for (size_t i = 0; i < facts->n_made; i++)
		if (!strchr(facts->made[i], '\n'))
			(void)fprintf(f, "made %s\n", facts->made[i]);
	r = fclose(f);
	return r != 0 ? -ENOMEM : write_file(s, "state", text, 0600);
}

static void read_line(struct str line, struct state_facts *facts)
{
	const size_t n = str_find(line, ' ');
	const struct str key = str_make(line.p, n), value = str_from(line, n + 1);
	uint64_t number;

	if (str_eq(key, STR("pid")) && str_to_u64(value, &number) == 0 && number <= INT32_MAX)
		facts->pid = (int)number;
	else if (str_eq(key, STR("started")))
		(void)str_to_u64(value, &facts->started);
	else if (str_eq(key, STR("uid")) && str_to_u64(value, &number) == 0 && number <= UINT32_MAX)
		facts->uid = (uint32_t)number;
	else if (str_eq(key, STR("policy")) && !facts->policy)
		facts->policy = str_dup(value);
	else if (str_eq(key, STR("made")) && facts->n_made < STATE_MADE_MAX) {
		facts->made[facts->n_made] = str_dup(value);
		facts->n_made += facts->made[facts->n_made] != NULL;
	}
}

int state_read(const char *name, struct state_facts *ret)
{
	char path[PATHS_MAX_BYTES];
	auto_free char *text = NULL;
	struct str rest = { NULL, 0 };
	int r;

	(void)snprintf(path, sizeof(path), PATHS_STATE "/%s/state", name);
	r = paths_read_file(path, STATE_FILE_MAX, &text, &rest.n);
	if (r < 0)
		return r;
	rest.p = text;
	*ret = (struct state_facts){ 0 };
	while (rest.n) {
		size_t n = str_find(rest, '\n');

		read_line(str_make(rest.p, n), ret);
		rest = str_from(rest, n + 1);
	}
	return 0;
}

void state_facts_done(struct state_facts *facts)
{
	free(facts->policy);
	for (size_t i = 0; i < facts->n_made; i++)
		free(facts->made[i]);
	*facts = (struct state_facts){ 0 };
}

int state_write_resolv_conf(const struct state *s, const char *nameserver, char *out, size_t size)
{
	char text[256];
	int r;

	(void)snprintf(text, sizeof(text),
		       "# written by bridle: every name is answered by the sandbox's own responder\n"
		       "nameserver %s\noptions ndots:1\n",
		       nameserver);
	r = write_file(s, "resolv.conf", text, 0644);
	return r < 0 ? r : paths_join(out, size, s->dir, "resolv.conf");
}

int state_make_certs_dir(const struct state *s, const char *name, char *out, size_t size)
{
	int r = paths_join(out, size, s->dir, name);

	if (r == 0)
		r = paths_remove_tree(out);
	if (r == 0 && (mkdir(out, 0755) < 0 || chmod(out, 0755) < 0))
		r = -errno;
	return r;
}

bool state_is_held(const char *name)
{
	struct flock lock = whole_file;
	char path[PATHS_MAX_BYTES];
	auto_fd int fd = -1;

	(void)snprintf(path, sizeof(path), PATHS_STATE "/%s/lock", name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void state_release(struct state *s)
{
	s->lock_fd = fd_close(s->lock_fd);
}

void state_remove_gone(void)
{
	char path[PATHS_MAX_BYTES];
	const struct dirent *entry;
	DIR *dir = opendir(PATHS_STATE);

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, STATE_GONE, sizeof(STATE_GONE) - 1) == 0 &&
		    paths_join(path, sizeof(path), PATHS_STATE, entry->d_name) == 0)
			(void)paths_remove_tree(path);
	(void)closedir(dir);
}

void state_remove(struct state *s)
{
	char gone[PATHS_MAX_BYTES];

	if (s->lock_fd >= 0) {
		/* out of the way first, in one step: who takes the name next finds nothing of ours and loses nothing */
		(void)snprintf(gone, sizeof(gone), PATHS_STATE "/" STATE_GONE "%d-%s", getpid(),
			       strrchr(s->dir, '/') + 1);
		if (rename(s->dir, gone) == 0)
			(void)paths_remove_tree(gone);
	}
	s->lock_fd = fd_close(s->lock_fd);
}
