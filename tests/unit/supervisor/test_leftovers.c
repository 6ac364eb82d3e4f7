/* SPDX-License-Identifier: Apache-2.0 */
/* What a killed run left is found, told apart from what lives, and removed with its processes. Root. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/abi.h"
#include "supervisor/cgroup.h"
#include "supervisor/kernel_pins.h"
#include "supervisor/leftovers.h"
#include "supervisor/sandbox.h"
#include "supervisor/state.h"

struct found {
	const char *name;
	unsigned calls;
	struct leftover seen;
};

static void on_leftover(void *arg, const struct leftover *l)
{
	struct found *f = arg;

	if (strcmp(l->name, f->name) != 0)
		return;
	f->calls++;
	f->seen = *l;
	f->seen.name = f->seen.policy = NULL;
}

/* A supervisor that is killed: a name, a cgroup with a process in it, a directory that it made. */
static pid_t die_with(const char *name, char *made)
{
	struct state_facts facts = { .pid = 1, .started = 5, .made = { made }, .n_made = 1 };
	char reason[SANDBOX_REASON_MAX];
	struct cgroup c;
	struct state s;
	int fds[2], status;
	pid_t sleeper = 0, pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		if (state_take(name, &s, reason) < 0 || cgroup_make(name, &c, reason) < 0 || mkdir(made, 0700) < 0)
			_exit(1);
		sleeper = fork();
		if (sleeper == 0) {
			/* its own copies of the locks must not keep the name */
			(void)close(s.lock_fd);
			(void)close(c.lock_fd);
			int fd = openat(c.sandbox_fd, "cgroup.procs", O_WRONLY);

			if (fd < 0 || write(fd, "0", 1) != 1)
				_exit(1);
			(void)!write(fds[1], "x", 1);
			for (;;)
				(void)pause();
		}
		_exit(state_write(&s, &facts) < 0 || write(fds[1], &sleeper, sizeof(sleeper)) != sizeof(sleeper));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	char bytes[sizeof(pid_t) + 1];
	size_t n = 0;
	while (n < sizeof(bytes)) {
		ssize_t r = read(fds[0], bytes + n, sizeof(bytes) - n);

		assert_true(r > 0);
		n += (size_t)r;
	}
	(void)close(fds[0]);
	(void)close(fds[1]);
	memcpy(&sleeper, bytes[0] == 'x' ? bytes + 1 : bytes, sizeof(sleeper));
	return sleeper;
}

static void test_dead_run_is_removed(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "", name[64], made[64], dir[PATHS_MAX_BYTES], cgroup[PATHS_MAX_BYTES];
	struct found f = { .name = name };
	pid_t sleeper;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-left-%d", getpid());
	(void)snprintf(made, sizeof(made), "/tmp/bridle-left-%d", getpid());
	sleeper = die_with(name, made);
	assert_int_equal(leftovers_list(on_leftover, &f, reason), 0);
	assert_int_equal(f.calls, 1);
	assert_false(f.seen.running);
	assert_true(f.seen.cgroup);
	assert_false(f.seen.pinned);
	assert_false(f.seen.counted);
	assert_int_equal(f.seen.pid, 1);
	assert_true(f.seen.started == 5);

	f.calls = 0;
	assert_true(leftovers_collect(on_leftover, &f, reason) >= 1);
	assert_int_equal(f.calls, 1);
	(void)snprintf(dir, sizeof(dir), PATHS_STATE "/%s", name);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(cgroup_path(name, cgroup, sizeof(cgroup), reason), 0);
	assert_int_equal(access(cgroup, F_OK), -1);
	assert_int_equal(access(made, F_OK), -1);
	/* its process is dead: gone, or a zombie that nobody has reaped */
	char stat_path[64], stat_text[256] = "";
	(void)snprintf(stat_path, sizeof(stat_path), "/proc/%d/stat", sleeper);
	int fd = open(stat_path, O_RDONLY);
	if (fd >= 0) {
		assert_true(read(fd, stat_text, sizeof(stat_text) - 1) > 0);
		assert_non_null(strstr(stat_text, ") Z "));
		(void)close(fd);
	}
	f.calls = 0;
	assert_int_equal(leftovers_list(on_leftover, &f, reason), 0);
	assert_int_equal(f.calls, 0);
}

static void test_living_run_is_left_alone(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "", name[64];
	struct found f = { .name = name };
	struct state s;
	struct cgroup c;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-live-%d", getpid());
	/* another process holds it: locks of one process are one's own */
	assert_int_equal(state_take(name, &s, reason), 0);
	assert_int_equal(cgroup_make(name, &c, reason), 0);
	assert_int_equal(leftovers_list(on_leftover, &f, reason), 0);
	assert_int_equal(f.calls, 1);
	assert_true(f.seen.running);
	f.calls = 0;
	assert_true(leftovers_collect(on_leftover, &f, reason) >= 0);
	assert_int_equal(f.calls, 0);
	assert_int_equal(access(c.path, F_OK), 0);
	assert_int_equal(access(s.dir, F_OK), 0);
	assert_int_equal(cgroup_remove(c.path), 0);
	cgroup_done(&c);
	state_remove(&s);
}

