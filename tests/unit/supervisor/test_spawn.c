/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A role starts with its channel, its rights and nothing else, and dies with its parent. The roles here are this very
 * test, executed again: it looks at itself and answers over the channel.
 */
#include "tests/lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/msg.h"
#include "supervisor/sandbox.h"
#include "supervisor/spawn.h"

/* What a role saw of itself. */
struct report {
	struct msg_header header;
	uint32_t uid, gid, groups;
	uint64_t permitted, effective, ambient;
	int32_t no_new_privs, death_signal, own_session, open_fds, environment, pid;
	uint64_t netns;
};

static uint64_t capabilities(int which)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	(void)syscall(SYS_capget, &header, d);
	return which == 0 ? d[0].permitted | (uint64_t)d[1].permitted << 32
			  : d[0].effective | (uint64_t)d[1].effective << 32;
}

/* A bit for each open descriptor below 32, the highest bit for any above. */
static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *e;
	int bits = 0;

	while (dir && (e = readdir(dir))) {
		int fd = (int)strtol(e->d_name, NULL, 10);

		if (e->d_name[0] != '.' && fd != dirfd(dir))
			bits |= fd < 31 ? 1 << fd : 1 << 31;
	}
	if (dir)
		(void)closedir(dir);
	return bits;
}

static int role_main(void)
{
	struct report r = { .header = { 1, sizeof(r) } };
	struct msg_header go;
	struct stat st;
	size_t n_fds = 0;

	r.uid = getuid();
	r.gid = getgid();
	r.groups = (uint32_t)getgroups(0, NULL);
	r.permitted = capabilities(0);
	r.effective = capabilities(1);
	for (unsigned long i = 0; i < 63; i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			r.ambient |= 1ULL << i;
	r.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	(void)prctl(PR_GET_PDEATHSIG, &r.death_signal);
	r.own_session = getsid(0) == getpid();
	r.open_fds = open_fds();
	for (char **e = environ; *e; e++)
		r.environment++;
	r.pid = getpid();
	r.netns = stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0;
	if (msg_send(SPAWN_CHANNEL_FD, &r, sizeof(r), NULL, 0) < 0)
		return 1;
	/* until the channel closes */
	return msg_recv(SPAWN_CHANNEL_FD, &go, sizeof(go), NULL, &n_fds) == 0 ? 7 : 1;
}

static void hear(struct role *role, struct report *report)
{
	struct pollfd p = { .fd = role->channel, .events = POLLIN };
	size_t n_fds = 0;

	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(msg_recv(role->channel, report, sizeof(*report), NULL, &n_fds), sizeof(*report));
}

static void start(const struct spawn_options *options, struct role *role, struct report *report)
{
	char reason[SANDBOX_REASON_MAX] = "";

	if (spawn_role(options, role, reason) < 0)
		fail_msg("%s", reason);
	hear(role, report);
}

static const struct spawn_options plain = {
	.name = "bridle-keeper", .cgroup_fd = -1, .netns_fd = -1, .log_fd = -1, .extra_fd = -1
};

static void test_keeper_rights(void **state)
{
	const int log = open("/dev/null", O_WRONLY | O_CLOEXEC),
		  stray = open("/dev/null", O_RDONLY); /* not close-on-exec */
	struct spawn_options o = plain;
	struct report r;
	struct role role;
	struct stat st;
	int status = 0;

	(void)state;
	if (geteuid() != 0)
		skip();
	o.log_fd = log;
	o.namespaces = CLONE_NEWNET;
	o.confine = true;
	o.uid = 61234;
	o.capabilities = 1ULL << CAP_DAC_READ_SEARCH;
	assert_int_equal(setenv("LD_SECRET", "x", 1), 0);
	start(&o, &role, &r);
	assert_int_equal(r.uid, 61234);
	assert_int_equal(r.gid, 61234);
	assert_int_equal(r.groups, 0);
	assert_true(r.permitted == o.capabilities && r.effective == o.capabilities && r.ambient == o.capabilities);
	assert_int_equal(r.no_new_privs, 1);
	assert_int_equal(r.death_signal, SIGKILL);
	assert_int_equal(r.own_session, 1);
	assert_int_equal(r.open_fds, 0xf); /* 0-2 and the channel */
	assert_int_equal(r.environment, 0);
	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	assert_true(r.netns != 0 && r.netns != st.st_ino);
	/* ends by itself when the channel closes, with its own status */
	(void)close(role.channel);
	role.channel = -1;
	assert_int_equal(role_reap(&role, &status), 0);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_int_equal(role_reap(&role, &status), -ECHILD);
	(void)close(log);
	(void)close(stray);
}

static void test_zygote_rights(void **state)
{
	const uint64_t wanted = 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETPCAP;
	struct spawn_options o = plain;
	struct report r;
	struct role role;

	(void)state;
	if (geteuid() != 0)
		skip();
	o.confine = true;
	o.capabilities = wanted;
	start(&o, &role, &r);
	assert_int_equal(r.uid, 0);
	assert_true(r.permitted == wanted && r.effective == wanted && r.ambient == 0);
	assert_int_equal(r.no_new_privs, 1);
	role_end(&role, 1000);
}

static void test_init_gets_the_specification_and_the_terminal(void **state)
{
	const int extra = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct spawn_options o = plain;
	struct report r;
	struct role role;

	(void)state;
	if (geteuid() != 0)
		skip();
	o.namespaces = CLONE_NEWPID;
	o.extra_fd = extra;
	start(&o, &role, &r);
	assert_int_equal(r.pid, 1);
	assert_int_equal(r.own_session, 0);
	assert_int_equal(r.open_fds, 0x1f); /* the caller's 0-2, channel, specification */
	assert_int_equal(r.death_signal, SIGKILL);
	role_end(&role, 1000);
	(void)close(extra);
}

static void test_given_namespace(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "";
	struct spawn_options o = plain;
	struct report one, two;
	struct role a, b;
	char path[64];
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	o.namespaces = CLONE_NEWNET;
	start(&o, &a, &one);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", a.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	o.namespaces = 0;
	o.netns_fd = fd;
	start(&o, &b, &two);
	assert_true(one.netns == two.netns);
	role_end(&a, 1000);
	role_end(&b, 1000);
	/* what is no namespace: the child says so before exec, and is gone */
	(void)close(fd);
	o.netns_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(spawn_role(&o, &a, reason), -EINVAL);
	assert_non_null(strstr(reason, "network namespace"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	(void)close(o.netns_fd);
}

static void test_deaf_role_is_killed(void **state)
{
	struct report r;
	struct role role;
	pid_t pid;

	(void)state;
	start(&plain, &role, &r);
	pid = role.pid;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	role_end(&role, 50);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	role_end(&role, 50); /* fine when none */
}

/* The parent dies by SIGKILL: so does the role, even when it hears nothing. */
static void test_role_dies_with_its_parent(void **state)
{
	int fds[2], status;
	pid_t parent, child = 0;
	char path[64];

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	assert_int_equal(pipe(fds), 0);
	parent = fork();
	if (parent == 0) {
		struct report r;
		struct role role;

		start(&plain, &role, &r);
		(void)!write(fds[1], &role.pid, sizeof(role.pid));
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(fds[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(kill(child, SIGSTOP), 0); /* else it may hear its channel close first, and end by itself */
	assert_int_equal(kill(parent, SIGKILL), 0);
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	(void)snprintf(path, sizeof(path), "/proc/%d", child);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeper_rights),
		cmocka_unit_test(test_zygote_rights),
		cmocka_unit_test(test_init_gets_the_specification_and_the_terminal),
		cmocka_unit_test(test_given_namespace),
		cmocka_unit_test(test_deaf_role_is_killed),
		cmocka_unit_test(test_role_dies_with_its_parent),
	};

	(void)argc;
	if (strcmp(argv[0], "bridle-keeper") == 0)
		return role_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
