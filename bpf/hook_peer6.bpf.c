/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_peer6: getpeername() shows the peer that the program asked for, also as ::ffff:a.b.c.d.
 * Cannot refuse and never does: the address that it replaces is ours, see bpf/datagram.h.
 */
#include "bpf/datagram.h"

SEC("cgroup/getpeername6")
int br_peer6(struct bpf_sock_addr *ctx)
{
	address_restore6(ctx);
	return 1;
}
