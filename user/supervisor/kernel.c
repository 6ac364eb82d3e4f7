/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the kernel programs, pins and attaches them, fills their maps. The only file that includes the skeleton; what
 * the maps mean is in bpf/abi.h. Trusts the kernel; refuses by leaving everything as it is: programs that are loaded
 * but not activated let nothing through.
 */
#include "supervisor/kernel.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <bridle.skel.h>

#include "base/util.h"
#include "bpf/abi.h"
#include "supervisor/kernel_pins.h"

#define BPFFS	       "/sys/fs/bpf"
#define KERNEL_BTF     "/sys/kernel/btf/vmlinux"
#define SWEEP_KEYS_MAX 256 /* flows deleted in one go; the rest waits for the next call */

/* The rows of hooks.def: what is attached, in that order. */
static const char *const hooks[] = {
#define HOOK(name, need) #name,
#include "bpf/hooks.def"
#undef HOOK
};

struct kernel {
	struct bridle *skel;			   /* owned */
	struct bpf_link *links[ARRAY_SIZE(hooks)]; /* owned, in the order of hooks */
	struct ring_buffer *ring;		   /* owned */
	kernel_event_fn event_fn;		   /* while kernel_events_read() runs */
	void *event_arg;
};

__attribute__((format(printf, 2, 3))) static void reason_set(char *reason, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(reason, KERNEL_REASON_MAX, format, ap);
	va_end(ap);
}

/*
 * libbpf tells which program failed only through its log callback, which takes no argument: the first line that names
 * a failure is kept here while kernel_load() runs.
 */
static __thread char load_complaint[160];

__attribute__((format(printf, 2, 0))) static int load_log(enum libbpf_print_level level, const char *format, va_list ap)
{
	char line[sizeof(load_complaint)];

	if (level != LIBBPF_WARN || load_complaint[0])
		return 0;
	(void)vsnprintf(line, sizeof(line), format, ap);
	if (!strstr(line, "failed") && !strstr(line, "Error"))
		return 0;
	line[strcspn(line, "\n")] = '\0';
	memcpy(load_complaint, line, sizeof(line));
	return 0;
}

static void load_explain(char *reason, int error)
{
	const char *what = load_complaint[0] ? load_complaint : "libbpf names no program";

	if (access(KERNEL_BTF, R_OK) < 0)
		reason_set(reason,
			   "cannot load the kernel programs: %s is missing: boot a kernel with type information "
			   "(CONFIG_DEBUG_INFO_BTF), Linux 6.1 or newer",
			   KERNEL_BTF);
	else if (error == -EPERM || error == -EACCES)
		reason_set(reason,
			   "cannot load the kernel programs: %s (%s): run as root with CAP_BPF, CAP_NET_ADMIN and "
			   "CAP_PERFMON, in the initial user namespace",
			   strerror(-error), what);
	else
		reason_set(reason, "cannot load the kernel programs: %s (%s): Linux 6.1 or newer is needed",
			   strerror(-error), what);
}

static int event_seen(void *arg, void *data, size_t n)
{
	struct kernel *k = arg;
	struct denial denial;

	if (n < sizeof(denial))
		return 0;
	memcpy(&denial, data, sizeof(denial));
	denial.exe[sizeof(denial.exe) - 1] = '\0';
	k->event_fn(k->event_arg, &denial);
	return 0;
}

static int load_all(struct kernel *k)
{
	libbpf_print_fn_t print_before;
	int r = 0;

	load_complaint[0] = '\0';
	print_before = libbpf_set_print(load_log);
	k->skel = bridle__open_and_load();
	if (!k->skel)
		r = errno ? -errno : -EINVAL;
	(void)libbpf_set_print(print_before);
	if (r < 0)
		return r;
	k->ring = ring_buffer__new(bpf_map__fd(k->skel->maps.events), event_seen, k, NULL);
	return k->ring ? 0 : -errno;
}

int kernel_load(struct kernel **ret, char *reason)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int r;

	if (!k) {
		reason_set(reason, "cannot load the kernel programs: out of memory");
		return -ENOMEM;
	}
	r = load_all(k);
	if (r < 0) {
		load_explain(reason, r);
		kernel_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

/* One program with all maps. */
static bool hook_loads_alone(const char *hook)
{
	struct bridle *skel = bridle__open();
	struct bpf_program *prog;
	bool loads;

	if (!skel)
		return false;
	bpf_object__for_each_program(prog, skel->obj)
	{
		(void)bpf_program__set_autoload(prog, strcmp(bpf_program__name(prog), hook) == 0);
	}
	loads = bridle__load(skel) == 0;
	bridle__destroy(skel);
	return loads;
}

size_t kernel_try(size_t *ret_bad, char *names, size_t size, char *reason)
{
	libbpf_print_fn_t print_before;
	struct kernel *k = NULL;
	size_t bad = 0, used = 0;

	names[0] = '\0';
	*ret_bad = 0;
	if (kernel_load(&k, reason) == 0) {
		kernel_free(k);
		return ARRAY_SIZE(hooks);
	}
	print_before = libbpf_set_print(load_log);
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (hook_loads_alone(hooks[i]))
			continue;
		if (used < size)
			used += (size_t)snprintf(names + used, size - used, "%s%s", bad ? ", " : "", hooks[i]);
		bad++;
	}
	(void)libbpf_set_print(print_before);
	/* each alone, but not all: what they share is refused */
	*ret_bad = bad ? bad : ARRAY_SIZE(hooks);
	return ARRAY_SIZE(hooks);
}

