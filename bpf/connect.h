/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What br_connect4 and br_connect6 share: where a connection may go. TCP goes to the sandbox's own listeners on
 * loopback directly, and otherwise to our listener, its destination remembered in the stamp; UDP to port 53 goes to our
 * responder. Everything else is refused at once with an errno that makes programs give up or fall back quickly.
 */
#ifndef BRIDLE_BPF_CONNECT_H
#define BRIDLE_BPF_CONNECT_H

#include "bpf/sandbox.h"

#define DNS_PORT 53

/* What the hook does to the address. */
struct turn {
	__u32 why;	/* enum why */
	__u16 port;	/* new port, 0: as it was */
	__u16 loopback; /* 1: the address becomes the loopback address of its family */
};

enum listener { LISTENER_NOBODY = 0, LISTENER_FOREIGN, LISTENER_OWN };

static __always_inline struct bpf_sock *listener_lookup(struct bpf_sock_addr *ctx, const struct destination *to)
{
	struct bpf_sock_tuple tuple = {};

	if (to->family == AF_INET) {
		tuple.ipv4.daddr = to->ip[0] ? to->ip[0] : WORD_BE(0x7f000001);
		tuple.ipv4.dport = port_to_net(to->port);
		return bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	tuple.ipv6.daddr[3] = WORD_BE(1);
	tuple.ipv6.dport = port_to_net(to->port);
	return bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* Whose listener is behind a loopback address: told by the listener's own stamp. */
static __always_inline enum listener listener_classify(struct bpf_sock_addr *ctx, const struct destination *to,
						       __u64 sandbox)
{
	struct bpf_sock *sk = listener_lookup(ctx, to);
	enum listener listener = LISTENER_FOREIGN;
	const struct stamp *stamp;

	if (!sk)
		return LISTENER_NOBODY;
	stamp = bpf_sk_storage_get(&stamps, sk, 0, 0);
	if (stamp && stamp->sandbox == sandbox && sk->state == BPF_TCP_LISTEN)
		listener = LISTENER_OWN;
	bpf_sk_release(sk);
	return listener;
}

static __always_inline enum port_state port_find(__u64 sandbox, __u16 port)
{
	struct port_key key = { .sandbox = sandbox, .port = port };
	const struct port_value *value;

	if (port == DNS_PORT)
		return PORT_PROXY; /* DNS over TCP, whatever resolver was asked */
	value = bpf_map_lookup_elem(&ports, &key);
	return value ? value->state : PORT_REFUSED;
}

static __always_inline void stamp_set_destination(struct stamp *stamp, const struct destination *to)
{
	__builtin_memcpy(stamp->flow.address, to->ip, sizeof(stamp->flow.address));
	stamp->flow.port = to->port;
	stamp->flow.family = to->family;
	stamp->mapped = to->mapped;
}

/*
 * A place in `flows`, under a key that no connection has, until br_sockops knows the source port: only connect() can
 * still fail. A reservation whose connect failed later is overwritten by the next or swept.
 */
static __always_inline void flow_key_reserve(struct flow_key *key, const struct stamp *stamp)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->netns_cookie = stamp->netns_cookie;
	__builtin_memcpy(key->address, &stamp->flow.socket_cookie, sizeof(stamp->flow.socket_cookie));
}

static __always_inline enum why flow_reserve(struct bpf_sock_addr *ctx, struct stamp *stamp,
					     const struct destination *to)
{
	struct flow_key key;

	stamp_set_destination(stamp, to);
	flow_set_task(&stamp->flow);
	stamp->flow.socket_cookie = bpf_get_socket_cookie(ctx);
	stamp->flow.started_ns = bpf_ktime_get_boot_ns();
	flow_key_reserve(&key, stamp);
	if (bpf_map_update_elem(&flows, &key, &stamp->flow, BPF_ANY))
		return WHY_flow_map_full; /* refuse: the worker could not learn the destination */
	stamp->state = STAMP_RESERVED;
	return WHY_allowed;
}

/*
 * An IPv6 socket bound to another address than ::1. When it is gone, the kernel answers late packets from ::1 for it
 * (TIME-WAIT, resets) through the device of that address, because rt6_need_strict() holds for ::1; such packets belong
 * to no socket and no cgroup, so br_egress does not see them. And IPv6 lets a socket send from an address that is
 * nobody's here (IPV6_FREEBIND, net.ipv6.ip_nonlocal_bind): our responder's answer, which repeats the name that was
 * asked, would go there. IPv4 routes the first through loopback and refuses the second.
 */
static __always_inline int source_could_leak(const struct bpf_sock_addr *ctx, const struct sandbox_config *config,
					     const struct destination *to)
{
	const struct bpf_sock *sk = ctx->sk;

	if (to->family != AF_INET6 || config->loopback_only)
		return 0;
	return !sk || !source6_is_loopback(sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]);
}

