/* SPDX-License-Identifier: Apache-2.0 */
/* The specification comes back as it was written, and nothing that is cut, open or root's is accepted. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/init_spec.h"

static char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "" }, NULL };
static char *envp[] = { (char[]){ "A=1" }, (char[]){ "PATH=/bin" }, NULL };
static char *masks[] = { (char[]){ "/vault/secrets" }, NULL };
static char cwd[] = "/home/a b", resolv_conf[] = "/run/r";
static uint32_t groups[] = { 1000, 2000, 3000 };

static struct init_spec sample(void)
{
	return (struct init_spec){
		.argv = argv,
		.envp = envp,
		.cwd = cwd,
		.uid = 1000,
		.gid = 1001,
		.groups = groups,
		.n_groups = 3,
		.masks = masks,
		.resolv_conf = resolv_conf,
		.stdio_is_tty = 5,
		.ignored_signals = 1,
		.blocked_signals = 1ULL << 63,
	};
}

static void test_round_trip(void **state)
{
	struct init_spec in = sample(), out;
	int fd = init_spec_write(&in);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(init_spec_read(fd, &out), 0);
	for (int i = 0; i < 4; i++)
		argv[i] ? assert_string_equal(out.argv[i], argv[i]) : assert_null(out.argv[i]);
	assert_string_equal(out.envp[1], "PATH=/bin");
	assert_null(out.envp[2]);
	assert_string_equal(out.masks[0], "/vault/secrets");
	assert_null(out.masks[1]);
	assert_string_equal(out.cwd, "/home/a b");
	assert_null(out.certs_dir);
	assert_string_equal(out.resolv_conf, "/run/r");
	assert_memory_equal(out.groups, groups, sizeof(groups));
	assert_int_equal(out.uid, 1000);
	assert_int_equal(out.gid, 1001);
	assert_int_equal(out.n_groups, 3);
	assert_int_equal(out.stdio_is_tty, 5);
	assert_true(out.ignored_signals == 1 && out.blocked_signals == 1ULL << 63);
	init_spec_done(&out);
	assert_null(out.argv);
	close(fd);
}

static void test_sealed(void **state)
{
	struct init_spec in = sample();
	int fd = init_spec_write(&in);

	(void)state;
	assert_true(write(fd, "x", 1) < 0);
	assert_int_equal(errno, EPERM);
	assert_true(ftruncate(fd, 0) < 0);
	close(fd);
}

static void test_refuses_root_and_nothing(void **state)
{
	struct init_spec in = sample();
	char *none[] = { NULL };

	(void)state;
	in.uid = 0;
	assert_int_equal(init_spec_write(&in), -EINVAL);
	in = sample();
	in.gid = 0;
	assert_int_equal(init_spec_write(&in), -EINVAL);
	in = sample();
	in.argv = none;
	assert_int_equal(init_spec_write(&in), -EINVAL);
	in.argv = NULL;
	assert_int_equal(init_spec_write(&in), -EINVAL);
}

static int copy(int fd, size_t size, size_t cut, int seals)
{
	char bytes[4096];
	int out = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(size <= sizeof(bytes));
	assert_int_equal(pread(fd, bytes, size, 0), size);
	assert_int_equal(write(out, bytes, cut), cut);
	assert_int_equal(fcntl(out, F_ADD_SEALS, seals), 0);
	return out;
}

static void test_refuses_cut_and_open(void **state)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct init_spec in = sample(), out = { .uid = 77 };
	int fd = init_spec_write(&in);
	struct stat st;
	int other;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	for (size_t cut = 0; cut < (size_t)st.st_size; cut++) {
		other = copy(fd, (size_t)st.st_size, cut, seals);
		assert_int_equal(init_spec_read(other, &out), -EBADMSG);
		assert_int_equal(out.uid, 77);
		close(other);
	}
	other = copy(fd, (size_t)st.st_size, (size_t)st.st_size, F_SEAL_SHRINK | F_SEAL_GROW);
	assert_int_equal(init_spec_read(other, &out), -EBADMSG);
	close(other);
	other = copy(fd, (size_t)st.st_size, (size_t)st.st_size, seals);
	assert_int_equal(init_spec_read(other, &out), 0);
	init_spec_done(&out);
	close(other);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_refuses_root_and_nothing),
		cmocka_unit_test(test_refuses_cut_and_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
