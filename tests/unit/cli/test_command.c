/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: finding commands, options in every form, and what is refused. */
#include "tests/lib/test.h"

#include <stdio.h>

#include <stdlib.h>

#include "cli/command.h"

static int run_nothing(const struct arguments *args)
{
	return args->n_rest;
}

static const struct command sample = {
	.name = "sample",
	.rest = "WORD",
	.rest_min = 1,
	.rest_max = 2,
	.options = { { "policy", "FILE", "a file" }, { "json", NULL, "a flag" } },
	.run = run_nothing,
};

static const struct command runner = {
	.name = "runner",
	.rest = "COMMAND",
	.rest_min = 1,
	.rest_max = -1,
	.rest_is_command = true,
	.options = { { "policy", "FILE", "a file" } },
	.run = run_nothing,
};

static char reason[COMMAND_REASON_MAX];

#define PARSE(command, args, ...) arguments_parse(command, (char *[]){ __VA_ARGS__, NULL }, args, reason)
#define W(text)			  ((char[]){ text })

static void test_forms(void **state)
{
	struct arguments a;

	(void)state;
	assert_int_equal(PARSE(&sample, &a, W("GET"), W("--policy"), W("p"), W("URL"), W("--json")), 0);
	assert_string_equal(a.values[0], "p");
	assert_non_null(a.values[1]);
	assert_int_equal(a.n_rest, 2);
	assert_string_equal(a.rest[1], "URL");
	assert_null(a.rest[2]);
	assert_int_equal(PARSE(&sample, &a, W("--policy=a=b"), W("x")), 0);
	assert_string_equal(a.values[0], "a=b");
	assert_null(a.values[1]);
	assert_int_equal(PARSE(&sample, &a, W("--"), W("--json")), 0);
	assert_null(a.values[1]);
	assert_string_equal(a.rest[0], "--json");
}

static const struct command lettered = {
	.name = "lettered",
	.rest = "",
	.options = { { "follow", NULL, "a flag" }, { "last", "N", "a number" }, { "json", NULL, "no letter" } },
	.letters = { 'f', 'n' },
	.run = run_nothing,
};

static void test_letters(void **state)
{
	struct arguments a;

	(void)state;
	assert_int_equal(PARSE(&lettered, &a, W("-f"), W("-n"), W("5")), 0);
	assert_string_equal(a.values[0], "follow");
	assert_string_equal(a.values[1], "5");
	assert_int_equal(PARSE(&lettered, &a, W("-n7")), 0);
	assert_string_equal(a.values[1], "7");
	assert_null(a.values[0]);
	assert_int_equal(PARSE(&lettered, &a, W("-fn")), -1);
	assert_int_equal(PARSE(&lettered, &a, W("-n")), -1);
	assert_int_equal(PARSE(&lettered, &a, W("-f"), W("--follow")), -1);
	assert_int_equal(PARSE(&lettered, &a, W("-j")), -1);
	assert_int_equal(PARSE(&lettered, &a, W("--f")), -1);
}

static void test_command_keeps_its_options(void **state)
{
	struct arguments a;

	(void)state;
	assert_int_equal(PARSE(&runner, &a, W("--policy"), W("p"), W("ls"), W("--policy"), W("-l"), W("--"), W("x")),
			 0);
	assert_int_equal(a.n_rest, 5);
	assert_string_equal(a.rest[1], "--policy");
	assert_string_equal(a.rest[3], "--");
	assert_int_equal(PARSE(&runner, &a, W("--"), W("-x")), 0);
	assert_string_equal(a.rest[0], "-x");
}

static void test_refused(void **state)
{
	struct arguments a = { .n_rest = 77 };

	(void)state;
	assert_int_equal(PARSE(&sample, &a, W("--polcy"), W("x")), -1);
	assert_non_null(strstr(reason, "did you mean --policy?"));
	assert_int_equal(PARSE(&sample, &a, W("--quite-different"), W("x")), -1);
	assert_null(strstr(reason, "did you mean"));
	assert_int_equal(PARSE(&sample, &a, W("-p"), W("x")), -1);
	assert_int_equal(PARSE(&sample, &a, W("x"), W("--policy")), -1);
	assert_int_equal(PARSE(&sample, &a, W("x"), W("--json=1")), -1);
	assert_int_equal(PARSE(&sample, &a, W("--json"), W("--json"), W("x")), -1);
	assert_int_equal(PARSE(&sample, &a, W("--json")), -1);
	assert_int_equal(PARSE(&sample, &a, W("a"), W("b"), W("c")), -1);
	assert_int_equal(PARSE(&runner, &a, W("--policy"), W("p")), -1);
	assert_int_equal(a.n_rest, 77);
	assert_int_equal(PARSE(&sample, &a, W("--help")), 0);
	assert_true(a.help);
}

/* Every row of the table: found by its name, has its doc, and refuses what it does not know. */
static void test_table(void **state)
{
	struct arguments a;

	(void)state;
	for (size_t i = 0; commands[i]; i++) {
		const struct command *c = commands[i];
		char copy[64], *words[4] = { copy, NULL };
		int n = 0;

		(void)snprintf(copy, sizeof(copy), "%s", c->name);
		if (strchr(copy, ' ')) {
			words[1] = strchr(copy, ' ') + 1;
			*strchr(copy, ' ') = '\0';
		}
		assert_ptr_equal(command_find(words, &n), c);
		assert_int_equal(n, words[1] ? 2 : 1);
		assert_true(c->doc && *c->doc && c->rest && c->run && c->usage_status > 0);
		assert_null(c->options[COMMAND_OPTIONS_MAX].name);
		for (const struct command_option *o = c->options; o->name; o++)
			assert_true(o->doc && *o->doc && strncmp(o->name, "--", 2) != 0);
		for (size_t k = 0; k < COMMAND_OPTIONS_MAX;
		     k++) /* no letter twice, none without an option, none for help */
			assert_true(!c->letters[k] || (c->options[k].name && c->letters[k] != 'h' &&
						       !memchr(c->letters, c->letters[k], k)));
		assert_int_equal(PARSE(c, &a, W("--no-such-option")), -1);
	}
	assert_null(command_find((char *[]){ W("runn"), NULL }, (int[1]){ 0 }));
	assert_null(command_find((char *[]){ W("policy"), NULL }, (int[1]){ 0 }));
}

static void test_nearest(void **state)
{
	static const char *const names[] = { "run", "why", "policy check", "" };

	(void)state;
	assert_string_equal(name_nearest("rn", names), "run");
	assert_string_equal(name_nearest("policy chek", names), "policy check");
	assert_null(name_nearest("attach", names));
	assert_null(name_nearest("a very long word that is longer than any name of ours", names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_command_keeps_its_options),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
