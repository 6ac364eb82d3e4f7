/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_sendmsg4: a datagram that names an IPv4 destination, also on an IPv6 socket. DNS goes to our responder; everything
 * else is refused.
 */
#include "bpf/datagram.h"

SEC("cgroup/sendmsg4")
int br_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct destination to = {};
	struct turn turn = {};

	/* refuse by port 0: a connected socket that sends IP options as control data comes here without an address */
	if (ctx->user_family == AF_INET)
		destination_set4(&to, ctx->user_ip4, ctx->user_port);
	if (!datagram_decide(ctx, &to, /* foreign_source= */ 0, &turn))
		return 0;
	if (turn.loopback)
		ctx->user_ip4 = WORD_BE(0x7f000001);
	if (turn.port)
		ctx->user_port = port_to_net(turn.port);
	return 1;
}
