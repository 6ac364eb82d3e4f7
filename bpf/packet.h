/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What br_egress and br_ingress share: reporting a packet that was refused. The packet is read only for the report;
 * the verdict is the interface's number and fell before.
 */
#ifndef BRIDLE_BPF_PACKET_H
#define BRIDLE_BPF_PACKET_H

#include "bpf/sandbox.h"

#define LOOPBACK_IFINDEX  1 /* of every network namespace, include/net/flow.h */
#define ETH_P_IP	  0x0800
#define ETH_P_IPV6	  0x86dd
#define IPV6_HEADER_BYTES 40

static __always_inline void packet_read(struct __sk_buff *skb, struct denial *denial)
{
	__u8 head[IPV6_HEADER_BYTES] = {};
	__u32 at = IPV6_HEADER_BYTES;
	__u16 port_be = 0;

	if (port_to_host(skb->protocol) == ETH_P_IP) {
		if (bpf_skb_load_bytes(skb, 0, head, 20) < 0)
			return;
		denial->family = AF_INET;
		denial->protocol = head[9];
		__builtin_memcpy(denial->address, head + 16, 4);
		at = (head[0] & 0xf) * 4;
	} else if (port_to_host(skb->protocol) == ETH_P_IPV6) {
		if (bpf_skb_load_bytes(skb, 0, head, sizeof(head)) < 0)
			return;
		denial->family = AF_INET6;
		denial->protocol = head[6];
		__builtin_memcpy(denial->address, head + 24, 16);
	}
	if ((denial->protocol == IPPROTO_TCP || denial->protocol == IPPROTO_UDP) &&
	    bpf_skb_load_bytes(skb, at + 2, &port_be, sizeof(port_be)) == 0)
		denial->port = port_to_host(port_be);
}

static __always_inline void packet_refuse(struct __sk_buff *skb, enum hook hook, enum why why)
{
	struct bpf_sock *sk = skb->sk;
	struct denial denial = {};
	const struct stamp *stamp;

	packet_read(skb, &denial);
	if (sk) {
		stamp = bpf_sk_storage_get(&stamps, sk, 0, 0);
		if (stamp)
			denial_set_stamp(&denial, stamp);
		sk = bpf_sk_fullsock(sk);
		if (sk)
			denial.type = sk->type;
	}
	denial.socket_cookie = bpf_get_socket_cookie(skb);
	denial.hook = hook;
	denial.why = why;
	denial_emit(&denial);
}

#endif
