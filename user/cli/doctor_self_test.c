/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live self-test: a sandbox like any other, under a policy that allows nothing, whose command is this very program
 * as the prober. It is started by a child, because the sandbox takes over standard input (the program, from memory: the
 * user may not be able to read where it lies) and output (what the prober found). A check that was not heard of failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/init_spec.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "cli/doctor.h"
#include "cli/policy_file.h"
#include "cli/user.h"
#include "supervisor/paths.h"
#include "supervisor/sandbox.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3; where vm.memfd_noexec is set, it has to be said */
#endif

#define PROGRAM	      "/proc/self/fd/0"
#define DENY_ALL      "{}"
#define LINES_MAX     16384
#define SILENCE_MAX_S 90 /* the prober ends itself after 60 */

struct test {
	struct loop *loop;	 /* owned */
	struct sandbox *sandbox; /* owned */
	char name[SANDBOX_NAME_MAX + 1];
	char audit[PATHS_MAX_BYTES];
	char reason[SANDBOX_REASON_MAX];
	bool started;
};

/* A copy of this program that every user may execute and nobody can change; read-only, or execve says ETXTBSY. */
static int open_program(void)
{
	auto_fd int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	auto_fd int to = memfd_create("bridle", MFD_CLOEXEC | MFD_EXEC);
	char path[64];
	struct stat st;
	off_t n = 0;
	int fd;

	if (to < 0 && errno == EINVAL)
		to = memfd_create("bridle", MFD_CLOEXEC);
	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return -errno;
	while (n < st.st_size)
		if (sendfile(to, from, &n, (size_t)(st.st_size - n)) <= 0)
			return -EIO;
	if (fchmod(to, 0555) < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void print_start(bool passed, const char *text)
{
	char line[DOCTOR_TEXT_MAX];

	(void)log_escape(line, sizeof(line), text, strlen(text)); /* no tab, no line feed */
	(void)dprintf(STDOUT_FILENO, "%s\t%s\t%s\n", doctor_checks[DOCTOR_CHECK_start].id, passed ? "ok" : "fail",
		      line);
}

static void on_started(void *arg)
{
	struct test *t = arg;

	t->started = true;
	print_start(true, doctor_checks[DOCTOR_CHECK_start].title);
}

static void on_end(void *arg, int exit_code, const char *text)
{
	struct test *t = arg;

	if (text && *text && !t->started)
		print_start(false, text);
	loop_stop(t->loop, exit_code);
}

static int start(struct test *t, const struct cli_user *user, struct policy_file *policy, struct init_spec *spec)
{
	const struct sandbox_options options = {
		.name = t->name,
		.policy_file = "(doctor)",
		.policy_text = buf_str(&policy->text),
		.policy = policy->policy,
		.audit_path = t->audit,
		.command = spec,
		.netns_fd = -1,
		.on_started = on_started,
		.on_end = on_end,
		.arg = t,
	};
	int r;

	spec->uid = user->uid;
	spec->gid = user->gid;
	spec->groups = user->groups;
	spec->n_groups = user->n_groups;
	r = paths_make_dir(PATHS_RUN, 0700, t->reason);
	if (r == 0)
		r = sandbox_start(t->loop, &options, &t->sandbox, t->reason);
	(void)unlink(t->audit); /* who writes there has it open */
	return r;
}

/* In the child; everything is told on standard output. */
static void run_sandbox(const struct cli_user *user)
{
	char *argv[] = { (char[]){ PROGRAM }, (char[]){ "doctor" }, (char[]){ "--inside" }, NULL };
	char *envp[] = { (char[]){ "PATH=/usr/bin:/bin" }, NULL };
	struct init_spec spec = { .argv = argv, .envp = envp, .cwd = (char[]){ "/" } };
	struct policy_file policy = { 0 };
	struct test t = { 0 };
	int r;

	(void)snprintf(t.name, sizeof(t.name), "doctor-%d", getpid());
	(void)snprintf(t.audit, sizeof(t.audit), PATHS_RUN "/%s.jsonl", t.name);
	(void)snprintf(t.reason, sizeof(t.reason), "out of memory");
	r = policy_file_from_text("(doctor)", STR(DENY_ALL), &policy);
	if (r == 0)
		r = loop_new(&t.loop);
	if (r == 0)
		r = start(&t, user, &policy, &spec);
	if (r == 0)
		(void)loop_run(t.loop);
	else
		print_start(false, t.reason);
	t.sandbox = sandbox_free(t.sandbox);
	t.loop = loop_free(t.loop);
	policy_file_done(&policy);
}

static _Noreturn void child_main(const struct cli_user *user, int program, int out)
{
	/* ^C is for the parent; this one ends by itself, and cleans up */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	if (dup2(program, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(1);
	run_sandbox(user);
	_exit(0);
}

/* Until the last writer is gone, and that is the sandbox's end. */
static size_t hear(int fd, char *out, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n + 1 < size && poll(&p, 1, SILENCE_MAX_S * 1000) == 1) {
		const ssize_t r = read(fd, out + n, size - 1 - n);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	out[n] = '\0';
	return n;
}

static void take_line(char *line, struct doctor_result results[DOCTOR_CHECKS])
{
	char *status = strchr(line, '\t'), *text = status ? strchr(status + 1, '\t') : NULL;

	if (!text)
		return;
	*status++ = *text++ = '\0';
	for (size_t i = 0; i < DOCTOR_CHECKS; i++) {
		/* the prober cannot know whether its sandbox's own self-test passed */
		if (strcmp(line, doctor_checks[i].id) != 0 || (i == DOCTOR_CHECK_start && results[i].what[0]))
			continue;
		doctor_say(&results[i], strcmp(status, "ok") == 0 ? DOCTOR_OK : DOCTOR_FAIL, "%s", text);
	}
}

static void take_lines(char *lines, struct doctor_result results[DOCTOR_CHECKS])
{
	while (*lines) {
		char *end = strchr(lines, '\n');

		if (!end)
			return; /* cut: not heard */
		*end = '\0';
		take_line(lines, results);
		lines = end + 1;
	}
}

void doctor_self_test(const struct cli_user *user, struct doctor_result results[DOCTOR_CHECKS])
{
	auto_fd int program = open_program();
	char lines[LINES_MAX] = "";
	int fds[2];
	pid_t pid;

	if (program < 0 || pipe2(fds, O_CLOEXEC) < 0) {
		doctor_say(&results[DOCTOR_CHECK_start], DOCTOR_FAIL, "the prober cannot be prepared: %s",
			   strerror(program < 0 ? -program : errno));
	} else {
		pid = fork();
		if (pid == 0)
			child_main(user, program, fds[1]);
		(void)close(fds[1]);
		(void)hear(fds[0], lines, sizeof(lines));
		(void)close(fds[0]);
		if (pid > 0)
			(void)waitpid(pid, NULL, 0);
		take_lines(lines, results);
	}
}
