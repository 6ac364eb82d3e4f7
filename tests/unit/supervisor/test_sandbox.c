/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a sandbox with the real kernel programs and stand-in roles (this test, executed again), so that each
 * role can misbehave: every end is told once, with a sentence, and nothing stays behind. Root.
 */
#include "sandbox_roles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/loop.h"
#include "base/util.h"
#include "policy/policy.h"
#include "supervisor/cgroup.h"
#include "supervisor/private.h"

#define AUDIT_DIR PATHS_RUN "/unit-audit"

struct outcome {
	struct loop *loop;
	struct timer limit;
	struct sandbox *sandbox;
	bool sends_signal;
	unsigned started, ended;
	int code;
	char text[SANDBOX_REASON_MAX];
};

static void on_started(void *arg)
{
	struct outcome *o = arg;

	o->started++;
	if (o->sends_signal)
		sandbox_signal(o->sandbox, SIGUSR1);
}

static void on_end(void *arg, int code, const char *text)
{
	struct outcome *o = arg;

	o->ended++;
	o->code = code;
	(void)snprintf(o->text, sizeof(o->text), "%s", text ? text : "");
	loop_stop(o->loop, 0);
}

static void on_limit(struct timer *t)
{
	loop_stop(container_of(t, struct outcome, limit)->loop, -ETIMEDOUT);
}

static void set_mode(const char *mode)
{
	char reason[SANDBOX_REASON_MAX];
	int fd;

	assert_int_equal(paths_make_dir(PATHS_RUN, 0700, reason), 0);
	fd = open(MODE_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, mode, strlen(mode)), strlen(mode));
	(void)close(fd);
	(void)paths_remove_tree(AUDIT_DIR);
	assert_int_equal(mkdir(AUDIT_DIR, 0700), 0);
}

static unsigned count_entries(const char *path)
{
	const struct dirent *e;
	DIR *dir = opendir(path);
	unsigned n = 0;

	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	return n;
}

static void assert_nothing_left(unsigned fds_before)
{
	char cgroup[PATHS_MAX_BYTES];

	assert_int_equal(access(PATHS_STATE "/unit-sandbox", F_OK), -1);
	assert_int_equal(access(PATHS_PINS "/unit-sandbox", F_OK), -1);
	assert_int_equal(cgroup_path("unit-sandbox", cgroup, sizeof(cgroup), NULL), 0);
	assert_int_equal(access(cgroup, F_OK), -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(count_entries("/proc/self/fd"), fds_before);
}

/* Runs a sandbox in a mode; what sandbox_start() returned. */
static int run(const char *mode, const char *policy_text, struct outcome *o, char *reason)
{
	static char cwd[] = "/", program[] = "/bin/true";
	static char *argv[] = { program, NULL }, *envp[] = { NULL };
	struct init_spec spec = { .argv = argv, .envp = envp, .cwd = cwd, .uid = 4242, .gid = 4242 };
	struct sandbox_options options = { .name = "unit-sandbox",
					   .policy_file = "unit.json",
					   .policy_text = str_of(policy_text),
					   .audit_path = AUDIT_DIR "/a.jsonl",
					   .command = &spec,
					   .netns_fd = -1,
					   .on_started = on_started,
					   .on_end = on_end,
					   .arg = o };
	struct diag diag;
	unsigned fds;
	int r;

	set_mode(mode);
	assert_int_equal(policy_load("unit.json", options.policy_text, &options.policy, &diag), 0);
	fds = count_entries("/proc/self/fd");
	assert_int_equal(loop_new(&o->loop), 0);
	o->limit.fire = on_limit;
	assert_int_equal(timer_set(o->loop, &o->limit, 20000), 0);
	r = sandbox_start(o->loop, &options, &o->sandbox, reason);
	if (r == 0)
		assert_int_equal(loop_run(o->loop), 0);
	timer_clear(o->loop, &o->limit);
	o->sandbox = sandbox_free(o->sandbox);
	loop_free(o->loop);
	policy_unref(options.policy);
	assert_nothing_left(fds);
	(void)unlink(MODE_FILE);
	return r;
}

static char *read_audit(void)
{
	char *text = NULL;
	size_t n;

	assert_int_equal(paths_read_file(AUDIT_DIR "/a.jsonl", 1 << 20, &text, &n), 0);
	(void)paths_remove_tree(AUDIT_DIR);
	return text;
}

#define NEEDS_ROOT()                \
	do {                        \
		(void)state;        \
		if (geteuid() != 0) \
			skip();     \
	} while (0)

static void test_ends(void **state)
{
	static const struct {
		const char *mode;
		unsigned started;
		int code;
		const char *text;
	} rows[] = {
		{ "plain", 1, 5, "" },
		{ "init-fails", 0, 127, "no such command" },
		{ "init-silent", 0, 125, "without telling why" },
		{ "init-malformed", 0, 125, "malformed message" },
		{ "connects", 1, 0, "" },
		{ "test-untried", 0, 125, "the kernel programs reported 0 of them and 0 others" },
		{ "test-other", 0, 125, "the kernel programs reported 1 of them and 1 others" },
		{ "test-none", 0, 125, "0 attempts were refused" },
	};
	char reason[SANDBOX_REASON_MAX] = "";

	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = { 0 };

		if (run(rows[i].mode, "{}", &o, reason) < 0)
			fail_msg("%s: %s", rows[i].mode, reason);
		assert_int_equal(o.started, rows[i].started);
		assert_int_equal(o.ended, 1);
		assert_int_equal(o.code, rows[i].code);
		if (rows[i].text[0])
			assert_non_null(strstr(o.text, rows[i].text));
		else
			assert_string_equal(o.text, "");
		free(read_audit());
	}
}

