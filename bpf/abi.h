/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What the kernel programs and user space share: map keys and values. Included by bpf/, user/supervisor/ and
 * user/worker/original_dst.c, kernel_events.c, counters.c only. Named structs without holes, ports in host order, addresses in network
 * order, times of CLOCK_BOOTTIME in ns; a zeroed value means refuse. Layout is checked by _Static_assert; a change
 * makes BRIDLE_ABI grow and pins of another number are not touched.
 */
#ifndef BRIDLE_BPF_ABI_H
#define BRIDLE_BPF_ABI_H

#ifndef __BPF__
#include <linux/types.h>
#endif

#include "base/why.h"

#define BRIDLE_ABI	   2
#define BRIDLE_EXE_MAX	   32
#define BRIDLE_PORTS_MAX   128 /* rows of a sandbox's port map */
#define BRIDLE_DENIALS_MAX 256 /* rows of a sandbox's denials ring */

enum sandbox_state { SANDBOX_UNSET = 0, SANDBOX_ACTIVE = 1, SANDBOX_CLOSED = 2 };

/* Hook that spoke: for events and denials. */
enum hook {
	HOOK_UNKNOWN = 0,
	HOOK_SOCK_CREATE,
	HOOK_CONNECT,
	HOOK_SENDMSG,
	HOOK_BIND,
	HOOK_SETSOCKOPT,
	HOOK_EGRESS,
	HOOK_INGRESS,
	HOOK_SOCKOPS,
	HOOK_WORKER, /* refused in user space */
};

/* Key of `flows`: how a worker sees a connection's far end. */
struct flow_key {
	__u64 netns_cookie;
	__u8 address[16]; /* local address of the program's socket; IPv4 in the first 4, rest zero */
	__u16 port;	  /* its local port, host order */
	__u16 family;	  /* AF_INET or AF_INET6, as the worker's accept() reports it */
	__u32 reserved;	  /* 0 */
};

/* Value of `flows`: what the program asked for. */
struct flow {
	__u64 sandbox; /* id */
	__u64 socket_cookie;
	__u64 cgroup_id;
	__u64 started_ns;
	__u8 address[16]; /* original destination; IPv4 in the first 4, v4-mapped is stored as IPv4 */
	__u16 port;	  /* host order */
	__u16 family;	  /* of address */
	__u32 pid;	  /* thread group id in the initial PID namespace */
	__u32 uid;
	__u32 reserved;
	char exe[BRIDLE_EXE_MAX]; /* last component of the executable's path, NUL-terminated, cut */
};

/* One refusal; ring buffer record and row of `denials` (array of BRIDLE_DENIALS_MAX, slot = sequence % size). */
struct denial {
	__u64 sequence; /* from 1 in each writer; 0: empty row */
	__u64 time_ns;	/* CLOCK_BOOTTIME */
	__u64 time_tai_ns;
	__u64 sandbox;
	__u64 socket_cookie;
	__u64 cgroup_id;
	__u8 address[16]; /* destination, as in struct flow */
	__u16 port;
	__u16 family;	/* of the address; for HOOK_SOCK_CREATE the socket's */
	__u16 type;	/* SOCK_* */
	__u16 protocol; /* IPPROTO_*, or the option for HOOK_SETSOCKOPT (level << 8 | name) */
	__u32 pid;
	__u32 uid;
	enum hook hook;
	enum why why;
	char exe[BRIDLE_EXE_MAX];
};

/* Value of `entry`, one for each cgroup the programs are attached to: which sandbox a new socket belongs to. */
struct entry {
	__u64 sandbox; /* id; 0: none, refuse */
};

/* Value of `sandboxes`, key: sandbox id. */
struct sandbox_config {
	__u64 netns_cookie;
	__u64 cgroup_id;
	enum sandbox_state state;
	__u16 tcp4_port; /* our listeners on 127.0.0.1 and ::1; 0: the family is refused */
	__u16 tcp6_port;
	__u16 dns4_port; /* our responders, UDP */
	__u16 dns6_port;
	__u32 loopback_only; /* 1: the namespace has no other device */
};

/* Key and value of `ports`: the TCP ports that a sandbox's policy names. */
struct port_key {
	__u64 sandbox;
	__u16 port;
	__u16 reserved;
	__u32 reserved2;
};

enum port_state {
	PORT_REFUSED = 0,
	PORT_NAMED = 1, /* goes to the worker, on loopback only to the sandbox's own listeners */
	PORT_PROXY = 2, /* goes to the worker, on loopback too when the sandbox itself does not listen there */
};

struct port_value {
	enum port_state state;
	__u32 reserved;
};

/* Value of `abi`. */
struct abi_stamp {
	__u32 abi; /* BRIDLE_ABI of the programs that use these maps */
	__u32 reserved;
};

#define BRIDLE_FLOWS_MAX   65536 /* rows of `flows`; full: connect() fails with ECONNREFUSED */
#define BRIDLE_FLOW_LIFE_S 60	 /* a worker takes its flow by then, or refuses the connection */

/* The only value of `counters` (an array of one, mapped), with names so that bpftool shows them. */
struct sandbox_counters {
	__u64 connections; /* redirected to the worker */
	__u64 refusals_kernel;
	__u64 events_lost;
	__u64 exchanges; /* from here on the worker's */
	__u64 refusals_worker;
	__u64 bytes_in; /* of bodies, from the program */
	__u64 bytes_out;
};

_Static_assert(sizeof(struct flow_key) == 32, "flow_key has holes");
_Static_assert(sizeof(struct flow) == 96, "flow has holes");
_Static_assert(sizeof(struct denial) == 120, "denial has holes");
_Static_assert(sizeof(struct sandbox_counters) == 56, "sandbox_counters has holes");
_Static_assert(sizeof(struct sandbox_config) == 32, "sandbox_config has holes");
_Static_assert(sizeof(struct port_key) == 16, "port_key has holes");
_Static_assert(sizeof(struct port_value) == 8, "port_value has holes");

#endif
