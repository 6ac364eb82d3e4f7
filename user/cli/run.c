/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bridle run`: prepares what the sandbox is started with (user, policy, environment, descriptors, files), then sits
 * in the loop until the command ends, and passes its status on. Standard output is never written; standard error gets
 * one status line and warnings. Whatever cannot be prepared ends here, with 125 and before anything runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/init_spec.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/util.h"
#include "cli/command.h"
#include "cli/env.h"
#include "cli/learn.h"
#include "cli/policy_file.h"
#include "cli/run_report.h"
#include "cli/run_signals.h"
#include "cli/stdio_relay.h"
#include "cli/user.h"
#include "policy/policy.h"
#include "supervisor/leftovers.h"
#include "supervisor/sandbox.h"

#define STATUS_BRIDLE 125
#define DENY_ALL      "{}"

enum run_option { OPTION_POLICY, OPTION_AUDIT, OPTION_NAME, OPTION_USER, OPTION_LEARN };

struct run {
	const struct arguments *args;
	struct cli_user user;
	struct policy_file policy;
	struct cli_env env;
	struct init_spec spec; /* points into args, env and user */
	struct loop *loop;     /* owned */
	struct run_signals signals;
	struct sandbox *sandbox; /* owned */
	char name[SANDBOX_NAME_MAX + 1];
	char *cwd;	 /* owned */
	char *sudo_path; /* owned */
	int learn_fd;	 /* owned; -1: none */
	bool started;	 /* the command was executed */
};

static const char *run_option(const struct run *run, enum run_option option)
{
	return run->args->values[option];
}

static int choose_name(struct run *run)
{
	const char *wanted = run_option(run, OPTION_NAME);

	if (!wanted)
		(void)snprintf(run->name, sizeof(run->name), "run-%d", getpid());
	else if (strlen(wanted) <= SANDBOX_NAME_MAX && sandbox_name_is_valid(str_of(wanted)))
		(void)snprintf(run->name, sizeof(run->name), "%s", wanted);
	else {
		log_error("--name %s: a name is up to %d of a-z, 0-9, dot, dash and underscore, and begins with a "
			  "letter or digit",
			  wanted, SANDBOX_NAME_MAX);
		return -1;
	}
	return 0;
}

static int choose_policy(struct run *run)
{
	const char *path = run_option(run, OPTION_POLICY);

	if (!path)
		return policy_file_from_text("(no policy)", STR(DENY_ALL), &run->policy);
	if (policy_file_load(path, &run->policy) < 0)
		return -1;
	if (cli_user_can_replace(&run->user, path))
		log_warning("%s can change the policy %s: it holds for this run, but the next run would read what was "
			    "written "
			    "there; move it to a directory of root's",
			    run->user.name, path);
	return 0;
}

/* refuse: a record that the command could rewrite proves nothing. */
static int check_audit(const struct run *run)
{
	const char *path = run_option(run, OPTION_AUDIT);

	if (!path || !cli_user_can_write_parent(&run->user, path))
		return 0;
	log_error("--audit %s: %s can write in that directory and so replace the audit; name a file in a directory of "
		  "root's",
		  path, run->user.name);
	return -1;
}

/* With the user's rights, before the command can plant anything in its way. */
static int open_learn(struct run *run)
{
	const char *path = run_option(run, OPTION_LEARN);

	if (!path)
		return 0;
	run->learn_fd = cli_user_open(&run->user, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NOCTTY, 0644);
	if (run->learn_fd >= 0)
		return 0;
	log_error("--learn %s: cannot be written by %s: %s; name a file in a directory of that user's", path,
		  run->user.name, strerror(-run->learn_fd));
	return -1;
}

static int build_environment(struct run *run)
{
	int r;

	run->sudo_path = run_option(run, OPTION_USER) ? NULL : cli_env_sudo_path();
	r = cli_env_build(environ, &run->user, run->sudo_path, run->policy.policy, &run->env);
	for (size_t i = 0; i < run->env.n_proxy_ports && r == 0; i++)
		r = policy_add_proxy_port(run->policy.policy, run->env.proxy_ports[i]);
	if (r < 0)
		log_error("cannot make the command's environment: %s", strerror(-r));
	return r;
}

static int fill_spec(struct run *run)
{
	run->cwd = get_current_dir_name();
	if (!run->cwd) {
		log_error("cannot tell the working directory: %s; start bridle in a directory that exists",
			  strerror(errno));
		return -1;
	}
	run->spec = (struct init_spec){
		.argv = run->args->rest,
		.envp = run->env.list,
		.cwd = run->cwd,
		.uid = run->user.uid,
		.gid = run->user.gid,
		.groups = run->user.groups,
		.n_groups = run->user.n_groups,
		.ignored_signals = run->signals.ignored,
		.blocked_signals = run->signals.blocked,
	};
	for (int fd = 0; fd <= 2; fd++)
		run->spec.stdio_is_tty |= isatty(fd) ? 1U << fd : 0;
	return 0;
}

static void on_signal(void *arg, int signal)
{
	struct run *run = arg;

	if (run->sandbox && run->signals.command_runs)
		sandbox_signal(run->sandbox, signal);
	else
		loop_stop(run->loop, 128 + signal); /* nothing runs yet: give up */
}

static void on_let_go(void *arg)
{
	struct run *run = arg;

	run->signals.command_runs = true;
}

static void on_started(void *arg)
{
	struct run *run = arg;

	run->started = true;
}

static void on_stopped(void *arg, int signal)
{
	struct run *run = arg;

	(void)signal;
	run_signals_stop(&run->signals);
}

static void on_end(void *arg, int exit_code, const char *text)
{
	struct run *run = arg;

	if (text && *text)
		log_error("%s", text);
	loop_stop(run->loop, exit_code);
}

static int prepare_loop(struct run *run)
{
	int r = loop_new(&run->loop);

	if (r == 0)
		r = run_signals_init(&run->signals, run->loop, on_signal, run);
	if (r < 0)
		log_error("cannot wait for events: %s", strerror(-r));
	return r;
}

static int prepare(struct run *run)
{
	char reason[USER_REASON_MAX];

	if (cli_user_choose(run_option(run, OPTION_USER), &run->user, reason) < 0) {
		log_error("%s", reason);
		return -1;
	}
	if (choose_name(run) < 0 || choose_policy(run) < 0 || check_audit(run) < 0 || open_learn(run) < 0)
		return -1;
	if (stdio_relay_start(&run->user) < 0) {
		log_error("cannot put a pipe before a standard descriptor that is a socket: %s", strerror(errno));
		return -1;
	}
	if (build_environment(run) < 0 || prepare_loop(run) < 0 || fill_spec(run) < 0)
		return -1;
	run_report_leftovers();
	return 0;
}

static int start(struct run *run)
{
	const char *policy = run_option(run, OPTION_POLICY);
	const struct sandbox_options options = {
		.name = run->name,
		.policy_file = policy ? policy : "(no policy)",
		.policy_text = buf_str(&run->policy.text),
		.policy = run->policy.policy,
		.audit_path = run_option(run, OPTION_AUDIT),
		.command = &run->spec,
		.proxy_ports = run->env.proxy_ports,
		.n_proxy_ports = run->env.n_proxy_ports,
		.netns_fd = -1,
		.on_stopped = on_stopped,
		.on_let_go = on_let_go,
		.on_started = on_started,
		.on_end = on_end,
		.arg = run,
	};
	char reason[SANDBOX_REASON_MAX];

	run_report_credentials(run->policy.policy);
	if (sandbox_start(run->loop, &options, &run->sandbox, reason) < 0) {
		log_error("%s", reason);
		return -1;
	}
	run_report_status(run->name, policy, run->policy.policy, run_option(run, OPTION_AUDIT));
	return 0;
}

/* The audit is whole only after the roles ended, so the file is opened before and read after that. */
static void finish(struct run *run)
{
	const bool wants_learning = run->learn_fd >= 0 || !run_option(run, OPTION_POLICY);
	uint64_t offset = 0;
	auto_fd int audit_fd = -1;

	if (run->sandbox && wants_learning)
		audit_fd = sandbox_audit_fd(run->sandbox, &offset);
	run->sandbox = sandbox_free(run->sandbox);
	run_signals_done(&run->signals);
	if (run->started && wants_learning)
		run_report_learned(audit_fd, offset, &run->user, run->learn_fd, run_option(run, OPTION_LEARN));
}

static void run_done(struct run *run)
{
	run->loop = loop_free(run->loop);
	cli_env_done(&run->env);
	policy_file_done(&run->policy);
	cli_user_done(&run->user);
	run->learn_fd = fd_close(run->learn_fd);
	free(run->cwd);
	free(run->sudo_path);
}

static int run_main(const struct arguments *args)
{
	struct run run = { .args = args, .learn_fd = -1, .signals = { .io = { .fd = -1 }, .tty = -1 } };
	int status = STATUS_BRIDLE;

	if (prepare(&run) == 0) {
		if (start(&run) == 0)
			status = loop_run(run.loop);
		finish(&run);
	}
	run_done(&run);
	if (status < 0) {
		log_error("cannot wait for events: %s", strerror(-status));
		status = STATUS_BRIDLE;
	}
	return status;
}

const struct command command_run = {
	.name = "run",
	.rest = "[--] COMMAND [ARGUMENT …]",
	.rest_min = 1,
	.rest_max = -1,
	.rest_is_command = true,
	.usage_status = STATUS_BRIDLE,
	.doc = "run a command in a sandbox that has only the network of a policy",
	.options = {
		[OPTION_POLICY] = { "policy", "FILE", "what is allowed; without it nothing is, and the end tells what was tried" },
		[OPTION_AUDIT] = { "audit", "FILE", "where the records go (/var/log/bridle/NAME.jsonl)" },
		[OPTION_NAME] = { "name", "NAME", "the sandbox's name (run-PID)" },
		[OPTION_USER] = { "user", "USER", "who the command runs as (the caller of sudo); never root" },
		[OPTION_LEARN] = { "learn", "FILE", "write the smallest policy for what was tried there" },
	},
	.run = run_main,
};