static void test_signal_reaches_the_command(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "";
	struct outcome o = { .sends_signal = true };

	NEEDS_ROOT();
	assert_int_equal(run("signals", "{}", &o, reason), 0);
	assert_int_equal(o.code, SIGUSR1);
}

static void test_keeper_that_cannot_start(void **state)
{
	static const char *const rows[][2] = {
		{ "keeper-fails", "the CA file is no certificate" },
		{ "keeper-malformed", "malformed message" },
		{ "keeper-dies", "ended with status 3" },
	};
	char reason[SANDBOX_REASON_MAX] = "";

	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = { 0 };

		assert_true(run(rows[i][0], "{}", &o, reason) < 0);
		assert_non_null(strstr(reason, rows[i][1]));
		assert_int_equal(o.started + o.ended, 0);
	}
}

/* The third crash closes the sockets: the command is refused, and the audit says why. */
static void test_worker_that_crashes(void **state)
{
	char reason[SANDBOX_REASON_MAX] = "", *audit;
	struct outcome o = { 0 };

	NEEDS_ROOT();
	assert_int_equal(run("worker-crashes", "{}", &o, reason), 0);
	assert_in_range(o.code, 1, 98);
	audit = read_audit();
	assert_non_null(strstr(audit, "\"code\":\"sandbox_failed\""));
	assert_non_null(strstr(audit, "\"writer\":\"kernel\""));
	free(audit);
}

static void test_refused_before_anything_runs(void **state)
{
	static const char *const rows[][2] = {
		{ "{ \"tls\": { \"trust\": [\"/nonexistent/ca.pem\"] } }", "tls.trust" },
		{ "{ \"tls\": { \"trust\": [\"/etc/hostname\"] } }", "no PEM certificate" },
		{ "{ \"custom_credentials\": { \"c\": { \"upstream\": \"https://h.example.com\", \"credential_key\": "
		  "\"file:///etc/token\" } } }",
		  "directory of its own" },
	};
	char reason[SANDBOX_REASON_MAX] = "";

	NEEDS_ROOT();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = { 0 };

		assert_true(run("plain", rows[i][0], &o, reason) < 0);
		assert_non_null(strstr(reason, rows[i][1]));
		assert_int_equal(o.started + o.ended, 0);
	}
}

static void test_root_is_refused(void **state)
{
	static char cwd[] = "/", program[] = "/bin/true";
	static char *argv[] = { program, NULL }, *envp[] = { NULL };
	struct init_spec spec = { .argv = argv, .envp = envp, .cwd = cwd, .uid = 0, .gid = 4242 };
	struct sandbox_options options = {
		.name = "unit-root", .policy_text = STR("{}"), .command = &spec, .netns_fd = -1
	};
	char reason[SANDBOX_REASON_MAX] = "";
	struct sandbox *s = NULL;
	struct loop *loop;
	struct diag diag;

	(void)state;
	assert_int_equal(policy_load("unit.json", options.policy_text, &options.policy, &diag), 0);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(sandbox_start(loop, &options, &s, reason), -EPERM);
	assert_non_null(strstr(reason, "--user"));
	spec.uid = 4242;
	options.name = "Not-Valid";
	assert_int_equal(sandbox_start(loop, &options, &s, reason), -EINVAL);
	assert_null(s);
	loop_free(loop);
	policy_unref(options.policy);
}

static int remove_audit_dir(void **state)
{
	(void)state;
	return geteuid() == 0 ? paths_remove_tree(AUDIT_DIR) : 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_signal_reaches_the_command),
		cmocka_unit_test(test_keeper_that_cannot_start),
		cmocka_unit_test(test_worker_that_crashes),
		cmocka_unit_test(test_refused_before_anything_runs),
		cmocka_unit_test(test_root_is_refused),
	};

	(void)argc;
	if (strcmp(argv[0], "bridle-keeper") == 0)
		return keeper_role();
	if (strcmp(argv[0], "bridle-zygote") == 0)
		return zygote_role();
	if (strcmp(argv[0], "bridle-init") == 0)
		return init_role();
	return cmocka_run_group_tests(tests, NULL, remove_audit_dir);
}