struct kernel *kernel_free(struct kernel *k)
{
	if (!k)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		(void)bpf_link__destroy(k->links[i]); /* a pinned link lives on */
	ring_buffer__free(k->ring);
	bridle__destroy(k->skel);
	free(k);
	return NULL;
}

int kernel_prepare_bpffs(char *reason)
{
	struct statfs fs;
	int r;

	if (statfs(BPFFS, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC)
		return 0;
	if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
		return 0;
	r = -errno;
	reason_set(reason, "cannot mount the BPF file system on %s: %s: run as root, or mount it yourself", BPFFS,
		   strerror(-r));
	return r;
}

static int abi_write(struct kernel *k)
{
	const struct abi_stamp stamp = { .abi = BRIDLE_ABI };
	const uint32_t zero = 0;

	return bpf_map__update_elem(k->skel->maps.abi, &zero, sizeof(zero), &stamp, sizeof(stamp), BPF_ANY);
}

static int pin_maps(struct kernel *k, const char *pin_dir, char *reason)
{
	char path[PINS_PATH_MAX];
	struct bpf_map *map;

	bpf_object__for_each_map(map, k->skel->obj)
	{
		int r = pins_path(path, pin_dir, "maps", bpf_map__name(map));

		if (r == 0 && bpf_obj_pin(bpf_map__fd(map), path) < 0)
			r = -errno;
		if (r < 0) {
			reason_set(reason, "cannot pin map %s below %s: %s", bpf_map__name(map), pin_dir, strerror(-r));
			return r;
		}
	}
	return 0;
}

/* Attaches first and pins then: what is pinned is also attached. */
static int hook_attach(struct kernel *k, size_t i, int cgroup_fd, const char *pin_dir, char *reason)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(k->skel->obj, hooks[i]);
	char path[PINS_PATH_MAX];
	int r;

	if (!prog) {
		reason_set(reason, "program %s is missing from this build: build again", hooks[i]);
		return -ENOENT;
	}
	k->links[i] = bpf_program__attach_cgroup(prog, cgroup_fd);
	if (!k->links[i]) {
		r = -errno;
		reason_set(reason,
			   "cannot attach %s to the cgroup: %s: see `bpftool cgroup tree` for a program there that "
			   "allows no other",
			   hooks[i], strerror(-r));
		return r;
	}
	r = pins_path(path, pin_dir, "links", hooks[i]);
	if (r == 0)
		r = bpf_link__pin(k->links[i], path);
	if (r == 0)
		r = pins_path(path, pin_dir, "progs", hooks[i]);
	if (r == 0 && bpf_obj_pin(bpf_program__fd(prog), path) < 0)
		r = -errno;
	if (r < 0)
		reason_set(reason, "cannot pin %s below %s: %s", hooks[i], pin_dir, strerror(-r));
	return r;
}

int kernel_attach(struct kernel *k, int cgroup_fd, const char *pin_dir, char *reason)
{
	int r = pins_make(pin_dir);

	if (r < 0) {
		reason_set(reason, "cannot make %s: %s%s", pin_dir, strerror(-r),
			   r == -EEXIST ? "; another run has this name: choose another --name, or run `bridle gc`"
					: "");
		return r;
	}
	r = abi_write(k);
	if (r < 0)
		reason_set(reason, "cannot write the number of the ABI: %s", strerror(-r));
	else
		r = pin_maps(k, pin_dir, reason);
	for (size_t i = 0; i < ARRAY_SIZE(hooks) && r == 0; i++)
		r = hook_attach(k, i, cgroup_fd, pin_dir, reason);
	if (r < 0) {
		(void)kernel_detach(k, pin_dir);
		(void)pins_remove(pin_dir);
	}
	return r;
}

static int port_set(struct kernel *k, uint64_t sandbox, uint16_t port, enum port_state state)
{
	const struct port_key key = { .sandbox = sandbox, .port = port };
	const struct port_value value = { .state = state };

	return bpf_map__update_elem(k->skel->maps.ports, &key, sizeof(key), &value, sizeof(value), BPF_ANY);
}

static int ports_set(struct kernel *k, const struct kernel_sandbox *s)
{
	int r = 0;

	if (s->n_ports > BRIDLE_PORTS_MAX || s->n_proxy_ports > BRIDLE_PORTS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < s->n_ports && r == 0; i++)
		r = port_set(k, s->id, s->ports[i], PORT_NAMED);
	for (size_t i = 0; i < s->n_proxy_ports && r == 0; i++)
		r = port_set(k, s->id, s->proxy_ports[i], PORT_PROXY);
	return r;
}

