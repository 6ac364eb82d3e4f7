/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user/supervisor/kernel.c: what is pinned holds when its maker is dead, is found and removed by others, and is left
 * alone when it is of another ABI; the maps that workers get; events, lost events, old flows.
 */
#include "stage.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/util.h"

static int program_connect_away(void)
{
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, STAGE_SERVER4, 443);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return errno;
	return connect(fd, (struct sockaddr *)&to, n) < 0 && errno != EINPROGRESS ? errno : 0;
}

static int program_connect_refused(void)
{
	struct sockaddr_storage to;
	socklen_t n = address_make(&to, STAGE_SERVER4, 22);
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); /* thousands are made: keep below any limit */

	return connect(fd, (struct sockaddr *)&to, n) < 0 ? errno : 0;
}

/* The supervisor dies between attach and activate, or later: what it pinned denies, and another process removes it. */
static void survive(bool activated)
{
	int status;
	pid_t pid;

	(void)stage_count_frames(frame_is_payload, 0);
	pid = fork();
	if (pid == 0) {
		stage_attach();
		if (activated)
			stage_activate();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < STAGE_DNS4 && activated; i++)
		assert_int_equal(shutdown(stage.sockets[i], SHUT_RDWR), 0); /* our listeners died with it */
	(void)stage_run(INSIDE, ROOT, program_connect_away);
	assert_int_equal(stage_count_frames(frame_is_payload, 100), 0);
	if (!activated)
		assert_int_equal(stage.note->result, EPERM);
	assert_int_equal(kernel_remove_pins(stage.pin_dir), 0);
	assert_int_not_equal(access(stage.pin_dir, F_OK), 0);
	assert_int_equal(kernel_remove_pins(stage.pin_dir), 0); /* nothing there: fine */
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_away), 0);
	assert_true(stage_count_frames(frame_is_payload, 1000) > 0); /* the control: now it shows */
	for (int i = 0; i < STAGE_DNS4 && activated; i++)
		assert_int_equal(listen(stage.sockets[i], 64), 0);
}

static void test_survive_inactive(void **state)
{
	(void)state;
	survive(false);
}

static void test_survive_active(void **state)
{
	(void)state;
	survive(true);
}

static void test_pins(void **state)
{
	static const char *const hooks[] = {
#define HOOK(name, need) #name,
#include "bpf/hooks.def"
#undef HOOK
	};
	char reason[KERNEL_REASON_MAX] = "", path[256];
	struct kernel *other = NULL;
	struct stat st;

	(void)state;
	stage_attach();
	assert_int_equal(stat(stage.pin_dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		(void)snprintf(path, sizeof(path), "%s/links/%s", stage.pin_dir, hooks[i]);
		assert_int_equal(access(path, F_OK), 0);
		(void)snprintf(path, sizeof(path), "%s/progs/%s", stage.pin_dir, hooks[i]);
		assert_int_equal(access(path, F_OK), 0);
	}
	/* a second one by this name is refused, and leaves the first alone */
	assert_int_equal(kernel_load(&other, reason), 0);
	assert_int_equal(kernel_attach(other, stage.cgroup_fd, stage.pin_dir, reason), -EEXIST);
	assert_non_null(strstr(reason, stage.pin_dir));
	assert_null(kernel_free(other));
	assert_int_equal(access(path, F_OK), 0);
	stage_detach();
}

static void test_dotted_name(void **state)
{
	char reason[KERNEL_REASON_MAX] = "", dir[160];
	struct kernel *k = NULL;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s.with.dots", stage.pin_dir);
	assert_int_equal(kernel_load(&k, reason), 0);
	assert_int_equal(kernel_attach(k, stage.cgroup_fd, dir, reason), 0);
	assert_int_equal(kernel_attach(k, stage.cgroup_fd, dir, reason), -EEXIST);
	assert_int_equal(kernel_remove_pins(dir), 0);
	assert_null(kernel_free(k));
}

static void test_foreign_abi(void **state)
{
	struct abi_stamp stamp = { .abi = BRIDLE_ABI + 1 };
	const uint32_t zero = 0;
	char path[256];
	int fd;

	(void)state;
	stage_attach();
	(void)snprintf(path, sizeof(path), "%s/maps/abi", stage.pin_dir);
	fd = bpf_obj_get(path);
	assert_int_equal(bpf_map_update_elem(fd, &zero, &stamp, BPF_ANY), 0);
	assert_int_equal(kernel_remove_pins(stage.pin_dir), -ENOTSUP);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_away), EPERM); /* still attached */
	stamp.abi = BRIDLE_ABI;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &stamp, BPF_ANY), 0);
	(void)close(fd);
	stage_detach();
}

/* Attaching fails half-way: nothing stays attached or pinned. */
static void test_all_or_nothing(void **state)
{
	char reason[KERNEL_REASON_MAX] = "";
	struct kernel *k = NULL;

	(void)state;
	assert_int_equal(kernel_load(&k, reason), 0);
	assert_true(kernel_attach(k, stage.capture, stage.pin_dir, reason) < 0); /* not a cgroup */
	assert_non_null(strstr(reason, "br_egress"));
	assert_int_not_equal(access(stage.pin_dir, F_OK), 0);
	assert_null(kernel_free(k));
}

