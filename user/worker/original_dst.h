/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDLE_WORKER_ORIGINAL_DST_H
#define BRIDLE_WORKER_ORIGINAL_DST_H

#include <stdint.h>

/* Where a connection wanted to go, and who asked. */
struct original_dst {
	int family;	   /* AF_INET or AF_INET6 */
	uint8_t bytes[16]; /* network order */
	uint16_t port;
	uint32_t pid;
	uint64_t socket_cookie;
	char exe[32];
};

/* By the far end of an accepted socket, in the flows map. 0, -ENOENT (refuse), or -errno. */
int original_dst_find(int flows_fd, uint64_t netns_cookie, int fd, struct original_dst *ret);

#endif
