/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a file that grows, of any length, in bounded memory. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/lines.h"

static struct audit_lines lines;
static struct str line;

/* Where the reader stands, which is the end. */
static void add(int fd, const char *text)
{
	assert_int_equal(pwrite(fd, text, strlen(text), lseek(fd, 0, SEEK_CUR)), strlen(text));
}

static void test_grows(void **state)
{
	const int fd = memfd_create("lines", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(audit_lines_init(&lines, fd), 0);
	assert_int_equal(audit_lines_next(&lines, &line), AUDIT_LINES_END);
	add(fd, "one\n\ntw");
	assert_int_equal(audit_lines_next(&lines, &line), AUDIT_LINES_WHOLE);
	assert_str_equal(line, "one");
	assert_int_equal(audit_lines_next(&lines, &line), AUDIT_LINES_WHOLE);
	assert_int_equal(line.n, 0);
	assert_int_equal(audit_lines_next(&lines, &line), AUDIT_LINES_END);
	assert_str_equal(audit_lines_rest(&lines), "tw");
	add(fd, "o\n");
	assert_int_equal(audit_lines_next(&lines, &line), AUDIT_LINES_WHOLE);
	assert_str_equal(line, "two");
	assert_int_equal(lines.number, 3);
	assert_int_equal(audit_lines_rest(&lines).n, 0);
	audit_lines_done(&lines);
	close(fd);
}

/* Lengths round the limit, and far behind it: the next line is found whole. */
static void test_long(void **state)
{
	static const size_t lengths[] = { AUDIT_RECORD_MAX - 1, AUDIT_RECORD_MAX,	AUDIT_RECORD_MAX + 1,
					  AUDIT_LINES_MAX - 1,	AUDIT_LINES_MAX,	AUDIT_LINES_MAX + 1,
					  2 * AUDIT_LINES_MAX,	5 * AUDIT_LINES_MAX + 7 };
	char *text = malloc(6 * AUDIT_LINES_MAX);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const int fd = memfd_create("lines", MFD_CLOEXEC);
		const bool is_long = lengths[i] > AUDIT_RECORD_MAX;

		memset(text, 'x', lengths[i]);
		memcpy(text + lengths[i], "\nnext\n", 7);
		add(fd, text);
		assert_int_equal(audit_lines_init(&lines, fd), 0);
		assert_int_equal(audit_lines_next(&lines, &line), is_long ? AUDIT_LINES_LONG : AUDIT_LINES_WHOLE);
		assert_int_equal(line.n, is_long ? AUDIT_RECORD_MAX : lengths[i]);
		assert_int_equal(audit_lines_next(&lines, &line), AUDIT_LINES_WHOLE);
		assert_str_equal(line, "next");
		assert_int_equal(lines.number, 2);
		assert_int_equal(audit_lines_next(&lines, &line), AUDIT_LINES_END);
		audit_lines_done(&lines);
		close(fd);
	}
	free(text);
}

static void test_unreadable(void **state)
{
	const int fd = open("/tmp", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(audit_lines_init(&lines, fd), 0);
	assert_int_equal(audit_lines_next(&lines, &line), -EISDIR);
	audit_lines_done(&lines);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
