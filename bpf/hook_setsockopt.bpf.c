/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_setsockopt: refuses the options of bpf/sockopts.def, on sockets of every family, stamped or not; decides by level
 * and name alone, never by a value that the program could change meanwhile. Everything else passes.
 */
#include "bpf/sandbox.h"

#define OPTLEN_SEEN_MAX 4096 /* the kernel copies at most a page for us */

static __always_inline int sockopt_is_refused(__s32 level, __s32 name)
{
	if (level < 0 || level > 255 || name < 0 || name > 255)
		return 0; /* SOL_NETLINK, SOL_PACKET and beyond: not INET's */
	switch (level << 8 | name) {
#define SOCKOPT(level, number, name) case (level) << 8 | (number):
#include "bpf/sockopts.def"
#undef SOCKOPT
		return 1;
	default:
		return 0;
	}
}

static __always_inline void setsockopt_refuse(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct denial denial = {};
	const struct stamp *stamp;

	denial_set_task(&denial);
	if (sk) {
		stamp = bpf_sk_storage_get(&stamps, sk, 0, 0);
		if (stamp)
			denial.sandbox = stamp->sandbox;
		denial.family = sk->family;
		denial.type = sk->type;
	}
	denial.protocol = ctx->level << 8 | ctx->optname;
	denial.hook = HOOK_SETSOCKOPT;
	denial.why = WHY_sockopt_refused;
	denial_emit(&denial);
}

SEC("cgroup/setsockopt")
int br_setsockopt(struct bpf_sockopt *ctx)
{
	if (sockopt_is_refused(ctx->level, ctx->optname)) {
		setsockopt_refuse(ctx);
		return 0;
	}
	/* A value longer than the copy that programs get: the kernel takes the caller's own, or the call would fail. */
	if (ctx->optlen > OPTLEN_SEEN_MAX)
		ctx->optlen = 0;
	return 1;
}
