/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "keeper/source_file.h"

#define LIMIT 64

static char top[] = "/tmp/bridle-source-XXXXXX";
static int dir_fd, top_fd;
static unsigned char buf[LIMIT];

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static int get(const char *name, size_t *n)
{
	struct source_stamp stamp;

	return source_file_read(dir_fd, name, buf, LIMIT, NULL, n, &stamp);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(top))
		return -1;
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(top_fd, "d", 0700) < 0)
		return -1;
	dir_fd = openat(top_fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(top_fd, "outside", "outside");
	put(dir_fd, "plain", "hello\n");
	return dir_fd < 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {
		"plain", "fifo", "sub", "up", "abs", "loop", "magic", "big", "full", "rot"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (unlinkat(dir_fd, names[i], 0) < 0)
			(void)unlinkat(dir_fd, names[i], AT_REMOVEDIR);
	(void)unlinkat(dir_fd, "..t/rot", 0);
	(void)unlinkat(dir_fd, "..t", AT_REMOVEDIR);
	(void)unlinkat(dir_fd, "..data", 0);
	(void)unlinkat(top_fd, "outside", 0);
	(void)unlinkat(top_fd, "d", AT_REMOVEDIR);
	(void)close(dir_fd);
	(void)close(top_fd);
	return rmdir(top);
}

static void reads_a_file(void **state)
{
	struct source_stamp stamp, again;
	size_t n = 0;

	(void)state;
	assert_int_equal(source_file_read(dir_fd, "plain", buf, LIMIT, NULL, &n, &stamp), 0);
	assert_int_equal(n, 6);
	assert_memory_equal(buf, "hello\n", 6);
	assert_int_equal(source_file_read(dir_fd, "plain", buf, LIMIT, &stamp, &n, &again), -EALREADY);
	put(dir_fd, "plain", "other!\n");
	assert_int_equal(source_file_read(dir_fd, "plain", buf, LIMIT, &stamp, &n, &again), 0);
	assert_false(source_stamp_eq(&stamp, &again));
}

static void follows_links_beneath_only(void **state)
{
	size_t n = 77;

	(void)state;
	assert_int_equal(mkdirat(dir_fd, "..t", 0700), 0);
	{
		int t = openat(dir_fd, "..t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		put(t, "rot", "inside");
		(void)close(t);
	}
	assert_int_equal(symlinkat("..t", dir_fd, "..data"), 0);
	assert_int_equal(symlinkat("..data/rot", dir_fd, "rot"), 0);
	assert_int_equal(symlinkat("../outside", dir_fd, "up"), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir_fd, "abs"), 0);
	assert_int_equal(symlinkat("loop", dir_fd, "loop"), 0);
	assert_int_equal(symlinkat("/proc/self/fd/0", dir_fd, "magic"), 0);
	assert_int_equal(get("up", &n), -EXDEV);
	assert_int_equal(get("abs", &n), -EXDEV);
	assert_int_equal(get("magic", &n), -EXDEV);
	assert_int_equal(get("loop", &n), -ELOOP);
	assert_int_equal(get("../outside", &n), -EXDEV);
	assert_int_equal(get("/etc/passwd", &n), -EXDEV);
	assert_int_equal(n, 77);
	assert_int_equal(get("rot", &n), 0);
	assert_memory_equal(buf, "inside", 6);
}

static void refuses_what_is_no_file(void **state)
{
	size_t n = 77;

	(void)state;
	assert_int_equal(mkdirat(dir_fd, "sub", 0700), 0);
	assert_int_equal(mkfifoat(dir_fd, "fifo", 0600), 0);
	assert_int_equal(get("sub", &n), -ENOTSUP);
	assert_int_equal(get("fifo", &n), -ENOTSUP);
	assert_int_equal(get("missing", &n), -ENOENT);
	assert_int_equal(n, 77);
}

static void bounds_the_size(void **state)
{
	char text[LIMIT + 2] = "";
	size_t n = 0;

	(void)state;
	memset(text, 'x', LIMIT + 1);
	put(dir_fd, "big", text);
	text[LIMIT] = '\0';
	put(dir_fd, "full", text);
	assert_int_equal(get("big", &n), -EFBIG);
	assert_int_equal(get("full", &n), 0);
	assert_int_equal(n, LIMIT);
}

static void judges_content(void **state)
{
	static const struct {
		struct str in, out;
		const char *word; /* of the refusal; NULL: accepted */
	} rows[] = {
		{ { "abc", 3 }, { "abc", 3 }, NULL },
		{ { "abc\n", 4 }, { "abc", 3 }, NULL },
		{ { "token=abc\n", 10 }, { "token=abc", 9 }, NULL },
		{ { " a\tb ", 5 }, { " a\tb ", 5 }, NULL },
		{ { "\xc3\xa9", 2 }, { "\xc3\xa9", 2 }, NULL },
		{ { "", 0 }, { NULL, 0 }, "empty" },
		{ { "\n", 1 }, { NULL, 0 }, "empty" },
		{ { "abc\n\n", 5 }, { NULL, 0 }, "more than one line" },
		{ { "a\nb", 3 }, { NULL, 0 }, "more than one line" },
		{ { "\nabc", 4 }, { NULL, 0 }, "more than one line" },
		{ { "abc\r\n", 5 }, { NULL, 0 }, "carriage return" },
		{ { "a\rb", 3 }, { NULL, 0 }, "carriage return" },
		{ { "a\0b", 3 }, { NULL, 0 }, "control" },
		{ { "a\x7f", 2 }, { NULL, 0 }, "control" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str got = { NULL, 0 };
		const char *why = source_file_secret(rows[i].in, &got);

		if (rows[i].word) {
			assert_non_null(why);
			assert_non_null(strstr(why, rows[i].word));
			assert_null(got.p);
		} else {
			assert_null(why);
			assert_true(str_eq(got, rows[i].out));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_file),
		cmocka_unit_test(follows_links_beneath_only),
		cmocka_unit_test(refuses_what_is_no_file),
		cmocka_unit_test(bounds_the_size),
		cmocka_unit_test(judges_content),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
