/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandbox sees of the file system, looked at from inside a mount namespace that mounts_prepare() made. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/init_spec.h"
#include "init/failure.h"
#include "init/mounts.h"
#include "tests/unit/init/sandbox.h"

static char dir[] = "/tmp/bridle-test-XXXXXX";
static char secrets[64], alias[64], deep[64], certs[64], resolv[64], link_path[64], work[64];

static void place(char *out, const char *name)
{
	(void)snprintf(out, 64, "%s/%s", dir, name);
}

static int setup(void **state)
{
	char path[128];

	(void)state;
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	place(secrets, "vault");
	place(alias, "alias");
	place(deep, "deep");
	place(certs, "certs");
	place(resolv, "resolv.conf");
	place(link_path, "link");
	place(work, "work");
	if (mkdir(secrets, 0755) < 0 || mkdir(alias, 0755) < 0 || mkdir(deep, 0755) < 0 || mkdir(certs, 0755) < 0 ||
	    mkdir(work, 0755) < 0 || symlink(secrets, link_path) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/sub", secrets);
	if (mkdir(path, 0755) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/token", secrets);
	write_file(path, "the secret\n");
	(void)snprintf(path, sizeof(path), "%s/sub/token", secrets);
	write_file(path, "the other secret\n");
	(void)snprintf(path, sizeof(path), "%s/ca-certificates.crt", certs);
	write_file(path, "our bundle\n");
	write_file(resolv, "nameserver 192.0.0.2\n");
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	pid_t pid = fork();

	(void)state;
	(void)snprintf(command, sizeof(command), "%s", dir);
	if (pid == 0) {
		(void)execlp("rm", "rm", "-rf", "--one-file-system", command, (char *)NULL);
		_exit(1);
	}
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static struct init_spec sample(char **masks)
{
	return (struct init_spec){
		.masks = masks, .certs_dir = certs, .resolv_conf = resolv, .cwd = work, .uid = 1, .gid = 1
	};
}

static bool reads(const char *path, const char *text)
{
	char got[64] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, got, sizeof(got) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 && strncmp(got, text, strlen(text)) == 0;
}

static int write_error(const char *path)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static bool below(const char *directory, const char *name)
{
	char path[160];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	return stat(path, &st) == 0;
}

/* Runs fn as PID 1 behind mounts_prepare(); its status. 200 and a message when that failed. */
static int prepared(int (*fn)(void), char **masks, void (*before)(void))
{
	int status = -1;
	pid_t pid = fork_namespaces();

	if (pid == 0) {
		const struct init_spec spec = sample(masks);
		struct failure f;

		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(201);
		if (before)
			before();
		if (mounts_prepare(&spec, &f) < 0) {
			(void)fprintf(stderr, "%s\n", f.text);
			_exit(200);
		}
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int see_proc(void)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;
	int others = 0;

	while ((e = readdir(d)))
		others += e->d_name[0] >= '1' && e->d_name[0] <= '9' && strcmp(e->d_name, "1") != 0;
	closedir(d);
	if (others > 0)
		return 1;
	if (write_error("/proc/sys/kernel/core_pattern") != EROFS || write_error("/proc/irq/default_smp_affinity") == 0)
		return 2;
	if (access("/proc/sysrq-trigger", F_OK) == 0 && write_error("/proc/sysrq-trigger") != EROFS)
		return 4;
	return below("/tmp", "bridle-test-proc") ? 3 : 0;
}

static int see_kernel(void)
{
	struct statfs st;

	if (mkdir("/sys/fs/cgroup/unified/bridle-test", 0700) == 0)
		return 1;
	if (errno != EROFS && errno != ENOENT)
		return 2;
	if (mkdir("/sys/fs/cgroup/bridle-test", 0700) == 0 && rmdir("/sys/fs/cgroup/bridle-test") == 0 &&
	    below("/sys/fs/cgroup", "cgroup.procs"))
		return 3;
	if (statfs("/sys", &st) < 0 || !(st.f_flags & ST_RDONLY))
		return 4;
	return statfs("/sys/fs/bpf", &st) == 0 && st.f_type == 0xcafe4a11 ? 5 : 0;
}

static int see_secrets(void)
{
	char path[160];

	if (below(secrets, "token") || below(link_path, "token"))
		return 1;
	if (below(alias, "token") || below(deep, "token"))
		return 2;
	(void)snprintf(path, sizeof(path), "%s/new", secrets);
	return write_error(path) == ENOENT && mkdir(path, 0700) < 0 && errno == EROFS ? 0 : 3;
}

static int see_certs(void)
{
	struct stat st;

	if (!reads("/etc/ssl/certs/ca-certificates.crt", "our bundle"))
		return 1;
	if (write_error("/etc/ssl/certs/ca-certificates.crt") != EROFS)
		return 2;
	if (stat("/etc/resolv.conf", &st) == 0 && !reads("/etc/resolv.conf", "nameserver 192.0.0.2"))
		return 3;
	return 0;
}

/* The same file system elsewhere: the whole directory, and a part of it. */
static void bind_aliases(void)
{
	char sub[96];

	(void)snprintf(sub, sizeof(sub), "%s/sub", secrets);
	if (mount(secrets, alias, NULL, MS_BIND, NULL) < 0 || mount(sub, deep, NULL, MS_BIND, NULL) < 0)
		_exit(202);
	if (!below(alias, "token") || !below(deep, "token"))
		_exit(203);
}

static void second_proc(void)
{
	if (mount("/proc", work, NULL, MS_BIND | MS_REC, NULL) < 0 || !below(work, "sys"))
		_exit(202);
}

static int see_no_second_proc(void)
{
	return below(work, "sys") || below(work, "1") ? 1 : 0;
}

static void needs_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void test_kernel_file_systems(void **state)
{
	(void)state;
	needs_root();
	assert_int_equal(prepared(see_proc, NULL, NULL), 0);
	assert_int_equal(prepared(see_kernel, NULL, NULL), 0);
	assert_int_equal(prepared(see_no_second_proc, NULL, second_proc), 0);
}

static void test_secrets(void **state)
{
	char *masks[] = { secrets, NULL };
	char *by_link[] = { link_path, NULL };

	(void)state;
	needs_root();
	assert_int_equal(prepared(see_secrets, masks, NULL), 0);
	assert_int_equal(prepared(see_secrets, by_link, NULL), 0);
	assert_int_equal(prepared(see_secrets, masks, bind_aliases), 0);
	assert_true(below(secrets, "token")); /* outside nothing changed */
}

static void test_certificates(void **state)
{
	(void)state;
	needs_root();
	assert_int_equal(prepared(see_certs, NULL, NULL), 0);
}

static void test_refused_masks(void **state)
{
	static char missing[] = "/tmp/bridle-test-missing", file[80], etc[] = "/etc", root[] = "/";
	char *const refused[] = { missing, file, etc, root, work, dir };

	(void)state;
	needs_root();
	(void)snprintf(file, sizeof(file), "%s/token", secrets);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char *masks[] = { refused[i], NULL };

		assert_int_equal(prepared(see_proc, masks, NULL), 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_file_systems),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_refused_masks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
