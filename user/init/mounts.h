/* SPDX-License-Identifier: Apache-2.0 */
/* What of the file system the sandbox sees. Called as root, in init's own mount, PID and IPC namespaces. */
#ifndef BRIDLE_INIT_MOUNTS_H
#define BRIDLE_INIT_MOUNTS_H

struct failure;
struct init_spec;

/* Everything, in order. 0, or -1 and *reterr: then the command must not run. */
int mounts_prepare(const struct init_spec *spec, struct failure *reterr);

#endif
