/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_peer4: getpeername() shows the peer that the program asked for.
 * Cannot refuse and never does: the address that it replaces is ours, see bpf/datagram.h.
 */
#include "bpf/datagram.h"

SEC("cgroup/getpeername4")
int br_peer4(struct bpf_sock_addr *ctx)
{
	address_restore4(ctx);
	return 1;
}
