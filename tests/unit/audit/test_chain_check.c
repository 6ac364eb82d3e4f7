/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real chains, as the writer writes them, whole and changed in every way: each change is found, at its line, and nothing
 * else is.
 */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/chain_check.h"

#define LINES_MAX 64

static char *lines[LINES_MAX]; /* owned; one more than n is NULL */
static size_t n_lines;
static char found[2048]; /* "line:symbol " of each problem, then "line:symbol? " of each note */
static char texts[8192];

static void write_some(struct audit *a, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(audit_write(a, &(struct audit_record){ .kind = "exchange",
									.path = STR("/p"),
									.why = WHY_allowed }),
				 0);
}

/*
 * Lines 1-5: a worker's chain. 6: a kernel's. 7-9: the worker behind the first. 10-11: the kernel goes on. 12: one that
 * says that two were lost.
 */
static void setup_lines(void)
{
	const int fd = memfd_create("audit", MFD_CLOEXEC);
	struct audit *first = NULL, *kernel = NULL, *second = NULL;
	FILE *f;

	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, NULL, &first), 0);
	write_some(first, 4);
	assert_int_equal(audit_new(fd, STR("box"), "kernel", 2, NULL, &kernel), 0);
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, audit_position(first), &second), 0);
	write_some(second, 2);
	write_some(kernel, 2);
	assert_int_equal(audit_write(kernel, &(struct audit_record){ .kind = "lost", .lost = 2 }), 0);
	audit_free(first);
	audit_free(kernel);
	audit_free(second);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	f = fdopen(fd, "r");
	for (n_lines = 0;; n_lines++) {
		size_t size = 0;
		ssize_t n;

		free(lines[n_lines]);
		lines[n_lines] = NULL;
		n = getline(&lines[n_lines], &size, f);
		if (n <= 0) {
			free(lines[n_lines]); /* getline() makes one for the end too */
			lines[n_lines] = NULL;
			break;
		}
		lines[n_lines][n - 1] = '\0';
	}
	(void)fclose(f);
	assert_int_equal(n_lines, 12);
}

static void on_finding(void *arg, const struct audit_finding *f)
{
	const size_t used = strlen(found), used_texts = strlen(texts);

	(void)arg;
	assert_true(*audit_finding_meaning(f->code) && *f->text);
	(void)snprintf(found + used, sizeof(found) - used, "%llu:%s%s ", (unsigned long long)f->at.line,
		       audit_finding_symbol(f->code), f->is_note ? "?" : "");
	(void)snprintf(texts + used_texts, sizeof(texts) - used_texts, "%s\n", f->text);
}

/* Runs over lines; what it finds must be `want`, beside the note of line 12's loss wherever that stands now. */
static struct audit_totals check(bool is_partial, const char *want)
{
	struct audit_check *c = audit_check_new(is_partial, on_finding, NULL);
	struct audit_totals totals;

	found[0] = texts[0] = '\0';
	for (size_t i = 0; i < n_lines; i++)
		assert_int_equal(audit_check_line(c, (struct audit_place){ "f", i + 1 }, str_of(lines[i])), 0);
	totals = audit_check_totals(c);
	(void)audit_check_free(c);
	if (strcmp(found, want) != 0)
		fail_msg("found %s, not %s\n%s", found, want, texts);
	return totals;
}

static void remove_line(size_t number)
{
	free(lines[number - 1]);
	memmove(lines + number - 1, lines + number, (n_lines - number) * sizeof(*lines));
	lines[--n_lines] = NULL;
}

static void swap_lines(size_t a, size_t b)
{
	char *const line = lines[a - 1];

	lines[a - 1] = lines[b - 1];
	lines[b - 1] = line;
}

static void insert_line(size_t number, const char *text)
{
	memmove(lines + number, lines + number - 1, (n_lines - number + 1) * sizeof(*lines));
	lines[number - 1] = strdup(text);
	n_lines++;
}