static __always_inline void connect_tcp(struct bpf_sock_addr *ctx, struct stamp *stamp,
					const struct sandbox_config *config, const struct destination *to,
					struct turn *turn)
{
	enum port_state port = port_find(stamp->sandbox, to->port);

	stamp->state = STAMP_DIRECT;
	turn->loopback = 1;
	if (source_could_leak(ctx, config, to)) {
		turn->why = WHY_source_refused;
		return;
	}
	if (destination_is_loopback(to)) {
		enum listener listener;

		if (config_owns_port(config, to->port)) {
			turn->why = WHY_own_port; /* refuse: a connection without a destination of its own */
			return;
		}
		listener = listener_classify(ctx, to, stamp->sandbox);
		if (listener == LISTENER_OWN) {
			turn->loopback = to->ip[0] == 0 && to->ip[3] == 0; /* 0.0.0.0 could mean the bound address */
			turn->why = WHY_allowed;
			return;
		}
		if (port != PORT_PROXY) {
			turn->why = listener == LISTENER_FOREIGN ? WHY_loopback_foreign : WHY_loopback_nobody;
			return;
		}
	}
	if (port != PORT_NAMED && port != PORT_PROXY) {
		turn->why = WHY_port_not_named; /* refuse: also a state that this version does not know */
		return;
	}
	turn->port = config_tcp_port(config, to->family);
	if (!turn->port) {
		turn->why = WHY_address_family; /* refuse: no listener of ours for this family */
		return;
	}
	turn->why = flow_reserve(ctx, stamp, to);
}

static __always_inline void connect_udp(struct bpf_sock_addr *ctx, struct stamp *stamp,
					const struct sandbox_config *config, const struct destination *to,
					struct turn *turn)
{
	turn->loopback = 1;
	turn->port = config_dns_port(config, to->family);
	if (to->port != DNS_PORT || !turn->port) {
		turn->why = WHY_datagram_refused; /* refuse: QUIC too; and glibc's address sort, which uses port 0 */
		return;
	}
	if (source_could_leak(ctx, config, to)) {
		turn->why = WHY_source_refused;
		return;
	}
	stamp_set_destination(stamp, to);
	stamp->state = STAMP_DNS_CONNECTED;
	turn->why = WHY_allowed;
}

static __always_inline void connect_refuse(struct bpf_sock_addr *ctx, const struct stamp *stamp,
					   const struct destination *to, enum why why, enum hook hook)
{
	struct denial denial = {};

	denial_set_task(&denial);
	if (stamp) {
		denial.sandbox = stamp->sandbox;
		denial.cgroup_id = stamp->flow.cgroup_id;
	}
	denial_set_destination(&denial, to);
	denial.socket_cookie = bpf_get_socket_cookie(ctx);
	denial.type = ctx->type;
	denial.protocol = ctx->protocol;
	denial.hook = hook;
	denial.why = why;
	denial_emit(&denial);
}

/* Decides, and for a refusal reports and sets the errno. True: go on with *ret_turn. */
static __always_inline int connect_decide(struct bpf_sock_addr *ctx, const struct destination *to,
					  struct turn *ret_turn)
{
	struct stamp *stamp = ctx->sk ? bpf_sk_storage_get(&stamps, ctx->sk, 0, 0) : 0;
	struct sandbox_config *config = 0;

	ret_turn->why = sandbox_find(stamp, bpf_get_netns_cookie(ctx), &config);
	if (ret_turn->why == WHY_allowed && stamp && config) {
		if (ctx->protocol == IPPROTO_TCP)
			connect_tcp(ctx, stamp, config, to, ret_turn);
		else if (ctx->protocol == IPPROTO_UDP)
			connect_udp(ctx, stamp, config, to, ret_turn);
		else
			ret_turn->why = WHY_socket_protocol; /* refuse: should not have been created */
	}
	if (ret_turn->why == WHY_allowed)
		return 1;
	connect_refuse(ctx, stamp, to, ret_turn->why, HOOK_CONNECT);
	bpf_set_retval(-ECONNREFUSED);
	return 0;
}

#endif
