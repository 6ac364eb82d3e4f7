/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: finds the command, reads its options by its rows, prints help from the same rows. What is not
 * known is refused with the nearest name; nothing is guessed.
 */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

#define NAME_LENGTH_MAX 32
#define HELP_COLUMN	24

#define COMMAND(name) extern const struct command command_##name;
#include "cli/commands.def"
#undef COMMAND

const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "cli/commands.def"
#undef COMMAND
	NULL,
};

/* Whether the words begin with the name, which may be several words; how many in *ret_n. */
static bool words_begin(char *const *words, const char *name, int *ret_n)
{
	int n = 0;

	while (*name) {
		const size_t length = strcspn(name, " ");

		if (!words[n] || strlen(words[n]) != length || memcmp(words[n], name, length) != 0)
			return false;
		n++;
		name += length + (name[length] == ' ');
	}
	*ret_n = n;
	return true;
}

const struct command *command_find(char *const *words, int *ret_n_words)
{
	for (size_t i = 0; commands[i]; i++)
		if (words_begin(words, commands[i]->name, ret_n_words))
			return commands[i];
	return NULL;
}

/* Damerau's distance without the transposition: one row of the matrix at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_LENGTH_MAX + 1];
	const size_t n = strlen(b);

	if (n > NAME_LENGTH_MAX || strlen(a) > NAME_LENGTH_MAX)
		return NAME_LENGTH_MAX;
	for (size_t k = 0; k <= n; k++)
		row[k] = k;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= n; k++) {
			const size_t change = diagonal + (a[i - 1] != b[k - 1]);

			diagonal = row[k];
			row[k] = MIN(change, MIN(row[k], row[k - 1]) + 1);
		}
	}
	return row[n];
}

const char *name_nearest(const char *word, const char *const *names)
{
	const char *best = NULL;
	size_t least = NAME_LENGTH_MAX;

	for (; **names; names++) {
		const size_t d = distance(word, *names);

		if (d < least && d <= 1 + strlen(*names) / 4) {
			least = d;
			best = *names;
		}
	}
	return best;
}

static int unknown_option(const struct command *command, const char *word, char *reason)
{
	const char *names[COMMAND_OPTIONS_MAX + 2];
	char name[NAME_LENGTH_MAX + 1];
	const char *near;
	size_t n = 0;

	for (const struct command_option *o = command->options; o->name; o++)
		names[n++] = o->name;
	names[n] = "";
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	near = strncmp(word, "--", 2) == 0 ? name_nearest(name, names) : NULL;
	(void)snprintf(reason, COMMAND_REASON_MAX, "unknown option %.64s%s%s%s; see bridle %s --help", word,
		       near ? "; did you mean --" : "", near ? near : "", near ? "?" : "", command->name);
	return -1;
}

/* Where the value stands when it is part of the word: behind the equals sign, or behind the letter; NULL: it is not. */
static const struct command_option *find_option(const struct command *command, const char *word, size_t *ret_index,
						const char **ret_value)
{
	const bool is_long = word[1] == '-';
	const size_t n = is_long ? strcspn(word + 2, "=") : 0;

	for (size_t i = 0; command->options[i].name; i++) {
		const char *name = command->options[i].name;

		if (is_long ? strlen(name) != n || memcmp(name, word + 2, n) != 0
			    : !command->letters[i] || command->letters[i] != word[1])
			continue;
		*ret_index = i;
		*ret_value = is_long ? (word[2 + n] ? word + 2 + n + 1 : NULL) : word[2] ? word + 2 : NULL;
		return &command->options[i];
	}
	return NULL;
}

/* words[0] is an option. How many words it took, or -1 and reason. */
static int take_option(char **words, struct arguments *args, char *reason)
{
	const struct command *command = args->command;
	const struct command_option *o;
	const char *value = NULL;
	size_t index;

	if (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0) {
		args->help = true;
		return 1;
	}
	o = find_option(command, words[0], &index, &value);
	if (!o)
		return unknown_option(command, words[0], reason);
	if (args->values[index]) {
		(void)snprintf(reason, COMMAND_REASON_MAX, "option --%s is given twice", o->name);
		return -1;
	}
	if (!o->argument && value) {
		(void)snprintf(reason, COMMAND_REASON_MAX, "option --%s takes no value", o->name);
		return -1;
	}
	if (o->argument && !value && !words[1]) {
		(void)snprintf(reason, COMMAND_REASON_MAX, "option --%s needs a value: %s", o->name, o->argument);
		return -1;
	}
	args->values[index] = !o->argument ? o->name : value ? value : words[1];
	return o->argument && !value ? 2 : 1;
}