/* Tests' own control: off the cgroup, everything else lives. */
static void test_detach(void **state)
{
	(void)state;
	stage_attach();
	stage_activate();
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_refused), ECONNREFUSED);
	assert_int_equal(kernel_detach(stage.kernel, stage.pin_dir), 0);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_refused), EINPROGRESS);
	stage_detach();
}

static void test_counters(void **state)
{
	struct sandbox_counters *counters;
	int fd;

	(void)state;
	stage_attach();
	stage_activate();
	fd = kernel_counters_fd(stage.kernel);
	counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(counters != MAP_FAILED);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_away), 0);
	assert_int_equal(counters->connections, 1);
	assert_int_equal(counters->refusals_kernel, 0);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_refused), ECONNREFUSED);
	assert_int_equal(counters->connections, 1);
	assert_int_equal(counters->refusals_kernel, 1);
	(void)munmap(counters, sizeof(*counters));
	(void)close(fd);
	stage_detach();
}

static int program_refusals(void)
{
	for (int i = 0; i < 4000; i++) {
		if (program_connect_refused() != ECONNREFUSED)
			return 1;
	}
	return 0;
}

/* More refusals than the ring holds: each is refused all the same, the loss is counted. */
static void test_events_lost(void **state)
{
	(void)state;
	stage_attach();
	stage_activate();
	assert_int_equal(kernel_events_lost(stage.kernel), 0);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_refusals), 0);
	assert_true(kernel_events_lost(stage.kernel) > 0);
	assert_non_null(stage_find_event(HOOK_CONNECT, WHY_port_not_named));
	assert_int_equal(stage.n_events + kernel_events_lost(stage.kernel), 4000);
	stage_detach();
}

static void test_sweep(void **state)
{
	struct flow_key key = { .netns_cookie = 1 };
	struct flow flow = { .started_ns = 1 };
	const uint64_t life_ns = BRIDLE_FLOW_LIFE_S * 1000000000ULL;
	char path[256];
	int fd;

	(void)state;
	stage_attach();
	(void)snprintf(path, sizeof(path), "%s/maps/flows", stage.pin_dir);
	fd = bpf_obj_get(path);
	for (key.port = 1; key.port <= 600; key.port++)
		assert_int_equal(bpf_map_update_elem(fd, &key, &flow, BPF_ANY), 0);
	flow.started_ns = 2;
	assert_int_equal(bpf_map_update_elem(fd, &key, &flow, BPF_ANY), 0); /* port 601: young */
	for (int i = 0; i < 3; i++)
		kernel_sweep_flows(stage.kernel, life_ns + 2);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &flow), 0);
	for (key.port = 1; key.port <= 600; key.port++)
		assert_int_not_equal(bpf_map_lookup_elem(fd, &key, &flow), 0);
	(void)close(fd);
	stage_detach();
}

/* Without privileges: a sentence with what, why and the next step. */
static int program_load(void)
{
	char reason[KERNEL_REASON_MAX] = "";
	struct kernel *k = NULL;
	int r = kernel_load(&k, reason);

	(void)snprintf(stage.note->text, sizeof(stage.note->text), "%.60s", strstr(reason, "run as root"));
	return -r;
}

static void test_unprivileged(void **state)
{
	(void)state;
	assert_int_equal(stage_run(OUTSIDE, NOBODY, program_load), EPERM);
	assert_non_null(strstr(stage.note->text, "run as root with CAP_BPF"));
}

static void test_bad_sandbox(void **state)
{
	struct kernel_sandbox s = { .id = 0, .cgroup_id = stage.cgroup_id, .netns_cookie = stage.cookie };

	(void)state;
	stage_attach();
	assert_int_equal(kernel_activate(stage.kernel, &s), -EINVAL);
	s.id = 1;
	s.netns_cookie = 0;
	assert_int_equal(kernel_activate(stage.kernel, &s), -EINVAL);
	s.netns_cookie = stage.cookie;
	s.n_ports = BRIDLE_PORTS_MAX + 1;
	assert_int_equal(kernel_activate(stage.kernel, &s), -E2BIG);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_away), EPERM);
	/* no listener for IPv4: refused, not let through */
	s.n_ports = 0;
	assert_int_equal(kernel_activate(stage.kernel, &s), 0);
	assert_int_equal(stage_run(INSIDE, NOBODY, program_connect_away), ECONNREFUSED);
	stage_detach();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_survive_inactive),
		cmocka_unit_test(test_survive_active),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_dotted_name),
		cmocka_unit_test(test_foreign_abi),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_detach),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_events_lost),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_bad_sandbox),
	};

	return cmocka_run_group_tests(tests, stage_setup_bare, stage_teardown);
}
