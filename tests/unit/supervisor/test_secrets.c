/* SPDX-License-Identifier: Apache-2.0 */
/* Which directories may be hidden, which are refused, what is made and removed, and that a replaced one is seen. */
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/init_spec.h"
#include "base/loop.h"
#include "base/util.h"
#include "policy/policy.h"
#include "supervisor/sandbox.h"
#include "supervisor/secrets.h"

static char base[64];

static int make_base(void **state)
{
	(void)state;
	(void)snprintf(base, sizeof(base), "/tmp/bridle-secrets-XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
	(void)state;
	return paths_remove_tree(base);
}

static void test_needs(void **state)
{
	char home[96], path[128], cwd[96], program[96], link[96], need[512];
	char *envp[] = { home, path, NULL }, *argv[] = { program, NULL };
	struct init_spec spec = { .argv = argv, .envp = envp, .cwd = cwd, .uid = 1, .gid = 1 };
	static const char *const always[] = { "/",	"/etc", "/etc/ssl/certs", "/usr",  "/usr/bin", "/bin",
					      "/lib",	"/run", "/dev",		  "/proc", "/proc/1",  "/sys",
					      "/sys/x", "/var", "/tmp",		  "/home", "/root",    "/var/tmp" };
	static const char *const fine[] = { "/vault/secrets", "/run/secrets", "/etc/bridle", "/usr/share/x", "/home2" };

	(void)state;
	(void)snprintf(home, sizeof(home), "HOME=%s/home/me", base);
	(void)snprintf(path, sizeof(path), "PATH=/usr/bin:%s/tools/bin", base);
	(void)snprintf(cwd, sizeof(cwd), "%s/work/project", base);
	(void)snprintf(program, sizeof(program), "%s/prog/run", base);
	(void)snprintf(link, sizeof(link), "%s/work", base);
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		assert_non_null(secrets_find_need(always[i], &spec, need, sizeof(need)));
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		assert_null(secrets_find_need(fine[i], &spec, need, sizeof(need)));
	/* what the command works with, and what is above it; not what is beside or below */
	static const struct {
		const char *below;
		const char *need;
	} rows[] = {
		{ "work/project", "works in" }, { "work", "works in" },	       { "home/me", "home directory" },
		{ "home", "home directory" },	{ "tools/bin", "PATH" },       { "tools", "PATH" },
		{ "prog", "the command" },	{ "work/project/keys", NULL }, { "home/me/.secrets", NULL },
		{ "work/proj", NULL },		{ "tools/bin2", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char dir[128];
		const char *found;

		(void)snprintf(dir, sizeof(dir), "%s/%s", base, rows[i].below);
		found = secrets_find_need(dir, &spec, need, sizeof(need));
		assert_int_equal(found != NULL, rows[i].need != NULL);
		if (found)
			assert_non_null(strstr(found, rows[i].need));
	}
}

static struct policy *policy_of(const char *const *files, size_t n)
{
	char text[4096] = "{ \"custom_credentials\": {", row[512];
	struct policy *p = NULL;
	struct diag diag;

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(row, sizeof(row),
			       "%s \"c%zu\": { \"upstream\": \"https://h%zu.example.com\", \"credential_key\": "
			       "\"file://%s\" }",
			       i ? "," : "", i, i, files[i]);
		strncat(text, row, sizeof(text) - strlen(text) - 1);
	}
	strncat(text, "} }", sizeof(text) - strlen(text) - 1);
	if (policy_load("t.json", str_of(text), &p, &diag) < 0)
		fail_msg("%s", diag.text);
	return p;
}

static char *const no_env[] = { NULL };

static void test_open_hides_each_once(void **state)
{
	char one[256], two[256], below[256], dir[128], real[128];
	const char *files[] = { one, two, below };
	char reason[SANDBOX_REASON_MAX] = "";
	struct init_spec spec = { .uid = 1, .gid = 1, .cwd = (char[]){ "/" }, .envp = (char **)(uintptr_t)no_env };
	struct policy *p;
	struct secrets s;

	(void)state;
	(void)snprintf(real, sizeof(real), "%s/real", base);
	(void)snprintf(dir, sizeof(dir), "%s/link", base);
	assert_int_equal(mkdir(real, 0700), 0);
	assert_int_equal(symlink(real, dir), 0);
	(void)snprintf(one, sizeof(one), "%s/real/token", base);
	(void)snprintf(two, sizeof(two), "%s/link/other", base);
	(void)snprintf(below, sizeof(below), "%s/real/deep/er/token", base);
	p = policy_of(files, 3);
	secrets_init(&s);
	if (secrets_open(&s, p, &spec, reason) < 0)
		fail_msg("%s", reason);
	/* three paths, as the policy spells them; one mask hides them all, by its real name */
	assert_int_equal(s.n_dirs, 3);
	assert_string_equal(s.masks[0], real);
	assert_null(s.masks[1]);
	/* deep/er was missing: made, 0700, and goes at the end */
	assert_int_equal(s.n_made, 2);
	(void)snprintf(below, sizeof(below), "%s/real/deep/er", base);
	assert_string_equal(s.made[0], below);
	struct stat st;
	assert_int_equal(stat(below, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	secrets_done(&s);
	assert_int_equal(access(below, F_OK), -1);
	assert_int_equal(access(real, F_OK), 0);
	policy_unref(p);
}

static void test_made_directory_in_use_stays(void **state)
{
	char file[256], dir[128];
	const char *files[] = { file };
	char reason[SANDBOX_REASON_MAX] = "";
	struct init_spec spec = { .uid = 1, .gid = 1, .cwd = (char[]){ "/" }, .envp = (char **)(uintptr_t)no_env };
	struct policy *p;
	struct secrets s;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/late", base);
	(void)snprintf(file, sizeof(file), "%s/token", dir);
	p = policy_of(files, 1);
	secrets_init(&s);
	assert_int_equal(secrets_open(&s, p, &spec, reason), 0);
	(void)close(open(file, O_CREAT | O_WRONLY, 0600));
	secrets_done(&s);
	assert_int_equal(access(file, F_OK), 0);
	policy_unref(p);
}

static void test_needed_directory_is_refused(void **state)
{
	const char *files[] = { "/tmp/token" };
	char reason[SANDBOX_REASON_MAX] = "";
	struct init_spec spec = { .uid = 1, .gid = 1, .cwd = (char[]){ "/" }, .envp = (char **)(uintptr_t)no_env };
	struct policy *p = policy_of(files, 1);
	struct secrets s;

	(void)state;
	secrets_init(&s);
	assert_int_equal(secrets_open(&s, p, &spec, reason), -EBUSY);
	assert_non_null(strstr(reason, "/tmp/token"));
	assert_non_null(strstr(reason, "directory of its own"));
	secrets_done(&s); /* half-built */
	policy_unref(p);
}

/* a link to a needed directory is the needed directory */
static void test_link_to_needed_is_refused(void **state)
{
	char file[256], dir[128];
	const char *files[] = { file };
	char reason[SANDBOX_REASON_MAX] = "";
	struct init_spec spec = { .uid = 1, .gid = 1, .cwd = (char[]){ "/" }, .envp = (char **)(uintptr_t)no_env };
	struct policy *p;
	struct secrets s;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/etc", base);
	assert_int_equal(symlink("/etc", dir), 0);
	(void)snprintf(file, sizeof(file), "%s/token", dir);
	p = policy_of(files, 1);
	secrets_init(&s);
	assert_int_equal(secrets_open(&s, p, &spec, reason), -EBUSY);
	secrets_done(&s);
	policy_unref(p);
}

struct replaced {
	struct loop *loop;
	struct timer limit;
	char path[128];
	ino_t ino;
	unsigned calls;
};

static void on_replaced(void *arg, const struct secret_dir *dir)
{
	struct replaced *r = arg;
	struct stat st;

	assert_int_equal(fstat(dir->fd, &st), 0);
	r->ino = st.st_ino;
	(void)snprintf(r->path, sizeof(r->path), "%s", dir->path);
	r->calls++;
	loop_stop(r->loop, 0);
}

static void on_limit(struct timer *t)
{
	loop_stop(container_of(t, struct replaced, limit)->loop, -ETIMEDOUT);
}

static void test_replaced_directory_is_told(void **state)
{
	char file[256], dir[128], away[128];
	const char *files[] = { file };
	char reason[SANDBOX_REASON_MAX] = "";
	struct init_spec spec = { .uid = 1, .gid = 1, .cwd = (char[]){ "/" }, .envp = (char **)(uintptr_t)no_env };
	struct replaced r = { .limit.fire = on_limit };
	struct policy *p;
	struct secrets s;
	struct stat st;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/swap", base);
	(void)snprintf(away, sizeof(away), "%s/away", base);
	(void)snprintf(file, sizeof(file), "%s/token", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	p = policy_of(files, 1);
	secrets_init(&s);
	assert_int_equal(loop_new(&r.loop), 0);
	assert_int_equal(secrets_open(&s, p, &spec, reason), 0);
	assert_int_equal(secrets_watch(&s, r.loop, on_replaced, &r), 0);
	/* missing for a while is not another directory */
	assert_int_equal(rename(dir, away), 0);
	assert_int_equal(timer_set(r.loop, &r.limit, 1500), 0);
	assert_int_equal(loop_run(r.loop), -ETIMEDOUT);
	assert_int_equal(r.calls, 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(timer_set(r.loop, &r.limit, 3000), 0);
	assert_int_equal(loop_run(r.loop), 0);
	assert_true(r.ino == st.st_ino);
	assert_string_equal(r.path, dir);
	timer_clear(r.loop, &r.limit);
	secrets_done(&s);
	loop_free(r.loop);
	policy_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_needs, make_base, remove_base),
		cmocka_unit_test_setup_teardown(test_open_hides_each_once, make_base, remove_base),
		cmocka_unit_test_setup_teardown(test_made_directory_in_use_stays, make_base, remove_base),
		cmocka_unit_test_setup_teardown(test_needed_directory_is_refused, make_base, remove_base),
		cmocka_unit_test_setup_teardown(test_link_to_needed_is_refused, make_base, remove_base),
		cmocka_unit_test_setup_teardown(test_replaced_directory_is_told, make_base, remove_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