/* "bridle why [options] METHOD URL": only what the command has. */
static const char *usage_of(const struct command *c, char *out, size_t size)
{
	(void)snprintf(out, size, "bridle %s%s%s%s", c->name, c->options[0].name ? " [options]" : "",
		       *c->rest ? " " : "", c->rest);
	return out;
}

static int check_rest(const struct arguments *args, char *reason)
{
	const struct command *c = args->command;
	char usage[128];

	if (args->help || (args->n_rest >= c->rest_min && (c->rest_max < 0 || args->n_rest <= c->rest_max)))
		return 0;
	(void)usage_of(c, usage, sizeof(usage));
	if (args->n_rest < c->rest_min)
		(void)snprintf(reason, COMMAND_REASON_MAX, "something is missing; usage: %s", usage);
	else
		(void)snprintf(reason, COMMAND_REASON_MAX, "one word too many: %.64s; usage: %s",
			       args->rest[c->rest_max], usage);
	return -1;
}

int arguments_parse(const struct command *command, char **words, struct arguments *ret, char *reason)
{
	struct arguments args = { .command = command, .rest = words };
	char **out = words;

	while (*words) {
		int n;

		if (strcmp(*words, "--") == 0) {
			words++;
			break;
		}
		if ((*words)[0] != '-' || (*words)[1] == '\0') {
			if (command->rest_is_command)
				break;
			*out++ = *words++;
			continue;
		}
		n = take_option(words, &args, reason);
		if (n < 0)
			return -1;
		words += n;
	}
	while (*words)
		*out++ = *words++;
	*out = NULL;
	args.n_rest = (int)(out - args.rest);
	if (check_rest(&args, reason) < 0)
		return -1;
	*ret = args;
	return 0;
}

void usage_print(void)
{
	(void)printf("bridle: lets a program use the network only as a policy allows\n\nusage: bridle COMMAND …\n\n");
	for (size_t i = 0; commands[i]; i++)
		(void)printf("  %-14s %s\n", commands[i]->name, commands[i]->doc);
	(void)printf("\n  bridle COMMAND --help shows the options; bridle --version the version\n");
}

void usage_print_command(const struct command *command)
{
	char usage[128];

	(void)printf("bridle %s: %s\n\nusage: %s\n", command->name, command->doc,
		     usage_of(command, usage, sizeof(usage)));
	if (command->options[0].name)
		(void)printf("\n");
	for (const struct command_option *o = command->options; o->name; o++) {
		const char letter = command->letters[o - command->options];
		char left[64], with_letter[8] = "";

		if (letter)
			(void)snprintf(with_letter, sizeof(with_letter), "-%c, ", letter);
		(void)snprintf(left, sizeof(left), "%s--%s%s%s", with_letter, o->name, o->argument ? " " : "",
			       o->argument ? o->argument : "");
		(void)printf("  %-*s %s\n", HELP_COLUMN, left, o->doc);
	}
}

/* The first command whose name has this word and more: "policy check" for "policy". */
static const struct command *find_longer(const char *word)
{
	const size_t n = strlen(word);

	for (size_t i = 0; commands[i]; i++)
		if (strncmp(commands[i]->name, word, n) == 0 && commands[i]->name[n] == ' ')
			return commands[i];
	return NULL;
}

void usage_unknown_command(const char *word)
{
	const struct command *longer = find_longer(word);
	const char *names[16];
	const char *near;
	char shown[64];
	size_t n = 0;

	if (longer) {
		log_error("bridle %s alone is no command; did you mean bridle %s? See bridle %s --help", word,
			  longer->name, longer->name);
		return;
	}
	for (size_t i = 0; commands[i] && n + 1 < ARRAY_SIZE(names); i++)
		names[n++] = commands[i]->name;
	names[n] = "";
	near = name_nearest(word, names);
	log_error("there is no command %s%s%s%s; see bridle --help",
		  log_escape(shown, sizeof(shown), word, strlen(word)), near ? "; did you mean bridle " : "",
		  near ? near : "", near ? "?" : "");
}
