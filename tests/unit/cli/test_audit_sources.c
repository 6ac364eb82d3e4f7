/* SPDX-License-Identifier: Apache-2.0 */
/* Several files as one stream by time; and what happens to them while they are followed. */
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/entry.h"
#include "cli/audit_sources.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static char dir[] = "/tmp/bridle-sources-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void add(const char *name, const char *text)
{
	const int fd = open(path_of(name), O_WRONLY | O_APPEND | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A record of that second, which is its seq too. */
static void record(const char *name, unsigned second)
{
	char line[512];

	(void)snprintf(line, sizeof(line),
		       "{\"v\":1,\"chain\":\"0123456789abcdef\",\"seq\":%u,\"prev\":\"" ZEROS
		       "\",\"time\":\"2026-11-25T17:03:%02uZ\",\"kind\":\"exchange\"}\n",
		       second, second);
	add(name, line);
}

/* "1 2 3 " of the seconds that come now. */
static const char *read_all(struct audit_sources *s)
{
	static char text[512];
	const struct audit_entry *e;

	text[0] = '\0';
	while ((e = audit_sources_next(s)))
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u ", (unsigned)e->seq);
	assert_null(audit_sources_next(s));
	return text;
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/bridle-sources-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "a.jsonl", "b.jsonl", "c.jsonl", "a.jsonl.1", "other" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(path_of(names[i]));
	for (int i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "old%d", i);
		(void)unlink(path_of(name));
	}
	return rmdir(dir);
}

static void test_merged_by_time(void **state)
{
	struct audit_sources *s;

	(void)state;
	record("a.jsonl", 1);
	record("a.jsonl", 4);
	record("b.jsonl", 2);
	record("b.jsonl", 3);
	record("b.jsonl", 9);
	record("other", 5);
	s = audit_sources_open(NULL, dir);
	assert_string_equal(read_all(s), "1 2 3 4 9 ");
	/* a new file is seen, and what is appended */
	record("c.jsonl", 11);
	record("a.jsonl", 10);
	audit_sources_refresh(s);
	assert_string_equal(read_all(s), "10 11 ");
	assert_false(audit_sources_had_bad_lines(s));
	assert_null(audit_sources_free(s));
	assert_null(audit_sources_open(path_of("none"), dir));
	assert_null(audit_sources_open(NULL, path_of("none")));
	assert_null(audit_sources_open(dir, dir));
}

static void test_renamed(void **state)
{
	char from[256];
	struct audit_sources *s;

	(void)state;
	record("a.jsonl", 1);
	(void)snprintf(from, sizeof(from), "%s", path_of("a.jsonl"));
	s = audit_sources_open(from, NULL);
	assert_string_equal(read_all(s), "1 ");
	record("a.jsonl", 2);
	assert_int_equal(rename(from, path_of("a.jsonl.1")), 0);
	audit_sources_refresh(s);
	record("a.jsonl.1", 3);
	assert_string_equal(read_all(s), "2 3 ");
	record("a.jsonl", 5);
	record("a.jsonl.1", 4); /* its writer still has it open */
	audit_sources_refresh(s);
	assert_string_equal(read_all(s), "4 5 ");
	record("a.jsonl.1", 6);
	record("a.jsonl", 7);
	audit_sources_refresh(s);
	assert_string_equal(read_all(s), "6 7 ");
	/* many times: the oldest are let go, the newest are read */
	for (unsigned i = 0; i < 15; i++) {
		char name[16], want[16];

		(void)snprintf(name, sizeof(name), "old%u", i);
		assert_int_equal(rename(from, path_of(name)), 0);
		record("a.jsonl", 10 + i);
		audit_sources_refresh(s);
		(void)snprintf(want, sizeof(want), "%u ", 10 + i);
		assert_string_equal(read_all(s), want);
	}
	record("a.jsonl.1", 50);
	record("old14", 51);
	audit_sources_refresh(s);
	assert_string_equal(read_all(s), "51 ");
	(void)audit_sources_free(s);
}

static void test_cut_in_place(void **state)
{
	char path[256];
	struct audit_sources *s;

	(void)state;
	record("a.jsonl", 1);
	record("a.jsonl", 2);
	(void)snprintf(path, sizeof(path), "%s", path_of("a.jsonl"));
	s = audit_sources_open(path, NULL);
	assert_string_equal(read_all(s), "1 2 ");
	assert_int_equal(truncate(path, 0), 0);
	record("a.jsonl", 3);
	audit_sources_refresh(s);
	assert_string_equal(read_all(s), "3 ");
	assert_false(audit_sources_had_bad_lines(s));
	(void)audit_sources_free(s);
}

static void test_bad_lines(void **state)
{
	struct audit_sources *s;

	(void)state;
	record("a.jsonl", 1);
	add("a.jsonl", "no record\n");
	record("a.jsonl", 2);
	s = audit_sources_open(path_of("a.jsonl"), NULL);
	assert_string_equal(read_all(s), "1 2 ");
	assert_true(audit_sources_had_bad_lines(s));
	(void)audit_sources_free(s);
	/* a last line without line feed waits for its end */
	record("b.jsonl", 1);
	add("b.jsonl", "{\"v\":1,");
	s = audit_sources_open(path_of("b.jsonl"), NULL);
	assert_string_equal(read_all(s), "1 ");
	assert_false(audit_sources_had_bad_lines(s));
	audit_sources_finish(s);
	assert_true(audit_sources_had_bad_lines(s));
	(void)audit_sources_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_merged_by_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renamed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_lines, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