static void replace(size_t number, const char *from, const char *to)
{
	char *const at = strstr(lines[number - 1], from);

	assert_non_null(at);
	assert_int_equal(strlen(from), strlen(to));
	memcpy(at, to, strlen(to));
}

static void test_whole(void **state)
{
	struct audit_totals t;

	(void)state;
	setup_lines();
	t = check(false, "12:lost? ");
	assert_int_equal(t.records, 12);
	assert_int_equal(t.chains, 3);
	assert_int_equal(t.problems, 0);
	assert_int_equal(t.lost, 2);
	assert_int_equal(t.open_ends, 2); /* the second worker's and the kernel's */
}

static void test_changed(void **state)
{
	(void)state;
	setup_lines();
	replace(3, "\"/p\"", "\"/q\"");
	check(false, "4:changed 12:lost? ");
	assert_non_null(strstr(texts, "f:3"));
	/* the last of a chain, which the next one names */
	setup_lines();
	replace(5, "\"/p\"", "\"/q\"");
	check(false, "7:end_differs 12:lost? ");
	/* the first record of a chain */
	setup_lines();
	replace(1, "\"box\"", "\"bax\"");
	check(false, "2:changed 12:lost? ");
	/* the links themselves */
	setup_lines();
	replace(3, "\"seq\":2", "\"seq\":8");
	check(false, "3:changed 4:changed 12:lost? ");
	setup_lines();
	memset(strstr(lines[2], "\"prev\":\"") + 8, 'a', 64);
	check(false, "3:changed 4:changed 12:lost? ");
	setup_lines();
	memset(strstr(lines[2], "\"chain\":\"") + 9, 'a', 16);
	check(false, "3:starts_in_the_middle 4:missing 12:lost? ");
}

static void test_missing(void **state)
{
	(void)state;
	setup_lines();
	remove_line(3);
	check(false, "3:missing 11:lost? ");
	assert_non_null(strstr(texts, "1 missing"));
	setup_lines();
	remove_line(3);
	remove_line(3);
	check(false, "3:missing 10:lost? ");
	assert_non_null(strstr(texts, "2 missing"));
	/* the last of a chain that a later one names */
	setup_lines();
	remove_line(5);
	check(false, "6:end_differs 11:lost? ");
	/* the end of one that none names cannot show */
	setup_lines();
	remove_line(12);
	check(false, "");
}

static void test_beginning_or_all_of_a_chain_missing(void **state)
{
	(void)state;
	setup_lines();
	remove_line(1);
	check(false, "1:starts_in_the_middle 11:lost? ");
	setup_lines();
	for (int i = 0; i < 5; i++)
		remove_line(1);
	check(false, "2:chain_missing 7:lost? ");
	/* which is how it looks when earlier files are gone */
	assert_int_equal(check(true, "2:chain_missing? 7:lost? ").problems, 0);
	setup_lines();
	remove_line(1);
	assert_int_equal(check(true, "1:starts_in_the_middle? 11:lost? ").problems, 0);
}

static void test_swapped_and_doubled(void **state)
{
	(void)state;
	setup_lines();
	swap_lines(3, 4);
	check(false, "3:missing 4:out_of_order 12:lost? ");
	setup_lines();
	insert_line(4, lines[2]);
	check(false, "4:duplicate 13:lost? ");
	setup_lines();
	insert_line(6, lines[0]);
	check(false, "6:duplicate 13:lost? ");
	/* records of different chains stand in any order */
	setup_lines();
	swap_lines(5, 6);
	check(false, "12:lost? ");
	/* a run of records that was moved is said where it begins and where it is gone */
	setup_lines();
	swap_lines(2, 4);
	swap_lines(3, 5); /* 0 3 4 1 2 */
	check(false, "2:missing 4:out_of_order 12:lost? ");
}

