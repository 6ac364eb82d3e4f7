/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_sockops: publishes in `flows` what a connection that was turned round had asked for, under the address and port by
 * which the worker sees it. TCP_CONNECT_CB comes after the source port is chosen and before the SYN leaves, also with
 * TCP fast open. Takes the flow back when the socket closes. Cannot refuse: a flow that could not be published is one
 * that the worker does not find, and refuses.
 */
#include "bpf/connect.h"

/* Each word by itself: the compiler would join two loads into one from a computed place, which the verifier refuses. */
#define CTX_READ(field) (*(const volatile __u32 *)&(field))

static __always_inline void flow_key_set(struct flow_key *key, struct bpf_sock_ops *ctx, const struct stamp *stamp)
{
	const __u32 ip4 = CTX_READ(ctx->local_ip4);
	__u32 ip[4];

	ip[0] = CTX_READ(ctx->local_ip6[0]);
	ip[1] = CTX_READ(ctx->local_ip6[1]);
	ip[2] = CTX_READ(ctx->local_ip6[2]);
	ip[3] = CTX_READ(ctx->local_ip6[3]);
	__builtin_memset(key, 0, sizeof(*key));
	key->netns_cookie = stamp->netns_cookie;
	key->port = (__u16)ctx->local_port;
	key->family = AF_INET6;
	if (ctx->family == AF_INET || stamp->mapped) {
		key->family = AF_INET; /* a v4-mapped connection arrives at the IPv4 listener */
		ip[0] = ip4;
		ip[1] = ip[2] = ip[3] = 0;
	}
	__builtin_memcpy(key->address, ip, sizeof(key->address));
}

static __always_inline void flow_report_lost(const struct stamp *stamp)
{
	struct denial denial = {};

	denial_set_stamp(&denial, stamp);
	denial.socket_cookie = stamp->flow.socket_cookie;
	__builtin_memcpy(denial.address, stamp->flow.address, sizeof(denial.address));
	denial.port = stamp->flow.port;
	denial.family = stamp->flow.family;
	denial.type = SOCK_STREAM;
	denial.protocol = IPPROTO_TCP;
	denial.hook = HOOK_SOCKOPS;
	denial.why = WHY_flow_map_full;
	denial_emit(&denial);
}

static __always_inline void flow_publish(struct bpf_sock_ops *ctx, struct stamp *stamp)
{
	struct flow_key key;

	if (stamp->state != STAMP_RESERVED)
		return; /* a direct connection to the sandbox's own listener */
	flow_key_reserve(&key, stamp);
	(void)bpf_map_delete_elem(&flows, &key);
	flow_key_set(&key, ctx, stamp);
	stamp->flow.started_ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&flows, &key, &stamp->flow, BPF_ANY)) {
		(void)bpf_map_delete_elem(&flows, &key); /* an older connection's flow must not pass for this one's */
		flow_report_lost(stamp);
		return;
	}
	stamp->state = STAMP_PUBLISHED;
	(void)counter_add(connections);
	(void)bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* Only what this very socket published: the port may serve another connection by now. */
static __always_inline void flow_take_back(struct bpf_sock_ops *ctx, struct stamp *stamp)
{
	const struct flow *flow;
	struct flow_key key;

	if (stamp->state != STAMP_PUBLISHED)
		return;
	flow_key_set(&key, ctx, stamp);
	flow = bpf_map_lookup_elem(&flows, &key);
	if (flow && flow->socket_cookie == stamp->flow.socket_cookie)
		(void)bpf_map_delete_elem(&flows, &key);
	stamp->state = STAMP_DIRECT;
}

SEC("sockops")
int br_sockops(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct stamp *stamp;
	__u32 op = ctx->op;

	if (!sk || (op != BPF_SOCK_OPS_TCP_CONNECT_CB && op != BPF_SOCK_OPS_STATE_CB))
		return 1;
	stamp = bpf_sk_storage_get(&stamps, sk, 0, 0);
	if (!stamp)
		return 1;
	if (op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		flow_publish(ctx, stamp);
	else if (ctx->args[1] == BPF_TCP_CLOSE)
		flow_take_back(ctx, stamp);
	return 1;
}
