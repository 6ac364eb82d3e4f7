/* SPDX-License-Identifier: Apache-2.0 */
/* An audit that the command's user could write, rename or replace is refused; everything else is opened 0600. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/init_spec.h"
#include "supervisor/audit_file.h"
#include "supervisor/paths.h"
#include "supervisor/sandbox.h"

#define USER  4242U
#define GROUP 4343U
#define EXTRA 4444U

static uint32_t groups[] = { EXTRA };
static const struct init_spec user = { .uid = USER, .gid = GROUP, .groups = groups, .n_groups = 1 };

static void test_mode_bits(void **state)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		mode_t mode;
		bool acl, writes;
	} rows[] = {
		{ 0, 0, 0755, false, false },
		{ 0, 0, 0775, false, false },
		{ 0, 0, 0757, false, true },
		{ 0, GROUP, 0775, false, true },
		{ 0, EXTRA, 0775, false, true },
		{ 0, GROUP, 0755, false, false },
		/* the group's bits count for a member, not the others' */
		{ 0, GROUP, 0757, false, false },
		/* an owner may change the mode */
		{ USER, 0, 0500, false, true },
		/* the mask of an ACL is in the group bits */
		{ 0, 0, 0775, true, true },
		{ 0, 0, 0755, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct stat st = { .st_uid = rows[i].uid, .st_gid = rows[i].gid, .st_mode = rows[i].mode };

		assert_int_equal(audit_user_can_write(&st, rows[i].acl, &user), rows[i].writes);
	}
}

/* /tmp/bridle-audit-XXXXXX: in a sticky directory that everybody writes */
static char base[64];

static int make_base(void **state)
{
	(void)state;
	(void)snprintf(base, sizeof(base), "/tmp/bridle-audit-XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
	(void)state;
	return paths_remove_tree(base);
}

static int check(const char *below)
{
	char path[256], reason[SANDBOX_REASON_MAX] = "", *real = NULL;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", base, below);
	r = audit_path_check(path, &user, &real, reason);
	assert_true((r == 0) == (real != NULL)); /* untouched on failure */
	free(real);
	if (r == -EPERM)
		assert_non_null(strstr(reason, "choose"));
	return r;
}

static void make(const char *below, mode_t mode, uid_t uid)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", base, below);
	if (below[strlen(below) - 1] == '/') {
		assert_int_equal(mkdir(path, 0700), 0);
	} else {
		int fd = open(path, O_CREAT | O_WRONLY, 0600);

		assert_true(fd >= 0);
		(void)close(fd);
	}
	assert_int_equal(chmod(path, mode), 0);
	if (uid)
		assert_int_equal(chown(path, uid, 0), 0);
}

static void test_paths(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	make("own/", 0700, 0);
	assert_int_equal(check("own/a.jsonl"), 0);
	/* straight in a directory that everybody writes, sticky or not */
	make("sticky/", 01777, 0);
	assert_int_equal(check("sticky/a.jsonl"), -EPERM);
	/* below a sticky one it is safe as long as nobody else owns what is between */
	make("sticky/root/", 0700, 0);
	assert_int_equal(check("sticky/root/a.jsonl"), 0);
	make("sticky/theirs/", 0700, USER);
	assert_int_equal(check("sticky/theirs/a.jsonl"), -EPERM);
	make("sticky/theirs/deep/", 0700, 0);
	assert_int_equal(check("sticky/theirs/deep/a.jsonl"), -EPERM);
	/* not sticky: everybody could rename what is in it */
	make("open/", 0777, 0);
	make("open/root/", 0700, 0);
	assert_int_equal(check("open/root/a.jsonl"), -EPERM);
	/* the file itself */
	make("own/writable", 0666, 0);
	assert_int_equal(check("own/writable"), -EPERM);
	make("own/theirs", 0600, USER);
	assert_int_equal(check("own/theirs"), -EPERM);
	make("own/dir/", 0700, 0);
	assert_int_equal(check("own/dir"), -EINVAL);
	assert_int_equal(check("own/"), -EISDIR);
	assert_int_equal(check("own/.."), -EISDIR);
	assert_int_equal(check("missing/a.jsonl"), -ENOENT);
}