/* a cgroup without a state directory (somebody emptied /run) is a leftover, too */
static void test_bare_cgroup_is_removed(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "", name[64];
	struct found f = { .name = name };
	struct cgroup c;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-bare-%d", getpid());
	assert_int_equal(cgroup_make(name, &c, reason), 0);
	cgroup_done(&c); /* its maker is gone */
	assert_true(leftovers_collect(on_leftover, &f, reason) >= 1);
	assert_int_equal(f.calls, 1);
	assert_int_equal(access(c.path, F_OK), -1);
}

/* A container that shares cgroups and bpffs with us has a /run of its own: there is no state, and yet the run lives. */
static void test_run_of_another_container_is_left_alone(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "", name[64];
	struct found f = { .name = name };
	struct cgroup c;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-other-%d", getpid());
	assert_int_equal(cgroup_make(name, &c, reason), 0);
	assert_true(cgroup_is_held(c.path));
	assert_int_equal(leftovers_list(on_leftover, &f, reason), 0);
	assert_int_equal(f.calls, 1);
	assert_true(f.seen.running);
	f.calls = 0;
	assert_true(leftovers_collect(on_leftover, &f, reason) >= 0);
	assert_int_equal(f.calls, 0);
	assert_int_equal(access(c.path, F_OK), 0);
	/* nor does a run that takes the same name remove it */
	assert_int_equal(leftovers_clear(name, reason), -EBUSY);
	assert_non_null(strstr(reason, "another container"));
	assert_non_null(strstr(reason, "--name"));
	assert_int_equal(access(c.path, F_OK), 0);
	cgroup_done(&c);
	assert_false(cgroup_is_held(c.path));
	assert_int_equal(cgroup_remove(c.path), 0);
}

/* Found while it ran and ended by itself before it was looked at: nobody was killed, so nobody is told. */
static void test_run_that_ended_meanwhile_is_not_told(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "", name[64];
	struct found f = { .name = name };
	struct state s;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-ended-%d", getpid());
	assert_int_equal(state_take(name, &s, reason), 0);
	state_release(&s);
	assert_true(leftovers_collect(on_leftover, &f, reason) >= 0);
	assert_int_equal(f.calls, 0);
	assert_int_equal(access(s.dir, F_OK), -1);
}

/* bpffs takes no dot in a name; the run's pins are found and removed all the same, and the name is free again. */
static void test_pins_of_a_name_with_a_dot(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "", name[64], pins[PATHS_MAX_BYTES];
	struct found f = { .name = name };

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit.dot.%d", getpid());
	(void)snprintf(pins, sizeof(pins), PATHS_PINS "/%s", name);
	assert_int_equal(pins_make(pins), 0);
	assert_true(leftovers_collect(on_leftover, &f, reason) >= 1);
	assert_int_equal(f.calls, 1);
	assert_true(f.seen.pinned);
	assert_false(pins_exist(pins));
	assert_int_equal(pins_make(pins), 0);
	assert_int_equal(leftovers_clear(name, reason), 0);
	assert_false(pins_exist(pins));
}

/* Both versions are named, and nothing of the run is touched. */
static void test_pins_of_another_build(void **state)
{
	struct abi_stamp stamp = { .abi = BRIDLE_ABI + 7 };
	char reason[SANDBOX_REASON_MAX] = "", name[64], pins[PATHS_MAX_BYTES], path[PINS_PATH_MAX], want[64];
	const uint32_t zero = 0;
	struct cgroup c;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-abi-%d", getpid());
	(void)snprintf(pins, sizeof(pins), PATHS_PINS "/%s", name);
	assert_int_equal(cgroup_make(name, &c, reason), 0);
	assert_int_equal(pins_make(pins), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "abi", sizeof(zero), sizeof(stamp), 1, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, &zero, &stamp, BPF_ANY), 0);
	assert_int_equal(pins_path(path, pins, "maps", "abi"), 0);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	assert_int_equal(leftovers_clear(name, reason), -ENOTSUP);
	(void)snprintf(want, sizeof(want), "version %d, this one's are %d", BRIDLE_ABI + 7, BRIDLE_ABI);
	assert_non_null(strstr(reason, want));
	assert_non_null(strstr(reason, name));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(access(c.path, F_OK), 0);
	stamp.abi = BRIDLE_ABI;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &stamp, BPF_ANY), 0);
	(void)close(fd);
	cgroup_done(&c);
	assert_int_equal(leftovers_clear(name, reason), 0);
	assert_false(pins_exist(pins));
	assert_int_equal(access(c.path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dead_run_is_removed),
		cmocka_unit_test(test_living_run_is_left_alone),
		cmocka_unit_test(test_bare_cgroup_is_removed),
		cmocka_unit_test(test_run_of_another_container_is_left_alone),
		cmocka_unit_test(test_run_that_ended_meanwhile_is_not_told),
		cmocka_unit_test(test_pins_of_a_name_with_a_dot),
		cmocka_unit_test(test_pins_of_another_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
