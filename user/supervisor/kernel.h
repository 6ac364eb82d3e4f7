/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel side of one sandbox: loads the programs of bpf/, pins them, attaches them to the sandbox's cgroup and
 * fills their maps. The only file that includes the skeleton. Everything refuses until kernel_activate().
 */
#ifndef BRIDLE_SUPERVISOR_KERNEL_H
#define BRIDLE_SUPERVISOR_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct denial;
struct kernel;

#define KERNEL_REASON_MAX 512

/*
 * Loads everything. On failure -errno and a sentence in reason (KERNEL_REASON_MAX bytes): what (which program),
 * where, why (no BTF, permission, verifier) and the next step. Raises nothing, changes no limit.
 */
int kernel_load(struct kernel **ret, char *reason);

/*
 * For `bridle doctor`: loads everything once and lets go of it; nothing is attached. How many programs there are; *ret_bad
 * says how many of them this kernel does not take even alone, and names (size bytes, cut) lists those. reason as above.
 */
size_t kernel_try(size_t *ret_bad, char *names, size_t size, char *reason);

/* Detaches nothing that is pinned. NULL is fine; returns NULL. */
struct kernel *kernel_free(struct kernel *k);

/* Mounts bpffs on /sys/fs/bpf when nothing is mounted there. 0 or -errno and reason. */
int kernel_prepare_bpffs(char *reason);

/*
 * Attaches every program to the cgroup (links) and pins links, programs and maps below pin_dir
 * (/sys/fs/bpf/bridle/v1/run/NAME, made 0700), with a file-like map that holds BRIDLE_ABI. All or nothing:
 * on failure what was pinned is removed. -EEXIST when pin_dir is there.
 */
int kernel_attach(struct kernel *k, int cgroup_fd, const char *pin_dir, char *reason);

struct kernel_sandbox {
	uint64_t id;		       /* not 0 */
	uint64_t cgroup_id;	       /* inode of the cgroup */
	uint64_t netns_cookie;	       /* SO_NETNS_COOKIE of a socket in its namespace */
	uint16_t tcp4_port, tcp6_port; /* our listeners on 127.0.0.1 and ::1 in that namespace; 0: family refused */
	uint16_t dns4_port, dns6_port;
	const uint16_t *ports; /* TCP ports that policy names, 80, 443 and the proxy ports among them */
	size_t n_ports;
	const uint16_t *proxy_ports; /* of those, the ones that are redirected even on loopback */
	size_t n_proxy_ports;
	/*
	 * The namespace has no device but loopback. If it has, IPv6 from a chosen source address is refused: our answers
	 * would leave for that address, and late resets of the kernel, which belong to no socket, through its device.
	 */
	bool loopback_only;
};

/* From here on connections are turned round. 0 or -errno. */
int kernel_activate(struct kernel *k, const struct kernel_sandbox *sandbox);

/* Descriptors for a worker, owned by the caller. */
int kernel_flows_fd(const struct kernel *k);	/* opened BPF_F_RDONLY */
int kernel_denials_fd(const struct kernel *k);	/* the worker's own array of struct denial */
int kernel_counters_fd(const struct kernel *k); /* the sandbox's struct sandbox_counters, to be mapped */

/* The ring of refusals: an epoll descriptor (borrowed) and a drain that calls fn for each. */
typedef void (*kernel_event_fn)(void *arg, const struct denial *denial);
int kernel_events_fd(const struct kernel *k);
int kernel_events_read(struct kernel *k, kernel_event_fn fn, void *arg);
/* Events that found the ring full, so far. */
uint64_t kernel_events_lost(const struct kernel *k);

/* Empties the first n rows of `denials_kernel`, zeroes the counters. Only while nothing runs in the sandbox. 0 or -errno. */
int kernel_forget_refusals(struct kernel *k, uint32_t n);

/* Deletes flows older than 60 s whose connection never came, see bpf/abi.h. Called now and then; now by CLOCK_BOOTTIME. */
void kernel_sweep_flows(struct kernel *k, uint64_t now_ns);

/* Detaches and removes the pins below pin_dir; works for another process's leftovers too. 0 or -errno. */
int kernel_remove_pins(const char *pin_dir);

/* Tests only: takes the programs off the cgroup, links and pins, while everything else lives. */
int kernel_detach(struct kernel *k, const char *pin_dir);

#endif
