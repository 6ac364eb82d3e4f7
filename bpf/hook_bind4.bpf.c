/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* br_bind4: bind() to an IPv4 address; our ports are refused, see bpf/bind.h. */
#include "bpf/bind.h"

SEC("cgroup/bind4")
int br_bind4(struct bpf_sock_addr *ctx)
{
	struct destination at = {};

	destination_set4(&at, ctx->user_ip4, ctx->user_port);
	return bind_decide(ctx, &at);
}
