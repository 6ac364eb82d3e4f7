/* SPDX-License-Identifier: Apache-2.0 */
/* Names that are valid, and a name that one run holds at a time; facts survive being written and read. */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "supervisor/sandbox.h"
#include "supervisor/state.h"

static void test_names(void **state)
{
	static const char *const good[] = { "a", "0", "run-1", "a.b_c-d", "a..b" };
	static const char *const bad[] = { "", "-a", ".a", "_a", "A", "a/b", "a b", "..", "a\n", "\xc3\xa9", "a\x7f" };
	char longest[SANDBOX_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(sandbox_name_is_valid(str_of(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(sandbox_name_is_valid(str_of(bad[i])));
	memset(longest, 'a', sizeof(longest));
	assert_true(sandbox_name_is_valid(str_make(longest, SANDBOX_NAME_MAX)));
	assert_false(sandbox_name_is_valid(str_make(longest, SANDBOX_NAME_MAX + 1)));
	assert_false(sandbox_name_is_valid(str_make("a\0b", 3)));
}

static void take(const char *name, struct state *s)
{
	char reason[SANDBOX_REASON_MAX] = "";

	if (state_take(name, s, reason) < 0)
		fail_msg("%s", reason);
}

static void test_name_is_held_once(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "", name[64], pid[32];
	struct state_facts facts = { .pid = getpid(), .started = 77 };
	struct state a, b;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-state-%d", getpid());
	state_init(&b);
	assert_false(state_is_held(name));
	take(name, &a);
	assert_int_equal(state_write(&a, &facts), 0);
	assert_true(state_is_held(name));
	/* the refusal names who holds it */
	assert_int_equal(state_take(name, &b, reason), -EBUSY);
	(void)snprintf(pid, sizeof(pid), "process %d", getpid());
	assert_non_null(strstr(reason, pid));
	assert_non_null(strstr(reason, "--name"));
	assert_int_equal(b.lock_fd, -1);
	state_remove(&a);
	assert_false(state_is_held(name));
	assert_int_equal(access(a.dir, F_OK), -1);
	take(name, &b);
	state_remove(&b);
}

/* the holder's death gives the name back and leaves the directory */
static void test_death_gives_the_name_back(void **state)
{
	struct state_facts facts = { 0 };
	char name[64];
	struct state s;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-death-%d", getpid());
	pid = fork();
	if (pid == 0) {
		char reason[SANDBOX_REASON_MAX];
		struct state_facts mine = { .pid = 4711 };

		_exit(state_take(name, &s, reason) < 0 || state_write(&s, &mine) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(state_is_held(name));
	assert_int_equal(state_read(name, &facts), 0);
	assert_int_equal(facts.pid, 4711);
	state_facts_done(&facts);
	take(name, &s);
	state_remove(&s);
	assert_int_equal(state_read(name, &facts), -ENOENT);
}

static void test_facts(void **state)
{
	char policy[] = "/etc/bridle/a b.json", one[] = "/x/y", two[] = "/x";
	struct state_facts facts = {
		.pid = 12, .started = 1700000000, .uid = 1001, .policy = policy, .made = { one, two }, .n_made = 2
	};
	struct state_facts back = { 0 };
	char name[64], path[PATHS_MAX_BYTES];
	struct stat st;
	struct state s;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(name, sizeof(name), "unit-facts-%d", getpid());
	take(name, &s);
	assert_int_equal(state_write(&s, &facts), 0);
	assert_int_equal(state_read(name, &back), 0);
	assert_int_equal(back.pid, 12);
	assert_true(back.started == 1700000000);
	assert_int_equal(back.uid, 1001);
	assert_string_equal(back.policy, policy);
	assert_int_equal(back.n_made, 2);
	assert_string_equal(back.made[0], one);
	assert_string_equal(back.made[1], two);
	state_facts_done(&back);
	assert_null(back.policy);

	(void)umask(077);
	assert_int_equal(state_write_resolv_conf(&s, "192.0.0.2", path, sizeof(path)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(state_make_certs_dir(&s, "certs", path, sizeof(path)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(stat(s.dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	state_remove(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_name_is_held_once),
		cmocka_unit_test(test_death_gives_the_name_back),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