int kernel_activate(struct kernel *k, const struct kernel_sandbox *s)
{
	const struct entry entry = { .sandbox = s->id };
	const struct sandbox_config config = {
		.netns_cookie = s->netns_cookie,
		.cgroup_id = s->cgroup_id,
		.state = SANDBOX_ACTIVE,
		.tcp4_port = s->tcp4_port,
		.tcp6_port = s->tcp6_port,
		.dns4_port = s->dns4_port,
		.dns6_port = s->dns6_port,
		.loopback_only = s->loopback_only,
	};
	int r;

	if (s->id == 0 || s->netns_cookie == 0)
		return -EINVAL;
	r = ports_set(k, s);
	if (r == 0)
		r = bpf_map__update_elem(k->skel->maps.entry, &s->cgroup_id, sizeof(s->cgroup_id), &entry,
					 sizeof(entry), BPF_ANY);
	/* Last: from here on the hooks say yes. */
	if (r == 0)
		r = bpf_map__update_elem(k->skel->maps.sandboxes, &s->id, sizeof(s->id), &config, sizeof(config),
					 BPF_ANY);
	return r;
}

/* A new descriptor of a map, owned by the caller. */
static int map_open(const struct bpf_map *map, uint32_t flags)
{
	LIBBPF_OPTS(bpf_get_fd_by_id_opts, opts, .open_flags = flags);
	struct bpf_map_info info = { 0 };
	uint32_t n = sizeof(info);
	int fd;

	if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &n) < 0)
		return -errno;
	fd = bpf_map_get_fd_by_id_opts(info.id, &opts);
	return fd < 0 ? -errno : fd;
}

int kernel_flows_fd(const struct kernel *k)
{
	return map_open(k->skel->maps.flows, BPF_F_RDONLY);
}

int kernel_denials_fd(const struct kernel *k)
{
	return map_open(k->skel->maps.denials, 0);
}

int kernel_counters_fd(const struct kernel *k)
{
	return map_open(k->skel->maps.counters, 0);
}

int kernel_events_fd(const struct kernel *k)
{
	return ring_buffer__epoll_fd(k->ring);
}

int kernel_events_read(struct kernel *k, kernel_event_fn fn, void *arg)
{
	int r;

	k->event_fn = fn;
	k->event_arg = arg;
	r = ring_buffer__consume(k->ring);
	return r < 0 ? r : 0;
}

uint64_t kernel_events_lost(const struct kernel *k)
{
	const uint32_t index = 0;
	struct sandbox_counters counters = { 0 };

	if (bpf_map__lookup_elem(k->skel->maps.counters, &index, sizeof(index), &counters, sizeof(counters), 0) < 0)
		return 0;
	return counters.events_lost;
}

int kernel_forget_refusals(struct kernel *k, uint32_t n)
{
	const struct sandbox_counters none = { 0 };
	const struct denial empty = { 0 };
	const uint32_t zero = 0;
	int r = 0;

	for (uint32_t sequence = 1; sequence <= n && sequence <= BRIDLE_DENIALS_MAX && r == 0; sequence++) {
		const uint32_t slot = sequence % BRIDLE_DENIALS_MAX;

		r = bpf_map__update_elem(k->skel->maps.denials_kernel, &slot, sizeof(slot), &empty, sizeof(empty), 0);
	}
	if (r == 0)
		r = bpf_map__update_elem(k->skel->maps.counters, &zero, sizeof(zero), &none, sizeof(none), 0);
	return r;
}

/* Collects first and deletes then: a key that is deleted under the walk would start it anew. */
void kernel_sweep_flows(struct kernel *k, uint64_t now_ns)
{
	const uint64_t life_ns = BRIDLE_FLOW_LIFE_S * 1000000000ULL;
	const struct bpf_map *flows = k->skel->maps.flows;
	struct flow_key old[SWEEP_KEYS_MAX], key, *at = NULL;
	struct flow flow;
	size_t n = 0;

	for (size_t seen = 0; seen < BRIDLE_FLOWS_MAX && n < SWEEP_KEYS_MAX; seen++) {
		if (bpf_map__get_next_key(flows, at, &key, sizeof(key)) < 0)
			break;
		if (bpf_map__lookup_elem(flows, &key, sizeof(key), &flow, sizeof(flow), 0) == 0 &&
		    now_ns > flow.started_ns && now_ns - flow.started_ns > life_ns)
			old[n++] = key;
		at = &key;
	}
	for (size_t i = 0; i < n; i++)
		(void)bpf_map__delete_elem(flows, &old[i], sizeof(old[i]), 0);
}

int kernel_remove_pins(const char *pin_dir)
{
	return pins_remove(pin_dir);
}

int kernel_detach(struct kernel *k, const char *pin_dir)
{
	int r = pins_remove_links(pin_dir);

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		(void)bpf_link__destroy(k->links[i]);
		k->links[i] = NULL;
	}
	return r;
}
