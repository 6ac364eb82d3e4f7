/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What br_bind4 and br_bind6 share: the ports of our listeners and responders cannot be taken, on any address. */
#ifndef BRIDLE_BPF_BIND_H
#define BRIDLE_BPF_BIND_H

#include "bpf/connect.h"

static __always_inline int bind_decide(struct bpf_sock_addr *ctx, const struct destination *at)
{
	struct stamp *stamp = ctx->sk ? bpf_sk_storage_get(&stamps, ctx->sk, 0, 0) : 0;
	struct sandbox_config *config = 0;
	enum why why = sandbox_find(stamp, bpf_get_netns_cookie(ctx), &config);

	if (why == WHY_allowed && config && !config_owns_port(config, at->port))
		return 1;
	if (why == WHY_allowed)
		why = WHY_bind_refused; /* refuse: whoever held it would get our connections when we are gone */
	connect_refuse(ctx, stamp, at, why, HOOK_BIND);
	bpf_set_retval(why == WHY_bind_refused ? -EADDRINUSE : -EPERM);
	return 0;
}

#endif
