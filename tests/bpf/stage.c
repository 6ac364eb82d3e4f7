/* SPDX-License-Identifier: Apache-2.0 */
/* See stage.h. Makes everything itself and removes it; sends nothing beyond the namespaces that it made. */
#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/util.h"

#define CGROUP_PARENTS "/sys/fs/cgroup/unified", "/sys/fs/cgroup"
#define UID_NOBODY     65534

struct stage stage = { .home = -1, .near = -1, .far = -1, .capture = -1, .cgroup_fd = -1 };

/* ip(8) in the calling thread's namespace; words end with NULL. */
static int run_ip(const char *const words[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execvp("ip", (char *const *)(uintptr_t)words);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

#define IP(...) assert_int_equal(run_ip((const char *const[]){ "ip", __VA_ARGS__, NULL }), 0)

static void enter(int netns)
{
	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
}

static int netns_new(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/thread-self/ns/net", O_RDONLY); /* inherited by ip(8) */
	assert_true(fd >= 0);
	IP("link", "set", "lo", "up");
	return fd;
}

static void namespaces_make(void)
{
	char far_path[64];

	stage.home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(stage.home >= 0);
	stage.far = netns_new();
	stage.near = netns_new();
	(void)snprintf(far_path, sizeof(far_path), "/proc/self/fd/%d", stage.far);
	IP("link", "add", STAGE_DEVICE, "address", "02:00:00:00:00:02", "type", "veth", "peer", "name", "far0",
	   "address", "02:00:00:00:00:01", "netns", far_path);
	IP("addr", "add", STAGE_NEAR4 "/24", "dev", STAGE_DEVICE);
	IP("addr", "add", STAGE_NEAR6 "/64", "dev", STAGE_DEVICE, "nodad");
	IP("link", "set", STAGE_DEVICE, "up");
	enter(stage.far);
	IP("addr", "add", STAGE_FAR4 "/24", "dev", "far0");
	IP("addr", "add", STAGE_FAR6 "/64", "dev", "far0", "nodad");
	IP("link", "set", "far0", "up");
	IP("neigh", "replace", STAGE_NEAR4, "lladdr", "02:00:00:00:00:02", "dev", "far0", "nud", "permanent");
	IP("neigh", "replace", STAGE_NEAR6, "lladdr", "02:00:00:00:00:02", "dev", "far0", "nud", "permanent");
	enter(stage.near);
	IP("neigh", "replace", STAGE_FAR4, "lladdr", "02:00:00:00:00:01", "dev", STAGE_DEVICE, "nud", "permanent");
	IP("neigh", "replace", STAGE_FAR6, "lladdr", "02:00:00:00:00:01", "dev", STAGE_DEVICE, "nud", "permanent");
	IP("route", "add", "default", "via", STAGE_FAR4);
	IP("-6", "route", "add", "default", "via", STAGE_FAR6);
	enter(stage.home);
}

static void capture_open(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };

	enter(stage.far);
	stage.capture = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	assert_true(stage.capture >= 0);
	at.sll_ifindex = (int)if_nametoindex("far0");
	assert_int_equal(bind(stage.capture, (struct sockaddr *)&at, sizeof(at)), 0);
	enter(stage.home);
}

socklen_t address_make(struct sockaddr_storage *ret, const char *text, uint16_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (strchr(text, ':')) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		(void)inet_pton(AF_INET6, text, &in6->sin6_addr);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	(void)inet_pton(AF_INET, text, &in->sin_addr);
	return sizeof(*in);
}

uint16_t address_port(const struct sockaddr_storage *a)
{
	return ntohs(a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port
					      : ((const struct sockaddr_in *)a)->sin_port);
}

const char *address_text(const struct sockaddr_storage *a)
{
	static char text[INET6_ADDRSTRLEN + 8];
	char ip[INET6_ADDRSTRLEN] = "?";

	if (a->ss_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, ip, sizeof(ip));
	else
		(void)inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, ip, sizeof(ip));
	(void)snprintf(text, sizeof(text), "%s %u", ip, address_port(a));
	return text;
}

int stage_socket(int netns, int family, int type, const char *address, uint16_t port)
{
	struct sockaddr_storage at;
	socklen_t n = address_make(&at, address, port);
	int fd, one = 1;

	enter(netns);
	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 64), 0);
	enter(stage.home);
	return fd;
}

