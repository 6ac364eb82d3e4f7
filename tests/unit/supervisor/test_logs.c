/* SPDX-License-Identifier: Apache-2.0 */
/* A role's lines come out escaped, cut, named, and not more than so many in a second. */
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/loop.h"
#include "supervisor/logs.h"

/* What log_pipe_done() shows on standard error for what was written. */
static char *shown(const char *bytes, size_t n)
{
	char path[] = "/tmp/bridle-logs-XXXXXX";
	int file = mkstemp(path), keep = dup(STDERR_FILENO);
	char *text = calloc(1, 65536);
	struct loop *loop = NULL;
	struct log_pipe p;

	assert_true(file >= 0 && keep >= 0 && text);
	assert_int_equal(unlink(path), 0);
	log_pipe_init(&p);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(log_pipe_open(&p, loop, "worker"), 0);
	assert_int_equal(write(p.write_fd, bytes, n), n);
	(void)dup2(file, STDERR_FILENO);
	log_pipe_done(&p);
	(void)dup2(keep, STDERR_FILENO);
	(void)close(keep);
	loop_free(loop);
	assert_true(pread(file, text, 65535, 0) >= 0);
	(void)close(file);
	return text;
}

static void test_lines(void **state)
{
	static const char in[] = "bridle-worker: warning: x\nplain \x1b[31mred\nlast without end";
	char *out = shown(in, sizeof(in) - 1);

	(void)state;
	assert_string_equal(
		out, "bridle-worker: warning: x\nbridle-worker: plain \\x1b[31mred\nbridle-worker: last without end\n");
	free(out);
}

static void test_long_line_is_cut(void **state)
{
	char in[4000], *out;

	(void)state;
	memset(in, 'a', sizeof(in));
	in[sizeof(in) - 2] = '\n';
	in[sizeof(in) - 1] = 'b';
	out = shown(in, sizeof(in));
	assert_int_equal(strspn(strchr(out, ' ') + 1, "a"), LOG_LINE_MAX);
	assert_non_null(strstr(out, "\nbridle-worker: b\n"));
	free(out);
}

static void test_flood_is_counted(void **state)
{
	char in[2 * 500], *out, *at;
	unsigned lines = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(in); i += 2)
		memcpy(in + i, "x\n", 2);
	out = shown(in, sizeof(in));
	for (at = out; (at = strstr(at, ": x\n")); at++)
		lines++;
	assert_int_equal(lines, LOGS_LINES_MAX);
	assert_non_null(strstr(out, "450 lines of the worker were left out"));
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_line_is_cut),
		cmocka_unit_test(test_flood_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
