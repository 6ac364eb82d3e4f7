/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `bridle`: one struct each, made in the command's own file and listed in commands.def. Parser and
 * help are made from the rows.
 */
#ifndef BRIDLE_CLI_COMMAND_H
#define BRIDLE_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_OPTIONS_MAX 12

struct command_option {
	const char *name;     /* without the dashes */
	const char *argument; /* what stands behind it in the help; NULL: a flag */
	const char *doc;
};

struct arguments;

struct command {
	const char *name;	/* "run", "policy check" */
	const char *rest;	/* what stands behind the options, for the help */
	int rest_min, rest_max; /* how many of those; max -1: any number */
	bool rest_is_command;	/* the first word that is no option ends the options */
	int usage_status;	/* exit status of a wrong command line */
	const char *doc;	/* one line */
	const struct command_option options[COMMAND_OPTIONS_MAX + 1]; /* ends with a zeroed row */
	char letters[COMMAND_OPTIONS_MAX];			      /* by row: 'f' where -f means it too; 0: none */
	int (*run)(const struct arguments *args);		      /* returns the exit status */
};

struct arguments {
	const struct command *command;
	const char
		*values[COMMAND_OPTIONS_MAX]; /* by row; flags: their own name; NULL: not given. Borrowed from argv */
	char **rest;			      /* NULL-terminated, borrowed from argv */
	int n_rest;
	bool help;
};

/* The table, ended by NULL. */
extern const struct command *const commands[];

/*
 * Finds the command in words[] (after argv[0]) and sets how many words its name takes. NULL when there is none.
 */
const struct command *command_find(char *const *words, int *ret_n_words);

/*
 * Parses the words behind the command's name; reorders words. 0, or -1 and a sentence in reason (COMMAND_REASON_MAX
 * bytes) that names the nearest option.
 */
#define COMMAND_REASON_MAX 512
int arguments_parse(const struct command *command, char **words, struct arguments *ret, char *reason);

/* The nearest of the names ("" ends the list), or NULL when none is near. */
const char *name_nearest(const char *word, const char *const *names);

/* Help on standard output. */
void usage_print(void);
void usage_print_command(const struct command *command);

/* Says on standard error that there is no such command, and which one is near. */
void usage_unknown_command(const char *word);

#endif
