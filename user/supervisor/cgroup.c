/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds cgroup v2 wherever it is mounted (hybrid machines have it at /sys/fs/cgroup/unified), makes a sandbox's
 * cgroups there, ends what runs in them and removes them. Refuses to share a cgroup with anybody: NAME must be new.
 * The maker keeps a lock on it, because a container that shares the hierarchy does not share /run/bridle.
 */
#include "supervisor/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

#define MOUNTINFO_MAX  ((size_t)4 << 20)
#define WAIT_STEP_MS   5
#define WAIT_STEPS_MAX 600 /* 3 s */

void cgroup_init(struct cgroup *c)
{
	*c = (struct cgroup){ .sandbox_fd = -1, .worker_fd = -1, .lock_fd = -1 };
}

/* The next word of *line, which is shortened. */
static struct str next_word(struct str *line)
{
	size_t n = str_find(*line, ' ');
	struct str word = { line->p, n };

	*line = str_from(*line, n < line->n ? n + 1 : n);
	return word;
}

/* Undoes the kernel's \ooo for space, tab, newline and backslash. */
static int unescape(struct str s, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\' && i + 3 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '3') {
			c = (char)((s.p[i + 1] - '0') << 6 | (s.p[i + 2] - '0') << 3 | (s.p[i + 3] - '0'));
			i += 3;
		}
		if (n + 1 >= size)
			return -ENAMETOOLONG;
		out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

/* proc(5): id parent major:minor root mount-point options [optional…] - type source super-options */
static bool parse_mount(struct str line, struct str *ret_root, struct str *ret_point)
{
	struct str root, point, word;

	for (int i = 0; i < 3; i++)
		(void)next_word(&line);
	root = next_word(&line);
	point = next_word(&line);
	do {
		if (line.n == 0)
			return false;
		word = next_word(&line);
	} while (!str_eq(word, STR("-")));
	if (!str_eq(next_word(&line), STR("cgroup2")))
		return false;
	*ret_root = root;
	*ret_point = point;
	return true;
}

int cgroup_find_mount(struct str mountinfo, char *out, size_t size)
{
	struct str found = { NULL, 0 };

	while (mountinfo.n) {
		size_t n = str_find(mountinfo, '\n');
		struct str root, point;

		if (parse_mount(str_make(mountinfo.p, n), &root, &point)) {
			bool whole = str_eq(root, STR("/"));

			if (whole || !found.n)
				found = point;
			if (whole)
				break;
		}
		mountinfo = str_from(mountinfo, n + 1);
	}
	return found.n ? unescape(found, out, size) : -ENOENT;
}

int cgroup_path(const char *name, char *out, size_t size, char *reason)
{
	auto_free char *text = NULL;
	char mount[PATHS_MAX_BYTES];
	size_t n;
	int r = paths_read_file("/proc/self/mountinfo", MOUNTINFO_MAX, &text, &n);

	if (r < 0)
		return reason_set(reason, r, "cannot read /proc/self/mountinfo: %s; mount /proc", strerror(-r));
	r = cgroup_find_mount(str_make(text, n), mount, sizeof(mount));
	if (r < 0)
		return reason_set(
			reason, r,
			"no cgroup v2 hierarchy is mounted (none in /proc/self/mountinfo), and a sandbox is a cgroup; "
			"mount it: mount -t cgroup2 none /sys/fs/cgroup/unified");
	if ((size_t)snprintf(out, size, "%s/bridle/%s", mount, name) >= size)
		return reason_set(reason, -ENAMETOOLONG,
				  "the path of the cgroup below %s is too long; mount cgroup v2 elsewhere", mount);
	return 0;
}

static int make_one(const char *path, char *reason)
{
	if (mkdir(path, 0755) == 0)
		return 0;
	return reason_set(reason, -errno, "cannot make the cgroup %s: %s; %s", path, strerror(errno),
			  errno == EEXIST ? "run `bridle gc`, or choose another --name"
					  : "run bridle as root where cgroup v2 is writable");
}

static int open_one(const char *dir, const char *name, int *ret, char *reason)
{
	char path[PATHS_MAX_BYTES + 16];
	int r, fd;

	r = paths_join(path, sizeof(path), dir, name);
	if (r == 0)
		r = make_one(path, reason);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return reason_set(reason, -errno, "cannot open the cgroup %s: %s; try again", path, strerror(errno));
	*ret = fd;
	return 0;
}

