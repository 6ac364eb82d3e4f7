/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What sendmsg, recvmsg and getpeername share: turning a datagram to our responder, and showing the program the
 * address that it asked for instead of ours. Only addresses that are ours are replaced, and only on sockets whose stamp
 * says that they were turned round.
 */
#ifndef BRIDLE_BPF_DATAGRAM_H
#define BRIDLE_BPF_DATAGRAM_H

#include "bpf/connect.h"

static __always_inline int destination_is_responder(const struct destination *to, const struct sandbox_config *config)
{
	return destination_is_loopback(to) && to->port != 0 && to->port == config_dns_port(config, to->family);
}

/* Decides on one datagram; port 0 in a permission: it is addressed to our responder already. */
static __always_inline void datagram_turn(struct stamp *stamp, const struct sandbox_config *config,
					  const struct destination *to, int foreign_source, struct turn *turn)
{
	if (foreign_source && !config->loopback_only) {
		turn->why = WHY_source_refused; /* refuse: see source_could_leak() */
		return;
	}
	/* A connected IPv6 socket with a v4-mapped peer runs sendmsg4 for each send(), with the turned address. */
	if (stamp->state == STAMP_DNS_CONNECTED && destination_is_responder(to, config)) {
		turn->why = WHY_allowed;
		return;
	}
	turn->port = config_dns_port(config, to->family);
	if (to->port != DNS_PORT || !turn->port) {
		turn->why = WHY_datagram_refused;
		return;
	}
	turn->loopback = 1;
	turn->why = WHY_allowed;
	if (stamp->state == STAMP_DNS_CONNECTED)
		return; /* getpeername goes on showing the connected resolver */
	stamp_set_destination(stamp, to);
	stamp->state = STAMP_DNS;
}

/* foreign_source: an IPv6 datagram that does not come from loopback. */
static __always_inline int datagram_decide(struct bpf_sock_addr *ctx, const struct destination *to, int foreign_source,
					   struct turn *ret_turn)
{
	struct stamp *stamp = ctx->sk ? bpf_sk_storage_get(&stamps, ctx->sk, 0, 0) : 0;
	struct sandbox_config *config = 0;

	ret_turn->why = sandbox_find(stamp, bpf_get_netns_cookie(ctx), &config);
	if (ret_turn->why == WHY_allowed && stamp && config)
		datagram_turn(stamp, config, to, foreign_source, ret_turn);
	if (ret_turn->why == WHY_allowed)
		return 1;
	connect_refuse(ctx, stamp, to, ret_turn->why, HOOK_SENDMSG);
	bpf_set_retval(-ECONNREFUSED);
	return 0;
}

/* The stamp, when `shown` is our side of something that was turned round; else NULL: show it as it is. */
static __always_inline const struct stamp *address_hidden(struct bpf_sock_addr *ctx, const struct destination *shown)
{
	const struct stamp *stamp = ctx->sk ? bpf_sk_storage_get(&stamps, ctx->sk, 0, 0) : 0;
	const struct sandbox_config *config;
	__u64 id;

	if (!stamp || stamp->state == STAMP_DIRECT || stamp->flow.family != shown->family ||
	    !destination_is_loopback(shown))
		return 0;
	id = stamp->sandbox;
	config = bpf_map_lookup_elem(&sandboxes, &id);
	if (!config)
		return 0;
	if (stamp->state == STAMP_DNS || stamp->state == STAMP_DNS_CONNECTED)
		return shown->port == config_dns_port(config, shown->family) ? stamp : 0;
	return shown->port == config_tcp_port(config, shown->family) ? stamp : 0;
}

static __always_inline void address_restore4(struct bpf_sock_addr *ctx)
{
	const struct stamp *stamp;
	struct destination shown;

	destination_set4(&shown, ctx->user_ip4, ctx->user_port);
	stamp = address_hidden(ctx, &shown);
	if (!stamp)
		return;
	ctx->user_ip4 = *(const __u32 *)stamp->flow.address;
	ctx->user_port = port_to_net(stamp->flow.port);
}

static __always_inline void address_restore6(struct bpf_sock_addr *ctx)
{
	const struct stamp *stamp;
	struct destination shown;
	const __u32 *word;
	__u32 ip[4];

	ip[0] = ctx->user_ip6[0];
	ip[1] = ctx->user_ip6[1];
	ip[2] = ctx->user_ip6[2];
	ip[3] = ctx->user_ip6[3];
	destination_set6(&shown, ip, ctx->user_port);
	stamp = address_hidden(ctx, &shown);
	if (!stamp)
		return;
	word = (const __u32 *)stamp->flow.address;
	if (shown.mapped) {
		ctx->user_ip6[3] = word[0];
	} else {
		ctx->user_ip6[0] = word[0];
		ctx->user_ip6[1] = word[1];
		ctx->user_ip6[2] = word[2];
		ctx->user_ip6[3] = word[3];
	}
	ctx->user_port = port_to_net(stamp->flow.port);
}

#endif
