/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* br_bind6: bind() to an IPv6 address; our ports are refused, see bpf/bind.h. */
#include "bpf/bind.h"

SEC("cgroup/bind6")
int br_bind6(struct bpf_sock_addr *ctx)
{
	struct destination at = {};
	__u32 ip[4];

	ip[0] = ctx->user_ip6[0];
	ip[1] = ctx->user_ip6[1];
	ip[2] = ctx->user_ip6[2];
	ip[3] = ctx->user_ip6[3];
	destination_set6(&at, ip, ctx->user_port);
	return bind_decide(ctx, &at);
}
