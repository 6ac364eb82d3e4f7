/* SPDX-License-Identifier: Apache-2.0 */
/* Puts together the sealed file by which workers get their policy. */
#ifndef BRIDLE_SUPERVISOR_SNAPSHOT_BUILD_H
#define BRIDLE_SUPERVISOR_SNAPSHOT_BUILD_H

#include "base/str.h"

struct netns;
struct sandbox_options;

#define SNAPSHOT_TRUST_MAX ((size_t)4 << 20) /* bytes of all certificates of tls.trust */

/* self_test: the nonce that a worker answers to. A sealed memfd, owned by the caller, or -errno and reason. */
int snapshot_build(const struct sandbox_options *options, const struct netns *netns, unsigned tier,
		   struct str self_test, char *reason);

#endif