static void sockets_open(void)
{
	static const int families[] = { AF_INET, AF_INET6, AF_INET, AF_INET6 };
	socklen_t n = sizeof(stage.cookie);

	for (int i = 0; i < STAGE_SOCKETS; i++) {
		struct sockaddr_storage at;
		socklen_t at_n = sizeof(at);

		stage.sockets[i] = stage_socket(stage.near, families[i], i < STAGE_DNS4 ? SOCK_STREAM : SOCK_DGRAM,
						families[i] == AF_INET ? "127.0.0.1" : "::1", 0);
		assert_int_equal(getsockname(stage.sockets[i], (struct sockaddr *)&at, &at_n), 0);
		stage.ports[i] = address_port(&at);
	}
	assert_int_equal(getsockopt(stage.sockets[0], SOL_SOCKET, SO_NETNS_COOKIE, &stage.cookie, &n), 0);
}

static void cgroup_make(void)
{
	static const char *const parents[] = { CGROUP_PARENTS };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
		char procs[160];

		(void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", parents[i]);
		(void)snprintf(stage.cgroup, sizeof(stage.cgroup), "%s/bridle-test-%d", parents[i], getpid());
		if (access(procs, F_OK) == 0 && mkdir(stage.cgroup, 0755) == 0)
			break;
	}
	stage.cgroup_fd = open(stage.cgroup, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	assert_true(stage.cgroup_fd >= 0);
	assert_int_equal(fstat(stage.cgroup_fd, &st), 0);
	stage.cgroup_id = st.st_ino;
	(void)snprintf(stage.pin_dir, sizeof(stage.pin_dir), "/sys/fs/bpf/bridle/v1/test-%d", getpid());
}

void stage_attach(void)
{
	char reason[KERNEL_REASON_MAX] = "";

	if (kernel_prepare_bpffs(reason) < 0 || kernel_load(&stage.kernel, reason) < 0 ||
	    kernel_attach(stage.kernel, stage.cgroup_fd, stage.pin_dir, reason) < 0)
		fail_msg("%s", reason);
	stage_forget_events();
}

void stage_activate_as(bool loopback_only)
{
	static const uint16_t ports[] = { 80, 443, 8443 };
	static const uint16_t proxy_ports[] = { STAGE_PROXY_PORT };
	const struct kernel_sandbox s = {
		.id = STAGE_SANDBOX,
		.cgroup_id = stage.cgroup_id,
		.netns_cookie = stage.cookie,
		.tcp4_port = stage.ports[STAGE_TCP4],
		.tcp6_port = stage.ports[STAGE_TCP6],
		.dns4_port = stage.ports[STAGE_DNS4],
		.dns6_port = stage.ports[STAGE_DNS6],
		.ports = ports,
		.n_ports = ARRAY_SIZE(ports),
		.proxy_ports = proxy_ports,
		.n_proxy_ports = ARRAY_SIZE(proxy_ports),
		.loopback_only = loopback_only,
	};

	assert_int_equal(kernel_activate(stage.kernel, &s), 0);
}

void stage_activate(void)
{
	stage_activate_as(false);
}

void stage_detach(void)
{
	if (stage.kernel) {
		assert_int_equal(kernel_remove_pins(stage.pin_dir), 0);
		stage.kernel = kernel_free(stage.kernel);
	}
}

void stage_detach_hook(const char *name)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/links/%s", stage.pin_dir, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_link_detach(fd), 0);
	(void)close(fd);
}

int stage_setup_bare(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		(void)fprintf(stderr, "not root: skipped\n");
		exit(77);
	}
	stage.note = mmap(NULL, sizeof(*stage.note), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(stage.note != MAP_FAILED);
	namespaces_make();
	capture_open();
	sockets_open();
	cgroup_make();
	return 0;
}

int stage_setup(void **state)
{
	int r = stage_setup_bare(state);

	stage_attach();
	stage_activate();
	return r;
}

int stage_teardown(void **state)
{
	(void)state;
	stage_detach();
	for (int i = 0; i < STAGE_SOCKETS; i++)
		(void)close(stage.sockets[i]);
	(void)close(stage.capture);
	(void)close(stage.near);
	(void)close(stage.far);
	(void)close(stage.home);
	(void)close(stage.cgroup_fd);
	(void)munmap(stage.note, sizeof(*stage.note));
	return rmdir(stage.cgroup);
}

static void join_cgroup(void)
{
	char path[160], pid[16];
	int n = snprintf(pid, sizeof(pid), "%d", getpid());
	int fd;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", stage.cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, pid, (size_t)n) != n)
		_exit(120);
	(void)close(fd);
}

