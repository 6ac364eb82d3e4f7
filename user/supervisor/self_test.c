/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An errno alone proves little: another program on the cgroup, or the lack of a route, can refuse as well. So each
 * refusal that the probe saw is looked for among the reports of our own programs.
 */
#include "supervisor/self_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "bpf/abi.h"
#include "supervisor/kernel.h"
#include "supervisor/paths.h"

struct seen {
	uint32_t expected; /* refusals of the self-test's datagrams */
	uint32_t other;
};

int self_test_make_nonce(char ret[static SELF_TEST_NONCE_SIZE])
{
	unsigned char bytes[(SELF_TEST_NONCE_SIZE - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return errno ? -errno : -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static bool is_ours(const struct denial *d)
{
	unsigned char address[16] = { 0 };

	if (inet_pton(d->family, d->family == AF_INET6 ? SELF_TEST_ADDRESS6 : SELF_TEST_ADDRESS4, address) != 1)
		return false;
	return d->hook == HOOK_CONNECT && d->why == WHY_datagram_refused && d->port == SELF_TEST_UDP_PORT &&
	       memcmp(d->address, address, sizeof(address)) == 0;
}

static void on_denial(void *arg, const struct denial *d)
{
	struct seen *seen = arg;

	if (is_ours(d))
		seen->expected++;
	else
		seen->other++;
}

int self_test_confirm(struct kernel *k, uint32_t refusals, char *reason)
{
	struct seen seen = { 0 };
	int r = kernel_events_read(k, on_denial, &seen);

	if (r < 0)
		return reason_set(reason, r, "cannot read what the kernel programs reported: %s; try again",
				  strerror(-r));
	if (refusals == 0 || seen.expected != refusals || seen.other != 0)
		return reason_set(reason, -EPROTO,
				  "the sandbox's self-test failed, so the command was not started: %u attempts were "
				  "refused, and the kernel programs reported %u of them and %u others; another program "
				  "may stand on the cgroup, see `bpftool cgroup tree`",
				  refusals, seen.expected, seen.other);
	return kernel_forget_refusals(k, refusals);
}
