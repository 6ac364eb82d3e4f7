/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_sock_create: a new INET or INET6 socket. Decides what may exist at all, TCP and UDP, and stamps it with the
 * sandbox of the cgroup that the program is attached to (the cgroup storage of that cgroup, also when a child cgroup's
 * task creates the socket). Refuses all other protocols: no connect or sendmsg hook sees SCTP, UDP-Lite, raw, ping or
 * L2TP/IP, and MPTCP opens connections of its own. Families beyond INET do not come here (br_g_*, or seccomp).
 */
#include "bpf/sandbox.h"

static __always_inline int protocol_is_supported(const struct bpf_sock *ctx)
{
	if (ctx->family != AF_INET && ctx->family != AF_INET6)
		return 0;
	return (ctx->type == SOCK_STREAM && ctx->protocol == IPPROTO_TCP) ||
	       (ctx->type == SOCK_DGRAM && ctx->protocol == IPPROTO_UDP);
}

static __always_inline enum why socket_stamp(struct bpf_sock *ctx, __u64 sandbox, __u64 netns_cookie)
{
	struct stamp *stamp = bpf_sk_storage_get(&stamps, ctx, 0, BPF_SK_STORAGE_GET_F_CREATE);

	if (!stamp)
		return WHY_no_stamp; /* refuse: no memory; an unstamped socket could do nothing anyway */
	stamp->sandbox = sandbox;
	stamp->netns_cookie = netns_cookie;
	stamp->flow.sandbox = sandbox;
	stamp->flow.cgroup_id = bpf_get_current_cgroup_id();
	flow_set_task(&stamp->flow);
	return WHY_allowed;
}

static __always_inline enum why sock_create_decide(struct bpf_sock *ctx, __u64 *ret_sandbox)
{
	struct entry *entry_here = bpf_get_local_storage(&entry, 0);
	struct stamp probe = {};
	struct sandbox_config *config = 0;
	__u64 netns_cookie = bpf_get_netns_cookie(ctx);
	enum why why;

	if (!protocol_is_supported(ctx))
		return WHY_socket_protocol; /* refuse: before anything else, so that the answer is always the same */
	probe.sandbox = *ret_sandbox = entry_here->sandbox;
	probe.netns_cookie = netns_cookie;
	why = sandbox_find(&probe, netns_cookie, &config);
	if (why != WHY_allowed)
		return why;
	return socket_stamp(ctx, probe.sandbox, netns_cookie);
}

SEC("cgroup/sock_create")
int br_sock_create(struct bpf_sock *ctx)
{
	struct denial denial = {};
	enum why why = sock_create_decide(ctx, &denial.sandbox);

	if (why == WHY_allowed)
		return 1;
	denial.hook = HOOK_SOCK_CREATE;
	denial.why = why;
	denial.family = ctx->family;
	denial.type = ctx->type;
	denial.protocol = ctx->protocol;
	denial_set_task(&denial);
	denial_emit(&denial);
	bpf_set_retval(why == WHY_socket_protocol ? -EPROTONOSUPPORT : -EPERM);
	return 0;
}