static void test_links(void **state)
{
	char from[256], to[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	make("linked/", 0700, 0);
	make("elsewhere/", 0777, 0);
	(void)snprintf(to, sizeof(to), "%s/elsewhere", base);
	(void)snprintf(from, sizeof(from), "%s/linked/dir", base);
	assert_int_equal(symlink(to, from), 0);
	/* what counts is where the link leads */
	assert_int_equal(check("linked/dir/a.jsonl"), -EPERM);
	(void)snprintf(from, sizeof(from), "%s/linked/a.jsonl", base);
	assert_int_equal(symlink("/dev/null", from), 0);
	assert_int_equal(check("linked/a.jsonl"), -EINVAL);
	make("linked/one", 0600, 0);
	(void)snprintf(to, sizeof(to), "%s/linked/one", base);
	(void)snprintf(from, sizeof(from), "%s/elsewhere/two", base);
	assert_int_equal(link(to, from), 0);
	assert_int_equal(check("linked/one"), -EPERM);
}

static void test_open(void **state)
{
	char path[256], reason[SANDBOX_REASON_MAX] = "", *opened = NULL;
	uint64_t end = 99;
	struct stat st;
	int fd = -1, again;

	(void)state;
	if (geteuid() != 0)
		skip();
	make("log/", 0700, 0);
	(void)snprintf(path, sizeof(path), "%s/log/a.jsonl", base);
	assert_int_equal(audit_file_open(path, "n", &user, &fd, &end, &opened, reason), 0);
	assert_true(end == 0);
	assert_string_equal(opened, path);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(write(fd, "12345", 5), 5);

	/* another open file description: clearing its flag does not clear ours */
	again = audit_file_reopen(fd, O_WRONLY | O_APPEND);
	assert_true(again >= 0);
	assert_int_equal(fcntl(again, F_SETFL, 0), 0);
	assert_true(fcntl(fd, F_GETFL) & O_APPEND);
	assert_true(fcntl(again, F_GETFD) & FD_CLOEXEC);
	(void)close(again);
	(void)close(fd);
	free(opened);
	assert_int_equal(audit_file_open(path, "n", &user, &fd, &end, &opened, reason), 0);
	assert_true(end == 5);
	(void)close(fd);
	free(opened);
}

/* A link on the way may be the user's: what is opened is where it led when it was judged. */
static void test_what_was_judged_is_opened(void **state)
{
	char path[256], real[256], way[256], reason[SANDBOX_REASON_MAX] = "", *opened = NULL;
	uint64_t end;
	int fd = -1;

	(void)state;
	if (geteuid() != 0)
		skip();
	make("roots/", 0700, 0);
	make("theirs/", 0777, USER);
	(void)snprintf(real, sizeof(real), "%s/roots", base);
	(void)snprintf(way, sizeof(way), "%s/theirs/way", base);
	assert_int_equal(symlink(real, way), 0);
	(void)snprintf(path, sizeof(path), "%s/theirs/way/a.jsonl", base);
	(void)snprintf(real, sizeof(real), "%s/roots/a.jsonl", base);
	assert_int_equal(audit_file_open(path, "n", &user, &fd, &end, &opened, reason), 0);
	assert_string_equal(opened, real);
	assert_int_equal(access(real, F_OK), 0);
	(void)close(fd);
	free(opened);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mode_bits),
		cmocka_unit_test_setup_teardown(test_paths, make_base, remove_base),
		cmocka_unit_test_setup_teardown(test_links, make_base, remove_base),
		cmocka_unit_test_setup_teardown(test_open, make_base, remove_base),
		cmocka_unit_test_setup_teardown(test_what_was_judged_is_opened, make_base, remove_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
