/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Which sandbox a socket belongs to and whether it may do anything at all. The socket's stamp decides, never the
 * calling task. Refuses: no stamp, an unknown or inactive sandbox, another network namespace.
 */
#ifndef BRIDLE_BPF_SANDBOX_H
#define BRIDLE_BPF_SANDBOX_H

#include "bpf/refuse.h"

#define EPERM		1
#define EADDRINUSE	98
#define EPROTONOSUPPORT 93
#define ECONNREFUSED	111

/* WHY_allowed, or why the stamp's sandbox may do nothing; then *config stays NULL. */
static __always_inline enum why sandbox_find(const struct stamp *stamp, __u64 netns_cookie,
					     struct sandbox_config **ret_config)
{
	struct sandbox_config *config;
	__u64 id;

	if (!stamp)
		return WHY_no_stamp; /* refuse: made outside, before, or by another load of the programs */
	id = stamp->sandbox;
	config = bpf_map_lookup_elem(&sandboxes, &id);
	if (!config)
		return WHY_no_sandbox; /* refuse: never configured, or removed */
	if (config->state != SANDBOX_ACTIVE)
		return WHY_sandbox_inactive; /* refuse: zeroed, closed, or a state of the future */
	if (netns_cookie == 0 || netns_cookie != config->netns_cookie || netns_cookie != stamp->netns_cookie)
		return WHY_netns_foreign; /* refuse: nobody listens for us there */
	*ret_config = config;
	return WHY_allowed;
}

/* Our listener or responder for an address family; 0: none, refuse. */
static __always_inline __u16 config_tcp_port(const struct sandbox_config *config, __u16 family)
{
	return family == AF_INET ? config->tcp4_port : config->tcp6_port;
}

static __always_inline __u16 config_dns_port(const struct sandbox_config *config, __u16 family)
{
	return family == AF_INET ? config->dns4_port : config->dns6_port;
}

static __always_inline int config_owns_port(const struct sandbox_config *config, __u16 port)
{
	return port != 0 && (port == config->tcp4_port || port == config->tcp6_port || port == config->dns4_port ||
			     port == config->dns6_port);
}

#endif