/* Every cgroup has this file, and root alone may open it: nobody else can hold up who makes or removes. */
static int open_lock(const char *path)
{
	char file[PATHS_MAX_BYTES + 32];
	int fd;

	if (paths_join(file, sizeof(file), path, "cgroup.kill") < 0)
		return -ENAMETOOLONG;
	fd = open(file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int hold(struct cgroup *c, char *reason)
{
	const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	c->lock_fd = open_lock(c->path);
	if (c->lock_fd >= 0 && fcntl(c->lock_fd, F_OFD_SETLK, &whole) == 0)
		return 0;
	return reason_set(reason, c->lock_fd < 0 ? c->lock_fd : -errno, "cannot lock the cgroup %s: %s; try again",
			  c->path, strerror(c->lock_fd < 0 ? -c->lock_fd : errno));
}

bool cgroup_is_held(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	auto_fd int fd = open_lock(path);

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int cgroup_make(const char *name, struct cgroup *ret, char *reason)
{
	struct cgroup c;
	struct stat st;
	char *slash;
	int r;

	cgroup_init(&c);
	r = cgroup_path(name, c.path, sizeof(c.path), reason);
	if (r < 0)
		return r;
	slash = strrchr(c.path, '/');
	*slash = '\0';
	if (mkdir(c.path, 0755) < 0 && errno != EEXIST)
		return reason_set(reason, -errno,
				  "cannot make the cgroup %s: %s; run bridle as root where cgroup v2 is writable",
				  c.path, strerror(errno));
	*slash = '/';
	r = make_one(c.path, reason);
	if (r < 0)
		return r;
	r = hold(&c, reason);
	if (r == 0)
		r = open_one(c.path, "sandbox", &c.sandbox_fd, reason);
	if (r == 0)
		r = open_one(c.path, "worker", &c.worker_fd, reason);
	if (r == 0 && fstat(c.sandbox_fd, &st) < 0)
		r = reason_set(reason, -errno, "cannot read the cgroup %s: %s; try again", c.path, strerror(errno));
	if (r < 0) {
		(void)cgroup_remove(c.path);
		cgroup_done(&c);
		return r;
	}
	c.sandbox_id = st.st_ino;
	*ret = c;
	return 0;
}

static void wait_step(void)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000L };

	(void)nanosleep(&step, NULL);
}

static bool is_populated(const char *path)
{
	char events[PATHS_MAX_BYTES + 32];
	auto_free char *text = NULL;
	size_t n;

	if (paths_join(events, sizeof(events), path, "cgroup.events") < 0 ||
	    paths_read_file(events, 4096, &text, &n) < 0)
		return false;
	return strstr(text, "populated 1") != NULL;
}

int cgroup_kill(const char *path)
{
	char file[PATHS_MAX_BYTES + 32];
	int r = paths_join(file, sizeof(file), path, "cgroup.kill");
	auto_fd int fd = -1;

	if (r < 0)
		return r;
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < WAIT_STEPS_MAX; i++) {
		/* again each time: a process may have been on its way in */
		if (i % 20 == 0 && write(fd, "1", 1) != 1)
			return -errno;
		if (!is_populated(path))
			return 0;
		wait_step();
	}
	return -ETIMEDOUT;
}

/* rmdir of a cgroup is EBUSY for a moment after its last process ended. */
static int remove_one(const char *path)
{
	for (int i = 0; i < WAIT_STEPS_MAX; i++) {
		if (rmdir(path) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		wait_step();
	}
	return -EBUSY;
}

int cgroup_remove(const char *path)
{
	char child[PATHS_MAX_BYTES + 256];
	const struct dirent *entry;
	DIR *dir;
	int r = cgroup_kill(path);

	if (r < 0)
		return r;
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)) && r == 0) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		r = paths_join(child, sizeof(child), path, entry->d_name);
		if (r == 0)
			r = remove_one(child);
	}
	(void)closedir(dir);
	return r < 0 ? r : remove_one(path);
}

int cgroup_renew_worker(struct cgroup *c)
{
	char path[PATHS_MAX_BYTES + 16];
	int r = paths_join(path, sizeof(path), c->path, "worker");

	c->worker_fd = fd_close(c->worker_fd);
	if (r == 0)
		r = cgroup_remove(path);
	return r < 0 ? r : open_one(c->path, "worker", &c->worker_fd, NULL);
}

void cgroup_done(struct cgroup *c)
{
	c->sandbox_fd = fd_close(c->sandbox_fd);
	c->worker_fd = fd_close(c->worker_fd);
	c->lock_fd = fd_close(c->lock_fd);
}
