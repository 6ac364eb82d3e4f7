/* SPDX-License-Identifier: Apache-2.0 */
/* mountinfo lines, good and bad, and paths by components. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/mount_table.h"

static int read_text(const char *text, struct mount_table *ret)
{
	char name[] = "/tmp/bridle-test-XXXXXX";
	int fd = mkstemp(name), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	r = mount_table_read(name, ret);
	unlink(name);
	return r;
}

static void test_reads(void **state)
{
	struct mount_table t;

	(void)state;
	assert_int_equal(
		read_text("36 35 98:0 /root\\040dir /mnt\\134x rw,noatime master:1 shared:7 - ext3 /dev/sda rw\n"
			  "37 36 0:5 / /proc rw - proc proc rw\n",
			  &t),
		0);
	assert_int_equal(t.n, 2);
	assert_true(t.entries[0].id == 36);
	assert_string_equal(t.entries[0].device, "98:0");
	assert_string_equal(t.entries[0].root, "/root dir");
	assert_string_equal(t.entries[0].target, "/mnt\\x");
	assert_string_equal(t.entries[0].type, "ext3");
	assert_string_equal(t.entries[1].type, "proc");
	mount_table_done(&t);
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {
		"36 35 98:0 / /mnt rw\n",
		"36 35 98:0 / /mnt rw shared:1\n",
		"36 35 98:0 / mnt rw - ext3 x rw\n",
		"x 35 98:0 / /mnt rw - ext3 x rw\n",
		"36\n",
		"\n",
	};
	struct mount_table t = { .n = 99 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(read_text(bad[i], &t), -EBADMSG);
		assert_int_equal(t.n, 99);
	}
	assert_int_equal(mount_table_read("/nonexistent/mountinfo", &t), -ENOENT);
}

static void test_own(void **state)
{
	struct mount_table t;
	bool root = false;

	(void)state;
	assert_int_equal(mount_table_read("/proc/self/mountinfo", &t), 0);
	for (size_t i = 0; i < t.n; i++)
		root |= strcmp(t.entries[i].target, "/") == 0 && mount_entry_is_visible(&t.entries[i]);
	assert_true(root);
	mount_table_done(&t);
}

static void test_paths(void **state)
{
	(void)state;
	assert_true(path_is_within("/a/b", "/a"));
	assert_true(path_is_within("/a", "/a"));
	assert_true(path_is_within("/a", "/"));
	assert_false(path_is_within("/ab", "/a"));
	assert_false(path_is_within("/", "/a"));
	assert_string_equal(path_below("/a/b", "/a"), "b");
	assert_string_equal(path_below("/a/b", "/"), "a/b");
	assert_string_equal(path_below("/a", "/a"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
