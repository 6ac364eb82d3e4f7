/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Addresses as the hooks see them: network order, in four words. Pure: no helper, no map; tests/bpf/native_address.c
 * compiles it for the host.
 */
#ifndef BRIDLE_BPF_ADDRESS_H
#define BRIDLE_BPF_ADDRESS_H

#ifdef __BPF__
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#define AF_INET	 2
#define AF_INET6 10
#endif

/* Where a program wants to go. A v4-mapped IPv6 address is held as the IPv4 address that it means. */
struct destination {
	__u32 ip[4];  /* network order; IPv4 in the first, rest zero */
	__u16 port;   /* host order */
	__u16 family; /* of ip */
	__u32 mapped; /* 1: was written as ::ffff:a.b.c.d */
};

static __always_inline __u16 port_to_host(__u32 port_be)
{
	return (__u16)__builtin_bswap16((__u16)port_be);
}

static __always_inline __u32 port_to_net(__u16 port)
{
	return __builtin_bswap16(port);
}

/* The 32-bit word of an address, in network order, from its value in host order (little-endian machines only). */
#define WORD_BE(value) ((__u32)__builtin_bswap32(value))

static __always_inline void destination_set4(struct destination *d, __u32 ip, __u32 port_be)
{
	d->ip[0] = ip;
	d->ip[1] = d->ip[2] = d->ip[3] = 0;
	d->port = port_to_host(port_be);
	d->family = AF_INET;
	d->mapped = 0;
}

static __always_inline void destination_set6(struct destination *d, const __u32 ip[4], __u32 port_be)
{
	if (ip[0] == 0 && ip[1] == 0 && ip[2] == WORD_BE(0xffff)) {
		destination_set4(d, ip[3], port_be);
		d->mapped = 1;
		return;
	}
	d->ip[0] = ip[0];
	d->ip[1] = ip[1];
	d->ip[2] = ip[2];
	d->ip[3] = ip[3];
	d->port = port_to_host(port_be);
	d->family = AF_INET6;
	d->mapped = 0;
}

/* 127.0.0.0/8, ::1, and 0.0.0.0 and ::, which the kernel takes for loopback. */
static __always_inline int destination_is_loopback(const struct destination *d)
{
	if (d->family == AF_INET)
		return (d->ip[0] & WORD_BE(0xff000000)) == WORD_BE(0x7f000000) || d->ip[0] == 0;
	return d->ip[0] == 0 && d->ip[1] == 0 && d->ip[2] == 0 && (d->ip[3] == WORD_BE(1) || d->ip[3] == 0);
}

/* An IPv6 source that stays on loopback: ::1, or ::, for which the kernel takes ::1 when the destination is ::1. */
static __always_inline int source6_is_loopback(__u32 a, __u32 b, __u32 c, __u32 d)
{
	return a == 0 && b == 0 && c == 0 && (d == WORD_BE(1) || d == 0);
}

#endif
