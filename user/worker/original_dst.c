/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the flows map, which br_sockops filled before the SYN left. No entry: the connection is refused. */
#include "worker/original_dst.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "bpf/abi.h"

static int key_of(int fd, uint64_t netns_cookie, struct flow_key *ret)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t size = sizeof(peer);
	struct flow_key key = { .netns_cookie = netns_cookie };

	if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
		return -errno;
	key.family = peer.ss_family;
	if (peer.ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, &peer, sizeof(in));
		memcpy(key.address, &in.sin_addr, 4);
		key.port = ntohs(in.sin_port);
	} else if (peer.ss_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, &peer, sizeof(in6));
		memcpy(key.address, &in6.sin6_addr, 16);
		key.port = ntohs(in6.sin6_port);
	} else {
		return -EAFNOSUPPORT;
	}
	*ret = key;
	return 0;
}

int original_dst_find(int flows_fd, uint64_t netns_cookie, int fd, struct original_dst *ret)
{
	struct flow_key key;
	struct flow flow;
	int r = key_of(fd, netns_cookie, &key);

	if (r < 0)
		return r;
	if (bpf_map_lookup_elem(flows_fd, &key, &flow) < 0)
		return -errno;
	if ((flow.family != AF_INET && flow.family != AF_INET6) || flow.port == 0)
		return -ENOENT; /* refuse: a zeroed entry */
	*ret = (struct original_dst){
		.family = flow.family,
		.port = flow.port,
		.pid = flow.pid,
		.socket_cookie = flow.socket_cookie,
	};
	memcpy(ret->bytes, flow.address, sizeof(ret->bytes));
	memcpy(ret->exe, flow.exe, sizeof(ret->exe) - 1);
	return 0;
}
