/* SPDX-License-Identifier: Apache-2.0 */
/* Where a secret is not: in a child, in a core dump, in memory that was given back. */
#include "base/secret.c"

#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static struct secret *make(struct str s)
{
	struct secret *secret = NULL;

	assert_int_equal(secret_new(s, &secret), 0);
	return secret;
}

static void a_secret_is_its_bytes(void **state)
{
	struct secret *secret = make(STR("a\0b"));

	(void)state;
	assert_true(str_eq(secret_bytes(secret), STR("a\0b")));
	assert_null(secret_free(secret));
	assert_null(secret_free(NULL));
	secret = make(STR(""));
	assert_int_equal(secret_bytes(secret).n, 0);
	(void)secret_free(secret);
}

static void it_has_a_limit(void **state)
{
	static char much[SECRET_MAX + 1];
	struct secret *secret = NULL;

	(void)state;
	assert_int_equal(secret_new(str_make(much, sizeof(much)), &secret), -EMSGSIZE);
	assert_null(secret);
	memset(much, 'x', sizeof(much));
	secret = make(str_make(much, SECRET_MAX)); /* over several pages */
	assert_true(str_eq(secret_bytes(secret), str_make(much, SECRET_MAX)));
	(void)secret_free(secret);
}

static void a_child_has_none(void **state)
{
	struct secret *secret = make(STR("s3cret"));
	const char *at = secret->bytes;
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(at[0] == 0 && memcmp(at, "\0\0\0\0\0\0", 6) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(str_eq(secret_bytes(secret), STR("s3cret")));
	(void)secret_free(secret);
}

/* VmFlags of the mapping that begins there (proc(5)). */
static bool has_flag(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	bool here = false, found = false;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	(void)fclose(f);
	return found;
}

static void no_core_dump_has_it(void **state)
{
	struct secret *secret = make(STR("s3cret"));

	(void)state;
	assert_true(has_flag(secret, " dd"));
	assert_true(has_flag(secret, " wf"));
	assert_false(has_flag(&secret, " dd")); /* the flag is read right */
	(void)secret_free(secret);
}

static void all_of_both_is_compared(void **state)
{
	static const struct {
		struct str a, b;
		bool equal;
	} rows[] = {
		{ { "abc", 3 }, { "abc", 3 }, true },  { { "abc", 3 }, { "abd", 3 }, false },
		{ { "abc", 3 }, { "ab", 2 }, false },  { { "ab", 2 }, { "abc", 3 }, false },
		{ { "xbc", 3 }, { "abc", 3 }, false }, { { "ab\0", 3 }, { "ab", 2 }, false },
		{ { "", 0 }, { "", 0 }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secret *a = make(rows[i].a), *b = make(rows[i].b);

		assert_int_equal(secret_equal(a, b), rows[i].equal);
		(void)secret_free(a);
		(void)secret_free(b);
	}
}

static void wiped_is_wiped(void **state)
{
	char bytes[] = "s3cret";

	(void)state;
	secret_wipe(bytes, 6);
	assert_memory_equal(bytes, "\0\0\0\0\0\0", 6);
	secret_wipe(NULL, 6);
}

/* The address sanitizer takes mlock(2) over and does nothing. */
#if defined(__SANITIZE_ADDRESS__)
#define MLOCK_DOES_NOTHING true
#elif defined(__has_feature)
#define MLOCK_DOES_NOTHING __has_feature(address_sanitizer)
#else
#define MLOCK_DOES_NOTHING false
#endif

/* The VmFlags of the mapping that holds p (proc(5)): two letters each, with a space before and behind. */
static void flags_of(const void *p, char *out, size_t size)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512];
	bool inside = false;

	assert_non_null(maps);
	out[0] = '\0';
	while (fgets(line, sizeof(line), maps)) {
		unsigned long low, high;

		if (sscanf(line, "%lx-%lx ", &low, &high) == 2)
			inside = (unsigned long)p >= low && (unsigned long)p < high;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			(void)snprintf(out, size, "%s", line);
	}
	(void)fclose(maps);
}

static void pages_are_locked_and_not_dumped(void **state)
{
	struct secret *s = NULL;
	char flags[512];

	(void)state;
	assert_int_equal(secret_new(STR("token"), &s), 0);
	assert_true(str_eq(secret_bytes(s), STR("token")));
	flags_of(s, flags, sizeof(flags));
	assert_non_null(strstr(flags, " dd "));
	assert_non_null(strstr(flags, " wf "));
	if (!MLOCK_DOES_NOTHING)
		assert_non_null(strstr(flags, " lo "));
	assert_null(secret_free(s));
	assert_null(secret_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_locked_and_not_dumped),
		cmocka_unit_test(a_secret_is_its_bytes),
		cmocka_unit_test(it_has_a_limit),
		cmocka_unit_test(a_child_has_none),
		cmocka_unit_test(no_core_dump_has_it),
		cmocka_unit_test(all_of_both_is_compared),
		cmocka_unit_test(wiped_is_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
