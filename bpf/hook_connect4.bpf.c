/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_connect4: connect() of TCP and UDP to an IPv4 address, MSG_FASTOPEN and io_uring included. Turns the connection to
 * our listener or refuses; decided in bpf/connect.h.
 */
#include "bpf/connect.h"

SEC("cgroup/connect4")
int br_connect4(struct bpf_sock_addr *ctx)
{
	struct destination to = {};
	struct turn turn = {};

	destination_set4(&to, ctx->user_ip4, ctx->user_port);
	if (!connect_decide(ctx, &to, &turn))
		return 0;
	if (turn.loopback)
		ctx->user_ip4 = WORD_BE(0x7f000001);
	if (turn.port)
		ctx->user_port = port_to_net(turn.port);
	return 1;
}
