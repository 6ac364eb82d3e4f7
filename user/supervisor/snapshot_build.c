/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the certificates that the policy trusts, once, at the start: what stands in those files later changes nothing.
 * Refuses a file that holds no certificate at all; what the certificates are worth, the worker finds out.
 */
#include "supervisor/snapshot_build.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/snapshot.h"
#include "base/util.h"
#include "policy/policy.h"
#include "supervisor/netns.h"
#include "supervisor/paths.h"
#include "supervisor/sandbox.h"

static int add_trust(struct buf *pem, const char *path, char *reason)
{
	auto_free char *text = NULL;
	size_t n;
	int r = paths_read_file(path, SNAPSHOT_TRUST_MAX, &text, &n);

	if (r < 0)
		return reason_set(reason, r, "cannot read %s, which the policy's tls.trust names: %s; correct the path",
				  path, strerror(-r));
	if (!memmem(text, n, "-----BEGIN", 10) || memchr(text, '\0', n))
		return reason_set(
			reason, -EINVAL,
			"%s, which the policy's tls.trust names, holds no PEM certificate; name one that does", path);
	r = buf_append(pem, str_make(text, n));
	if (r == 0)
		r = buf_append(pem, STR("\n"));
	return r < 0 ? reason_set(reason, r,
				  "the certificates of the policy's tls.trust are too large together; name fewer")
		     : 0;
}

int snapshot_build(const struct sandbox_options *options, const struct netns *netns, unsigned tier,
		   struct str self_test, char *reason)
{
	struct snapshot s = {
		.policy_file = str_of(options->policy_file),
		.policy_text = options->policy_text,
		.sandbox = str_of(options->name),
		.self_test = self_test,
		.netns_cookie = netns->cookie,
		.listen_port = { netns->ports[NETNS_TCP4], netns->ports[NETNS_TCP6] },
		.tier = tier,
		.deadlines = options->deadlines,
	};
	struct buf pem;
	int r = 0, fd = -1;

	buf_init(&pem, SNAPSHOT_TRUST_MAX);
	for (size_t i = 0; i < policy_trust_count(options->policy) && r == 0; i++)
		r = add_trust(&pem, policy_trust_at(options->policy, i), reason);
	if (r == 0) {
		for (size_t i = 0; i < options->n_proxy_ports && i < SNAPSHOT_PROXY_PORTS_MAX; i++)
			s.proxy_ports[i] = options->proxy_ports[i];
		s.trust_pem = buf_str(&pem);
		fd = snapshot_create(&s);
		if (fd < 0)
			r = reason_set(reason, fd, "cannot hand the policy to a worker: %s; end other processes",
				       strerror(-fd));
	}
	buf_done(&pem);
	return r < 0 ? r : fd;
}
