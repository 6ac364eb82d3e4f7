/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the sandbox's sockets inside its network namespace. The port is the kernel's choice and never shared
 * (SO_REUSEPORT would let a program of the same uid join). IPv4 is needed; a namespace without IPv6 gets port 0, which
 * the kernel programs read as "refuse the family".
 */
#include "supervisor/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "supervisor/paths.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define LISTEN_BACKLOG 4096
#define LO_INDEX       1

struct netns_job {
	int enter_fd;
	struct netns result;
	int error;
	const char *step; /* what failed */
};

void netns_init(struct netns *n)
{
	*n = (struct netns){ .fd = -1 };
	for (int i = 0; i < NETNS_SOCKETS; i++)
		n->sockets[i] = -1;
}

void netns_close_sockets(struct netns *n)
{
	for (int i = 0; i < NETNS_SOCKETS; i++)
		n->sockets[i] = fd_close(n->sockets[i]);
}

void netns_done(struct netns *n)
{
	netns_close_sockets(n);
	n->fd = fd_close(n->fd);
}

static int raise_lo(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

struct address_request {
	struct nlmsghdr header;
	struct ifaddrmsg address;
	char attributes[64];
};

static void request_add(struct address_request *r, uint16_t type, const void *data, size_t n)
{
	const struct rtattr attribute = { .rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(n) };
	char *at = (char *)r + NLMSG_ALIGN(r->header.nlmsg_len);

	memcpy(at, &attribute, sizeof(attribute));
	memcpy(at + RTA_LENGTH(0), data, n);
	r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + (uint32_t)RTA_SPACE(n);
}

static int request_send(const struct address_request *r)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[256];
	} answer;
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, r, r->header.nlmsg_len, 0) < 0)
		return -errno;
	if (recv(fd, &answer, sizeof(answer), 0) < (ssize_t)(sizeof(answer.header) + sizeof(answer.error)))
		return -EIO;
	return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
}

static int add_address(int family, const char *text)
{
	const uint32_t flags = IFA_F_NODAD | IFA_F_PERMANENT;
	const size_t n = family == AF_INET ? 4 : 16;
	unsigned char bytes[16];
	struct address_request r = {
		.header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
			    .nlmsg_type = RTM_NEWADDR,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
		.address = { .ifa_family = (uint8_t)family, .ifa_prefixlen = (uint8_t)(n * 8), .ifa_index = LO_INDEX },
	};

	if (inet_pton(family, text, bytes) != 1)
		return -EINVAL;
	request_add(&r, IFA_LOCAL, bytes, n);
	request_add(&r, IFA_ADDRESS, bytes, n);
	request_add(&r, IFA_FLAGS, &flags, sizeof(flags));
	return request_send(&r);
}

/* Some machines switch IPv6 off for new namespaces; in ours it harms nobody. */
static void enable_ipv6(void)
{
	auto_fd int fd = open("/proc/sys/net/ipv6/conf/lo/disable_ipv6", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, "0", 1);
}

static int open_socket(int family, int type, int *ret_fd, uint16_t *ret_port)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t n = family == AF_INET ? sizeof(in4) : sizeof(in6);
	struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&in4 : (struct sockaddr *)&in6;
	auto_fd int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int one = 1;

	if (fd < 0)
		return -errno;
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		return -errno;
	if (bind(fd, address, n) < 0)
		return -errno;
	if (type == SOCK_STREAM && listen(fd, LISTEN_BACKLOG) < 0)
		return -errno;
	if (getsockname(fd, address, &n) < 0)
		return -errno;
	*ret_port = ntohs(family == AF_INET ? in4.sin_port : in6.sin6_port);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int open_sockets(struct netns_job *job)
{
	struct netns *n = &job->result;
	socklen_t size = sizeof(n->cookie);

	for (int i = 0; i < NETNS_SOCKETS; i++) {
		int family = i == NETNS_TCP4 || i == NETNS_DNS4 ? AF_INET : AF_INET6;
		int type = i == NETNS_TCP4 || i == NETNS_TCP6 ? SOCK_STREAM : SOCK_DGRAM;
		int r = open_socket(family, type, &n->sockets[i], &n->ports[i]);

		job->step = "open a socket on the loopback of the sandbox's network namespace";
		if (r < 0 && !(family == AF_INET6 && (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL)))
			return r;
	}
	job->step = "read the cookie of the sandbox's network namespace (SO_NETNS_COOKIE, Linux 5.14)";
	return getsockopt(n->sockets[NETNS_TCP4], SOL_SOCKET, SO_NETNS_COOKIE, &n->cookie, &size) < 0 ? -errno : 0;
}

static int make_namespace(struct netns_job *job)
{
	int r;

	job->step = "make a network namespace";
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	job->step = "set up the loopback device of the sandbox's network namespace";
	enable_ipv6();
	r = raise_lo();
	if (r == 0)
		r = add_address(AF_INET, NETNS_IPV4);
	if (r < 0)
		return r;
	r = add_address(AF_INET6, NETNS_IPV6);
	return r == -EOPNOTSUPP || r == -EAFNOSUPPORT || r == -EACCES ? 0 : r; /* no IPv6 on this machine */
}

static void *netns_thread(void *arg)
{
	struct netns_job *job = arg;

	if (job->enter_fd < 0) {
		job->error = make_namespace(job);
	} else {
		job->step = "enter the network namespace";
		job->error = setns(job->enter_fd, CLONE_NEWNET) < 0 ? -errno : 0;
	}
	if (job->error == 0)
		job->error = open_sockets(job);
	if (job->error < 0)
		return NULL;
	job->step = "open /proc/thread-self/ns/net";
	job->result.fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	job->error = job->result.fd < 0 ? -errno : 0;
	return NULL;
}

int netns_open(int fd, struct netns *ret, char *reason)
{
	struct netns_job job = { .enter_fd = fd };
	pthread_t thread;
	int r;

	netns_init(&job.result);
	r = -pthread_create(&thread, NULL, netns_thread, &job);
	if (r < 0)
		return reason_set(reason, r, "cannot start a thread for the network namespace: %s; end other processes",
				  strerror(-r));
	(void)pthread_join(thread, NULL);
	if (job.error < 0) {
		netns_done(&job.result);
		return reason_set(reason, job.error,
				  "cannot %s: %s; run bridle as root with CAP_SYS_ADMIN and CAP_NET_ADMIN", job.step,
				  strerror(-job.error));
	}
	*ret = job.result;
	return 0;
}
