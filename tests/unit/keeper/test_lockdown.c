/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper refuses to start with, and which calls end it. Each row runs in a child of its own. */
#include "keeper_child.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "keeper/lockdown.h"

#define OTHER_UID 64999

/* Becomes a user with these capabilities (bits), as far as this process can give them. */
static bool become(uint32_t uid, uint32_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	data[0].effective = data[0].permitted = data[0].inheritable = capabilities;
	return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
	       setresuid(uid, uid, uid) == 0 && syscall(SYS_capset, &header, data) == 0;
}

/* Exit status of fn in a child, or 128 + the signal. */
static int in_child(int (*fn)(int), int arg)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* 0: it would run; 1: it refuses. */
static int rights_as_root(int arg)
{
	const char *reason;

	(void)arg;
	return lockdown_rights(&reason) == -EPERM && strstr(reason, "root") ? 1 : 0;
}

static int rights_with(int capabilities)
{
	const char *reason;

	if (!become(OTHER_UID, (uint32_t)capabilities))
		return 99;
	return lockdown_rights(&reason) == -EPERM && strstr(reason, "capabilities") ? 1 : 0;
}

static void refuses_more_rights_than_it_needs(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		const char *reason;

		/* An ordinary user has no rights to refuse; then it must run. */
		assert_int_equal(lockdown_rights(&reason), 0);
		return;
	}
	assert_int_equal(in_child(rights_as_root, 0), 1);
	assert_int_equal(in_child(rights_with, 1 << CAP_DAC_READ_SEARCH | 1 << CAP_NET_ADMIN), 1);
	assert_int_equal(in_child(rights_with, 1 << CAP_DAC_OVERRIDE), 1);
	assert_int_equal(in_child(rights_with, 1 << CAP_DAC_READ_SEARCH), 0);
	assert_int_equal(in_child(rights_with, 0), 0);
}

static int undumpable(int arg)
{
	const char *reason;

	(void)arg;
	if (geteuid() == 0 && !become(OTHER_UID, 0))
		return 99;
	if (lockdown_rights(&reason) < 0)
		return 98;
	return prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

static void cannot_be_dumped(void **state)
{
	(void)state;
	assert_int_equal(in_child(undumpable, 0), 0);
}

enum {
	CALL_NONE,
	CALL_SOCKET,
	CALL_SOCKETPAIR,
	CALL_EXEC,
	CALL_FORK,
	CALL_CLONE3,
	CALL_PTRACE,
	CALL_CONNECT,
	CALL_KILL,
	CALL_UNLINK,
	CALL_MMAP_EXEC,
	CALL_MPROTECT_EXEC,
	CALL_BPF,
	CALL_OPEN,
	CALLS
};

static int call(int which)
{
	static char *const argv[] = { NULL };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || lockdown_calls() < 0)
		return 99;
	switch (which) {
	case CALL_SOCKET:
		return (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	case CALL_SOCKETPAIR:
		return (int)syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, NULL);
	case CALL_EXEC:
		return (int)syscall(SYS_execve, "/bin/true", argv, argv);
	case CALL_FORK:
		return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	case CALL_CLONE3:
		return (int)syscall(SYS_clone3, NULL, 0);
	case CALL_PTRACE:
		return (int)syscall(SYS_ptrace, 0, 0, 0, 0);
	case CALL_CONNECT:
		return (int)syscall(SYS_connect, 0, NULL, 0);
	case CALL_KILL:
		return (int)syscall(SYS_kill, getppid(), 0);
	case CALL_UNLINK:
		return (int)syscall(SYS_unlinkat, -1, "/nonexistent", 0);
	case CALL_MMAP_EXEC:
		return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
	case CALL_MPROTECT_EXEC:
		return mprotect(page, 4096, PROT_READ | PROT_EXEC);
	case CALL_BPF:
		return (int)syscall(SYS_bpf, 0, NULL, 0);
	case CALL_OPEN:
		return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY) == -1 && errno == EACCES ? 0 : 1;
	default:
		return 0;
	}
}

static void calls_outside_the_list_end_it(void **state)
{
	(void)state;
	assert_int_equal(in_child(call, CALL_NONE), 0);
	assert_int_equal(in_child(call, CALL_OPEN), 0);
	for (int i = CALL_NONE + 1; i < CALL_OPEN; i++)
		if (in_child(call, i) != 128 + SIGSYS)
			fail_msg("call %d was let through", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_more_rights_than_it_needs),
		cmocka_unit_test(cannot_be_dumped),
		cmocka_unit_test(calls_outside_the_list_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
