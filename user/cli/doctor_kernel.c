/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of what the kernel lets us do. Each tries the thing itself, as a sandbox would, because neither version
 * numbers nor configuration files tell what a container's filter or a lockdown leaves of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "base/util.h"
#include "cli/doctor.h"
#include "supervisor/cgroup.h"
#include "supervisor/kernel.h"
#include "supervisor/paths.h"
#include "supervisor/sandbox.h"
#include "supervisor/tier.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"
#define BPFFS	   "/sys/fs/bpf"

static const struct right {
	int number;
	const char *name;
} rights[] = {
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
	{ CAP_BPF, "CAP_BPF" },
	{ CAP_PERFMON, "CAP_PERFMON" },
	{ CAP_SETUID, "CAP_SETUID" },
	{ CAP_SETGID, "CAP_SETGID" },
	{ CAP_SETPCAP, "CAP_SETPCAP" },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH" },
	{ CAP_KILL, "CAP_KILL" },
};

static void put_word(char *list, size_t size, const char *word)
{
	const size_t n = strlen(list);

	(void)snprintf(list + n, size - n, "%s%s", n ? ", " : "", word);
}

void probe_root(const struct cli_user *user, struct doctor_result *ret)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	char missing[256] = "";

	(void)user;
	if (geteuid() != 0) {
		doctor_say(ret, DOCTOR_FAIL, "this is uid %u, and only root can make a sandbox", geteuid());
		return;
	}
	if (syscall(SYS_capget, &header, data) < 0) {
		doctor_say(ret, DOCTOR_FAIL, "the capabilities cannot be read: %s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rights); i++)
		if (!(data[rights[i].number / 32].effective & 1U << rights[i].number % 32))
			put_word(missing, sizeof(missing), rights[i].name);
	if (missing[0])
		doctor_say(ret, DOCTOR_FAIL, "root without %s", missing);
	else
		doctor_say(ret, DOCTOR_OK, "root, with the %zu capabilities that are needed", ARRAY_SIZE(rights));
}

void probe_user_namespace(const struct cli_user *user, struct doctor_result *ret)
{
	auto_file FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned inside, outside, n;

	(void)user;
	if (!f || fscanf(f, "%u %u %u", &inside, &outside, &n) != 3)
		doctor_say(ret, DOCTOR_FAIL, "/proc/self/uid_map cannot be read");
	else if (inside != 0 || outside != 0 || n != UINT32_MAX)
		doctor_say(ret, DOCTOR_FAIL, "this is not the initial user namespace (%u uids from %u)", n, outside);
	else
		doctor_say(ret, DOCTOR_OK, "the initial one");
}

void probe_kernel(const struct cli_user *user, struct doctor_result *ret)
{
	struct utsname u;

	(void)user;
	if (uname(&u) < 0)
		doctor_say(ret, DOCTOR_FAIL, "uname: %s", strerror(errno));
	else
		doctor_say(ret, DOCTOR_OK, "%s %s on %s", u.sysname, u.release, u.machine);
}

void probe_btf(const struct cli_user *user, struct doctor_result *ret)
{
	(void)user;
	if (access(KERNEL_BTF, R_OK) < 0)
		doctor_say(ret, DOCTOR_FAIL, "%s: %s", KERNEL_BTF, strerror(errno));
	else
		doctor_say(ret, DOCTOR_OK, "%s is there", KERNEL_BTF);
}

/* Every run mounts it where it is missing, so only a place for it is needed. */
void probe_bpffs(const struct cli_user *user, struct doctor_result *ret)
{
	struct statfs fs;

	(void)user;
	if (statfs(BPFFS, &fs) < 0)
		doctor_say(ret, DOCTOR_FAIL, "%s: %s", BPFFS, strerror(errno));
	else if ((unsigned long)fs.f_type != BPF_FS_MAGIC)
		doctor_say(ret, DOCTOR_OK, "not mounted on %s; bridle run mounts it", BPFFS);
	else
		doctor_say(ret, DOCTOR_OK, "mounted on %s", BPFFS);
}

void probe_cgroup_v2(const struct cli_user *user, struct doctor_result *ret)
{
	char reason[SANDBOX_REASON_MAX] = "", path[PATHS_MAX_BYTES];
	static const char ours[] = "/bridle/"; /* what cgroup_path() puts behind the mount point */

	(void)user;
	if (cgroup_path("", path, sizeof(path), reason) < 0) {
		doctor_say(ret, DOCTOR_FAIL, "%.*s", DOCTOR_TEXT_MAX - 1, reason);
		return;
	}
	path[strlen(path) - strlen(ours)] = '\0';
	if (access(path, W_OK) < 0)
		doctor_say(ret, DOCTOR_FAIL, "%s cannot be written: %s", path, strerror(errno));
	else
		doctor_say(ret, DOCTOR_OK, "mounted on %s%s", path,
			   strcmp(path, "/sys/fs/cgroup") == 0 ? "" : " (beside v1, or elsewhere)");
}

void probe_kernel_programs(const struct cli_user *user, struct doctor_result *ret)
{
	char reason[KERNEL_REASON_MAX] = "", names[256];
	size_t bad, n = kernel_try(&bad, names, sizeof(names), reason);

	(void)user;
	if (bad == 0)
		doctor_say(ret, DOCTOR_OK, "all %zu load", n);
	else if (names[0])
		doctor_say(ret, DOCTOR_FAIL, "%zu of %zu do not load (%s): %s", bad, n, names, reason);
	else
		doctor_say(ret, DOCTOR_FAIL, "they do not load together: %s", reason);
}

static void try_tier(enum tier_way way, struct doctor_result *ret)
{
	int r = tier_try(way);

	if (r < 0)
		doctor_say(ret, DOCTOR_WARN, "does not load here: %s", strerror(-r));
	else
		doctor_say(ret, DOCTOR_OK, "would load here; this version has no programs for T1 yet and enforces T%u",
			   SANDBOX_TIER);
}

void probe_tier1_lsm_cgroup(const struct cli_user *user, struct doctor_result *ret)
{
	(void)user;
	try_tier(TIER_LSM_CGROUP, ret);
}

void probe_tier1_fmod_ret(const struct cli_user *user, struct doctor_result *ret)
{
	(void)user;
	try_tier(TIER_FMOD_RET, ret);
}

void probe_seccomp(const struct cli_user *user, struct doctor_result *ret)
{
	const uint32_t actions[] = { SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS };

	(void)user;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]) < 0) {
			doctor_say(ret, DOCTOR_FAIL, "the kernel has no such filters: %s", strerror(errno));
			return;
		}
	doctor_say(ret, DOCTOR_OK, "filters can return errors and end processes");
}

