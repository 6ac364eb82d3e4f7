/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a writer's last chain is found in a file of several, and equals what the writer itself says. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit.h"

static int open_file(char *path)
{
	int fd = mkostemp(path, O_APPEND);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	return fd;
}

static void write_one(struct audit *a, const char *detail)
{
	assert_int_equal(audit_write(a, &(struct audit_record){ .kind = "exchange",
								.path = str_of(detail),
								.why = WHY_allowed }),
			 0);
}

static void test_each_writer_has_its_own(void **state)
{
	char path[] = "/tmp/bridle-position-XXXXXX", out[82];
	struct audit *worker = NULL, *kernel = NULL;
	int fd = open_file(path);

	(void)state;
	assert_int_equal(audit_find_position(fd, "worker", out, sizeof(out)), -ENOENT);
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, NULL, &worker), 0);
	assert_int_equal(audit_new(fd, STR("box"), "kernel", 2, NULL, &kernel), 0);
	write_one(worker, "/a");
	write_one(kernel, "/b");
	assert_int_equal(audit_find_position(fd, "worker", out, sizeof(out)), 0);
	assert_string_equal(out, audit_position(worker));
	assert_int_equal(audit_find_position(fd, "kernel", out, sizeof(out)), 0);
	assert_string_equal(out, audit_position(kernel));
	/* a value that looks like a field is not one */
	write_one(kernel, "/\",\"writer\":\"worker\",\"");
	assert_int_equal(audit_find_position(fd, "worker", out, sizeof(out)), 0);
	assert_string_equal(out, audit_position(worker));
	/* a line that was cut is no record */
	assert_int_equal(write(fd, "{\"v\":1,\"chain\":\"", 16), 16);
	assert_int_equal(audit_find_position(fd, "kernel", out, sizeof(out)), 0);
	assert_string_equal(out, audit_position(kernel));
	assert_int_equal(audit_find_position(fd, "kernel", out, 81), -ENOSPC);
	audit_free(worker);
	audit_free(kernel);
	(void)close(fd);
}

/* only the tail is read */
static void test_long_file(void **state)
{
	char path[] = "/tmp/bridle-position-XXXXXX", out[82], filler[4096];
	struct audit *worker = NULL;
	int fd = open_file(path);

	(void)state;
	memset(filler, 'x', sizeof(filler));
	filler[sizeof(filler) - 1] = '\n';
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, NULL, &worker), 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(write(fd, filler, sizeof(filler)), sizeof(filler));
	assert_int_equal(audit_find_position(fd, "worker", out, sizeof(out)), 0);
	assert_string_equal(out, audit_position(worker));
	for (int i = 0; i < 100; i++)
		assert_int_equal(write(fd, filler, sizeof(filler)), sizeof(filler));
	assert_int_equal(audit_find_position(fd, "worker", out, sizeof(out)), -ENOENT);
	audit_free(worker);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_writer_has_its_own),
		cmocka_unit_test(test_long_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
