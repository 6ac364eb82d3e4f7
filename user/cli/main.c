/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One program, told apart by argv[0]: the roles that the supervisor executes, the daemon's name, or the command line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/command.h"
#include "cli/version.h"
#include "init/init.h"
#include "keeper/keeper.h"
#include "zygote/zygote.h"

#define STATUS_USAGE 2

static const struct role_main {
	const char *name;
	int (*main)(void);
} roles[] = {
	{ "bridle-keeper", keeper_main },
	{ "bridle-zygote", zygote_main },
	{ "bridle-init", init_main },
};

static int run_command(char **words)
{
	const struct command *command;
	struct arguments args;
	char reason[COMMAND_REASON_MAX];
	char shown[COMMAND_REASON_MAX];
	int n_words = 0;

	command = command_find(words, &n_words);
	if (!command) {
		usage_unknown_command(words[0]);
		return STATUS_USAGE;
	}
	if (arguments_parse(command, words + n_words, &args, reason) < 0) {
		log_error("%s", log_escape(shown, sizeof(shown), reason, strlen(reason)));
		return command->usage_status;
	}
	if (args.help) {
		usage_print_command(command);
		return 0;
	}
	return command->run(&args);
}

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "";
	const char *slash = strrchr(name, '/');

	name = slash ? slash + 1 : name;
	if (getenv("BRIDLE_DEBUG"))
		log_set_level(LOG_DEBUG);
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (strcmp(name, roles[i].name) == 0) {
			log_set_role(roles[i].name + strlen("bridle-"));
			(void)prctl(PR_SET_NAME, roles[i].name); /* exec of /proc/self/exe made it "exe" */
			return roles[i].main();
		}
	if (strcmp(name, "bridled") == 0) {
		log_error("the daemon is not part of this version; use bridle run, which needs none");
		return STATUS_USAGE;
	}
	if (argc < 2) {
		log_error("no command; see bridle --help");
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		usage_print();
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("bridle %s\n", BRIDLE_VERSION);
		return 0;
	}
	return run_command(argv + 1);
}
