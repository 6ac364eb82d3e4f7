/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in the range, nobody's, each given once while it is held. */
#include "tests/lib/test.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/paths.h"
#include "supervisor/sandbox.h"
#include "supervisor/uid.h"

static void test_each_is_given_once(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "";
	struct uid_lock locks[8];

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < 8; i++) {
		uid_init(&locks[i]);
		assert_int_equal(uid_take(&locks[i], reason), 0);
		assert_in_range(locks[i].uid, UID_FIRST, UID_LAST);
		assert_int_not_equal(locks[i].uid, 65534);
		assert_null(getpwuid(locks[i].uid));
		assert_null(getgrgid(locks[i].uid));
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(locks[i].uid, locks[j].uid);
	}
	for (size_t i = 0; i < 8; i++)
		uid_release(&locks[i]);
}

/* in a process of its own, which begins at the same place as its parent would not: so the lock is what is tried */
static void test_held_ones_are_passed_over(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "", path[64];
	struct uid_lock a, b;

	(void)state;
	if (geteuid() != 0)
		skip();
	uid_init(&a);
	uid_init(&b);
	assert_int_equal(uid_take(&a, reason), 0);
	(void)snprintf(path, sizeof(path), PATHS_UID "/%u", a.uid);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(uid_take(&b, reason), 0);
	assert_int_equal(b.uid, a.uid == UID_LAST ? UID_FIRST : a.uid + 1);
	uid_release(&a);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(a.uid, 0);
	/* given back, it is the first choice again */
	assert_int_equal(uid_take(&a, reason), 0);
	assert_int_equal(a.uid + 1, b.uid);
	uid_release(&a);
	uid_release(&b);
	uid_release(&b); /* fine when none is held */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_given_once),
		cmocka_unit_test(test_held_ones_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