static void become(enum place place, enum who who)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (place == INSIDE)
		join_cgroup();
	if (setns(stage.near, CLONE_NEWNET) < 0)
		_exit(121);
	if (who == NOBODY && (setgroups(0, NULL) < 0 || setresgid(UID_NOBODY, UID_NOBODY, UID_NOBODY) < 0 ||
			      setresuid(UID_NOBODY, UID_NOBODY, UID_NOBODY) < 0))
		_exit(122);
}

int stage_start(enum place place, enum who who, program_fn fn)
{
	int pid;

	memset(stage.note, 0, sizeof(*stage.note));
	stage.note->result = -1;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		become(place, who);
		(void)alarm(20);
		stage.note->pid = getpid();
		stage.note->result = fn();
		stage.note->ready = 1;
		_exit(0);
	}
	return pid;
}

void stage_hold(void)
{
	stage.note->ready = 1;
	while (!stage.note->released)
		(void)usleep(1000);
}

void stage_wait_ready(int pid)
{
	for (int i = 0; i < 10000 && !stage.note->ready; i++) {
		siginfo_t info = { 0 };

		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid)
			return;
		(void)usleep(1000);
	}
}

void stage_release(int pid)
{
	int status = -1;

	stage.note->released = 1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int stage_run(enum place place, enum who who, program_fn fn)
{
	int pid = stage_start(place, who, fn);

	stage_release(pid);
	return stage.note->result;
}

static int frame_read(frame_fn fn)
{
	struct sockaddr_ll from;
	socklen_t from_n = sizeof(from);
	uint8_t frame[2048];
	ssize_t n = recvfrom(stage.capture, frame, sizeof(frame), 0, (struct sockaddr *)&from, &from_n);

	if (n < 0)
		return -1;
	if (getenv("STAGE_DUMP") && from.sll_pkttype != PACKET_OUTGOING && fn(frame, (size_t)n)) {
		for (ssize_t i = 0; i < n; i++)
			(void)fprintf(stderr, "%02x", frame[i]);
		(void)fprintf(stderr, "\n");
	}
	return from.sll_pkttype != PACKET_OUTGOING && fn(frame, (size_t)n);
}

int stage_count_frames(frame_fn fn, int wait_ms)
{
	struct pollfd p = { .fd = stage.capture, .events = POLLIN };
	int count = 0;

	for (int waited = 0; waited <= wait_ms && count == 0; waited += 10) {
		for (int r = frame_read(fn); r >= 0; r = frame_read(fn))
			count += r;
		if (count == 0)
			(void)poll(&p, 1, 10);
	}
	return count;
}

static uint16_t frame_type(const uint8_t *frame, size_t n)
{
	return n < 14 ? 0 : (uint16_t)(frame[12] << 8 | frame[13]);
}

bool frame_is_payload(const uint8_t *frame, size_t n)
{
	uint16_t type = frame_type(frame, n);

	if (type == ETH_P_IP)
		return n > 23 && frame[23] != IPPROTO_IGMP;
	return type == ETH_P_IPV6 && n > 20 && frame[20] != IPPROTO_ICMPV6 && frame[20] != IPPROTO_HOPOPTS;
}

bool frame_is_icmp(const uint8_t *frame, size_t n)
{
	return frame_type(frame, n) == ETH_P_IP && n > 23 && frame[23] == IPPROTO_ICMP;
}

bool frame_is_group4(const uint8_t *frame, size_t n)
{
	struct in_addr group;

	(void)inet_pton(AF_INET, STAGE_GROUP4, &group);
	return frame_type(frame, n) == ETH_P_IP && memmem(frame, n, &group, sizeof(group));
}

bool frame_is_group6(const uint8_t *frame, size_t n)
{
	struct in6_addr group;

	(void)inet_pton(AF_INET6, STAGE_GROUP6, &group);
	return frame_type(frame, n) == ETH_P_IPV6 && memmem(frame, n, &group, sizeof(group));
}

static void event_keep(void *arg, const struct denial *denial)
{
	(void)arg;
	stage.events[stage.n_events++ % STAGE_EVENTS_MAX] = *denial;
}

const struct denial *stage_find_event(enum hook hook, enum why why)
{
	assert_int_equal(kernel_events_read(stage.kernel, event_keep, NULL), 0);
	for (size_t i = MIN(stage.n_events, (size_t)STAGE_EVENTS_MAX); i > 0; i--) {
		if (stage.events[i - 1].hook == hook && stage.events[i - 1].why == why)
			return &stage.events[i - 1];
	}
	return NULL;
}

void stage_forget_events(void)
{
	assert_int_equal(kernel_events_read(stage.kernel, event_keep, NULL), 0);
	stage.n_events = 0;
}
