/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's own main: what it may do once it runs, and that it works inside of that. */
#include "keeper_process.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#define OTHER_UID 64999

static int run_main(int fd)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (dup2(fd, 3) < 0)
		return 99;
	if (geteuid() == 0) {
		data[0].effective = data[0].permitted = data[0].inheritable = 1U << CAP_DAC_READ_SEARCH;
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
		    setresgid(OTHER_UID, OTHER_UID, OTHER_UID) < 0 || setresuid(OTHER_UID, OTHER_UID, OTHER_UID) < 0 ||
		    syscall(SYS_capset, &header, data) < 0)
			return 98;
	}
	(void)!freopen("/dev/null", "w", stderr);
	return keeper_main();
}

static void status_line(pid_t pid, const char *key, char *value, size_t size)
{
	char path[64], line[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	value[0] = '\0';
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			(void)snprintf(value, size, "%s", line + strlen(key) + 1);
	(void)fclose(f);
	value[strcspn(value, "\n")] = '\0';
}

/* How many directories a process watches. Only root may look. */
static unsigned watches(pid_t pid)
{
	char path[64], line[256];
	unsigned n = 0;

	for (int fd = 0; fd < 32; fd++) {
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			n += strncmp(line, "inotify wd:", 11) == 0;
		if (f)
			(void)fclose(f);
	}
	return n;
}

static void works_inside_its_filter(void **state)
{
	char value[128];
	X509 *ca;
	int w;

	(void)state;
	child_start(&c, run_main);
	child_write(&c, "s", "through the filter");
	assert_int_equal(fchmodat(c.dir_fd, "s", geteuid() == 0 ? 0 : 0400, 0), 0);
	child_setup(&c, NULL, NULL);
	ca = ready_ca();
	child_directory(&c, c.dir, c.dir_fd);
	child_credential(&c, "api", "s", "{}", true);
	w = child_worker(&c);
	child_expect_value(w, "through the filter", 1);
	expect_leaf(w, "gitlab.example.com", ca);
	status_line(c.pid, "Seccomp:", value, sizeof(value));
	assert_int_equal(strtol(value, NULL, 10), 2);
	status_line(c.pid, "NoNewPrivs:", value, sizeof(value));
	assert_int_equal(strtol(value, NULL, 10), 1);
	status_line(c.pid, "CapInh:", value, sizeof(value));
	assert_int_equal(strtoull(value, NULL, 16), 0);
	status_line(c.pid, "CapAmb:", value, sizeof(value));
	assert_int_equal(strtoull(value, NULL, 16), 0);
	status_line(c.pid, "CapEff:", value, sizeof(value));
	assert_int_equal(strtoull(value, NULL, 16) & ~(1ULL << CAP_DAC_READ_SEARCH), 0);
	if (geteuid() == 0)
		assert_int_equal(watches(c.pid), 1);
	/* Rotation, refusal of a bad worker and the end work inside the filter too. */
	child_write(&c, "s", "rotated");
	child_expect_value(w, "rotated", 2);
	assert_int_equal(msg_send(w, &(struct msg_header){ .type = 1, .size = 8 }, 8, NULL, 0), 0);
	assert_true(is_closed(w));
	(void)close(w);
	assert_int_equal(child_end(&c), 0);
	X509_free(ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(works_inside_its_filter, tear_down_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
