/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_recvmsg4: an answer of our responder is shown as coming from the resolver that was asked.
 * Cannot refuse and never does: the address that it replaces is ours, see bpf/datagram.h.
 */
#include "bpf/datagram.h"

SEC("cgroup/recvmsg4")
int br_recvmsg4(struct bpf_sock_addr *ctx)
{
	address_restore4(ctx);
	return 1;
}
