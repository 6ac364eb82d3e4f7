/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of why.def, each row: a sentence that says what happened to what, a next step that somebody can take, in
 * the spelling that refusals, logs and the manual put around them ("bridle refused …: SENTENCE (where). Next: NEXT.").
 */
#include "tests/lib/test.h"

#include <ctype.h>
#include <stdbool.h>

#include "base/why.h"

#define TEXT_MAX 120

/* What makes a row of words a sentence. A new row may need a new verb here; a noun phrase must not get one. */
static const char *const verbs[] = {
	"is",	    "are",     "was",	  "were",    "had",    "has",	 "have",    "holds", "makes",
	"ends",	    "failed",  "belongs", "speaks",  "names",  "allows", "listens", "could", "came",
	"closed",   "stand",   "ended",	  "matches", "asks",   "do",	 "does",    "did",   "resolves",
	"answered", "refused", "cannot",  "serves",  "breaks", NULL,
};

/* A next step begins with what to do. */
static const char *const steps[] = {
	"add",	  "ask",  "bind",    "check", "close", "connect", "do",	    "drop",  "encode",
	"end",	  "free", "let",     "list",  "name",  "open",	  "remove", "renew", "replace",
	"report", "send", "shorten", "start", "try",   "use",	  "wait",   NULL,
};

static const char *current; /* symbol of the row under test, for messages */

static void fail_row(const char *what, const char *text)
{
	fail_msg("%s: %s: \"%s\"", current, what, text);
}

static bool word_is_in(const char *word, size_t n, const char *const list[])
{
	for (size_t i = 0; list[i]; i++) {
		if (strlen(list[i]) == n && strncmp(list[i], word, n) == 0)
			return true;
	}
	return false;
}

static size_t word_len(const char *text)
{
	size_t n = 0;

	while (isalpha((unsigned char)text[n]))
		n++;
	return n;
}

static unsigned count_words(const char *text, const char *const list[], bool *ret_found)
{
	unsigned n = 0;

	*ret_found = false;
	while (*text) {
		size_t len = word_len(text);

		if (len > 0) {
			n++;
			*ret_found = *ret_found || word_is_in(text, len, list);
		}
		text += len + (text[len] != '\0');
	}
	return n;
}

/* Other words stand before and after, in JSON, HTTP fields and tables: no end mark, no odd byte, no odd space. */
static void check_spelling(const char *text)
{
	static const char *const banned[] = { "  ",  "n't",  "please", "Please", "can not",
					      "etc", "TODO", "XXX",    "%s",	 NULL };
	size_t n = strlen(text);

	if (n == 0 || n > TEXT_MAX)
		fail_row("has no bytes, or more than 120", text);
	if (isspace((unsigned char)text[0]) || strchr(" .!?:;,", text[n - 1]))
		fail_row("begins with a space, or ends with a space or a mark", text);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e)
			fail_row("holds a byte that is not printable ASCII", text);
	}
	for (size_t i = 0; banned[i]; i++) {
		if (strstr(text, banned[i]))
			fail_row(banned[i], text);
	}
	/* capitals only in names: HTTP, Content-Length, the JSON of a policy */
	if (isupper((unsigned char)text[0]) && !isupper((unsigned char)text[1]) && strncmp(text, "Content-", 8) != 0)
		fail_row("begins like a sentence of its own", text);
}

static void check_sentence(const char *text)
{
	bool has_verb;

	check_spelling(text);
	if (count_words(text, verbs, &has_verb) < 4)
		fail_row("is too short to say what happened to what", text);
	if (!has_verb)
		fail_row("has no verb, so it is no sentence", text);
	/* stands raw inside JSON as the title */
	if (strpbrk(text, "\"\\{}"))
		fail_row("a sentence holds a quote, a backslash or a placeholder", text);
}

static void check_next(enum why why, const char *text)
{
	const char *hole = strchr(text, '{');
	bool is_json = strstr(text, "\"tls\": {") != NULL;

	check_spelling(text);
	/* where nothing was refused, or nobody is left to read */
	if (strcmp(text, "nothing") == 0) {
		if (why != WHY_allowed && why != WHY_client_closed)
			fail_row("a refusal must say what to do", text);
		return;
	}
	if (!word_is_in(text, word_len(text), steps))
		fail_row("does not begin with what to do", text);
	if (!strchr(text, ' '))
		fail_row("does not say with what", text);
	if (hole && !is_json && (strncmp(hole, "{fix}", 5) != 0 || strchr(hole + 5, '{') || strchr(hole + 5, '}')))
		fail_row("holds a placeholder that nothing replaces", text);
	/* a line that would allow it exists only where the policy refused */
	if (strstr(text, "{fix}") && why_status(why) != 403)
		fail_row("{fix} in a code that is not the policy's", text);
}

static void test_every_text(void **state)
{
	(void)state;
	for (int i = 0; i < WHY_COUNT_; i++) {
		enum why why = (enum why)i;

		current = why_symbol(why);
		check_sentence(why_sentence(why));
		check_next(why, why_next(why));
	}
}

static void test_every_symbol(void **state)
{
	(void)state;
	for (int i = 0; i < WHY_COUNT_; i++) {
		current = why_symbol((enum why)i);
		/* a header field's value, an URN, a reason phrase */
		if (strspn(current, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(current) || strlen(current) > 32)
			fail_row("is no symbol", current);
		for (int k = 0; k < i; k++) {
			assert_string_not_equal(why_symbol((enum why)k), current);
			if (strcmp(why_sentence((enum why)k), why_sentence((enum why)i)) == 0)
				fail_row("has the sentence of another code", why_symbol((enum why)k));
		}
	}
}

/* Rows are only ever appended: a number that moved would give pinned maps another meaning. */
static void test_numbers_stay(void **state)
{
	(void)state;
	assert_int_equal(WHY_undecided, 0);
	assert_int_equal(WHY_allowed, 1);
	assert_int_equal(WHY_no_stamp, 2);
	assert_int_equal(WHY_no_original_dst, 18);
	assert_int_equal(WHY_bad_request_line, 25);
	assert_int_equal(WHY_path_dot_segment, 44);
	assert_int_equal(WHY_host_not_allowed, 52);
	assert_int_equal(WHY_address_refused, 65);
	assert_int_equal(WHY_upstream_refused, 71);
	assert_int_equal(WHY_sandbox_failed, 85);
	assert_int_equal(WHY_source_refused, 86);
	assert_int_equal(WHY_name_no_address, 87);
}

/* The checks above see what they are for. */
static void test_the_checks_fail(void **state)
{
	bool has_verb;

	(void)state;
	assert_int_equal(count_words("overlong path", verbs, &has_verb), 2);
	assert_false(has_verb);
	assert_int_equal(count_words("the path is too long", verbs, &has_verb), 5);
	assert_true(has_verb);
	assert_false(word_is_in("nothing", 7, steps));
	assert_false(word_is_in("useful", 6, steps));
	assert_true(word_is_in("use another", 3, steps));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_text),
		cmocka_unit_test(test_every_symbol),
		cmocka_unit_test(test_numbers_stay),
		cmocka_unit_test(test_the_checks_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
