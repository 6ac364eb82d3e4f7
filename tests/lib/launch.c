/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Test-only launcher: everything of `bridle run`, in a network namespace of the test's choice (or a private one), through the
 * supervisor's own sandbox_start(). With --detached the programs are taken off again, so that what they stop must show on the wire;
 * with --detached-early it happens before the self-test, which must notice;
 * with --deadline a worker waits for a shorter time than base/deadline.def says.
 *
 * usage: launch [--netns PATH] --policy FILE --audit FILE --name N --user U [--detached | --detached-early]
 * [--deadline NAME=MS]... -- CMD…
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/init_spec.h"
#include "base/loop.h"
#include "base/util.h"
#include "init/init.h"
#include "keeper/keeper.h"
#include "policy/policy.h"
#include "supervisor/sandbox.h"
#include "zygote/zygote.h"

struct launch {
	struct loop *loop;
	struct sandbox_options options;
	const char *netns;
	const char *user;
	int exit_code;
};

static void on_end(void *arg, int exit_code, const char *text)
{
	struct launch *l = arg;

	if (text)
		fprintf(stderr, "launch: %s\n", text);
	l->exit_code = exit_code;
	loop_stop(l->loop, 0);
}

static int die(const char *what, const char *why)
{
	fprintf(stderr, "launch: %s: %s\n", what, why);
	return 125;
}

/* "head=300": one of base/deadline.def in milliseconds. */
static int parse_deadline(struct launch *l, struct str text)
{
	size_t equals = str_find(text, '=');
	enum deadline which = deadline_find(str_make(text.p, equals));
	uint64_t ms;

	if (which == DEADLINE_INVALID || str_to_u64(str_from(text, equals + 1), &ms) < 0 || ms == 0 || ms > UINT32_MAX)
		return -EINVAL;
	l->options.deadlines.ms[which] = (uint32_t)ms;
	return 0;
}

static int parse(struct launch *l, int argc, char **argv)
{
	static const struct option options[] = {
		{ "netns", required_argument, NULL, 'n' },
		{ "policy", required_argument, NULL, 'p' },
		{ "audit", required_argument, NULL, 'a' },
		{ "name", required_argument, NULL, 'N' },
		{ "user", required_argument, NULL, 'u' },
		{ "detached", no_argument, NULL, 'd' },
		{ "deadline", required_argument, NULL, 'D' },
		{ "detached-early", no_argument, NULL, 'e' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == 'n')
			l->netns = optarg;
		else if (c == 'p')
			l->options.policy_file = optarg;
		else if (c == 'a')
			l->options.audit_path = optarg;
		else if (c == 'N')
			l->options.name = optarg;
		else if (c == 'u')
			l->user = optarg;
		else if (c == 'd')
			l->options.detach = SANDBOX_DETACH_BEFORE_COMMAND;
		else if (c == 'e')
			l->options.detach = SANDBOX_DETACH_BEFORE_SELF_TEST;
		else if (c != 'D' || parse_deadline(l, str_of(optarg)) < 0)
			return -EINVAL;
	}
	return l->options.policy_file && l->options.name && l->user && optind < argc ? optind : -EINVAL;
}

static int load_policy(struct launch *l, char *text, size_t size)
{
	auto_file FILE *f = fopen(l->options.policy_file, "re");
	struct diag diag;
	char line[1024];

	if (!f)
		return die(l->options.policy_file, strerror(errno));
	l->options.policy_text = str_make(text, fread(text, 1, size, f));
	if (policy_load(l->options.policy_file, l->options.policy_text, &l->options.policy, &diag) < 0)
		return die("policy", diag_format(&diag, line, sizeof(line)));
	return 0;
}

static int launch(struct launch *l, char **argv, char **envp)
{
	static char text[65536];
	char reason[SANDBOX_REASON_MAX];
	struct init_spec spec = { .argv = argv, .envp = envp };
	auto_free char *cwd = getcwd(NULL, 0);
	const struct passwd *pw = getpwnam(l->user);
	struct sandbox *sandbox = NULL;

	if (!pw || !cwd)
		return die(l->user, "no such user");
	spec.cwd = cwd;
	spec.uid = pw->pw_uid;
	spec.gid = pw->pw_gid;
	if (l->netns)
		l->options.netns_fd = open(l->netns, O_RDONLY | O_CLOEXEC);
	if (l->netns && l->options.netns_fd < 0)
		return die(l->netns, strerror(errno));
	if (load_policy(l, text, sizeof(text)) != 0)
		return 125;
	l->options.command = &spec;
	l->options.on_end = on_end;
	l->options.arg = l;
	if (loop_new(&l->loop) < 0)
		return die("loop", "no memory");
	if (sandbox_start(l->loop, &l->options, &sandbox, reason) < 0)
		return die("sandbox_start", reason);
	(void)loop_run(l->loop);
	sandbox_free(sandbox);
	loop_free(l->loop);
	policy_unref(l->options.policy);
	return l->exit_code;
}

int main(int argc, char **argv, char **envp)
{
	struct launch l = { .exit_code = 125, .options.netns_fd = -1 };
	int at;

	if (strcmp(argv[0], "bridle-keeper") == 0)
		return keeper_main();
	if (strcmp(argv[0], "bridle-zygote") == 0)
		return zygote_main();
	if (strcmp(argv[0], "bridle-init") == 0)
		return init_main();
	at = parse(&l, argc, argv);
	if (at < 0)
		return die("usage", "launch [--netns PATH] --policy FILE --audit FILE --name N --user U [--detached] "
				    "[--detached-early] [--deadline NAME=MS]... -- CMD");
	return launch(&l, argv + at, envp);
}
