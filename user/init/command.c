/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forks and executes. The child stays in the process group and session that bridle was started in, so the terminal
 * treats it like the caller's own job. What fails in the child comes back over a pipe that exec closes.
 */
#include "init/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/init_spec.h"
#include "base/util.h"
#include "init/failure.h"

enum command_step { STEP_CWD = 1, STEP_EXEC };

struct command_failure {
	int step;
	int error;
};

static void restore_signals(const struct init_spec *spec)
{
	sigset_t blocked;

	(void)sigemptyset(&blocked);
	for (int n = 1; n <= 64; n++) {
		const uint64_t bit = 1ULL << (n - 1);

		if (n != SIGKILL && n != SIGSTOP)
			(void)signal(n, spec->ignored_signals & bit ? SIG_IGN : SIG_DFL);
		if (spec->blocked_signals & bit)
			(void)sigaddset(&blocked, n);
	}
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static _Noreturn void child_main(const struct init_spec *spec, int status)
{
	static char *no_environment[] = { NULL };
	struct command_failure failure = { .step = STEP_CWD };

	restore_signals(spec);
	if (!spec->cwd || chdir(spec->cwd) == 0) {
		failure.step = STEP_EXEC;
		environ = spec->envp ? spec->envp : no_environment; /* execvp looks PATH up here */
		(void)execvp(spec->argv[0], spec->argv);
	}
	failure.error = errno;
	(void)!write(status, &failure, sizeof(failure));
	_exit(EXIT_BRIDLE);
}

/* execvp() says "permission denied" as well when it found nothing but could not look into each directory. */
static bool is_in_path(const struct init_spec *spec, const char *name)
{
	const char *list = NULL;
	char path[PATH_MAX];

	for (char **e = spec->envp; e && *e && !list; e++)
		if (strncmp(*e, "PATH=", 5) == 0)
			list = *e + 5;
	for (; list; list = *list ? list + 1 : NULL) {
		const size_t n = strcspn(list, ":");

		if (snprintf(path, sizeof(path), "%.*s/%s", n ? (int)n : 1, n ? list : ".", name) < (int)sizeof(path) &&
		    access(path, F_OK) == 0)
			return true;
		list += n;
	}
	return false;
}

/* The sentences are those of env(1) and of shells, as far as they go. */
static int explain(const struct init_spec *spec, const struct command_failure *f, struct failure *reterr)
{
	const char *name = spec->argv[0];
	const bool is_path = strchr(name, '/') != NULL;

	if (f->step == STEP_CWD)
		return failure_set(reterr, EXIT_BRIDLE,
				   "cannot enter the working directory %s as uid %u: %s; start bridle in a directory "
				   "that the command's "
				   "user may enter",
				   spec->cwd, spec->uid, strerror(f->error));
	if (f->error == ENOENT && is_path && access(name, F_OK) == 0)
		return failure_set(reterr, EXIT_NOT_EXECUTABLE,
				   "%s: the interpreter that its first line names is missing; install it", name);
	if (is_path && (f->error == ENOENT || f->error == ENOTDIR))
		return failure_set(reterr, EXIT_NOT_FOUND, "%s: no such file; name a program that exists", name);
	if (!is_path && (f->error == ENOENT || f->error == ENOTDIR ||
			 (f->error == EACCES && spec->envp && !is_in_path(spec, name))))
		return failure_set(reterr, EXIT_NOT_FOUND,
				   "%s: command not found in PATH; install it, or give its whole path", name);
	return failure_set(reterr, EXIT_NOT_EXECUTABLE,
			   "%s: cannot be executed as uid %u: %s; make it executable for that user, or name another "
			   "with --user",
			   name, spec->uid, strerror(f->error));
}

int command_start(const struct init_spec *spec, pid_t *ret_pid, struct failure *reterr)
{
	auto_fd int status = -1;
	struct command_failure f;
	int fds[2];
	pid_t pid;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot start the command: %s", strerror(errno));
	status = fds[0];
	pid = fork();
	if (pid == 0)
		child_main(spec, fds[1]);
	(void)close(fds[1]);
	if (pid < 0)
		return failure_set(reterr, EXIT_BRIDLE, "cannot start the command: fork: %s", strerror(errno));
	do
		n = read(status, &f, sizeof(f));
	while (n < 0 && errno == EINTR);
	if (n == 0) {
		*ret_pid = pid;
		return 0;
	}
	(void)waitpid(pid, NULL, 0);
	if (n != (ssize_t)sizeof(f))
		return failure_set(reterr, EXIT_BRIDLE, "cannot start the command: its start told nothing");
	return explain(spec, &f, reterr);
}
