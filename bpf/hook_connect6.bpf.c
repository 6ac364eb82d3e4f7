/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_connect6: connect() of TCP and UDP to an IPv6 address. A v4-mapped destination stays one (::ffff:127.0.0.1), so
 * that a socket bound to a v4-mapped address works; a V6ONLY socket gets its error from the kernel as without us.
 */
#include "bpf/connect.h"

SEC("cgroup/connect6")
int br_connect6(struct bpf_sock_addr *ctx)
{
	struct destination to = {};
	struct turn turn = {};
	__u32 ip[4];

	ip[0] = ctx->user_ip6[0];
	ip[1] = ctx->user_ip6[1];
	ip[2] = ctx->user_ip6[2];
	ip[3] = ctx->user_ip6[3];
	destination_set6(&to, ip, ctx->user_port);
	if (!connect_decide(ctx, &to, &turn))
		return 0;
	if (turn.loopback) {
		ctx->user_ip6[0] = 0;
		ctx->user_ip6[1] = 0;
		ctx->user_ip6[2] = to.mapped ? WORD_BE(0xffff) : 0;
		ctx->user_ip6[3] = to.mapped ? WORD_BE(0x7f000001) : WORD_BE(1);
	}
	if (turn.port)
		ctx->user_port = port_to_net(turn.port);
	return 1;
}
