/* SPDX-License-Identifier: Apache-2.0 */
/* hosts(5): what counts, what is left out, and that a file that is too long is never read as half a name. */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dns/hosts.h"

static size_t find(const char *text, const char *name, struct address out[4])
{
	struct hosts *h = NULL;
	size_t n;

	assert_int_equal(hosts_parse(str_of(text), &h), 0);
	n = hosts_find(h, str_of(name), out, 4);
	hosts_free(h);
	return n;
}

static void lines_are_read_as_hosts5_says(void **state)
{
	static const struct {
		const char *text, *name;
		size_t n;
	} rows[] = {
		{ "10.77.0.2 a.example.com\n", "a.example.com", 1 },
		{ "10.77.0.2 a.example.com", "a.example.com", 1 },
		{ "10.77.0.2\ta.example.com b b2\r\n", "b2", 1 },
		{ "10.77.0.2 A.Example.COM\n", "a.example.com", 1 },
		{ "10.77.0.2 a.example.com.\n", "a.example.com", 1 },
		{ "10.77.0.2 x # a.example.com\n", "a.example.com", 0 },
		{ "#10.77.0.2 a.example.com\n", "a.example.com", 0 },
		{ "10.77.0.2 a.example.com\nfd77::2 a.example.com\n10.77.0.3 a.example.com\n", "a.example.com", 3 },
		{ "10.77.0 a.example.com\n", "a.example.com", 0 },
		{ "10.77.0.2.9.9.9.9.9.9.9.9.9.9.9.9.9.9.9.9.9.9.9.9.9.9.9 a.example.com\n", "a.example.com", 0 },
		{ "a.example.com 10.77.0.2\n", "a.example.com", 0 },
		{ "10.77.0.2 a.example.comx\n", "a.example.com", 0 },
		{ "10.77.0.2\n\n\n", "", 0 },
		{ "", "a.example.com", 0 },
	};
	struct address out[4];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (find(rows[i].text, rows[i].name, out) != rows[i].n)
			fail_msg("row %zu: %s", i, rows[i].text);
	}
	assert_int_equal(find("fd77::2 a\n10.77.0.2 a\n", "a", out), 2);
	assert_int_equal(out[0].family, 10);
	assert_int_equal(out[1].bytes[3], 2);
}

static void more_than_asked_for_is_cut(void **state)
{
	struct address out[4];

	(void)state;
	assert_int_equal(find("1.1.1.1 a\n1.1.1.2 a\n1.1.1.3 a\n1.1.1.4 a\n1.1.1.5 a\n", "a", out), 4);
	assert_int_equal(out[3].bytes[3], 4);
}

static void a_missing_file_is_an_empty_table(void **state)
{
	struct hosts *h = NULL;
	struct address out;

	(void)state;
	assert_int_equal(hosts_load("/nonexistent/hosts", &h), 0);
	assert_int_equal(hosts_find(h, STR("localhost"), &out, 1), 0);
	hosts_free(h);
	assert_int_equal(hosts_load("/dev/null/hosts", &h), -ENOTDIR);
}

/* The file goes on for ever in one name: it is cut at the last whole line. */
static void half_a_line_is_no_line(void **state)
{
	char path[] = "/tmp/bridle-hosts-XXXXXX";
	int fd = mkstemp(path);
	struct address out;
	struct hosts *h;
	char *text = malloc(HOSTS_FILE_MAX + 100);

	(void)state;
	assert_true(fd >= 0 && text);
	memset(text, ' ', HOSTS_FILE_MAX + 100);
	memcpy(text, "10.77.0.2 first\n10.77.0.3 ", 26);
	memcpy(text + HOSTS_FILE_MAX - 3, "evil.example.com\n", 17); /* would be read as "evi" */
	assert_int_equal(write(fd, text, HOSTS_FILE_MAX + 100), (ssize_t)(HOSTS_FILE_MAX + 100));
	assert_int_equal(hosts_load(path, &h), 0);
	assert_int_equal(hosts_find(h, STR("first"), &out, 1), 1);
	assert_int_equal(hosts_find(h, STR("evi"), &out, 1), 0);
	hosts_free(h);
	free(text);
	(void)close(fd);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_as_hosts5_says),
		cmocka_unit_test(more_than_asked_for_is_cut),
		cmocka_unit_test(a_missing_file_is_an_empty_table),
		cmocka_unit_test(half_a_line_is_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
