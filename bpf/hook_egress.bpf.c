/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_egress: the last line. A packet of the sandbox leaves only through loopback. This is the final device, after
 * source routing, device options and netfilter, so it holds whatever the hooks before it were talked into.
 */
#include "bpf/packet.h"

SEC("cgroup_skb/egress")
int br_egress(struct __sk_buff *skb)
{
	if (skb->ifindex == LOOPBACK_IFINDEX)
		return 1;
	packet_refuse(skb, HOOK_EGRESS, WHY_egress_refused);
	return 0;
}
