/* SPDX-License-Identifier: Apache-2.0 */
/* A word is a path or a sandbox by its looks alone. */
#include "tests/lib/test.h"

#include <stdlib.h>

#include "cli/audit_path.h"

static void test_words(void **state)
{
	static const char *const rows[][2] = {
		{ "box", "/var/log/bridle/box.jsonl" },
		{ "run-1.2", "/var/log/bridle/run-1.2.jsonl" },
		{ "./box", "./box" },
		{ "/tmp/a", "/tmp/a" },
		{ "audit.jsonl", "audit.jsonl" },
		{ "box.jsonl.1", "/var/log/bridle/box.jsonl.1.jsonl" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *path = audit_path_of(rows[i][0]);

		assert_string_equal(path, rows[i][1]);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_words) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