/* In a child: a process cannot leave the namespaces that it made. */
void probe_namespaces(const struct cli_user *user, struct doctor_result *ret)
{
	int status;
	pid_t pid = fork();

	(void)user;
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC) == 0 ? 0 : errno & 0xff);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		doctor_say(ret, DOCTOR_FAIL, "no process can be made to try them: %s", strerror(errno));
	else if (WEXITSTATUS(status) != 0)
		doctor_say(ret, DOCTOR_FAIL, "they cannot be made: %s", strerror(WEXITSTATUS(status)));
	else
		doctor_say(ret, DOCTOR_OK, "network, pid, mount and IPC namespaces can be made");
}

/* With arguments that the kernel refuses after it found the call: EPERM is a filter's word, ENOSYS the kernel's. */
void probe_system_calls(const struct cli_user *user, struct doctor_result *ret)
{
	static const struct {
		long number;
		const char *name;
	} calls[] = {
		{ SYS_clone3, "clone3" },
		{ SYS_close_range, "close_range" },
		{ SYS_openat2, "openat2" },
		{ SYS_memfd_create, "memfd_create" },
	};
	char missing[128] = "";

	(void)user;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (syscall(calls[i].number, ~0U, ~0U, 0, 0) < 0 && (errno == ENOSYS || errno == EPERM))
			put_word(missing, sizeof(missing), calls[i].name);
	if (missing[0])
		doctor_say(ret, DOCTOR_FAIL, "missing or filtered: %s", missing);
	else
		doctor_say(ret, DOCTOR_OK, "all %zu of the rarer ones are there", ARRAY_SIZE(calls));
}

void probe_ipv6(const struct cli_user *user, struct doctor_result *ret)
{
	auto_fd int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)user;
	if (fd < 0)
		doctor_say(ret, DOCTOR_WARN, "the kernel has none (%s)", strerror(errno));
	else
		doctor_say(ret, DOCTOR_OK, "the kernel has it; sandboxes get it on their own loopback");
}

static bool is_set(const char *path)
{
	char c = '0';
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &c, 1) == 1 && c != '0';
}

void probe_nonlocal_bind(const struct cli_user *user, struct doctor_result *ret)
{
	(void)user;
	if (is_set("/proc/sys/net/ipv4/ip_nonlocal_bind") || is_set("/proc/sys/net/ipv6/ip_nonlocal_bind"))
		doctor_say(ret, DOCTOR_OK, "ip_nonlocal_bind is on here; in a sandbox's own namespace it is off");
	else
		doctor_say(ret, DOCTOR_OK, "ip_nonlocal_bind is off");
}
