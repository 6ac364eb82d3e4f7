/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_sendmsg6: a datagram that names an IPv6 destination. DNS goes to our responder; everything else is refused. The
 * kernel hands v4-mapped destinations to br_sendmsg4 before this hook; one that came here all the same is refused.
 */
#include "bpf/datagram.h"

SEC("cgroup/sendmsg6")
int br_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct destination to = {};
	struct turn turn = {};
	int foreign_source;
	__u32 ip[4];

	ip[0] = ctx->user_ip6[0];
	ip[1] = ctx->user_ip6[1];
	ip[2] = ctx->user_ip6[2];
	ip[3] = ctx->user_ip6[3];
	if (ctx->user_family == AF_INET6)
		destination_set6(&to, ip, ctx->user_port);
	if (to.family != AF_INET6)
		to.port = 0;
	/* the socket's own, or what this one datagram's control data names */
	foreign_source = !source6_is_loopback(ctx->msg_src_ip6[0], ctx->msg_src_ip6[1], ctx->msg_src_ip6[2],
					      ctx->msg_src_ip6[3]);
	if (!datagram_decide(ctx, &to, foreign_source, &turn))
		return 0;
	if (turn.loopback) {
		ctx->user_ip6[0] = 0;
		ctx->user_ip6[1] = 0;
		ctx->user_ip6[2] = 0;
		ctx->user_ip6[3] = WORD_BE(1);
	}
	if (turn.port)
		ctx->user_port = port_to_net(turn.port);
	return 1;
}
