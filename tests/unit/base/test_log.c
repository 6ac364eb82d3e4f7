/* SPDX-License-Identifier: Apache-2.0 */
/* What a sandbox wrote reaches a terminal as text; what is UTF-8 stays, what steers is escaped. */
#include "base/log.c"

#include "tests/lib/test.h"

#include "base/util.h"

static const struct {
	const char *in;
	size_t n;
	const char *out;
} rows[] = {
	{ "plain text", 10, "plain text" },
	{ "\x1b[31m", 5, "\\x1b[31m" },
	{ "a\nb\r\tc", 6, "a\\x0ab\\x0d\\x09c" },
	{ "a\0b", 3, "a\\x00b" },
	{ "\x7f", 1, "\\x7f" },
	{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "\xc2\x9b"
	  "31m",
	  5, "\\xc2\\x9b31m" },				   /* CSI as one character */
	{ "\xc2\xa0", 2, "\xc2\xa0" },			   /* the first behind them */
	{ "\xc0\xaf", 2, "\\xc0\\xaf" },		   /* overlong */
	{ "\xe0\x9f\xbf", 3, "\\xe0\\x9f\\xbf" },	   /* overlong */
	{ "\xf0\x8f\xbf\xbf", 4, "\\xf0\\x8f\\xbf\\xbf" }, /* overlong */
	{ "\xed\xa0\x80", 3, "\\xed\\xa0\\x80" },	   /* a surrogate */
	{ "\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80" }, /* above U+10FFFF */
	{ "\xf5\x80\x80\x80", 4, "\\xf5\\x80\\x80\\x80" },
	{ "\xe2\x82", 2, "\\xe2\\x82" }, /* cut */
	{ "\xe2\x82x", 3, "\\xe2\\x82x" },
	{ "\x80", 1, "\\x80" },
};

static void whatever_steers_is_escaped(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(log_escape(out, sizeof(out), rows[i].in, rows[i].n), rows[i].out);
}

static void it_is_cut_between_characters(void **state)
{
	char out[8];

	(void)state;
	for (size_t size = 1; size <= sizeof(out); size++) {
		memset(out, '#', sizeof(out));
		(void)log_escape(out, size, "a\x1b\xe2\x82\xac", 5);
		assert_string_equal(out, size < 2 ? "" : size < 6 ? "a" : "a\\x1b");
		for (size_t i = size; i < sizeof(out); i++)
			assert_int_equal(out[i], '#');
	}
	out[0] = '#';
	(void)log_escape(out, 0, "a", 1);
	assert_int_equal(out[0], '#');
}

static size_t logged(enum log_level level, const char *text, char *out, size_t size)
{
	int pipe_fds[2], kept = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(pipe_fds), 0);
	assert_true(kept >= 0 && dup2(pipe_fds[1], STDERR_FILENO) >= 0);
	log_line(level, "%s", text);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	(void)close(pipe_fds[1]);
	n = read(pipe_fds[0], out, size - 1);
	(void)close(pipe_fds[0]);
	out[MAX(n, 0)] = '\0';
	return (size_t)MAX(n, 0);
}

static void a_line_is_one_line(void **state)
{
	static char much[3 * LOG_LINE_MAX], out[4 * LOG_LINE_MAX];

	(void)state;
	assert_true(logged(LOG_ERROR, "two\nlines", out, sizeof(out)) > 0);
	assert_string_equal(out, "bridle: error: two\\x0alines\n");
	log_set_role("worker");
	assert_true(logged(LOG_NOTICE, "x", out, sizeof(out)) > 0);
	assert_string_equal(out, "bridle-worker: x\n");
	assert_int_equal(logged(LOG_DEBUG, "x", out, sizeof(out)), 0);
	log_set_level(LOG_DEBUG);
	assert_true(logged(LOG_DEBUG, "x", out, sizeof(out)) > 0);
	memset(much, '\x1b', sizeof(much) - 1);
	assert_in_range(logged(LOG_ERROR, much, out, sizeof(out)), LOG_LINE_MAX - 8, LOG_LINE_MAX + 64);
	assert_int_equal(out[strlen(out) - 1], '\n');
	log_set_role(NULL);
	log_set_level(LOG_NOTICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_steers_is_escaped),
		cmocka_unit_test(it_is_cut_between_characters),
		cmocka_unit_test(a_line_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
