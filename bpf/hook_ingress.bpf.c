/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * br_ingress: only what policy publishes comes in, and it publishes nothing yet: packets arrive through loopback only.
 */
#include "bpf/packet.h"

SEC("cgroup_skb/ingress")
int br_ingress(struct __sk_buff *skb)
{
	if (skb->ifindex == LOOPBACK_IFINDEX)
		return 1;
	packet_refuse(skb, HOOK_INGRESS, WHY_ingress_refused);
	return 0;
}
