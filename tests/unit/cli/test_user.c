/* SPDX-License-Identifier: Apache-2.0 */
/* Who the command runs as, and what that user may do with files. Needs root to become somebody. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/user.h"

static char dir[] = "/tmp/bridle-test-XXXXXX";
static char reason[USER_REASON_MAX];

static void needs_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void test_choice(void **state)
{
	struct cli_user u;

	(void)state;
	needs_root();
	(void)unsetenv("SUDO_UID");
	assert_int_equal(cli_user_choose(NULL, &u, reason), -1);
	assert_non_null(strstr(reason, "--user"));
	assert_int_equal(cli_user_choose("root", &u, reason), -1);
	assert_int_equal(cli_user_choose("0", &u, reason), -1);
	assert_int_equal(cli_user_choose("no-such-user", &u, reason), -1);
	assert_int_equal(cli_user_choose("4000000000", &u, reason), -1);
	assert_int_equal(cli_user_choose("daemon", &u, reason), 0);
	assert_int_equal(u.uid, 1);
	assert_int_equal(u.gid, 1);
	assert_string_equal(u.name, "daemon");
	for (uint32_t i = 0; i < u.n_groups; i++)
		assert_int_not_equal(u.groups[i], 0);
	cli_user_done(&u);
	(void)setenv("SUDO_UID", "1", 1);
	assert_int_equal(cli_user_choose(NULL, &u, reason), 0);
	assert_int_equal(u.uid, 1);
	cli_user_done(&u);
	assert_int_equal(cli_user_choose("bin", &u, reason), 0);
	assert_int_equal(u.uid, 2);
	cli_user_done(&u);
	assert_int_equal(cli_user_choose("", &u, reason), -1);
	assert_non_null(strstr(reason, "no user \"\" on"));
	(void)setenv("SUDO_UID", "4000000000", 1);
	assert_int_equal(cli_user_choose(NULL, &u, reason), -1);
	assert_non_null(strstr(reason, "\"4000000000\" (SUDO_UID)"));
	(void)setenv("SUDO_UID", "0", 1);
	assert_int_equal(cli_user_choose(NULL, &u, reason), -1);
	(void)unsetenv("SUDO_UID");
}

static int make(const char *path, uid_t owner, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || fchown(fd, owner, owner) < 0 || fchmod(fd, mode) < 0)
		return -1;
	return close(fd);
}

static void test_files(void **state)
{
	struct cli_user u;
	char path[64], link_path[64];
	int fd;

	(void)state;
	needs_root();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(cli_user_choose("daemon", &u, reason), 0);
	(void)snprintf(path, sizeof(path), "%s/p.json", dir);
	(void)snprintf(link_path, sizeof(link_path), "%s/link", dir);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(make(path, 0, 0644), 0);
	assert_false(cli_user_can_replace(&u, path));
	assert_false(cli_user_can_write_parent(&u, path));
	assert_int_equal(cli_user_open(&u, path, O_WRONLY, 0), -EACCES);
	assert_int_equal(make(path, 0, 0666), 0);
	assert_true(cli_user_can_replace(&u, path));
	assert_int_equal(make(path, u.uid, 0400), 0); /* its owner may change the mode */
	assert_true(cli_user_can_replace(&u, path));
	assert_int_equal(make(path, 0, 0644), 0);
	assert_int_equal(chmod(dir, 01777), 0); /* sticky: it cannot be replaced there */
	assert_false(cli_user_can_replace(&u, path));
	assert_true(cli_user_can_write_parent(&u, path));
	assert_int_equal(chmod(dir, 0777), 0);
	assert_true(cli_user_can_replace(&u, path));
	assert_int_equal(symlink("/etc/passwd", link_path), 0);
	assert_int_equal(cli_user_open(&u, link_path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644), -ELOOP);
	assert_int_equal(unlink(link_path), 0);
	fd = cli_user_open(&u, link_path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
	assert_true(fd >= 0);
	close(fd);
	/* we are ourselves again */
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), 0);
	assert_int_equal(unlink(link_path), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	cli_user_done(&u);
}

/* A file of root's in a directory of root's is the user's all the same when a directory above is. */
static void test_ways_to_a_file(void **state)
{
	char top[] = "/tmp/bridle-test-XXXXXX";
	char sub[64], path[80], link_path[64];
	struct cli_user u;

	(void)state;
	needs_root();
	assert_non_null(mkdtemp(top));
	assert_int_equal(cli_user_choose("daemon", &u, reason), 0);
	(void)snprintf(sub, sizeof(sub), "%s/sub", top);
	(void)snprintf(path, sizeof(path), "%s/p.json", sub);
	(void)snprintf(link_path, sizeof(link_path), "%s/link", top);
	assert_int_equal(chmod(top, 0755), 0);
	assert_int_equal(mkdir(sub, 0755), 0);
	assert_int_equal(make(path, 0, 0644), 0);
	assert_false(cli_user_can_replace(&u, path));
	assert_int_equal(chmod(top, 0777), 0);
	assert_true(cli_user_can_replace(&u, path)); /* sub may be renamed away */
	assert_int_equal(chmod(top, 01777), 0);
	assert_false(cli_user_can_replace(&u, path)); /* not here: it is root's */
	assert_int_equal(chown(sub, u.uid, 0), 0);
	assert_int_equal(chmod(sub, 0555), 0);
	assert_true(cli_user_can_replace(&u, path)); /* its owner may change the mode */
	assert_int_equal(chown(sub, 0, 0), 0);
	assert_int_equal(chmod(top, 0755), 0);
	assert_int_equal(symlink("/etc/passwd", link_path), 0);
	assert_false(cli_user_can_replace(&u, link_path));
	assert_int_equal(chmod(top, 0777), 0);
	assert_true(cli_user_can_replace(&u, link_path)); /* the link, not what it leads to */
	assert_int_equal(unlink(link_path), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(sub), 0);
	assert_int_equal(rmdir(top), 0);
	cli_user_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_choice), cmocka_unit_test(test_files),
					    cmocka_unit_test(test_ways_to_a_file) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
