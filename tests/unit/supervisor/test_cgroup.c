/* SPDX-License-Identifier: Apache-2.0 */
/* Where cgroup v2 is, from mountinfo texts; and, as root, that a sandbox's cgroups are made, emptied, removed. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/cgroup.h"
#include "supervisor/sandbox.h"
#include "supervisor/state.h"

static const struct {
	const char *text;
	const char *mount; /* NULL: none */
} mounts[] = {
	{ "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup" },
	{ "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	  "41 31 0:38 / /sys/fs/cgroup/unified rw shared:7 master:2 - cgroup2 none rw\n",
	  "/sys/fs/cgroup/unified" },
	/* one that shows a part only is taken when there is nothing better */
	{ "1 2 0:3 /../.. /part rw - cgroup2 none rw\n", "/part" },
	{ "1 2 0:3 /a /part rw - cgroup2 none rw\n4 2 0:3 / /whole rw - cgroup2 none rw\n5 2 0:3 / /third rw - cgroup2 "
	  "none rw\n",
	  "/whole" },
	{ "1 2 0:3 / /with\\040space\\134x rw - cgroup2 none rw", "/with space\\x" },
	/* the type stands behind the dash, not in a path or a source */
	{ "1 2 0:3 / /cgroup2 rw - tmpfs cgroup2 rw\n", NULL },
	{ "1 2 0:3 / /x rw cgroup2\n", NULL },
	{ "", NULL },
	{ "\n\n - cgroup2", NULL },
};

static void test_find_mount(void **state)
{
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		int r = cgroup_find_mount(str_of(mounts[i].text), out, sizeof(out));

		assert_int_equal(r, mounts[i].mount && *mounts[i].mount ? 0 : -ENOENT);
		if (mounts[i].mount)
			assert_string_equal(out, mounts[i].mount);
	}
}

static void test_find_mount_is_bounded(void **state)
{
	char out[4] = "abc";

	(void)state;
	assert_int_equal(cgroup_find_mount(str_of(mounts[0].text), out, sizeof(out)), -ENAMETOOLONG);
}

static pid_t sleeper_in(int cgroup_fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY);

		if (fd < 0 || write(fd, "0", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	return pid;
}

static void await_populated(int cgroup_fd)
{
	char text[256] = "";

	for (int i = 0; i < 400 && !strstr(text, "populated 1"); i++) {
		int fd = openat(cgroup_fd, "cgroup.events", O_RDONLY);
		ssize_t n = read(fd, text, sizeof(text) - 1);

		assert_true(n > 0);
		text[n] = '\0';
		(void)close(fd);
		(void)usleep(5000);
	}
	assert_non_null(strstr(text, "populated 1"));
}

/* The name is taken as a run takes it: a cgroup without a holder is a leftover for any bridle on this machine. */
static void make(const char *name, struct state *held, struct cgroup *c)
{
	char reason[SANDBOX_REASON_MAX] = "";

	if (state_take(name, held, reason) < 0 || cgroup_make(name, c, reason) < 0)
		fail_msg("%s", reason);
}

static void test_make_kill_remove(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "", name[64];
	struct cgroup c, again;
	struct state held;
	struct stat st;
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-cgroup-%d", getpid());
	make(name, &held, &c);
	assert_int_equal(fstat(c.sandbox_fd, &st), 0);
	assert_true(c.sandbox_id == st.st_ino);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 022, 0);

	/* the name is taken, and the message says what to do */
	assert_int_equal(cgroup_make(name, &again, reason), -EEXIST);
	assert_non_null(strstr(reason, "bridle gc"));

	pid = sleeper_in(c.sandbox_fd);
	await_populated(c.sandbox_fd);
	assert_int_equal(cgroup_remove(c.path), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(access(c.path, F_OK), -1);
	/* what is not there is removed already */
	assert_int_equal(cgroup_remove(c.path), 0);
	cgroup_done(&c);
	state_remove(&held);
}

static void test_renewed_worker_cgroup_holds_processes(void **state)
{
	struct state held;
	int status = 0;
	struct cgroup c;
	char name[64];
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-renew-%d", getpid());
	make(name, &held, &c);
	pid = sleeper_in(c.worker_fd);
	await_populated(c.worker_fd);
	assert_int_equal(cgroup_renew_worker(&c), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	pid = sleeper_in(c.worker_fd);
	await_populated(c.worker_fd);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_int_equal(cgroup_remove(c.path), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	cgroup_done(&c);
	state_remove(&held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_mount),
		cmocka_unit_test(test_find_mount_is_bounded),
		cmocka_unit_test(test_make_kill_remove),
		cmocka_unit_test(test_renewed_worker_cgroup_holds_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
