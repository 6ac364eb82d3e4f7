/* SPDX-License-Identifier: Apache-2.0 */
/* The zygote as a process: messages that it takes, those that it does not, and what it never forks. Needs root. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/msg.h"
#include "base/zygote_msg.h"
#include "zygote/zygote.h"

static pid_t zygote;
static int channel;

static int start(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	zygote = fork();
	if (zygote == 0) {
		(void)close(pair[0]);
		if (pair[1] != 3 && dup2(pair[1], 3) < 0)
			_exit(98);
		_exit(zygote_main());
	}
	(void)close(pair[1]);
	channel = pair[0];
	return zygote > 0 ? 0 : -1;
}

/* It ends with its supervisor, and well. */
static int stop(void **state)
{
	int status = 0;

	(void)state;
	(void)close(channel);
	assert_int_equal(waitpid(zygote, &status, 0), zygote);
	assert_int_equal(status, 0);
	return 0;
}

static bool answer_is_there(int ms)
{
	struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	char byte;

	assert_int_equal(setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	return recv(channel, &byte, 1, MSG_PEEK) > 0;
}

/* All descriptors are `fd`, but for the cgroup's and the log's. */
static void ask(uint32_t id, uint32_t uid, int fd, int cgroup, int log, size_t n_fds, size_t cut)
{
	struct zygote_spawn spawn = { .header = { ZYGOTE_SPAWN, sizeof(spawn) }, .id = id, .uid = uid };
	int fds[ZYGOTE_FDS];

	for (int i = 0; i < ZYGOTE_FDS; i++)
		fds[i] = fd;
	fds[ZYGOTE_FD_CGROUP] = cgroup;
	fds[ZYGOTE_FD_LOG] = log;
	assert_true(msg_send(channel, &spawn, sizeof(spawn) - cut, fds, n_fds) >= 0);
}

static void what_is_no_order_is_not_answered(void **state)
{
	struct zygote_exited other = { { ZYGOTE_EXITED, sizeof(other) }, 1, 2, 3 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), p[2];
	char byte;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	ask(1, 70000, p[1], null, null, ZYGOTE_FDS - 1, 0);
	ask(2, 70000, p[1], null, null, ZYGOTE_FDS, 1);
	assert_true(msg_send(channel, &other, sizeof(other), NULL, 0) >= 0);
	assert_false(answer_is_there(300));
	/* and what came along was closed */
	(void)close(p[1]);
	assert_int_equal(read(p[0], &byte, 1), 0);
	(void)close(p[0]);
	(void)close(null);
}

static void without_its_cgroup_no_worker_starts(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct zygote_spawned spawned;

	(void)state;
	ask(42, 70000, null, null, null, ZYGOTE_FDS, 0);
	assert_true(answer_is_there(10000));
	assert_int_equal(msg_recv(channel, &spawned, sizeof(spawned), NULL, NULL), (long)sizeof(spawned));
	assert_int_equal(spawned.header.type, ZYGOTE_SPAWNED);
	assert_int_equal(spawned.id, 42);
	assert_int_equal(spawned.pid, -EBADF);
	(void)close(null);
}

/* The directory of the cgroup that this process is in. */
static int own_cgroup(void)
{
	char line[512], mount[512] = "", path[1100];
	FILE *f = fopen("/proc/self/mountinfo", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, " - cgroup2 "))
			assert_int_equal(sscanf(line, "%*s %*s %*s %*s %511s", mount), 1);
	}
	(void)fclose(f);
	f = fopen("/proc/self/cgroup", "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::", 3) == 0)
			line[strcspn(line, "\n")] = '\0', (void)snprintf(path, sizeof(path), "%s%s", mount, line + 3);
	}
	(void)fclose(f);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void no_worker_is_uid_0(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), cgroup = own_cgroup(), p[2];
	struct zygote_spawned spawned;
	struct zygote_exited exited;
	char said[512] = "";
	ssize_t n;

	(void)state;
	assert_true(cgroup >= 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	ask(7, 0, null, cgroup, p[1], ZYGOTE_FDS, 0);
	(void)close(p[1]);
	assert_int_equal(msg_recv(channel, &spawned, sizeof(spawned), NULL, NULL), (long)sizeof(spawned));
	assert_int_equal(spawned.id, 7);
	assert_true(spawned.pid > 0);
	assert_int_equal(msg_recv(channel, &exited, sizeof(exited), NULL, NULL), (long)sizeof(exited));
	assert_int_equal(exited.header.type, ZYGOTE_EXITED);
	assert_int_equal(exited.id, 7);
	assert_int_equal(exited.pid, spawned.pid);
	assert_true(WIFEXITED(exited.status) && WEXITSTATUS(exited.status) == 1);
	n = read(p[0], said, sizeof(said) - 1);
	assert_true(n > 0);
	assert_non_null(strstr(said, "cannot become a worker"));
	(void)close(p[0]);
	(void)close(null);
	(void)close(cgroup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_no_order_is_not_answered, start, stop),
		cmocka_unit_test_setup_teardown(without_its_cgroup_no_worker_starts, start, stop),
		cmocka_unit_test_setup_teardown(no_worker_is_uid_0, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
