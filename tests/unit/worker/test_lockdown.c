/* SPDX-License-Identifier: Apache-2.0 */
/* Behind the filter: what a worker needs works, files are refused, everything else ends the process. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/context.h"

static bool inet_socket(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && close(fd) == 0;
}

static bool memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && munmap(p, 4096) == 0;
}

static bool files_are_refused(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) == -1 && errno == EACCES;
}

static bool unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW, 1) >= 0;
}

static bool netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_DGRAM, 0) >= 0;
}

static bool exec_program(void)
{
	char path[] = "/bin/true", *const argv[] = { path, NULL };

	return execv(path, argv) == 0;
}

static bool fork_process(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0;
}

static bool trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;
}

static bool load_program(void)
{
	union bpf_attr attr = { 0 };

	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)) >= 0;
}

static bool iterate_map(void)
{
	union bpf_attr attr = { 0 };

	return syscall(SYS_bpf, BPF_MAP_GET_NEXT_KEY, &attr, sizeof(attr)) == 0;
}

static bool kill_process(void)
{
	return kill(1, 0) == 0;
}

static struct worker worker; /* the lockdown asks for its audit file alone */

static int audit_fd(void)
{
	return worker.fds[ZYGOTE_FD_AUDIT];
}

static bool flags_of_a_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool append(void)
{
	return fallocate(audit_fd(), FALLOC_FL_KEEP_SIZE, 4, 4096) == 0 && write(audit_fd(), "more", 4) == 4 &&
	       fcntl(audit_fd(), F_GETFL) & O_APPEND;
}

static bool no_append(void)
{
	return fcntl(audit_fd(), F_SETFL, 0) == 0;
}

static bool no_append_high_bits(void)
{
	return syscall(SYS_fcntl, (1L << 32) | audit_fd(), F_SETFL, 0) == 0;
}

static bool no_append_command_high_bits(void)
{
	return syscall(SYS_fcntl, audit_fd(), (1L << 32) | F_SETFL, 0) == 0;
}

static bool second_descriptor(void)
{
	return fcntl(audit_fd(), F_DUPFD, 100) >= 0;
}

static bool second_descriptor_by_dup(void)
{
	return dup(audit_fd()) >= 0;
}

static bool hole(void)
{
	return fallocate(audit_fd(), FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096) == 0;
}

static bool zeroes(void)
{
	return fallocate(audit_fd(), FALLOC_FL_ZERO_RANGE, 0, 4096) == 0;
}

static bool cut(void)
{
	return ftruncate(audit_fd(), 0) == 0;
}

static bool write_at(void)
{
	return pwrite(audit_fd(), "lies", 4, 0) == 4;
}

static bool io_uring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL) >= 0;
}

static bool other_namespace(void)
{
	return syscall(SYS_setns, 3, 0) == 0;
}

static const struct {
	const char *what;
	bool (*try)(void);
	bool dies;
} rows[] = {
	{ "an inet socket", inet_socket, false },
	{ "memory", memory, false },
	{ "a file is refused", files_are_refused, false },
	{ "a unix socket", unix_socket, true },
	{ "a raw socket", raw_socket, true },
	{ "a netlink socket", netlink_socket, true },
	{ "exec", exec_program, true },
	{ "fork", fork_process, true },
	{ "ptrace", trace, true },
	{ "loading a BPF program", load_program, true },
	{ "walking a BPF map", iterate_map, true },
	{ "kill", kill_process, true },
	{ "io_uring", io_uring, true },
	{ "setns", other_namespace, true },
	{ "flags of a socket", flags_of_a_socket, false },
	{ "appending to the audit", append, false },
	{ "overwriting the audit", no_append, true },
	{ "the same, high bits", no_append_high_bits, true },
	{ "the same, high bits of the command", no_append_command_high_bits, true },
	{ "a second descriptor of the audit", second_descriptor, true },
	{ "the same by dup", second_descriptor_by_dup, true },
	{ "a hole in the audit", hole, true },
	{ "zeroes in the audit", zeroes, true },
	{ "an empty audit", cut, true },
	{ "a write in its middle", write_at, true },
};

static void each_row_lives_or_dies(void **state)
{
	char path[] = "/tmp/test-lockdown-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	worker.fds[ZYGOTE_FD_AUDIT] = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(audit_fd() >= 0 && write(audit_fd(), "true", 4) == 4);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0) {
			if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || worker_lockdown(&worker) != 0)
				_exit(99);
			_exit(rows[i].try() ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (rows[i].dies ? !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) : status != 0)
			fail_msg("%s: status %#x", rows[i].what, (unsigned)status);
	}
	(void)close(fd);
	(void)close(audit_fd());
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_row_lives_or_dies) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
