/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The maps that the hooks share, declared; bpf/maps.bpf.c defines them. Values that user space reads too are in
 * bpf/abi.h. All are private to one load (one sandbox, or the daemon); a missing or zeroed entry means refuse.
 *
 * What bpf_map_*_elem() returns is compared with zero, never with `<`: before Linux 6.4 the helper's int comes back not
 * sign-extended, and a failure is a large positive number.
 */
#ifndef BRIDLE_BPF_MAPS_H
#define BRIDLE_BPF_MAPS_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

#define BRIDLE_SANDBOXES_MAX 4096
#define BRIDLE_RING_BYTES    (256 * 1024)

/*
 * What a socket carries from birth to end (sk_storage, cloned to accepted sockets). br_sock_create makes it, so a
 * socket from outside the sandbox has none and is refused by every hook. The rest is written by connect and sendmsg.
 */
struct stamp {
	__u64 sandbox;
	__u64 netns_cookie;
	struct flow flow; /* as it will be published; address and port: what the program asked for */
	__u32 state;	  /* enum stamp_state */
	__u32 mapped;	  /* 1: an IPv6 socket that talks to an IPv4 destination */
};

enum stamp_state {
	STAMP_DIRECT = 0,   /* never turned round, or to a listener of the same sandbox */
	STAMP_RESERVED = 1, /* TCP, turned round, place in `flows` reserved, no SYN yet */
	STAMP_PUBLISHED = 2,
	STAMP_DNS = 3,		 /* datagrams went to our responder, one by one */
	STAMP_DNS_CONNECTED = 4, /* datagram socket connected to our responder */
};

struct stamps_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct stamp);
};

struct entry_map {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct entry);
};

struct sandboxes_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BRIDLE_SANDBOXES_MAX);
	__type(key, __u64);
	__type(value, struct sandbox_config);
};

struct ports_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BRIDLE_SANDBOXES_MAX *BRIDLE_PORTS_MAX);
	__type(key, struct port_key);
	__type(value, struct port_value);
};

/* HASH and not LRU: that it is full must be seen, not turn into somebody's missing flow. */
struct flows_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BRIDLE_FLOWS_MAX);
	__type(key, struct flow_key);
	__type(value, struct flow);
};

struct denials_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BRIDLE_DENIALS_MAX);
	__type(key, __u32);
	__type(value, struct denial);
};

struct counters_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sandbox_counters);
};

struct events_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, BRIDLE_RING_BYTES);
};

struct abi_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct abi_stamp);
};

extern struct stamps_map stamps SEC(".maps");
extern struct entry_map entry SEC(".maps");
extern struct sandboxes_map sandboxes SEC(".maps");
extern struct ports_map ports SEC(".maps");
extern struct flows_map flows SEC(".maps");
extern struct denials_map denials SEC(".maps");	       /* written by the worker only */
extern struct denials_map denials_kernel SEC(".maps"); /* the last refusals of the hooks */
extern struct counters_map counters SEC(".maps");
extern struct events_map events SEC(".maps");
extern struct abi_map abi SEC(".maps");

#endif