static void test_no_records(void **state)
{
	(void)state;
	setup_lines();
	lines[2][40] = '\0'; /* cut, and the rest of the line gone */
	check(false, "3:not_a_record 4:missing 12:lost? ");
	setup_lines();
	insert_line(3, "");
	check(false, "3:not_a_record 13:lost? ");
	setup_lines();
	replace(3, "{\"v\":1", "{\"v\":7");
	check(false, "3:unknown_version 4:missing 12:lost? ");
	assert_non_null(strstr(texts, "version 7, expected 1"));
}

static void test_bad_beginnings(void **state)
{
	(void)state;
	setup_lines();
	replace(6, "\"kind\":\"chain\"", "\"kind\":\"chaim\"");
	check(false, "6:bad_beginning 10:changed 12:lost? ");
	setup_lines();
	memset(strstr(lines[5], "\"prev\":\"") + 8, 'a', 64);
	check(false, "6:bad_beginning 10:changed 12:lost? ");
	setup_lines();
	replace(11, "\"kind\":\"exchange\",\"writer\":\"kernel\"", "\"kind\":\"chain\",\"writer\":\"kernelxyz\"");
	check(false, "11:bad_beginning 12:lost? 12:changed ");
	setup_lines();
	memset(strstr(lines[6], "\"before\":\"") + 10 + 16, 'x', 1);
	check(false, "7:bad_beginning 8:changed 12:lost? ");
}

static void test_ends_of_files(void **state)
{
	struct audit_check *c = audit_check_new(false, on_finding, NULL);
	const struct audit_place at = { "f", 2 };

	(void)state;
	setup_lines();
	found[0] = texts[0] = '\0';
	assert_int_equal(audit_check_line(c, (struct audit_place){ "f", 1 }, str_of(lines[0])), 0);
	assert_int_equal(audit_check_end_of_file(c, at, STR("")), 0);
	assert_string_equal(found, "");
	assert_int_equal(audit_check_end_of_file(c, at, str_of(lines[1])), 0);
	assert_string_equal(found, "2:cut_line ");
	/* it counts all the same, and the next file goes on behind it */
	assert_int_equal(audit_check_line(c, (struct audit_place){ "g", 1 }, str_of(lines[2])), 0);
	assert_string_equal(found, "2:cut_line ");
	assert_int_equal(audit_check_end_of_file(c, at, str_make(lines[3], 50)), 0);
	audit_check_long_line(c, at);
	assert_string_equal(found, "2:cut_line 2:cut_line 2:not_a_record ");
	assert_int_equal(audit_check_totals(c).problems, 3);
	assert_null(audit_check_free(c));
}

/* A chain that is still written while the next one begins, as when two sandboxes share a file. */
static void test_named_before_its_end(void **state)
{
	const int fd = memfd_create("audit", MFD_CLOEXEC);
	struct audit *first = NULL, *second = NULL;
	char before[128], line[4096];
	struct audit_check *c = audit_check_new(false, on_finding, NULL);
	uint64_t number = 0;
	FILE *f;

	(void)state;
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, NULL, &first), 0);
	(void)snprintf(before, sizeof(before), "%s", audit_position(first));
	write_some(first, 20);
	assert_int_equal(audit_new(fd, STR("box"), "worker", 2, before, &second), 0);
	write_some(first, 20);
	audit_free(first);
	audit_free(second);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	f = fdopen(fd, "r");
	found[0] = texts[0] = '\0';
	while (fgets(line, sizeof(line), f))
		assert_int_equal(audit_check_line(c, (struct audit_place){ "f", ++number },
						  str_make(line, strlen(line) - 1)),
				 0);
	assert_string_equal(found, "");
	assert_int_equal(number, 42);
	(void)audit_check_free(c);
	(void)fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_beginning_or_all_of_a_chain_missing),
		cmocka_unit_test(test_swapped_and_doubled),
		cmocka_unit_test(test_no_records),
		cmocka_unit_test(test_bad_beginnings),
		cmocka_unit_test(test_ends_of_files),
		cmocka_unit_test(test_named_before_its_end),
	};
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);

	for (size_t i = 0; i < LINES_MAX; i++)
		free(lines[i]);
	return failed;
}
