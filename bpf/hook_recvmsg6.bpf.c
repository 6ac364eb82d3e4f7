/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_recvmsg6: as br_recvmsg4, for IPv6 sockets, those with IPv4 peers (::ffff:a.b.c.d) included.
 * Cannot refuse and never does: the address that it replaces is ours, see bpf/datagram.h.
 */
#include "bpf/datagram.h"

SEC("cgroup/recvmsg6")
int br_recvmsg6(struct bpf_sock_addr *ctx)
{
	address_restore6(ctx);
	return 1;
}
