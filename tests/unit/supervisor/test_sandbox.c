/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a sandbox with the real kernel programs and stand-in roles (this test, executed again), so that each
 * role can misbehave: every end is told once, with a sentence, and nothing stays behind. Root.
 */
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/init_spec.h"
#include "base/keeper_msg.h"
#include "base/loop.h"
#include "base/snapshot.h"
#include "base/util.h"
#include "base/zygote_msg.h"
#include "policy/policy.h"
#include "supervisor/cgroup.h"
#include "supervisor/private.h"
#include "supervisor/spawn.h"
#include "tls/ca.h"

#define MODE_FILE PATHS_RUN "/unit-mode" /* root's directory: how the stand-ins behave */
#define AUDIT_DIR PATHS_RUN "/unit-audit"

/* --- stand-ins ---------------------------------------------------------------------------------------------- */

static bool mode_is(const char *mode)
{
	char text[64] = "";
	int fd = open(MODE_FILE, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	(void)fd_close(fd);
	return strcmp(text, mode) == 0;
}

static int say_malformed(uint32_t type)
{
	const uint32_t m[3] = { type, sizeof(m), 0 };

	return msg_send(SPAWN_CHANNEL_FD, m, sizeof(m), NULL, 0);
}

static void keeper_say_ready(void)
{
	static struct keeper_ready m = { .header.type = KEEPER_READY };
	unsigned char *der = NULL;
	struct ca *ca = NULL;
	size_t n = 0;

	if (ca_make(STR("unit"), &ca) < 0 || ca_certificate(ca, &der, &n) < 0)
		exit(1);
	m.cert_size = (uint32_t)n;
	memcpy(m.cert, der, n);
	m.header.size = (uint32_t)KEEPER_MSG_SIZE(struct keeper_ready, cert, n);
	(void)msg_send(SPAWN_CHANNEL_FD, &m, m.header.size, NULL, 0);
	free(der);
	ca_free(ca);
}

static int keeper_role(void)
{
	static union {
		struct msg_header header;
		struct keeper_credential credential;
		char bytes[8192];
	} m;
	struct keeper_failed failed = { .header = { KEEPER_FAILED, sizeof(failed) },
					.reason = "the CA file is no certificate" };
	int fds[1];

	for (;;) {
		size_t n_fds = 1;
		long n = msg_recv(SPAWN_CHANNEL_FD, &m, sizeof(m), fds, &n_fds);

		if (n <= 0)
			return 0; /* with it go the workers' channels */
		if (m.header.type != KEEPER_SETUP)
			continue;
		if (mode_is("keeper-dies"))
			return 3;
		if (mode_is("keeper-fails"))
			(void)msg_send(SPAWN_CHANNEL_FD, &failed, sizeof(failed), NULL, 0);
		else if (mode_is("keeper-malformed"))
			(void)say_malformed(KEEPER_READY);
		else
			keeper_say_ready();
	}
}

/* A worker that lives until its keeper's channel closes, or dies at once. */
static int zygote_role(void)
{
	static struct zygote_spawn spawn;
	struct pollfd p[2] = { { .fd = SPAWN_CHANNEL_FD, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	struct zygote_exited exited = { .header = { ZYGOTE_EXITED, sizeof(exited) }, .pid = 1 };
	int fds[MSG_FDS_MAX];

	for (;;) {
		(void)poll(p, 2, -1);
		if (p[1].fd >= 0 && p[1].revents) {
			(void)close(p[1].fd);
			p[1].fd = -1;
			(void)msg_send(SPAWN_CHANNEL_FD, &exited, sizeof(exited), NULL, 0);
		}
		if (p[0].revents) {
			struct zygote_spawned spawned = { .header = { ZYGOTE_SPAWNED, sizeof(spawned) }, .pid = 1 };
			size_t n_fds = MSG_FDS_MAX;
			struct snapshot snapshot;

			if (msg_recv(SPAWN_CHANNEL_FD, &spawn, sizeof(spawn), fds, &n_fds) <= 0)
				return 0;
			if (n_fds != ZYGOTE_FDS || snapshot_map(fds[ZYGOTE_FD_SNAPSHOT], &snapshot) < 0)
				return 4;
			/* the chain of the run before is named only in a file that has one */
			if (!str_eq(snapshot.sandbox, STR("unit-sandbox")) || spawn.uid < UID_FIRST ||
			    spawn.chain_before[0])
				return 5;
			snapshot_unmap(&snapshot);
			spawned.id = exited.id = spawn.id;
			(void)msg_send(SPAWN_CHANNEL_FD, &spawned, sizeof(spawned), NULL, 0);
			for (size_t i = 0; i < n_fds; i++)
				if (i != ZYGOTE_FD_KEEPER)
					(void)close(fds[i]);
			p[1].fd = fds[ZYGOTE_FD_KEEPER];
			if (mode_is("worker-crashes")) {
				exited.status = SIGSEGV;
				(void)close(p[1].fd);
				p[1].fd = -1;
				(void)msg_send(SPAWN_CHANNEL_FD, &exited, sizeof(exited), NULL, 0);
			}
		}
	}
}

static int try_connect(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(443) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), r;

	(void)inet_pton(AF_INET, "10.77.0.99", &a.sin_addr);
	r = connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? errno : 0;
	(void)close(fd);
	return r;
}

static void init_exit_with(int code)
{
	const struct init_exited m = { .header = { INIT_EXITED, sizeof(m) }, .status = code << 8 };

	(void)msg_send(SPAWN_CHANNEL_FD, &m, sizeof(m), NULL, 0);
}

/* Connects until it is refused, at most 10 s; the number of connections that were turned round. */
static int connect_until_refused(void)
{
	int n = 0;

	for (int i = 0; i < 200; i++) {
		int r = try_connect();

		if (r == ECONNREFUSED)
			return n;
		n += r == 0;
		(void)usleep(50000);
	}
	return 99;
}

static int init_role(void)
{
	const struct msg_header started = { INIT_STARTED, sizeof(started) };
	struct init_failed failed = { .header = { INIT_FAILED, sizeof(failed) },
				      .exit_code = 127,
				      .text = "no such command" };
	struct init_spec spec;
	struct msg_header go;
	size_t n_fds = 0;

	if (init_spec_read(SPAWN_EXTRA_FD, &spec) < 0 || access(spec.certs_dir, R_OK) < 0 ||
	    access(spec.resolv_conf, R_OK) < 0)
		return 1;
	init_spec_done(&spec);
	if (msg_recv(SPAWN_CHANNEL_FD, &go, sizeof(go), NULL, &n_fds) <= 0 || go.type != INIT_GO)
		return 1;
	if (mode_is("init-silent"))
		return 0;
	if (mode_is("init-fails"))
		(void)msg_send(SPAWN_CHANNEL_FD, &failed, sizeof(failed), NULL, 0);
	else if (mode_is("init-malformed"))
		(void)say_malformed(INIT_FAILED); /* of another size */
	else
		(void)msg_send(SPAWN_CHANNEL_FD, &started, sizeof(started), NULL, 0);
	if (mode_is("connects"))
		init_exit_with(try_connect());
	else if (mode_is("worker-crashes"))
		init_exit_with(connect_until_refused());
	else if (mode_is("signals")) {
		struct init_signal s;

		n_fds = 0;
		if (msg_recv(SPAWN_CHANNEL_FD, &s, sizeof(s), NULL, &n_fds) == (long)sizeof(s) &&
		    s.header.type == INIT_SIGNAL)
			init_exit_with(s.signal);
	} else {
		init_exit_with(5);
	}
	(void)pause();
	return 0;
}

/* --- the test ----------------------------------------------------------------------------------------------- */

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
